//! Filters mean in SQL what they mean in memory.

pub(crate) mod generate;

use std::{cell::RefCell, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};
use pergola_model::{
    Fields, Id, Money, Query, Record, Value,
    expr::{ChildRecords, Children, Env, EvalError, Expression, Measured, Node, Type},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rust_decimal::Decimal;
use tokio::runtime::Runtime;

use crate::{
    postgres, sqlite,
    world::{World, now},
};

/// Types of the parameters `p0` … that generated expressions use.
const PARAMETERS: [Type; 6] = [Type::Integer, Type::Decimal, Type::Text, Type::DateTime, Type::Bool, Type::Date];

/// A store with a few records, related to each other and to contacts, and these to organizations.
pub(crate) struct Sample {
    pub(crate) world: World,
    pub(crate) records: Vec<Record>,
    related: BTreeMap<Id, Record>,
}

/// The sample as children that are asked with these parameters.
pub(crate) struct Asked<'a>(pub(crate) &'a Sample, pub(crate) &'a [Value]);

impl ChildRecords for Asked<'_> {
    fn answer(&self, asked: &Children, of: Id) -> Result<Value, EvalError> {
        let Self(sample, parameters) = self;
        assert_eq!(asked.object.as_str(), "lab.sample");
        let measured = match &asked.measured {
            Measured::Sum(node) | Measured::Min(node) | Measured::Max(node) => Some(node),
            Measured::Exists | Measured::Count => None,
        };
        let nodes = asked.filter.iter().chain(measured);
        let paths: Vec<&[String]> = nodes.flat_map(Node::paths).collect();
        let mine = sample.records.iter().filter(|one| one.fields.get(&asked.via).as_ref_id() == Some(of));
        let mine: Vec<_> = mine.map(|record| (record, sample.along(record, &paths))).collect();
        asked.over(mine.iter().map(|(record, related)| Env { record, related, children: &(), now: now(), parameters }))
    }
}

impl Sample {
    pub(crate) async fn new(
        world: World,
        fields: Vec<(Fields, Option<usize>, Option<usize>)>,
        contacts: Vec<Fields>,
    ) -> Self {
        let organizations = ["", "a"].map(|name| world.record(Fields::new().with("name", name)));
        world.insert("organization", &organizations).await.unwrap();
        let mut contacts: Vec<Record> = contacts.into_iter().map(|fields| world.record(fields)).collect();
        for (contact, organization) in contacts.iter_mut().zip(&organizations) {
            contact.fields.set("organization", organization.id);
        }
        world.insert("contact", &contacts).await.unwrap();
        let mut records: Vec<Record> = Vec::new();
        for (fields, room, contact) in fields {
            let mut record = world.record(fields);
            if let Some(room) = room.and_then(|room| records.get(room)) {
                record.fields.set("room", room.id);
            }
            if let Some(contact) = contact.and_then(|contact| contacts.get(contact)) {
                record.fields.set("contact", contact.id);
            }
            world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
            records.push(record);
        }
        let related = records.iter().chain(&contacts).chain(&organizations);
        let related = related.map(|record| (record.id, record.clone())).collect();
        Self { world, records, related }
    }

    /// The records along the paths.
    pub(crate) fn along(&self, record: &Record, paths: &[&[String]]) -> BTreeMap<Vec<String>, Record> {
        let mut related = BTreeMap::new();
        for path in paths {
            let end = path.iter().try_fold(record, |from, via| self.related.get(&from.fields.get(via).as_ref_id()?));
            if let Some(end) = end {
                related.insert(path.to_vec(), end.clone());
            }
        }
        related
    }

    /// The ids of records for which the expression holds, in memory. None when arithmetic leaves its range.
    fn in_memory(&self, expression: &Expression, parameters: &[Value]) -> Option<Vec<Id>> {
        let mut ids = Vec::new();
        for record in &self.records {
            let related = self.along(record, &expression.paths());
            let children = Asked(self, parameters);
            let env = Env { record, related: &related, children: &children, now: now(), parameters };
            if expression.holds(&env).ok()? {
                ids.push(record.id);
            }
        }
        Some(ids)
    }

    async fn in_sql(&self, expression: Expression, parameters: Vec<Value>) -> Vec<Id> {
        let query = Query { filter: Some(expression), parameters, ..self.world.query("lab.sample") };
        let mut reader = self.world.store.read().await.unwrap();
        let listed = reader.list(&self.world.catalog, &query).await.unwrap();
        assert_eq!(reader.count(&self.world.catalog, &query).await.unwrap(), listed.records.len() as u64);
        listed.records.into_iter().map(|record| record.id).collect()
    }

