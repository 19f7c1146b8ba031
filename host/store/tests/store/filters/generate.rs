//! Random records and random well-typed expressions, from few values, so that they often meet.

use jiff::{SignedDuration, Timestamp};
use pergola_model::{Fields, Money, Value};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::world::after;

const TEXTS: [&str; 9] = ["", "a", "ab", "B", "b%", "_a", "я", "я\u{10ffff}", "😀a"];
const CODES: [&str; 2] = ["booked", "cancelled"];
const DAYS: [&str; 3] = ["2024-02-29", "2026-03-31", "2026-04-01"];

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&TEXTS[..])
}

/// Where clocks are changed, days and years begin, and the offsets of zones begin and end.
const EDGES: [&str; 12] = [
    "2026-03-29T00:59:59.999999Z",
    "2026-03-29T01:00:00Z",
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:00:00Z",
    "2024-02-29T23:30:00Z",
    "2026-12-31T23:30:00Z",
    "2011-03-26T23:00:00Z",
    "1969-12-31T23:59:59.5Z",
    "1962-07-01T12:00:00Z",
    "1979-12-31T23:59:59Z",
    "2059-07-01T22:15:00Z",
    "2075-07-01T22:15:00Z",
];
const ZONES: [&str; 7] = [
    "",
    "'UTC'",
    "'Europe/Moscow'",
    "'America/New_York'",
    "'Asia/Kathmandu'",
    "'Australia/Lord_Howe'",
    "'Pacific/Apia'",
];

fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        2 => prop::sample::select(vec![-86_400, -1, 0, 1, 3_600, 86_400]).prop_map(after),
        1 => prop::sample::select(&EDGES[..]).prop_map(|edge| edge.parse().unwrap()),
    ]
}

fn whole() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3_i64..4, 1 => any::<i64>()]
}

fn maybe(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 3 => value]
}

fn decimal(scale: u32) -> impl Strategy<Value = Value> {
    // Such that sums at the larger of two scales fit in 64 bits, as `filter` asks.
    let number = prop_oneof![4 => -30_i64..30, 1 => -1_000_000_000_000_000_i64..1_000_000_000_000_000];
    maybe(number.prop_map(move |number| Value::Decimal(Decimal::new(number, scale))))
}

/// A record's own fields, each with or without a value.
pub(crate) fn fields() -> impl Strategy<Value = Fields> {
    let texts = (
        maybe(text().prop_map(Value::from)),
        maybe(text().prop_map(Value::from)),
        maybe(prop::sample::select(&CODES[..]).prop_map(Value::from)),
    );
    let numbers = (
        maybe(whole().prop_map(Value::from)),
        decimal(3),
        decimal(2),
        maybe(money()),
        maybe(any::<bool>().prop_map(Value::from)),
    );
    let times = (
        maybe(prop::sample::select(&DAYS[..]).prop_map(|day| Value::Date(day.parse().unwrap()))),
        maybe(instant().prop_map(Value::from)),
        maybe(instant().prop_map(Value::from)),
        maybe((-3_i64..4).prop_map(|hours| Value::Duration(SignedDuration::from_hours(hours)))),
    );
    let others = (
        maybe(
            prop::collection::btree_set(text(), 0..3)
                .prop_map(|tags| Value::Tags(tags.into_iter().map(str::to_owned).collect())),
        ),
        maybe(Just(Value::Json(serde_json::json!({ "a": null })))),
    );
    (texts, numbers, times, others).prop_map(|(texts, numbers, times, others)| {
        Fields::new()
            // `title` and `day` are unique together, so the day stays alone with `email`.
            .with("body", texts.0)
            .with("email", texts.1)
            .with("status", texts.2)
            .with("amount", numbers.0)
            .with("weight", numbers.1)
            .with("fee", numbers.2)
            .with("price", numbers.3)
            .with("open", numbers.4)
            .with("day", times.0)
            .with("starts_at", times.1)
            .with("ends_at", times.2)
            .with("length", times.3)
            .with("tags", others.0)
            .with("data", others.1)
    })
}

fn money() -> impl Strategy<Value = Value> {
    (whole(), prop::sample::select(vec!["EUR", "RUB"]))
        .prop_map(|(amount_minor, currency)| Value::Money(Money { amount_minor, currency: currency.to_owned() }))
}

/// A contact's fields.
pub(crate) fn contact() -> impl Strategy<Value = Fields> {
    (text(), maybe(text().prop_map(Value::from)), decimal(1)).prop_map(|(name, source, discount)| {
        Fields::new().with("name", name).with("source", source).with("lab.discount", discount)
    })
}

