//! The system's own rows: events, answers, plugins, settings, tokens, users.

use std::collections::BTreeMap;

use pergola_model::{ChangeKind, Fields, PluginId, Role};
use pergola_service::ports::store::{
    AuditEntry, NewEvent, StoreError, StoredAnswer, StoredEvent, StoredPlugin, StoredToken, StoredUser,
    SubscriptionState,
};

use crate::world::{World, after, now};

fn plugin(id: &str) -> PluginId {
    PluginId::new(id).unwrap()
}

fn event(world: &World, kind: ChangeKind, changed: &[&str]) -> NewEvent {
    NewEvent {
        at: now(),
        object: world.sample().name.clone(),
        kind,
        record: world.record(Fields::new()).id,
        changed: changed.iter().map(|key| (*key).to_owned()).collect(),
    }
}

async fn append(world: &World, events: &[NewEvent]) {
    let mut tx = world.store.write().await.unwrap();
    tx.append_events(events).await.unwrap();
    tx.commit().await.unwrap();
}

/// What could be told at a time when nothing waits for a retry; the claim is given up.
async fn events(world: &World, id: &str) -> Vec<StoredEvent> {
    let mut tx = world.store.write().await.unwrap();
    let has = tx.has_events(&plugin(id)).await.unwrap();
    let events = tx.claim_events(&plugin(id), after(10), after(20), 500).await.unwrap();
    assert_eq!(has, !events.is_empty());
    events
}

async fn told(world: &World, id: &str) -> Vec<i64> {
    events(world, id).await.into_iter().map(|event| event.sequence).collect()
}

async fn set_place(world: &World, id: &str, sequence: i64) {
    let mut tx = world.store.write().await.unwrap();
    let state = SubscriptionState { sequence, attempts: 2, retry_at: Some(after(5)) };
    tx.claim_events(&plugin(id), now(), after(1), 1).await.unwrap();
    tx.finish_events(&plugin(id), after(1), &state).await.unwrap();
    assert_eq!(tx.subscription(&plugin(id)).await.unwrap(), state);
    tx.commit().await.unwrap();
}

pub(crate) async fn claimed_events_are_nobody_elses_until_then(world: &World) {
    append(world, &[event(world, ChangeKind::Create, &[])]).await;
    let claim = async |at: i64, until: i64| {
        let mut tx = world.store.write().await.unwrap();
        let events = tx.claim_events(&plugin("a"), after(at), after(until), 10).await.unwrap();
        tx.commit().await.unwrap();
        events.len()
    };
    assert_eq!(claim(0, 10).await, 1);
    assert_eq!(claim(9, 19).await, 0);
    // That process has died; the one that takes over cannot be disturbed by what it still says.
    assert_eq!(claim(10, 20).await, 1);
    let done = SubscriptionState { sequence: 1_000, attempts: 0, retry_at: None };
    let mut tx = world.store.write().await.unwrap();
    tx.finish_events(&plugin("a"), after(10), &done).await.unwrap();
    assert_eq!(tx.subscription(&plugin("a")).await.unwrap().sequence, 0);
    tx.finish_events(&plugin("a"), after(20), &done).await.unwrap();
    assert_eq!(tx.subscription(&plugin("a")).await.unwrap(), done);
}

