//! Pages: every record once, in order.

use std::cmp::Ordering;

use pergola_model::{Fields, Money, Query, Record, Value, query::SortKey};
use pergola_service::ports::store::StoreError;

use crate::world::{World, after, sort};

/// Few values, so that ties and nulls are many.
async fn thousand(world: &World) -> Vec<Record> {
    let records: Vec<Record> = (0..1_000_i64)
        .map(|n| {
            let mut record = world.record(Fields::new());
            record.created_at = after(n % 10);
            if n % 3 != 0 {
                record.fields.set("amount", (n * 7) % 11 - 5);
            }
            if n % 4 != 0 {
                record.fields.set("title", ["a", "B", "é", "", "я"][(n % 5) as usize]);
            }
            if n % 5 != 0 {
                let currency = ["EUR", "RUB"][(n % 2) as usize].to_owned();
                record.fields.set("price", Value::Money(Money { amount_minor: n % 6, currency }));
            }
            record
        })
        .collect();
    world.insert("lab.sample", &records).await.unwrap();
    records
}

fn order_of(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Money(a), Value::Money(b)) => (a.amount_minor, &a.currency).cmp(&(b.amount_minor, &b.currency)),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => panic!("{a:?} and {b:?} have no order"),
    }
}

fn compare(keys: &[SortKey], a: &Record, b: &Record) -> Ordering {
    for key in keys {
        let order = match key.field.as_str() {
            "created_at" => a.created_at.cmp(&b.created_at),
            field => order_of(a.fields.get(field), b.fields.get(field)),
        };
        let order = if key.descending { order.reverse() } else { order };
        if order != Ordering::Equal {
            return order;
        }
    }
    let descending = keys.last().is_some_and(|key| key.descending);
    if descending { b.id.cmp(&a.id) } else { a.id.cmp(&b.id) }
}

async fn all_pages(world: &World, mut query: Query) -> Vec<Record> {
    let mut reader = world.store.read().await.unwrap();
    let mut records = Vec::new();
    loop {
        let page = reader.list(&world.catalog, &query).await.unwrap();
        assert!(page.records.len() <= query.limit as usize);
        records.extend(page.records);
        query.after = page.next;
        if query.after.is_none() {
            return records;
        }
    }
}

pub(crate) async fn pages_cover_every_record_once_in_order(world: &World) {
    let mut records = thousand(world).await;
    for (keys, limit) in [
        (vec![], 250),
        (vec!["amount"], 7),
        (vec!["-amount"], 7),
        (vec!["title", "-amount"], 33),
        (vec!["-title", "amount", "-created_at"], 33),
        (vec!["-created_at"], 99),
        (vec!["created_at", "title"], 500),
        (vec!["-id"], 100),
        (vec!["price", "title"], 41),
        (vec!["-price"], 41),
    ] {
        let keys = sort(&keys);
        let listed = all_pages(world, Query { sort: keys.clone(), limit, ..world.query("lab.sample") }).await;
        if keys.iter().any(|key| key.field == "id") {
            records.sort_by_key(|record| std::cmp::Reverse(record.id));
        } else {
            records.sort_by(|a, b| compare(&keys, a, b));
        }
        assert!(listed == records, "wrong order by {keys:?}");
    }
}

pub(crate) async fn a_page_has_only_the_fields_that_were_asked_for(world: &World) {
    thousand(world).await;
    let fields = Some(vec!["title".to_owned()]);
    let query = Query { sort: sort(&["amount"]), fields, limit: 2, ..world.query("lab.sample") };
    let listed = all_pages(world, query).await;
    assert_eq!(listed.len(), 1_000);
    let keys: Vec<&str> = listed.iter().flat_map(|record| record.fields.iter().map(|(key, _)| key)).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| *key == "title"));
}

pub(crate) async fn counts_ignore_the_page(world: &World) {
    let records = thousand(world).await;
    let filter = Some(world.expression("lab.sample", "amount > 0", &[]));
    let query = Query { filter, limit: 1, sort: sort(&["amount"]), ..world.query("lab.sample") };
    let mut reader = world.store.read().await.unwrap();
    let after = reader.list(&world.catalog, &query).await.unwrap().next;
    let count = reader.count(&world.catalog, &Query { after, ..query }).await.unwrap();
    let wanted = records.iter().filter(|record| matches!(record.fields.get("amount"), Value::Integer(1..)));
    assert_eq!(count, wanted.count() as u64);
}

pub(crate) async fn a_cursor_of_another_order_is_refused(world: &World) {
    thousand(world).await;
    let mut reader = world.store.read().await.unwrap();
    let query = Query { limit: 1, sort: sort(&["amount"]), ..world.query("lab.sample") };
    let after = reader.list(&world.catalog, &query).await.unwrap().next;
    let result = reader.list(&world.catalog, &Query { sort: sort(&["-amount"]), after, ..query }).await;
    assert!(matches!(result, Err(StoreError::Backend(_))), "{result:?}");
}