/// Values of `p0` …, with or without a value.
pub(crate) fn parameters() -> impl Strategy<Value = Vec<Value>> {
    let days = prop::sample::select(&DAYS[..]).prop_map(|day| Value::Date(day.parse().unwrap()));
    (
        maybe(whole().prop_map(Value::from)),
        decimal(2),
        maybe(text().prop_map(Value::from)),
        maybe(instant().prop_map(Value::from)),
        maybe(any::<bool>().prop_map(Value::from)),
        maybe(days),
    )
        .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f])
}

/// One of these texts, or what a strategy gives.
fn one_of(names: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(names).prop_map(str::to_owned).boxed()
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// A condition about one of the children, each called `s`.
fn of_child() -> BoxedStrategy<String> {
    one_of(&[
        "true",
        "s.amount > 0",
        "s.amount == p0",
        "s.status == 'booked'",
        "s.room.open",
        "s.room.room != null",
        "s.starts_at < now",
        "s.contact.source != null",
        "s.contact.organization.name == ''",
        "s.fee > p1",
        "'a' in s.tags",
        "s.starts_at.getHours() > 12",
        "!(s.body == p2)",
    ])
}

/// A question about children, here or at the contact.
fn children(of_children: &'static [&'static str]) -> BoxedStrategy<String> {
    let whose = one_of(&["lab.samples", "room.lab.samples", "contact.lab.samples"]);
    (whose, prop::sample::select(of_children), of_child())
        .prop_map(|(whose, asked, condition)| format!("{whose}.{}", asked.replace("if", &condition)))
        .boxed()
}

/// A part of an instant or a day.
fn parts() -> BoxedStrategy<String> {
    let part = one_of(&["getFullYear", "getMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes"]);
    prop_oneof![
        3 => (one_of(&["starts_at", "ends_at", "room.starts_at", "p3", "(starts_at + length)"]), part, prop::sample::select(&ZONES[..]))
            .prop_map(|(at, part, zone)| format!("{at}.{part}({zone})")),
        1 => (days(), one_of(&["getFullYear", "getMonth", "getDate", "getDayOfWeek"])).prop_map(|(day, part)| format!("{day}.{part}()")),
    ]
    .boxed()
}

fn integers() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => one_of(&["amount", "price.amount_minor", "room.amount", "room.price.amount_minor", "version", "p0"]),
        1 => (-3_i64..4).prop_map(|number| number.to_string()),
        1 => parts(),
        1 => one_of(&["room.room.amount", "room.room.room.room.amount", "size(body)", "room.email.size()"]),
        1 => children(&["count(s)", "count(s, if)", "sum(s, s.amount, if)", "max(s, s.price.amount_minor, if)"]),
    ];
    let sum = (leaf.clone(), prop::sample::select(vec!["+", "-", "*"]), leaf.clone());
    let chosen = (one_of(&["open", "amount > 0", "room == null"]), leaf.clone(), leaf.clone());
    prop_oneof![
        4 => leaf,
        1 => sum.prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
        1 => chosen.prop_map(|(condition, a, b)| format!("({condition} ? {a} : {b})")),
    ]
    .boxed()
}

fn decimals() -> BoxedStrategy<String> {
    let field = one_of(&["weight", "fee", "room.weight", "contact.lab.discount"]);
    let leaf = prop_oneof![
        3 => field.clone(),
        1 => Just("p1".to_owned()),
        1 => (-3_000_i64..3_000, 0_u32..4).prop_map(|(number, scale)| format!("{:.3}", Decimal::new(number, scale))),
        1 => one_of(&["(open ? fee : weight)", "(amount > 0 ? fee : null)", "(open ? contact.lab.discount : 1.5)"]),
        1 => children(&["sum(s, s.fee)", "sum(s, s.weight, if)", "min(s, s.fee, if)", "max(s, s.fee - s.weight)"]),
    ];
    let sum = (field, prop::sample::select(vec!["+", "-"]), leaf.clone());
    prop_oneof![3 => leaf, 1 => sum.prop_map(|(a, sign, b)| format!("({a} {sign} {b})"))].boxed()
}

fn texts() -> BoxedStrategy<String> {
    prop_oneof![
        4 => one_of(&["body", "email", "price.currency", "room.body", "contact.name", "contact.source", "p2"]),
        2 => text().prop_map(quoted),
        1 => one_of(&["contact.organization.name", "room.contact.name", "(open ? body : email)", "(open ? null : p2)"]),
        1 => children(&["min(s, s.body)", "max(s, s.email, if)"]),
    ]
    .boxed()
}

