//! What the language means, example by example.

mod children;
mod errors;
mod hostile;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};

use super::{Env, EvalError, ExprError, Expression, NodeKind, Scope, Type};
use crate::{
    catalog::{Catalog, PluginSource},
    name::ObjectName,
    record::{Fields, Record},
    value::{Id, Money, Value},
};

const NOW: &str = "2026-03-31T12:00:00Z";
const MASTER: u128 = 7;

const BOOKING: &str = r#"
id = "booking"
version = "1.0.0"
api = "0.1"
[object.appointment.fields]
name = { type = "text" }
visits = { type = "integer" }
discount = { type = "decimal", scale = 2 }
price = { type = "money" }
paid = { type = "bool" }
day = { type = "date" }
starts_at = { type = "datetime" }
ends_at = { type = "datetime" }
pause = { type = "duration" }
status = { type = "choice", of = ["booked", "arrived", "cancelled"] }
contact = { type = "ref", to = "contact" }
master = { type = "ref", to = "booking.resource" }
parent = { type = "ref", to = "booking.appointment" }
labels = { type = "tags" }
extra = { type = "json" }
missing = { type = "integer" }
missing_text = { type = "text" }
missing_flag = { type = "bool" }
missing_at = { type = "datetime" }
other_price = { type = "money" }
[object.resource.fields]
name = { type = "text" }
rate = { type = "money" }
kind = { type = "choice", of = ["chair"] }
chief = { type = "ref", to = "booking.resource" }
[object.visit]
fields.appointment = { type = "ref", to = "booking.appointment" }
fields.earlier = { type = "ref", to = "booking.appointment" }
fields.note = { type = "text" }
[object.payment]
fields.appointment = { type = "ref", to = "booking.appointment" }
fields.amount = { type = "money" }
fields.share = { type = "decimal", scale = 2 }
fields.paid_on = { type = "date" }
fields.took = { type = "duration" }
fields.cashier = { type = "ref", to = "booking.resource" }
fields.status = { type = "choice", of = ["done", "failed"] }
"#;

const SALON: &str = r#"
id = "salon"
version = "1.0.0"
api = "0.1"
requires = { booking = "1" }
[extend."booking.appointment".fields]
color = { type = "text" }
preferred_master = { type = "ref", to = "booking.resource" }
[extend.contact.fields]
preferred_master = { type = "ref", to = "booking.resource" }
"#;

fn object(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}

/// Objects, settings and parameters for all tests.
struct World {
    catalog: Catalog,
    settings: BTreeMap<String, Value>,
    types: Vec<Type>,
    zone: TimeZone,
}

impl World {
    fn new() -> Self {
        let source = |manifest: &str| PluginSource {
            manifest: Arc::new(toml::from_str(manifest).unwrap()),
            digest: String::new(),
            settings: BTreeMap::new(),
        };
        let catalog = Catalog::build(&[source(BOOKING), source(SALON)]);
        let settings =
            [("vip_after", Value::Integer(3)), ("unset", Value::Null), ("opening", Value::from("2026-01-01"))];
        Self {
            catalog: catalog.unwrap_or_else(|issues| panic!("{issues:#?}")),
            settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
            types: vec![Type::Integer, Type::Text, Type::Null, Type::Id],
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        }
    }