pub(crate) async fn events_are_told_in_order_and_trimmed_when_all_were_told(world: &World) {
    let events: Vec<NewEvent> = (0..100).map(|_| event(world, ChangeKind::Update, &["amount", "lab.card"])).collect();
    append(world, &events).await;
    let stored = self::events(world, "a").await;
    assert_eq!(stored.len(), 100);
    assert!(stored.is_sorted_by_key(|event| event.sequence));
    let (first, last) = (&stored[0], &stored[99]);
    assert_eq!((first.event.record, first.event.kind), (events[0].record, ChangeKind::Update));
    assert_eq!(first.event.changed, ["amount", "lab.card"]);

    set_place(world, "a", last.sequence - 10).await;
    set_place(world, "b", last.sequence - 20).await;
    assert_eq!(told(world, "a").await.len(), 10);
    let mut tx = world.store.write().await.unwrap();
    tx.trim_events(&[plugin("a"), plugin("b")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(told(world, "c").await.len(), 20);
    let mut tx = world.store.write().await.unwrap();
    tx.trim_events(&[plugin("a"), plugin("never_seen")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(told(world, "c").await.len(), 20);
}

pub(crate) async fn sequences_do_not_come_back_after_a_trim(world: &World) {
    append(world, &[event(world, ChangeKind::Create, &[])]).await;
    let before = told(world, "a").await;
    set_place(world, "a", before[0]).await;
    let mut tx = world.store.write().await.unwrap();
    tx.trim_events(&[plugin("a")]).await.unwrap();
    tx.commit().await.unwrap();
    append(world, &[event(world, ChangeKind::Delete, &[])]).await;
    let after = told(world, "a").await;
    assert!(after.len() == 1 && after[0] > before[0], "{before:?} {after:?}");

    // What is undone to a savepoint is not told.
    let mut tx = world.store.write().await.unwrap();
    tx.savepoint().await.unwrap();
    tx.append_events(&[event(world, ChangeKind::Create, &[])]).await.unwrap();
    tx.append_audit(&[audit(world)]).await.unwrap();
    tx.rollback_savepoint().await.unwrap();
    tx.append_audit(&[audit(world)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(told(world, "a").await, after);
}

fn audit(world: &World) -> AuditEntry {
    AuditEntry {
        at: now(),
        actor: "system".to_owned(),
        plugin: None,
        kind: ChangeKind::Create.into(),
        object: world.sample().name.clone(),
        record: world.record(Fields::new()).id,
        changes: serde_json::json!({ "amount": 1 }),
    }
}

pub(crate) async fn an_answer_lasts_until_it_expires(world: &World) {
    let answer = |key: &str, expires: i64| StoredAnswer {
        key: key.to_owned(),
        request_sha256: vec![1, 2, 3],
        status: 201,
        body: b"{}".to_vec(),
        expires_at: after(expires),
    };
    let mut tx = world.store.write().await.unwrap();
    tx.insert_answer(&answer("a", 10), now()).await.unwrap();
    tx.insert_answer(&answer("b", 20), now()).await.unwrap();
    assert_eq!(tx.find_answer("a").await.unwrap(), Some(answer("a", 10)));
    tx.insert_answer(&answer("a", 30), now()).await.unwrap();
    // It is written with whatever comes next, which has its error.
    let again = tx.find_answer("a").await;
    assert!(matches!(again, Err(StoreError::Taken { .. })), "{again:?}");
    tx.insert_answer(&answer("a", 40), after(10)).await.unwrap();
    assert_eq!(tx.find_answer("a").await.unwrap(), Some(answer("a", 40)));
    assert!(tx.find_answer("b").await.unwrap().is_some());
    assert_eq!(tx.find_answer("c").await.unwrap(), None);
}

pub(crate) async fn plugins_settings_tokens_and_users_are_kept(world: &World) {
    let mut stored = StoredPlugin {
        id: plugin("lab"),
        manifest: crate::world::LAB.to_owned(),
        digest: "ab".to_owned(),
        settings: BTreeMap::from([("hours".to_owned(), serde_json::json!(24))]),
        installed_at: now(),
    };
    let token =
        StoredToken { sha256: vec![9; 32], name: "till".to_owned(), role: Role::Staff, expires_at: Some(after(1)) };
    let endless = StoredToken { sha256: vec![8; 32], expires_at: None, ..token.clone() };
    let mut user =
        StoredUser { email: "a@b.example".to_owned(), password_hash: "$argon2id$…".to_owned(), role: Role::Owner };
    let mut tx = world.store.write().await.unwrap();
    tx.put_plugin(&stored).await.unwrap();
    stored.digest = String::new();
    tx.put_plugin(&stored).await.unwrap();
    tx.put_setting("locale", &serde_json::json!({ "region": "RU" })).await.unwrap();
    tx.put_setting("locale", &serde_json::json!("ru")).await.unwrap();
    tx.insert_token(&token).await.unwrap();
    tx.insert_token(&endless).await.unwrap();
    tx.put_user(&user).await.unwrap();
    user.role = Role::Viewer;
    tx.put_user(&user).await.unwrap();
    tx.commit().await.unwrap();

    let mut reader = world.store.read().await.unwrap();
    assert_eq!(reader.list_plugins().await.unwrap(), [stored]);
    assert_eq!(reader.find_setting("locale").await.unwrap(), Some(serde_json::json!("ru")));
    assert_eq!(reader.find_setting("zone").await.unwrap(), None);
    assert_eq!(reader.find_token(&token.sha256).await.unwrap(), Some(token));
    assert_eq!(reader.find_token(&endless.sha256).await.unwrap(), Some(endless));
    assert_eq!(reader.find_token(b"").await.unwrap(), None);
    assert_eq!(reader.find_user("a@b.example").await.unwrap(), Some(user));
    assert_eq!(reader.find_user("b@b.example").await.unwrap(), None);
}