fn instants() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => one_of(&["starts_at", "ends_at", "room.starts_at", "now", "p3", "created_at"]),
        1 => children(&["min(s, s.starts_at)", "max(s, s.ends_at, if)"]),
        1 => instant().prop_map(|at| format!("timestamp('{at}')")),
    ];
    let moved = (leaf.clone(), prop::sample::select(vec!["+", "-"]), durations());
    prop_oneof![3 => leaf, 1 => moved.prop_map(|(at, sign, by)| format!("({at} {sign} {by})"))].boxed()
}

fn durations() -> BoxedStrategy<String> {
    prop_oneof![
        3 => one_of(&["length", "room.length", "(ends_at - starts_at)", "(length + length)", "(length * 2)", "(day - room.day)", "(date(ends_at) - day)"]),
        1 => (-3_i64..4).prop_map(|hours| format!("duration('{hours}h')")),
    ]
    .boxed()
}

fn days() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        4 => one_of(&["day", "room.day", "p5"]),
        1 => prop::sample::select(&DAYS[..]).prop_map(|day| format!("date('{day}')")),
        2 => one_of(&["date(starts_at)", "date(ends_at)", "date(now)", "date(p3)", "date(room.starts_at)"]),
    ];
    let first = (one_of(&["week", "month", "quarter", "year", "day"]), leaf.clone());
    let moved =
        (leaf.clone(), prop::sample::select(vec!["+", "-"]), one_of(&["days(1)", "days(room.version)", "length"]));
    prop_oneof![
        3 => leaf,
        1 => first.prop_map(|(period, day)| format!("{period}({day})")),
        1 => moved.prop_map(|(day, sign, by)| format!("({day} {sign} {by})")),
    ]
    .boxed()
}

fn references() -> BoxedStrategy<String> {
    one_of(&["room", "room.room", "id", "room.id", "room.room.id"])
}

const COMPARE: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

fn compared(operand: BoxedStrategy<String>, signs: &'static [&'static str]) -> BoxedStrategy<String> {
    (operand.clone(), prop::sample::select(signs), operand).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")).boxed()
}

fn listed(operand: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (operand.clone(), prop::collection::vec(operand, 0..4))
        .prop_map(|(item, list)| format!("{item} in [{}]", list.join(", ")))
        .boxed()
}

fn leaf() -> BoxedStrategy<String> {
    let absent = one_of(&[
        "body",
        "amount",
        "weight",
        "price",
        "open",
        "day",
        "starts_at",
        "length",
        "status",
        "room",
        "contact",
        "tags",
        "data",
        "room.price",
        "contact.source",
        "contact.lab.discount",
        "room.room",
        "room.room.room",
        "contact.organization.name",
        "date(starts_at)",
        "(open ? price : null)",
        "contact.lab.samples.min(s, s.starts_at)",
    ]);
    prop_oneof![
        4 => compared(integers(), &COMPARE),
        4 => compared(decimals(), &COMPARE),
        4 => compared(texts(), &COMPARE),
        3 => compared(instants(), &COMPARE),
        2 => compared(durations(), &COMPARE),
        2 => compared(days(), &COMPARE),
        2 => compared(references(), &COMPARE[..2]),
        2 => compared(one_of(&["price", "room.price", "(open ? price : room.price)", "(amount > 0 ? null : price)"]), &COMPARE),
        2 => children(&["exists(s, if)", "count(s, if) > 1"]),
        2 => one_of(&["open", "room.open", "p4", "open == room.open", "open != p4", "open == (amount > 0)", "true", "false"]),
        2 => (prop::sample::select(vec!["status", "room.status"]), prop::sample::select(&COMPARE[..2]), prop::sample::select(&CODES[..]))
            .prop_map(|(field, sign, code)| format!("{field} {sign} '{code}'")),
        3 => (absent, prop::sample::select(&COMPARE[..2])).prop_map(|(field, sign)| format!("{field} {sign} null")),
        1 => listed(integers()),
        1 => listed(decimals()),
        1 => listed(texts()),
        1 => listed(days()),
        2 => (texts(), prop::sample::select(vec!["tags", "room.tags"])).prop_map(|(tag, tags)| format!("{tag} in {tags}")),
        3 => (texts(), prop::sample::select(vec!["contains", "startsWith", "endsWith"]), texts())
            .prop_map(|(a, test, b)| format!("{a}.{test}({b})")),
    ]
    .boxed()
}

/// An expression of type bool over `lab.sample`.
pub(crate) fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => inner.clone().prop_map(|a| format!("!({a})")),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" || "))),
            1 => (inner.clone(), prop::sample::select(&COMPARE[..2]), inner).prop_map(|(a, sign, b)| format!("(({a}) {sign} ({b}))")),
        ]
    })
}