    fn compile(&self, source: &str, expected: &Type) -> Result<Expression, ExprError> {
        let scope = Scope {
            object: self.catalog.find_object("booking.appointment").unwrap(),
            objects: &self.catalog,
            settings: &self.settings,
            parameters: &self.types,
            zone: &self.zone,
        };
        Expression::compile(source, &scope, expected)
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(number: u128) -> Id {
    Id(uuid::Uuid::from_u128(number))
}

fn record(number: u128, fields: Fields) -> Record {
    Record { id: id(number), version: 4, created_at: at(NOW), updated_at: at(NOW), fields }
}

fn appointment() -> Record {
    let fields = Fields::new()
        .with("name", "Haircut")
        .with("visits", 3)
        .with("discount", Value::Decimal("1.50".parse().unwrap()))
        .with("price", Value::Money(Money { amount_minor: 150_000, currency: "RUB".to_owned() }))
        .with("paid", true)
        .with("day", Value::Date("2026-03-31".parse().unwrap()))
        .with("starts_at", at("2026-04-01T10:00:00Z"))
        .with("ends_at", at("2026-04-01T11:30:00Z"))
        .with("pause", Value::Duration(jiff::SignedDuration::from_mins(15)))
        .with("status", "booked")
        .with("master", id(MASTER))
        .with("parent", id(1))
        .with("labels", Value::Tags(vec!["vip".to_owned(), "new".to_owned()]))
        .with("salon.color", "red")
        .with("other_price", Value::Money(Money { amount_minor: 200_000, currency: "RUB".to_owned() }));
    record(1, fields)
}

/// The value of an expression for [`appointment`], or the error as text.
fn value(world: &World, source: &str, expected: &Type) -> Result<Value, String> {
    let expression = world.compile(source, expected).map_err(|error| error.to_string())?;
    let rate = Value::Money(Money { amount_minor: 900, currency: "RUB".to_owned() });
    let master = record(MASTER, Fields::new().with("name", "Anna").with("rate", rate).with("chief", id(8)));
    let chief = record(8, Fields::new().with("name", "Boss"));
    let parameters = [Value::Integer(3), Value::from("Anna"), Value::Null, Value::Ref(id(MASTER))];
    let path = |path: &[&str]| path.iter().map(|step| (*step).to_owned()).collect();
    let env = Env {
        record: &appointment(),
        related: &[(path(&["master"]), master), (path(&["master", "chief"]), chief)].into(),
        children: &children::Payments,
        now: at(NOW),
        parameters: &parameters,
    };
    expression.evaluate(&env).map_err(|EvalError(message)| message)
}

/// Every line is an expression that is true, or false, for [`appointment`].
#[track_caller]
fn check(expected: bool, sources: &str) {
    let world = World::new();
    for source in sources.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let holds = value(&world, source, &Type::Bool).map(|value| value == Value::Bool(true));
        assert_eq!(holds, Ok(expected), "{source}");
    }
}

#[test]
fn values_are_compared_by_their_type() {
    check(
        true,
        r#"
        paid
        name == 'Haircut' && name != "haircut" && name < 'b' && 'a' > name
        visits == 3 && visits >= 3 && visits <= 3 && visits > 2 && visits < 4 && visits != 4 && -visits == -3
        discount == 1.5 && discount == 1.500 && discount > 1 && discount < 15e-1 + 0.01 && discount == '1.5'
        price.amount_minor == 150000 && price.currency == 'RUB'
        day == '2026-03-31' && day < date('2026-04-01')
        starts_at == '2026-04-01T13:00:00+03:00' && starts_at > timestamp('2026-03-31T23:59:59Z')
        pause == duration('15m') && pause < '1h' && pause > '14m59s' && pause == 'PT15M'
        status == 'booked' && status in ['booked', 'arrived'] && !(status in ['cancelled'])
        master == '00000000-0000-0000-0000-000000000007' && parent == id
        version == 4 && created_at == now && updated_at <= now
        id == '00000000-0000-0000-0000-000000000001'
        salon.color == 'red'
        visits in [1, 2, 3] && 3 in [visits] && discount in [1, 1.5]
        r'a\b' == 'a\\b' && '\u0416' == 'Ж' && 'а' < 'я'
        "#,
    );
}

#[test]
fn a_comparison_with_an_absent_value_is_false_and_not_equal_is_its_opposite() {
    check(
        true,
        "
        missing == null && missing_text == null && extra == null && contact == null
        visits != null && price != null && labels != null && !has(missing) && has(name)
        missing != 1 && missing != missing && missing + 1 != 2
        !(missing < 1) && !(missing >= 1) && !missing_flag && missing_flag != true && !(missing_flag == false)
        !(missing == missing) && !(missing in [1]) && !(missing_text.contains('a')) && !('a' in labels)
        null == null && !(null != null) && visits + missing == null
        ",
    );
    check(
        false,
        "
        missing == 1
        missing < 1
        missing_flag
        missing_text.startsWith('')
        missing_at < now
        missing_at + duration('1h') < now
        missing in [1, 2]
        name in [missing_text]
        ",
    );
}

#[test]
fn references_are_read_along_paths() {
    check(
        true,
        "
        master.name == 'Anna' && master.rate.amount_minor == 900 && master.rate.currency == 'RUB'
        master.id == master && master.version == 4
        contact.name == null && contact.name != 'Anna' && !(contact.name == 'Anna')
        contact.salon.preferred_master == null && salon.preferred_master == null
        master.kind == null && parent.status == null && parent.parent == null
        master.chief.name == 'Boss' && master.chief.id == master.chief && master.chief.chief.name == null
        parent.parent.contact.organization == null && parent.parent.contact.organization.name != 'x'
        ",
    );
    let world = World::new();
    let expression = world
        .compile(
            "parent.parent.name == 'a' || contact.salon.preferred_master.rate != null || parent.name != 'b'",
            &Type::Bool,
        )
        .unwrap();
    let paths: Vec<String> = expression.paths().iter().map(|path| path.join("/")).collect();
    assert_eq!(paths, ["parent", "parent/parent", "contact", "contact/salon.preferred_master"]);
}

#[test]
fn texts_and_tags_are_searched() {
    check(
        true,
        "
        name.startsWith('Hair') && name.endsWith('cut') && name.contains('irc') && !name.contains('HAIR')
        'vip' in labels && !('old' in labels) && p1 != 'x' && !(name in labels)
        status.startsWith('book')
        ",
    );
}

#[test]
fn times_and_numbers_are_calculated() {
    check(
        true,
        "
        starts_at - duration('24h') < now && starts_at - duration('22h') == now && duration('-22h') + starts_at == now
        ends_at - starts_at == duration('1h30m') && ends_at - starts_at > pause
        starts_at - days(1) < now && starts_at - hours(visits) < starts_at && minutes(15) == pause && days(-1) < pause
        pause * 2 == duration('30m') && 2 * pause == duration('1800s') && -pause == duration('-900s')
        visits * 2 - 1 == 5 && 2 + 3 * 4 == 14 && (2 + 3) * 4 == 20 && -(-visits) == 3 && 1 - 1 - 1 == -1
        discount + 1 == 2.5 && 1 - discount == -0.5 && -discount < 0
        duration('1d') == days(1) && duration('1500ms') == duration('1s') + duration('500ms')
        ",
    );
}

#[test]
fn days_and_clocks_are_told_in_a_zone() {
    // 2026-04-01T10:00Z is 12:00 in Berlin's summer; the first of April is a Wednesday.
    check(
        true,
        "
        starts_at.getHours() == 12 && starts_at.getHours('UTC') == 10 && starts_at.getMinutes('Asia/Kathmandu') == 45
        starts_at.getFullYear() == 2026 && starts_at.getMonth() == 3 && starts_at.getDate() == 1
        starts_at.getDayOfWeek() == 3 && starts_at.getDate('Pacific/Honolulu') == 1 && day.getDayOfWeek() == 2
        timestamp('2026-03-28T23:30:00Z').getHours() == 0 && timestamp('2026-03-29T23:30:00Z').getHours() == 1
        date(starts_at) == '2026-04-01' && date(timestamp('2026-03-31T22:30:00Z')) == date('2026-04-01')
        date(now) == day && date(day) == day && day(now) == day && date(missing_at) == null
        week(starts_at) == '2026-03-30' && month(day) == '2026-03-01' && quarter(starts_at) == '2026-04-01'
        quarter(day) == '2026-01-01' && year(now) == '2026-01-01' && month(missing_at) == null
        month(now) == month(day) && !(missing_at.getHours() == 0) && day.getMonth() == 2 && day.getFullYear() == 2026
        day + days(1) == '2026-04-01' && days(1) + day == '2026-04-01' && day - days(visits) == '2026-03-28'
        day - date('2026-03-01') == days(30) && day - days(31) == month(day) - days(1) && day + days(missing) == null
        timestamp('1950-07-01T12:00:00Z').getHours('Europe/Moscow') == 15
        ",
    );
}

#[test]
fn answers_depend_on_conditions() {
    check(
        true,
        "
        (paid ? visits : 0) == 3 && (!paid ? visits : 0) == 0 && (missing_flag ? 1 : 2) == 2
        (paid ? null : name) == null && (paid ? name : null) == 'Haircut' && (true ? visits : 1) == 3
        (visits > 2 ? 'many' : visits > 0 ? 'some' : 'none') == 'many' && (paid ? paid : missing_flag)
        (paid ? price : other_price) == price && (paid ? discount : 1) == 1.5 && (paid ? '2026-01-01' : day) < day
        size(name) == 7 && name.size() == 7 && size('Жя') == 2 && size(missing_text) == null && size('') == 0
        ",
    );
    check(false, "paid ? missing_flag : true");
}

#[test]
fn money_is_compared_within_a_currency() {
    check(
        true,
        "
        price == price && price < other_price && other_price >= price && price != other_price
        master.rate < price && !(master.chief.rate < price) && !(master.chief.rate >= price)
        master.chief.rate != price && master.chief.rate == null
        ",
    );
}

#[test]
fn settings_and_parameters_are_values() {
    check(
        true,
        "
        visits >= settings.vip_after && day > settings.opening && settings.opening == '2026-01-01'
        !(visits >= settings.unset) && visits != settings.unset && settings.unset == null && !has(settings.unset)
        starts_at + days(settings.unset) == null && !settings.unset && has(settings.vip_after)
        visits == p0 && master.name == p1 && p0 + 1 == 4 && p1.startsWith('A') && p2 == null && !(visits == p2)
        master == p3 && visits != p2 && !p2
        ",
    );
}

#[test]
fn logic_is_flat_and_keeps_its_order_of_operations() {
    check(true, "paid || paid && !paid");
    check(true, "!!paid && !(paid && !paid) && (false || true)");
    check(false, "(paid || paid) && !paid");
    let world = World::new();
    let expression = world.compile("paid && paid && (paid && paid) && (paid || paid || paid)", &Type::Bool).unwrap();
    let NodeKind::And(parts) = &expression.root().kind else { panic!("{expression:?}") };
    assert_eq!(parts.len(), 5);
}

#[test]
fn an_expression_gives_the_type_that_its_place_needs() {
    let world = World::new();
    let time = |text: &str| Ok(Value::DateTime(at(text)));
    assert_eq!(value(&world, "starts_at - days(1)", &Type::DateTime), time("2026-03-31T10:00:00Z"));
    assert_eq!(value(&world, "'2026-03-31T10:00:00Z'", &Type::DateTime), time("2026-03-31T10:00:00Z"));
    assert_eq!(value(&world, "missing_at", &Type::DateTime), Ok(Value::Null));
    assert_eq!(value(&world, "null", &Type::DateTime), Ok(Value::Null));
    assert_eq!(value(&world, "7", &Type::Decimal), Ok(Value::Decimal(7.into())));
    assert_eq!(value(&world, "id", &Type::Ref(object("booking.appointment"))), Ok(Value::Ref(id(1))));
    assert_eq!(value(&world, "price", &Type::Money).map(|value| value.kind()), Ok("money"));
    insta::assert_snapshot!(
        value(&world, "name", &Type::DateTime).unwrap_err(),
        @"the expression must give a value of type datetime, but this is text (at character 1)"
    );
}

#[test]
fn arithmetic_out_of_range_is_an_error_not_a_panic() {
    let world = World::new();
    let at_run_time = |source: &str, ty: &Type| value(&world, source, ty).unwrap_err();
    let max = i64::MAX;
    assert_eq!(at_run_time(&format!("visits + {max}"), &Type::Integer), "integer + integer is out of range");
    assert_eq!(at_run_time(&format!("visits * -{max}"), &Type::Integer), "integer * integer is out of range");
    assert_eq!(at_run_time(&format!("days({max} - visits)"), &Type::Duration), "duration * integer is out of range");
    assert_eq!(
        at_run_time("starts_at + days(visits * 9999999)", &Type::DateTime),
        "datetime + duration is out of range"
    );
    assert_eq!(
        at_run_time(&format!("{max} + 1"), &Type::Integer),
        "integer + integer is out of range (at character 21)"
    );
}

#[test]
fn a_parameter_of_another_type_is_an_error() {
    let world = World::new();
    let expression = world.compile("visits == p0", &Type::Bool).unwrap();
    let parameters = [Value::from("three")];
    let env =
        Env { record: &appointment(), related: &BTreeMap::new(), children: &(), now: at(NOW), parameters: &parameters };
    let error = expression.holds(&env).unwrap_err();
    insta::assert_snapshot!(error, @"parameter p0 must be a value of type integer, not text");
}