    /// Compares the store's answers to the questions of an expression with those in memory.
    async fn check_alone(&self, source: &str) {
        let expression = self.world.expression("lab.sample", source, &[]);
        let mut reader = self.world.store.read().await.unwrap();
        for asked in expression.children() {
            for of in self.related.keys() {
                let found = reader.ask_children(&self.world.catalog, asked, *of, now()).await.unwrap();
                assert_eq!(Asked(self, &[]).answer(asked, *of), Ok(found), "{source}");
            }
        }
    }

    async fn check(&self, source: &str, parameters: Vec<Value>) {
        let expression = match self.world.compile("lab.sample", source, &PARAMETERS) {
            Ok(expression) => expression,
            Err(error) if error.message.contains("costs") => return,
            Err(error) => panic!("{source}: {error}"),
        };
        let Some(wanted) = self.in_memory(&expression, &parameters) else { return };
        let found = self.in_sql(expression, parameters.clone()).await;
        assert!(found == wanted, "{source}\nwith {parameters:?}\nin SQL {found:?}\nin memory {wanted:?}");
    }
}

#[test]
fn a_filter_selects_the_same_records_on_sqlite_as_in_memory() {
    ask_at_random(40, sqlite::world);
}

#[test]
fn a_filter_selects_the_same_records_on_postgres_as_in_memory() {
    ask_at_random(20, postgres::world);
}

