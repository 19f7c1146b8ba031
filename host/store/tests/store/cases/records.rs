//! Records: written, found, refused.

use jiff::SignedDuration;
use pergola_model::{Fields, Id, Money, Record, Value};
use pergola_service::ports::store::{Overlap, StoreError};
use rust_decimal::Decimal;

use crate::world::{World, after, now};

fn full(room: Id) -> Fields {
    Fields::new()
        .with("title", "O'Brien \"%_\" \\ Ünïcødé 😀")
        .with("body", "a\nb")
        .with("amount", i64::MIN)
        .with("weight", Value::Decimal(Decimal::new(-1_005, 3)))
        .with("fee", Value::Decimal(Decimal::new(1_990, 2)))
        .with("price", Value::Money(Money { amount_minor: -150, currency: "EUR".to_owned() }))
        .with("open", false)
        .with("day", Value::Date("2024-02-29".parse().unwrap()))
        .with("starts_at", "1969-12-31T23:59:59.999999Z".parse::<jiff::Timestamp>().unwrap())
        .with("length", Value::Duration(SignedDuration::from_micros(-5)))
        .with("status", "booked")
        .with("phone", "+79990000001")
        .with("email", "a@b.example")
        .with("url", "https://b.example/?a=1&b=2")
        .with("data", Value::Json(serde_json::json!({ "b": [1, 2.5, null, "é"], "a": {} })))
        .with("room", room)
        .with("tags", Value::Tags(vec!["vip".to_owned(), "a \"b\"".to_owned()]))
}

pub(crate) async fn every_type_of_value_comes_back_as_it_was_written(world: &World) {
    let room = world.record(Fields::new());
    let whole = world.record(full(room.id));
    let empty = world.record(Fields::new().with("tags", Value::Tags(Vec::new())));
    world.insert("lab.sample", &[room.clone(), whole.clone(), empty.clone()]).await.unwrap();
    for written in [room, whole, empty] {
        assert_eq!(world.find("lab.sample", written.id).await, Some(written));
    }
    assert_eq!(world.find("lab.sample", Id(uuid::Uuid::nil())).await, None);
}

pub(crate) async fn an_update_writes_only_the_changed_fields(world: &World) {
    let before = world.record(full(world.record(Fields::new()).id).with("room", Value::Null));
    world.insert("lab.sample", std::slice::from_ref(&before)).await.unwrap();
    let mut record = Record { version: 2, updated_at: after(1), ..before.clone() };
    record.fields.set("price", Value::Null);
    record.fields.set("amount", 5);
    record.fields.set("title", "not named as changed");
    let mut tx = world.store.write().await.unwrap();
    tx.update(world.sample(), &record, &["price".to_owned(), "amount".to_owned()]).await.unwrap();
    tx.commit().await.unwrap();

    let stored = world.find("lab.sample", before.id).await.unwrap();
    assert_eq!((stored.version, stored.updated_at, stored.created_at), (2, after(1), now()));
    assert_eq!(stored.fields.get("price"), &Value::Null);
    assert_eq!(stored.fields.get("amount"), &Value::Integer(5));
    assert_eq!(stored.fields.get("title"), before.fields.get("title"));
}

pub(crate) async fn an_update_of_another_version_is_stale(world: &World) {
    let record = world.record(Fields::new());
    world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
    let mut tx = world.store.write().await.unwrap();
    for changed in [Record { version: 3, ..record.clone() }, world.record(Fields::new())] {
        let result = tx.update(world.sample(), &changed, &["amount".to_owned()]).await;
        assert!(matches!(result, Err(StoreError::Stale)), "{result:?}");
    }
}

pub(crate) async fn a_delete_of_another_version_is_stale(world: &World) {
    let record = world.record(Fields::new());
    world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
    let mut tx = world.store.write().await.unwrap();
    let result = tx.delete(world.sample(), record.id, 2).await;
    assert!(matches!(result, Err(StoreError::Stale)), "{result:?}");
    tx.delete(world.sample(), record.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.find("lab.sample", record.id).await, None);
}

pub(crate) async fn a_taken_value_names_its_rule(world: &World) {
    let day = || Value::Date("2026-03-31".parse().unwrap());
    let samples = [
        world.record(Fields::new().with("phone", "+7999")),
        world.record(Fields::new().with("title", "a").with("day", day())),
        world.record(Fields::new().with("title", "a")),
    ];
    world.insert("lab.sample", &samples).await.unwrap();
    world.insert("contact", &[world.record(Fields::new().with("name", "A").with("lab.card", "1"))]).await.unwrap();
    // A null in a rule of several fields does not count.
    world.insert("lab.sample", &[world.record(Fields::new().with("title", "a"))]).await.unwrap();

    let rule = |object: &str, fields: &[&str]| {
        world.object(object).uniques.iter().find(|unique| unique.fields == fields).unwrap().name.clone()
    };
    for (object, fields, wanted) in [
        ("lab.sample", Fields::new().with("phone", "+7999"), rule("lab.sample", &["phone"])),
        ("lab.sample", Fields::new().with("title", "a").with("day", day()), rule("lab.sample", &["title", "day"])),
        ("contact", Fields::new().with("name", "B").with("lab.card", "1"), rule("contact", &["lab.card"])),
    ] {
        let result = world.insert(object, &[world.record(fields)]).await;
        assert!(matches!(&result, Err(StoreError::Taken { constraint }) if *constraint == wanted), "{result:?}");
    }
    let result = world.insert("lab.sample", &samples).await;
    assert!(matches!(result, Err(StoreError::Taken { .. })), "{result:?}");
}

