//! Traces of purged records: read in pages, removed where they are named and nowhere else.

use pergola_model::{ChangeKind, Fields, Id};
use pergola_service::ports::{
    bin::{BinContent, BinItem, Deletion},
    purge::{Forgotten, PURGED, Place, Trace, TraceKey},
    store::{AuditEntry, NewEvent, StoredAnswer, StoredTimer, TimerKey, TimerOf, Transaction},
};
use serde_json::json;

use crate::world::{World, after, now};

/// What a store has about two records, one of which is to be forgotten.
async fn fill(world: &World) -> [Id; 2] {
    let ids = [world.record(Fields::new()).id, world.record(Fields::new()).id];
    let object = world.sample().name.clone();
    let mut tx = world.store.write().await.unwrap();
    for (id, seconds) in ids.iter().zip(1..) {
        let (record, at) = (*id, after(seconds));
        let entry = AuditEntry {
            at,
            actor: "Kim".to_owned(),
            plugin: None,
            kind: ChangeKind::Create.into(),
            object: object.clone(),
            record,
            changes: json!({"title": format!("secret {seconds}")}),
        };
        tx.append_audit(&[entry]).await.unwrap();
        for kind in [ChangeKind::Update, ChangeKind::Delete] {
            tx.append_events(&[NewEvent { at, object: object.clone(), kind, record, changed: vec![] }]).await.unwrap();
        }
        tx.set_timers(&[timer(world, record)], &[at]).await.unwrap();
        let answer = StoredAnswer {
            key: format!("key {seconds}"),
            request_sha256: vec![1],
            status: 201,
            body: json!({ "id": record }).to_string().into_bytes(),
            expires_at: at,
        };
        tx.insert_answer(&answer, now()).await.unwrap();
        let deletion = Deletion {
            id: record,
            at,
            actor: "Kim".to_owned(),
            plugin: None,
            object: object.clone(),
            record,
            title: "secret".to_owned(),
            records: 1,
        };
        let content = BinContent::Record(json!({ "fields": {} }));
        let child = BinContent::Reference { field: "room".to_owned(), to: record };
        let items = [(content, record), (child, ids[0])].into_iter().zip(0..).map(|((content, of), place)| BinItem {
            deletion: record,
            place,
            object: object.clone(),
            record: of,
            content,
        });
        tx.insert_deletions(&[deletion], &items.collect::<Vec<_>>()).await.unwrap();
    }
    tx.commit().await.unwrap();
    ids
}

/// The record that a timer follows.
fn record(timer: &StoredTimer) -> Option<Id> {
    timer.key.record().map(|(_, id)| id)
}

fn timer(world: &World, record: Id) -> TimerKey {
    let (plugin, action) = ("lab".parse().unwrap(), "ring".parse().unwrap());
    TimerKey { plugin, action, of: TimerOf::Record(world.sample().name.clone(), record) }
}

/// All traces at a place, one to a page.
async fn traces(world: &World, place: Place) -> Vec<Trace> {
    let mut all: Vec<Trace> = Vec::new();
    loop {
        let mut reader = world.store.read().await.unwrap();
        let page = reader.list_traces(place, all.last().map(|trace| &trace.key), 1).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(crate) async fn traces_are_read_in_pages(world: &World) {
    let ids = fill(world).await;
    let audit = traces(world, Place::Audit).await;
    let records: Vec<Id> = audit.iter().map(|trace| trace.record.as_ref().unwrap().1).collect();
    assert_eq!(records, ids);
    assert_eq!(audit[1].text, r#"{"title":"secret 2"}"#);
    let answers = traces(world, Place::Answers).await;
    assert_eq!(answers.len(), 2);
    assert!(answers[0].text.contains(&ids[0].to_string()), "{answers:?}");
    let items = traces(world, Place::Bin).await;
    let told: Vec<_> = items.iter().map(|one| (one.key.clone(), one.is_root, one.record.is_some())).collect();
    let [a, b] = ids;
    let expected = [(a, 0, true), (a, 1, false), (b, 0, true), (b, 1, false)]
        .map(|(id, place, of)| (TraceKey::BinItem(id, place), of, of));
    assert_eq!(told, expected);
    assert_eq!(items[1].text, a.to_string());
}

pub(crate) async fn what_is_named_is_forgotten_and_the_rest_stays(world: &World) {
    let [gone, stays] = fill(world).await;
    let forgotten = Forgotten {
        records: vec![gone],
        answers: vec!["key 1".to_owned()],
        deletions: vec![gone],
        items: vec![(stays, 1), (gone, 0)],
        timers: vec![],
    };
    let mut tx = world.store.write().await.unwrap();
    let mut changed = Vec::new();
    for place in Place::ALL {
        changed.push(tx.forget(place, &forgotten).await.unwrap());
    }
    tx.commit().await.unwrap();
    assert_eq!(changed, [1, 1, 1, 1, 2, 0], "the items of a deletion go with it; no import wrote them");

    let audit: Vec<String> = traces(world, Place::Audit).await.into_iter().map(|trace| trace.text).collect();
    assert_eq!(audit, [PURGED, r#"{"title":"secret 2"}"#]);
    assert_eq!(traces(world, Place::Answers).await.len(), 1);
    let left: Vec<_> = traces(world, Place::Bin).await.into_iter().map(|trace| trace.key).collect();
    assert_eq!(left, [TraceKey::BinItem(stays, 0)]);
    let mut reader = world.store.write().await.unwrap();
    let events = reader.claim_events(&"lab".parse().unwrap(), after(0), after(1), 10).await.unwrap();
    let kinds: Vec<_> = events.into_iter().map(|event| (event.event.record, event.event.kind)).collect();
    let (update, delete) = (ChangeKind::Update, ChangeKind::Delete);
    assert_eq!(kinds, [(gone, delete), (stays, update), (stays, delete)], "that it is gone is told");
    let timers = reader.list_timers(None, 10).await.unwrap();
    assert_eq!(timers.iter().filter_map(record).collect::<Vec<_>>(), [stays]);
}

pub(crate) async fn notes_of_purges_last_until_they_are_taken_out(world: &World) {
    // More than one statement takes, and some of them twice.
    let ids: Vec<Id> = (0..1_200).map(|_| world.record(Fields::new()).id).collect();
    let mut tx = world.store.write().await.unwrap();
    tx.insert_purged(&ids).await.unwrap();
    tx.insert_purged(&ids[..10]).await.unwrap();
    assert_eq!(tx.list_purged().await.unwrap(), ids);
    tx.remove_purged(&ids[1..]).await.unwrap();
    assert_eq!(tx.list_purged().await.unwrap(), ids[..1]);
    tx.commit().await.unwrap();
    assert!(world.store.scrub(u64::MAX).await.unwrap(), "nobody is in the way");
}

pub(crate) async fn timers_and_expired_answers_are_listed_for_the_doctor(world: &World) {
    let ids = fill(world).await;
    let mut tx: Box<dyn Transaction> = world.store.write().await.unwrap();
    let first = tx.list_timers(None, 1).await.unwrap();
    let second = tx.list_timers(Some(&first[0].key), 1).await.unwrap();
    assert_eq!([record(&first[0]), record(&second[0])], ids.map(Some));
    assert!(tx.list_timers(Some(&second[0].key), 1).await.unwrap().is_empty());
    assert_eq!(tx.count_expired_answers(after(1)).await.unwrap(), 1);
    assert_eq!(tx.drop_expired_answers(after(1), 10).await.unwrap(), 1);
    assert_eq!(tx.count_expired_answers(after(2)).await.unwrap(), 1);
}
