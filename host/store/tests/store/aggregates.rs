//! Groups and sums mean in SQL what they mean when they are counted one by one.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use pergola_model::{
    Money, Value,
    expr::{Env, Expression, Scope},
    query::aggregate::{Aggregate, AggregateText, MeasureKind},
};
use pergola_service::ports::store::StoreError;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rust_decimal::{Decimal, RoundingStrategy};
use tokio::runtime::Runtime;

use crate::{
    filters::{Asked, Sample, generate},
    postgres, sqlite,
    world::{World, now},
};

const GROUPS: [&str; 14] = [
    "status",
    "open",
    "contact",
    "body",
    "fee",
    "contact.name",
    "room.status",
    "price.currency",
    "month(starts_at)",
    "week(day)",
    "quarter(ends_at)",
    "date(starts_at)",
    "starts_at.getHours('America/New_York')",
    "amount > 0",
];
const MEASURES: [&str; 20] = [
    "count",
    "count(open)",
    "count(lab.samples.exists(s, s.amount > 0))",
    "sum(amount)",
    "sum(fee)",
    "sum(length)",
    "sum(price)",
    "sum(price.amount_minor)",
    "sum(open ? 1 : 0)",
    "avg(amount)",
    "avg(fee)",
    "avg(weight)",
    "avg(price)",
    "avg(length)",
    "min(price)",
    "min(starts_at)",
    "max(body)",
    "max(fee - weight)",
    "distinct(body)",
    "distinct(contact.name)",
];

type Row = Vec<Value>;

fn aggregate(sample: &Sample, text: AggregateText<'_>) -> Aggregate {
    let scope = Scope {
        object: sample.world.sample(),
        objects: &sample.world.catalog,
        settings: &BTreeMap::new(),
        parameters: &[],
        zone: &sample.world.catalog.zone,
    };
    Aggregate::read(text, &scope, Vec::new(), now()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The rows one by one, in no order; None if a value cannot be computed; an error if currencies or ranges stand against it.
fn by_hand(sample: &Sample, asked: &Aggregate) -> Option<Result<Vec<Row>, ()>> {
    let mut groups: Vec<(Row, Vec<Row>)> = Vec::new();
    if asked.groups.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    for record in &sample.records {
        let value = |expression: &Expression| {
            let related = sample.along(record, &expression.paths());
            let children = Asked(sample, &[]);
            let env = Env { record, related: &related, children: &children, now: now(), parameters: &[] };
            expression.evaluate(&env).ok()
        };
        if let Some(filter) = &asked.filter
            && value(filter)? != Value::Bool(true)
        {
            continue;
        }
        let group: Row = asked.groups.iter().map(value).collect::<Option<_>>()?;
        let values = asked.measures.iter().map(|measure| match measure.kind.of() {
            None => Some(Value::Null),
            Some(of) => value(of),
        });
        let values: Row = values.collect::<Option<_>>()?;
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, rows)) => rows.push(values),
            None => groups.push((group, vec![values])),
        }
    }
    let finished = groups.into_iter().map(|(mut row, rows)| {
        for (place, measure) in asked.measures.iter().enumerate() {
            let values: Vec<&Value> = rows.iter().map(|row| &row[place]).collect();
            row.push(measured(&measure.kind, &values)?);
        }
        Ok(row)
    });
    Some(finished.collect())
}

