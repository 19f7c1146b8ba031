//! What can be asked of groups, and how answers are finished.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};

use super::{Aggregate, AggregateText, Table, Tally};
use crate::{
    Catalog,
    catalog::PluginSource,
    expr::Scope,
    value::{Money, Value},
};

const SHOP: &str = r#"
id = "shop"
version = "1.0.0"
api = "0.1"
[object.sale.fields]
status = { type = "choice", of = ["open", "won"] }
price = { type = "money" }
weight = { type = "decimal", scale = 2 }
contact = { type = "ref", to = "contact" }
sold_at = { type = "datetime" }
labels = { type = "tags" }
"#;

fn read(groups: &str, measures: &str, sort: &str) -> Result<Aggregate, String> {
    let manifest = Arc::new(toml::from_str(SHOP).unwrap());
    let source = PluginSource { manifest, digest: String::new(), settings: BTreeMap::new() };
    let catalog = Catalog::build(&[source]).unwrap();
    let settings = BTreeMap::new();
    let scope = Scope {
        object: catalog.find_object("shop.sale").unwrap(),
        objects: &catalog,
        settings: &settings,
        parameters: &[],
        zone: &TimeZone::UTC,
    };
    let text = AggregateText { groups, measures, sort, ..AggregateText::default() };
    Aggregate::read(text, &scope, Vec::new(), Timestamp::UNIX_EPOCH)
        .map_err(|error| format!("{}: {}", error.code, error.message))
}

#[test]
fn a_question_names_its_columns_as_it_was_written() {
    let asked = read(
        "status, month(sold_at),contact.name",
        "count, sum(price),count(status in ['won', 'open']), distinct(contact)",
        "-sum(price),status",
    )
    .unwrap();
    assert_eq!(
        asked.columns().collect::<Vec<_>>(),
        [
            "status",
            "month(sold_at)",
            "contact.name",
            "count",
            "sum(price)",
            "count(status in ['won', 'open'])",
            "distinct(contact)"
        ]
    );
    assert_eq!(asked.sort.iter().map(|key| (key.column, key.descending)).collect::<Vec<_>>(), [(4, true), (0, false)]);
}

#[test]
fn what_cannot_be_asked_is_told_with_what_to_write() {
    let told: Vec<String> = [
        ("", "", ""),
        ("", "total(price)", ""),
        ("", "sum", ""),
        ("", "sum(status)", ""),
        ("", "sum(prize)", ""),
        ("price", "count", ""),
        ("labels", "count", ""),
        ("staus", "count", ""),
        ("status", "count", "price"),
        ("status,status,status,status,status,status", "count", ""),
    ]
    .map(|(groups, measures, sort)| read(groups, measures, sort).unwrap_err())
    .into();
    insta::assert_snapshot!(told.join("\n"), @r"
    bad_measure: ask for 1 to 20 measures; there are: count, count(condition), sum(x), avg(x), min(x), max(x), distinct(x)
    bad_measure: there is no measure total(); there are: count, count(condition), sum(x), avg(x), min(x), max(x), distinct(x).
    bad_measure: sum is no measure; there are: count, count(condition), sum(x), avg(x), min(x), max(x), distinct(x)
    bad_measure: sum(status): there is no sum of values of type text
    bad_measure: sum(prize): shop.sale has no field prize (did you mean price?); there are: status, price, weight, contact, sold_at, labels, id, version, created_at, updated_at, now (at character 1)
    bad_group: price is of type money: group by price.currency or price.amount_minor
    bad_group: labels is of type tags: group by a value of another type
    bad_group: staus: shop.sale has no field staus (did you mean status?); there are: status, price, weight, contact, sold_at, labels, id, version, created_at, updated_at, now (at character 1)
    bad_sort: price is no column of the answer; it has status, count
    bad_group: group by at most 5 values at once
    ");
}

fn sum(total: i128, count: i64, scale: u32) -> Tally {
    Tally::Sum { total, count, scale }
}

fn answer(measure: &str, tally: Tally) -> Result<Value, String> {
    let asked = read("", measure, "").unwrap();
    let table = Table::of(&asked, vec![(vec![], vec![tally])]).map_err(|error| error.0)?;
    Ok(table.rows[0][0].clone())
}

#[test]
fn averages_are_rounded_half_away_from_zero() {
    let decimal = |text: &str| Ok(Value::Decimal(text.parse().unwrap()));
    assert_eq!(answer("avg(version)", sum(2, 3, 0)), decimal("0.6667"));
    assert_eq!(answer("avg(version)", sum(-1, 8, 0)), decimal("-0.125"));
    assert_eq!(answer("avg(weight)", sum(1, 1_600_000, 2)), decimal("0"));
    assert_eq!(answer("avg(weight)", sum(-1, 20_000, 2)), decimal("-0.000001"));
    let money = |total, count, currencies: Option<(&str, &str)>| Tally::Money {
        amount: Box::new(sum(total, count, 0)),
        currencies: currencies.map(|(first, last)| (first.to_owned(), last.to_owned())),
    };
    let rubles = |amount_minor| Ok(Value::Money(Money { amount_minor, currency: "RUB".to_owned() }));
    assert_eq!(answer("avg(price)", money(5, 2, Some(("RUB", "RUB")))), rubles(3));
    assert_eq!(answer("avg(price)", money(-5, 2, Some(("RUB", "RUB")))), rubles(-3));
    assert_eq!(answer("avg(price)", money(4, 3, Some(("RUB", "RUB")))), rubles(1));
    assert_eq!(answer("sum(price)", money(0, 0, None)), Ok(Value::Null));
    assert_eq!(answer("avg(version)", sum(0, 0, 0)), Ok(Value::Null));
    assert_eq!(answer("sum(weight)", sum(0, 0, 2)), decimal("0"));
    let mixed = answer("sum(price)", money(5, 2, Some(("EUR", "RUB")))).unwrap_err();
    assert!(mixed.starts_with("sum(price) meets EUR and RUB"), "{mixed}");
    let large = answer("sum(version)", sum(i128::from(i64::MAX) + 1, 2, 0)).unwrap_err();
    assert_eq!(large, "sum(version) leaves 64 bits: filter, or make smaller groups");
}

#[test]
fn rows_are_ordered_by_what_was_asked_and_then_by_their_groups_and_cut() {
    let mut asked = read("status", "count", "-count").unwrap();
    asked.limit = 3;
    let row = |status: Value, count: i64| (vec![status], vec![Tally::Value(Value::Integer(count))]);
    let groups = vec![row("won".into(), 2), row("open".into(), 2), row(Value::Null, 2), row("lost".into(), 5)];
    let table = Table::of(&asked, groups).unwrap();
    let statuses: Vec<_> = table.rows.iter().map(|row| row[0].as_text()).collect();
    assert_eq!((statuses, table.more), (vec![Some("lost"), None, Some("open")], true));
}
