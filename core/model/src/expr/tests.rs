//! What the language means, example by example.

mod errors;
mod hostile;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::{Env, EvalError, ExprError, Expression, NodeKind, Scope, Type};
use crate::{
    field::{Field, FieldType, OnDelete},
    name::ObjectName,
    record::{Fields, Record},
    value::{Id, Money, Value},
};

const NOW: &str = "2026-03-31T12:00:00Z";
const MASTER: u128 = 7;

fn field(key: &str, kind: FieldType) -> (String, Field) {
    let key = key.to_owned();
    let field = Field {
        key: key.clone(),
        kind,
        required: false,
        default: Value::Null,
        unique: false,
        indexed: false,
        searchable: false,
        on_purge: None,
        label: BTreeMap::new(),
    };
    (key, field)
}

fn object(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}

fn to(name: &str) -> FieldType {
    FieldType::Ref { to: object(name), on_delete: OnDelete::Restrict }
}

fn choice(codes: &[&str]) -> FieldType {
    FieldType::Choice { of: codes.iter().map(|code| (*code).to_owned()).collect() }
}

/// Objects, settings and parameters for all tests.
struct World {
    name: ObjectName,
    fields: IndexMap<String, Field>,
    others: BTreeMap<ObjectName, IndexMap<String, Field>>,
    settings: BTreeMap<String, Value>,
    types: Vec<Type>,
}

impl World {
    fn new() -> Self {
        let fields = [
            field("name", FieldType::Text),
            field("visits", FieldType::Integer),
            field("discount", FieldType::Decimal { scale: 2 }),
            field("price", FieldType::Money),
            field("paid", FieldType::Bool),
            field("day", FieldType::Date),
            field("starts_at", FieldType::DateTime),
            field("ends_at", FieldType::DateTime),
            field("pause", FieldType::Duration),
            field("status", choice(&["booked", "arrived", "cancelled"])),
            field("contact", to("contact")),
            field("master", to("booking.resource")),
            field("parent", to("booking.appointment")),
            field("labels", FieldType::Tags),
            field("extra", FieldType::Json),
            field("missing", FieldType::Integer),
            field("missing_text", FieldType::Text),
            field("missing_flag", FieldType::Bool),
            field("missing_at", FieldType::DateTime),
            field("salon.color", FieldType::Text),
            field("salon.preferred_master", to("booking.resource")),
        ];
        let contact = [field("name", FieldType::Text), field("salon.preferred_master", to("booking.resource"))];
        let resource =
            [field("name", FieldType::Text), field("rate", FieldType::Money), field("kind", choice(&["chair"]))];
        let settings =
            [("vip_after", Value::Integer(3)), ("unset", Value::Null), ("opening", Value::from("2026-01-01"))];
        Self {
            name: object("booking.appointment"),
            fields: fields.into(),
            others: [(object("contact"), contact.into()), (object("booking.resource"), resource.into())].into(),
            settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
            types: vec![Type::Integer, Type::Text, Type::Null, Type::Id],
        }
    }

    fn compile(&self, source: &str, expected: &Type) -> Result<Expression, ExprError> {
        let others = |name: &ObjectName| self.others.get(name);
        let scope = Scope {
            object: &self.name,
            fields: &self.fields,
            others: &others,
            settings: &self.settings,
            parameters: &self.types,
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
        .with("salon.color", "red");
    record(1, fields)
}

/// The value of an expression for [`appointment`], or the error as text.
fn value(world: &World, source: &str, expected: &Type) -> Result<Value, String> {
    let expression = world.compile(source, expected).map_err(|error| error.to_string())?;
    let rate = Value::Money(Money { amount_minor: 900, currency: "RUB".to_owned() });
    let master = record(MASTER, Fields::new().with("name", "Anna").with("rate", rate));
    let parameters = [Value::Integer(3), Value::from("Anna"), Value::Null, Value::Ref(id(MASTER))];
    let env = Env {
        record: &appointment(),
        related: &[("master".to_owned(), master)].into(),
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
fn references_are_read_one_step_deep() {
    check(
        true,
        "
        master.name == 'Anna' && master.rate.amount_minor == 900 && master.rate.currency == 'RUB'
        master.id == master && master.version == 4
        contact.name == null && contact.name != 'Anna' && !(contact.name == 'Anna')
        contact.salon.preferred_master == null && salon.preferred_master == null
        master.kind == null && parent.status == null && parent.parent == null
        ",
    );
    let world = World::new();
    let expression = world
        .compile("master.name == 'a' || contact.salon.preferred_master != null || master.rate != null", &Type::Bool)
        .unwrap();
    assert_eq!(expression.relations(), ["master", "contact"]);
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
    let env =
        Env { record: &appointment(), related: &BTreeMap::new(), now: at(NOW), parameters: &[Value::from("three")] };
    let error = expression.holds(&env).unwrap_err();
    insta::assert_snapshot!(error, @"parameter p0 must be a value of type integer, not text");
}