fn measured(kind: &MeasureKind, all: &[&Value]) -> Result<Value, ()> {
    let values: Vec<&Value> = all.iter().copied().filter(|value| !value.is_null()).collect();
    let number = |count: usize| Ok(Value::Integer(i64::try_from(count).unwrap()));
    match kind {
        MeasureKind::Count => number(all.len()),
        MeasureKind::CountIf(_) => number(values.iter().filter(|value| ***value == Value::Bool(true)).count()),
        MeasureKind::Distinct(_) => {
            number(values.iter().enumerate().filter(|(place, value)| !values[..*place].contains(value)).count())
        }
        MeasureKind::Min(_) | MeasureKind::Max(_) => {
            one_currency(&values)?;
            let is_min = matches!(kind, MeasureKind::Min(_));
            let better = |a: &&Value, b: &&Value| sort_key(a).partial_cmp(&sort_key(b)).unwrap();
            let best =
                if is_min { values.iter().copied().min_by(better) } else { values.iter().copied().max_by(better) };
            Ok(best.cloned().unwrap_or_default())
        }
        MeasureKind::Sum(of) => total(of, &values, None),
        MeasureKind::Avg(_) if values.is_empty() => Ok(Value::Null),
        MeasureKind::Avg(of) => total(of, &values, Some(values.len())),
    }
}

fn one_currency<'v>(values: &[&'v Value]) -> Result<Option<&'v str>, ()> {
    let currencies = values.iter().filter_map(|value| match value {
        Value::Money(money) => Some(money.currency.as_str()),
        _ => None,
    });
    let mut currencies: Vec<&str> = currencies.collect();
    currencies.dedup();
    if currencies.windows(2).any(|pair| pair[0] != pair[1]) { Err(()) } else { Ok(currencies.first().copied()) }
}

/// Values of one type as something that has an order.
fn sort_key(value: &Value) -> (i128, Decimal, String) {
    match value {
        Value::Integer(number) => (i128::from(*number), Decimal::ZERO, String::new()),
        Value::Money(money) => (i128::from(money.amount_minor), Decimal::ZERO, String::new()),
        Value::DateTime(at) => (at.as_nanosecond(), Decimal::ZERO, String::new()),
        Value::Decimal(number) => (0, *number, String::new()),
        Value::Text(text) => (0, Decimal::ZERO, text.clone()),
        other => panic!("no test asks for the least of {other:?}"),
    }
}

fn total(of: &Expression, values: &[&Value], divisor: Option<usize>) -> Result<Value, ()> {
    let currency = one_currency(values)?;
    let whole = |value: &Value| match value {
        Value::Integer(number) => i128::from(*number),
        Value::Money(money) => i128::from(money.amount_minor),
        Value::Duration(length) => length.as_micros(),
        _ => 0,
    };
    let sum: i128 = values.iter().map(|value| whole(value)).sum();
    let rounded =
        |number: Decimal, digits| number.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    let divided = |digits| match divisor {
        Some(divisor) => rounded(Decimal::from_i128_with_scale(sum, 0) / Decimal::from(divisor), digits),
        None => Decimal::from_i128_with_scale(sum, 0),
    };
    let units = i64::try_from(divided(0).mantissa()).map_err(|_| ());
    match of.root().ty.to_string().as_str() {
        "integer" if divisor.is_some() => Ok(Value::Decimal(with_digits_that_fit(0, 4, divided))),
        "integer" => Ok(Value::Integer(units?)),
        "duration" => Ok(Value::Duration(SignedDuration::from_micros(units?))),
        "money" => match currency {
            Some(currency) => Ok(Value::Money(Money { amount_minor: units?, currency: currency.to_owned() })),
            None => Ok(Value::Null),
        },
        _ => {
            let decimal = |value: &&Value| if let Value::Decimal(number) = value { *number } else { Decimal::ZERO };
            let sum: Decimal = values.iter().map(decimal).sum();
            let scale = if of.source() == "fee" { 2 } else { 3 };
            let average = |divisor| {
                with_digits_that_fit(scale, scale + 4, |digits| rounded(sum / Decimal::from(divisor), digits))
            };
            Ok(Value::Decimal(divisor.map_or(sum, average)))
        }
    }
}

/// The most digits with which the number, without its point, fits in 64 bits.
fn with_digits_that_fit(least: u32, most: u32, rounded: impl Fn(u32) -> Decimal) -> Decimal {
    let fits = |digits: &u32| {
        let mut number = rounded(*digits);
        number.rescale(*digits);
        i64::try_from(number.mantissa()).is_ok()
    };
    rounded((least..=most).rev().find(fits).unwrap_or(least))
}