/// Random records, each asked by random expressions. Each case is a new world with 12 records and 60 expressions.
fn ask_at_random<F: Future<Output = World>>(cases: u32, make: impl Fn() -> F) {
    let runtime = Runtime::new().unwrap();
    let seen = RefCell::new((0_usize, 0_usize));
    let world = (
        prop::collection::vec((generate::fields(), prop::option::of(0..6_usize), prop::option::of(0..4_usize)), 12),
        prop::collection::vec(generate::contact(), 3),
    );
    let expressions = prop::collection::vec((generate::condition(), generate::parameters()), 60);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(world, expressions), |((fields, contacts), expressions)| {
        runtime.block_on(async {
            let sample = Sample::new(make().await, fields, contacts).await;
            for (source, parameters) in expressions {
                sample.check(&source, parameters.clone()).await;
                let Ok(expression) = sample.world.compile("lab.sample", &source, &PARAMETERS) else { continue };
                let holds = sample.in_memory(&expression, &parameters).map_or(0, |ids| ids.len());
                let mut seen = seen.borrow_mut();
                seen.0 += usize::from((1..12).contains(&holds));
                seen.1 += 1;
            }
        });
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (telling, all) = seen.into_inner();
    assert!(telling * 5 > all, "too few expressions tell records apart: {telling} of {all}");
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Asked of the store one record at a time, as rules do.
const QUESTIONS: [&str; 6] = [
    "lab.samples.exists(s, s.open != true)",
    "lab.samples.count(s, s.starts_at <= now) > 0",
    "lab.samples.sum(s, s.weight, s.fee != null) == 1",
    "lab.samples.max(s, s.starts_at) != now",
    "contact.lab.samples.min(s, s.title) == null",
    "room.lab.samples.max(s, s.length) == duration('24h')",
];

/// What random expressions seldom hit.
const CORNERS: &[&str] = &[
    "title.startsWith('')",
    "title.endsWith('')",
    "title.contains('')",
    "title.startsWith('\u{10ffff}')",
    "title.startsWith('\u{d7ff}')",
    "title.startsWith('%')",
    "title.endsWith('é')",
    "title.contains('_')",
    "title.contains('\\\\')",
    "title.startsWith(title)",
    "title.endsWith(title)",
    "contact.name.contains(title)",
    "!(title.startsWith('a'))",
    "title in ['a', p2, title]",
    "!(open)",
    "open == (amount > 3)",
    "(title == 'a') != (amount > 3)",
    "open != true",
    "fee < 1.001",
    "fee == 1.001",
    "fee != 1.001",
    "fee >= 0.999 && fee <= 1.0",
    "1.001 > fee",
    "fee in [1, 1.001]",
    "fee < 99999999999999999999.0",
    "weight > -99999999999999999999.0",
    "fee + fee == 2.00",
    "fee - 0.5 < 0.501",
    "contact.lab.discount < fee",
    "contact.lab.discount + fee > 15.999",
    "price.amount_minor < 0 && price.currency == 'RUB'",
    "price == null || data != null",
    "starts_at > now",
    "starts_at - now <= duration('1ms')",
    "starts_at - duration('24h') < now",
    "length * 2 == duration('48h')",
    "'a\"b' in tags && !('a' in tags)",
    "'é' in tags",
    "room.room != null",
    "room.title == ''",
    "contact != null && contact.name == null",
    "contact.name != 'é'",
    "room.id == room",
    "amount == p0 || day == p5 || open == p4",
    "!(amount == p0)",
    "amount - 1 > 5 || amount == null",
    "room.room.title == null && contact.organization.name == ''",
    "contact.organization.name.startsWith('a') || room.contact.organization.name == 'a'",
    "lab.samples.count(s) == 1 || contact.lab.samples.count(s) == 2",
    "lab.samples.exists(s, s.open != true && s.contact.name == null)",
    "lab.samples.sum(s, s.weight - 0.5) > 3 && lab.samples.max(s, s.fee) == 1.00",
    "lab.samples.sum(s, s.weight, s.fee == null) == 0 && lab.samples.min(s, s.day) == null",
    "lab.samples.min(s, s.starts_at) > now && lab.samples.max(s, s.title) == null",
    "lab.samples.sum(s, s.price.amount_minor) < -5 || lab.samples.sum(s, s.length) > duration('1h')",
    "price == price && !(price < room.price) && (open ? price : room.price) == price",
    "starts_at.getHours() == 14 && starts_at.getHours('UTC') == 12 && starts_at.getMinutes('Asia/Kathmandu') == 45",
    "date(starts_at) == day && week(day) == '2026-03-30' && quarter(starts_at) == date('2026-01-01')",
    "day + days(1) == '2026-04-01' && day - days(31) == month(day) - days(1) && day - date('2026-03-01') == days(30)",
    "date(starts_at) + days(1) - day == days(1) && day.getDayOfWeek() == 2 && date(now) == day",
    "day - (day - day) == day && day + length == '2026-04-01'",
    "(amount > 3 ? fee : weight) > 0.999 && (open ? 'é' : title) != 'x'",
    "size(title) == 1 || size(title) == 4",
    "(open ? p0 : p0) < starts_at.getDayOfWeek('America/New_York') || (open ? p5 : p5) == day",
    "month(starts_at) == month(now) && year(day).getFullYear() == 2026",
];

#[tokio::test]
async fn the_corners_of_filters_agree_on_sqlite_too() {
    ask_corners(sqlite::world().await).await;
}

#[tokio::test]
async fn the_corners_of_filters_agree_on_postgres_too() {
    ask_corners(postgres::world().await).await;
}

/// What random expressions seldom hit.
async fn ask_corners(world: World) {
    let texts = ["", "a", "%", "_", "\\", "é", "\u{d7ff}b", "\u{10ffff}", "ab%c", "a'\"b"];
    let mut records: Vec<_> = texts.iter().map(|text| (Fields::new().with("title", *text), None, None)).collect();
    let full = Fields::new()
        .with("amount", i64::MAX)
        .with("fee", Value::Decimal(Decimal::new(100, 2)))
        .with("weight", Value::Decimal(Decimal::new(i64::MAX, 3)))
        .with("price", Value::Money(Money { amount_minor: i64::MIN, currency: "RUB".to_owned() }))
        .with("open", true)
        .with("day", Value::Date("2026-03-31".parse().unwrap()))
        .with("starts_at", instant("2026-03-31T12:00:00.000001Z"))
        .with("length", Value::Duration(SignedDuration::from_hours(24)))
        .with("tags", Value::Tags(vec!["a\"b".to_owned(), "é".to_owned()]))
        .with("data", Value::Json(serde_json::Value::Null));
    records.push((full.clone(), Some(0), Some(0)));
    records.push((full.with("open", false), Some(10), Some(1)));
    let contacts = vec![Fields::new().with("name", "é"), Fields::new().with("lab.discount", Value::Decimal(15.into()))];
    let sample = Sample::new(world, records, contacts).await;
    for source in QUESTIONS {
        sample.check_alone(source).await;
    }
    for source in CORNERS {
        for parameters in [vec![], vec![Value::Integer(1), Value::Integer(1), "a".into(), Value::Null, true.into()]] {
            sample.check(source, parameters).await;
        }
    }
}