pub(crate) async fn a_reference_must_lead_somewhere(world: &World) {
    let room = world.record(Fields::new());
    let result = world.insert("lab.sample", &[world.record(Fields::new().with("room", room.id))]).await;
    assert!(matches!(result, Err(StoreError::Reference)), "{result:?}");
    let guest = world.record(Fields::new().with("room", room.id));
    world.insert("lab.sample", &[room.clone(), guest]).await.unwrap();
    let mut narcissus = world.record(Fields::new());
    narcissus.fields.set("room", narcissus.id);
    world.insert("lab.sample", &[narcissus]).await.unwrap();
    let mut tx = world.store.write().await.unwrap();
    let result = tx.delete(world.sample(), room.id, 1).await;
    assert!(matches!(result, Err(StoreError::Reference)), "{result:?}");
}

pub(crate) async fn a_batch_is_written_whole_or_not_at_all(world: &World) {
    let mut batch: Vec<Record> = (0..1_000).map(|n| world.record(Fields::new().with("amount", n))).collect();
    world.insert("lab.sample", &batch).await.unwrap();
    assert_eq!(world.count("lab.sample").await, 1_000);

    for record in &mut batch {
        *record = world.record(Fields::new());
    }
    batch[999] = world.record(Fields::new().with("room", world.record(Fields::new()).id));
    let mut tx = world.store.write().await.unwrap();
    let result = tx.insert(world.sample(), &batch).await;
    assert!(matches!(result, Err(StoreError::Reference)), "{result:?}");
    tx.commit().await.unwrap();
    assert_eq!(world.count("lab.sample").await, 1_000);
}

pub(crate) async fn records_are_found_by_many_ids(world: &World) {
    let records: Vec<Record> = (0..1_000).map(|n| world.record(Fields::new().with("amount", n))).collect();
    world.insert("lab.sample", &records).await.unwrap();
    let mut reader = world.store.read().await.unwrap();
    for count in [0, 1, 2, 5, 1_000] {
        let ids: Vec<Id> = records.iter().take(count).map(|record| record.id).collect();
        let mut found = reader.find_many(world.sample(), &ids).await.unwrap();
        found.sort_by_key(|record| record.id);
        assert_eq!(found, records[..count]);
    }
    let missing = world.record(Fields::new()).id;
    assert_eq!(reader.find_many(world.sample(), &[missing, records[0].id]).await.unwrap(), [records[0].clone()]);
}

pub(crate) async fn overlaps_are_half_open_and_obey_the_condition(world: &World) {
    let (room, other) = (world.record(Fields::new()), world.record(Fields::new()));
    let at = |room: &Record, from: i64, until: i64, status: &str| {
        let fields = Fields::new().with("room", room.id).with("status", status);
        world.record(fields.with("starts_at", after(from)).with("ends_at", after(until)))
    };
    let (taken, cancelled) = (at(&room, 100, 200, "booked"), at(&room, 300, 400, "cancelled"));
    let empty = at(&room, 550, 550, "booked");
    let stored = [room.clone(), other.clone(), taken.clone(), cancelled, empty];
    world.insert("lab.sample", &stored).await.unwrap();

    let rule = &world.sample().excludes[0];
    for (record, wanted) in [
        (at(&room, 199, 300, "booked"), Some(taken.id)),
        (at(&room, 0, 101, "booked"), Some(taken.id)),
        (at(&room, 120, 130, "booked"), Some(taken.id)),
        (at(&room, 0, 1_000, "booked"), Some(taken.id)),
        (at(&room, 200, 300, "booked"), None),
        (at(&room, 0, 100, "booked"), None),
        (at(&room, 150, 150, "booked"), None),
        (at(&room, 300, 400, "booked"), None),
        (at(&room, 500, 600, "booked"), None),
        (at(&other, 100, 200, "booked"), None),
        (taken.clone(), None),
        (world.record(Fields::new().with("room", room.id).with("starts_at", after(0))), None),
    ] {
        let mut tx = world.store.write().await.unwrap();
        if record.id != taken.id {
            tx.insert(world.sample(), std::slice::from_ref(&record)).await.unwrap();
        }
        let found = tx.find_overlap(&world.catalog, world.sample(), rule, &[record.id], now()).await.unwrap();
        let wanted = wanted.map(|other| Overlap { record: record.id, other });
        assert_eq!(found, wanted, "{:?}", record.fields);
    }
}