fn in_order(mut rows: Vec<Row>) -> Vec<String> {
    rows.sort_by_key(|row| format!("{row:?}"));
    let normal =
        |value: Value| if let Value::Decimal(number) = value { Value::Decimal(number.normalize()) } else { value };
    let mut told: Vec<String> =
        rows.into_iter().map(|row| format!("{:?}", row.into_iter().map(normal).collect::<Vec<_>>())).collect();
    told.sort();
    told
}

#[test]
fn groups_and_sums_are_on_sqlite_what_they_are_one_by_one() {
    ask_at_random(20, sqlite::world);
}

#[test]
fn groups_and_sums_are_on_postgres_what_they_are_one_by_one() {
    ask_at_random(10, postgres::world);
}

/// Random records, each asked about by random groups and measures.
fn ask_at_random<F: Future<Output = World>>(cases: u32, make: impl Fn() -> F) {
    let runtime = Runtime::new().unwrap();
    let world = (
        prop::collection::vec((generate::fields(), prop::option::of(0..6_usize), prop::option::of(0..3_usize)), 14),
        prop::collection::vec(generate::contact(), 3),
    );
    let question = (
        prop::sample::subsequence(&GROUPS[..], 0..3),
        prop::sample::subsequence(&MEASURES[..], 1..4),
        prop::option::of(prop::sample::select(vec![
            "amount > -2",
            "open",
            "room == null",
            "starts_at.getMonth() == 2",
        ])),
    );
    let questions = prop::collection::vec(question, 40);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(world, questions), |((fields, contacts), questions)| {
        runtime.block_on(async {
            let sample = Sample::new(make().await, fields, contacts).await;
            for (groups, measures, filter) in questions {
                let (groups, measures) = (groups.join(","), measures.join(","));
                let text = AggregateText {
                    groups: &groups,
                    measures: &measures,
                    filter: filter.unwrap_or_default(),
                    ..AggregateText::default()
                };
                let asked = aggregate(&sample, text);
                let Some(wanted) = by_hand(&sample, &asked) else { continue };
                let mut reader = sample.world.store.read().await.unwrap();
                let found = reader.aggregate(&sample.world.catalog, &asked).await;
                match (found, wanted) {
                    (Ok(found), Ok(wanted)) => {
                        assert_eq!(in_order(found.rows), in_order(wanted), "{measures} by {groups}");
                    }
                    (Err(StoreError::Range(_)), Err(())) => {}
                    (found, wanted) => panic!("{measures} by {groups}\nin SQL {found:?}\none by one {wanted:?}"),
                }
            }
        });
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn more_groups_than_there_may_be_are_an_error_on_sqlite_that_says_so() {
    ask_too_much(sqlite::world().await).await;
}

#[tokio::test]
async fn more_groups_than_there_may_be_are_an_error_on_postgres_that_says_so() {
    ask_too_much(postgres::world().await).await;
}

async fn ask_too_much(world: World) {
    let sample = Sample::new(world, Vec::new(), Vec::new()).await;
    let records: Vec<_> = (0..10_001_i64)
        .map(|number| sample.world.record(pergola_model::Fields::new().with("amount", number)))
        .collect();
    for batch in records.chunks(1_000) {
        sample.world.insert("lab.sample", batch).await.unwrap();
    }
    let mut reader = sample.world.store.read().await.unwrap();
    let asked = aggregate(&sample, AggregateText { groups: "amount", measures: "count", ..AggregateText::default() });
    let error = reader.aggregate(&sample.world.catalog, &asked).await.unwrap_err();
    assert_eq!(error.to_string(), "there are more than 10000 groups: filter, or group by less or by longer periods");
    let text =
        AggregateText { groups: "amount", measures: "count", filter: "amount < 500", ..AggregateText::default() };
    let table = reader.aggregate(&sample.world.catalog, &aggregate(&sample, text)).await.unwrap();
    assert_eq!((table.rows.len(), table.more), (100, true));
}
