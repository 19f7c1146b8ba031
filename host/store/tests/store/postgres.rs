//! What only PostgreSQL's store has: units of work beside each other, and a server that can go away.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pergola_cluster::Cluster;
use pergola_model::{ChangeKind, Fields, Id, PluginId, Value, upgrade::Upgrade};
use pergola_service::ports::store::{NewEvent, Store as _, StoreError, SubscriptionState, TimerKey, TimerOf};
use pergola_store::{PostgresOptions, PostgresStore};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::world::{World, after, now};

pub(crate) fn server() -> &'static Cluster {
    Cluster::shared().unwrap_or_else(|error| panic!("{error}"))
}

/// The URL of a new schema.
fn url() -> String {
    server().new_url()
}

/// A connection past the store.
pub(crate) async fn raw(schema: &str) -> PgConnection {
    let url = server().url(schema);
    let (url, schema) = url.split_once("&schema=").unwrap();
    let mut raw = PgConnection::connect(url).await.unwrap();
    raw.execute(sqlx::AssertSqlSafe(format!("SET search_path = {schema}"))).await.unwrap();
    raw
}

/// A world in a new schema.
pub(crate) async fn world() -> World {
    with(PostgresOptions::default()).await.0
}

async fn with(options: PostgresOptions) -> (World, Arc<PostgresStore>) {
    let store = PostgresStore::open(&url(), "test", options).await.unwrap();
    (World::new(store.clone(), ()).await, store)
}

/// A unit that counts a record's amount up.
async fn count_up(world: &World, id: Id) -> Result<(), StoreError> {
    let mut tx = world.store.write().await?;
    let mut record = tx.find_for_change(world.sample(), &[id]).await?.remove(0);
    let Value::Integer(amount) = *record.fields.get("amount") else { panic!("{record:?}") };
    record.fields.set("amount", amount + 1);
    record.version += 1;
    tx.update(world.sample(), &record, &["amount".to_owned()]).await?;
    tx.commit().await
}

#[tokio::test]
async fn units_run_beside_each_other_and_wait_only_for_the_records_that_they_change() {
    let (world, _) = with(PostgresOptions::default()).await;
    let records = [0, 1].map(|_| world.record(Fields::new().with("amount", 0)));
    world.insert("lab.sample", &records).await.unwrap();
    let mut open = world.store.write().await.unwrap();
    open.find_for_change(world.sample(), &[records[0].id]).await.unwrap();
    // Another record, and a new one that refers to the locked one.
    count_up(&world, records[1].id).await.unwrap();
    world.insert("lab.sample", &[world.record(Fields::new().with("room", records[0].id))]).await.unwrap();
    drop(open);
    let counts = futures::future::join_all((0..40).map(|_| count_up(&world, records[0].id))).await;
    assert!(counts.iter().all(Result::is_ok), "{counts:?}");
    let counted = world.find("lab.sample", records[0].id).await.unwrap();
    assert_eq!(counted.fields.get("amount"), &Value::Integer(40));
}

#[tokio::test]
async fn a_name_is_held_until_the_end_and_then_the_next_one_sees_what_was_written() {
    let options = PostgresOptions { lock_timeout: Duration::from_millis(300), ..PostgresOptions::default() };
    let (world, store) = with(options).await;
    let name = |name: &str| [name.to_owned()];
    let mut first = store.write().await.unwrap();
    first.lock(&name("room 1")).await.unwrap();
    first.insert(world.sample(), &[world.record(Fields::new())]).await.unwrap();
    store.write().await.unwrap().lock(&name("room 2")).await.unwrap();
    let mut late = store.write().await.unwrap();
    assert!(matches!(late.lock(&name("room 1")).await, Err(StoreError::Interrupted)));
    assert!(late.is_interrupted() && late.commit().await.is_err());
    let second = async {
        let mut tx = store.write().await.unwrap();
        tx.lock(&["room 0".to_owned(), "room 1".to_owned()]).await.unwrap();
        tx.count(&world.catalog, &world.query("lab.sample")).await.unwrap()
    };
    let (count, done) = tokio::join!(second, first.commit());
    done.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn of_units_that_wait_in_a_circle_one_is_interrupted() {
    let (world, store) = with(PostgresOptions::default()).await;
    let records = [0, 1].map(|_| world.record(Fields::new().with("amount", 0)));
    world.insert("lab.sample", &records).await.unwrap();
    let (mut a, mut b) = (store.write().await.unwrap(), store.write().await.unwrap());
    a.find_for_change(world.sample(), &[records[0].id]).await.unwrap();
    b.find_for_change(world.sample(), &[records[1].id]).await.unwrap();
    let ids = [records[1].id, records[0].id];
    let (one, two) = tokio::join!(async { a.find_for_change(world.sample(), &ids[..1]).await.map(|_| a) }, async {
        b.find_for_change(world.sample(), &ids[1..]).await.map(|_| b)
    });
    let (ok, errors): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!((ok.len(), errors.len()), (1, 1));
    assert!(matches!(errors[0], Err(StoreError::Interrupted)));
}

#[tokio::test]
async fn two_open_claims_never_have_a_timer_in_common() {
    let (world, store) = with(PostgresOptions::default()).await;
    let keys: Vec<TimerKey> = (0..10)
        .map(|_| TimerKey {
            plugin: PluginId::new("lab").unwrap(),
            action: "a".parse().unwrap(),
            of: TimerOf::Record(world.sample().name.clone(), world.record(Fields::new()).id),
        })
        .collect();
    let mut tx = store.write().await.unwrap();
    tx.set_timers(&keys, &[now(); 10]).await.unwrap();
    tx.commit().await.unwrap();
    let (mut a, mut b) = (store.write().await.unwrap(), store.write().await.unwrap());
    let of_a = a.claim_timers(now(), after(9), 6).await.unwrap();
    let of_b = b.claim_timers(now(), after(9), 10).await.unwrap();
    assert_eq!((of_a.len(), of_b.len()), (6, 4));
    assert!(of_a.iter().all(|timer| of_b.iter().all(|other| other.key != timer.key)));
}

#[tokio::test]
async fn an_event_that_is_committed_late_is_told_after_those_that_came_before_it() {
    let plugin = PluginId::new("lab").unwrap();
    let (schema, store) =
        ("late_events", PostgresStore::open(&server().url("late_events"), "test", Default::default()).await);
    let (world, mut raw) = (World::new(store.unwrap(), ()).await, raw(schema).await);
    let event = |record: Id| NewEvent {
        at: now(),
        object: world.sample().name.clone(),
        kind: ChangeKind::Create,
        record,
        changed: vec![],
    };
    let [slow, quick] = [0, 1].map(|_| world.record(Fields::new()).id);
    // The slow unit has written its event and not committed.
    raw.execute("BEGIN").await.unwrap();
    let insert = format!(
        "INSERT INTO {schema}.pergola_outbox (at, object, kind, record, changed) VALUES (1, 'lab.sample', 'create', '{}', '[]')",
        slow.0
    );
    raw.execute(sqlx::AssertSqlSafe(insert)).await.unwrap();
    let mut tx = world.store.write().await.unwrap();
    tx.append_events(&[event(quick)]).await.unwrap();
    tx.commit().await.unwrap();
    let mut told = Vec::new();
    for round in 0..2 {
        let mut tx = world.store.write().await.unwrap();
        let events = tx.claim_events(&plugin, after(round * 2), after(round * 2 + 1), 10).await.unwrap();
        let sequence = events.last().unwrap().sequence;
        told.extend(events.into_iter().map(|event| event.event.record));
        let place = SubscriptionState { sequence, attempts: 0, retry_at: None };
        tx.finish_events(&plugin, after(round * 2 + 1), &place).await.unwrap();
        tx.commit().await.unwrap();
        if round == 0 {
            raw.execute("COMMIT").await.unwrap();
        }
    }
    assert_eq!(told, [quick, slow]);
}

#[tokio::test]
async fn several_processes_may_make_a_new_schema_ready_at_once() {
    let url = url();
    let opened =
        futures::future::join_all((0..4).map(|_| PostgresStore::open(&url, "test", PostgresOptions::default()))).await;
    for store in opened {
        World::new(store.unwrap(), ()).await;
    }
}

#[tokio::test]
async fn names_longer_than_the_server_keeps_stay_apart() {
    let long = "n".repeat(48);
    let manifest = format!(
        "id = \"lab\"\nversion = \"1.0.0\"\napi = \"0.1\"\n[object.{long}]\nfields.{long} = {{ type = \"text\", unique = true }}\n\
         fields.{}a = {{ type = \"text\", indexed = true }}\n[extend.contact]\nfields.{long} = {{ type = \"money\" }}\n",
        &long[1..]
    );
    let (world, store) = with(PostgresOptions::default()).await;
    let catalog = crate::world::catalog(&manifest);
    world.apply(&catalog).await.unwrap();
    assert!(store.plan(&catalog, &Upgrade::default()).await.unwrap().is_empty());
    let object = catalog.find_object(&format!("lab.{long}")).unwrap();
    let twins = [0, 1].map(|_| world.record(Fields::new().with(long.clone(), "same")));
    let mut tx = store.write().await.unwrap();
    let taken = tx.insert(object, &twins).await;
    assert!(
        matches!(&taken, Err(StoreError::Taken { constraint }) if *constraint == object.uniques[0].name),
        "{taken:?}"
    );
}

#[tokio::test]
async fn a_unit_that_is_cancelled_within_a_statement_is_undone_and_its_connection_is_not_used_again() {
    let options = PostgresOptions { writers_max: 1, ..PostgresOptions::default() };
    let store = PostgresStore::open(&server().url("cancelled"), "test", options).await.unwrap();
    let world = World::new(store.clone(), ()).await;
    let held = world.record(Fields::new().with("amount", 0));
    world.insert("lab.sample", std::slice::from_ref(&held)).await.unwrap();
    let mut raw = raw("cancelled").await;
    raw.execute("BEGIN").await.unwrap();
    raw.execute("SELECT * FROM \"lab.sample\" FOR UPDATE").await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.insert(world.sample(), &[world.record(Fields::new())]).await.unwrap();
    let ids = [held.id];
    let waiting = tx.find_for_change(world.sample(), &ids);
    assert!(tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err());
    assert!(tx.commit().await.is_err());
    drop(tx);
    raw.execute("ROLLBACK").await.unwrap();
    count_up(&world, held.id).await.unwrap();
    assert_eq!(world.count("lab.sample").await, 1);
}

#[tokio::test]
async fn whoever_finds_no_connection_in_time_or_no_place_in_the_line_is_told_that_it_is_busy() {
    let turn_timeout = Duration::from_millis(50);
    let options = PostgresOptions { writers_max: 1, readers_max: 1, queue_max: 1, turn_timeout, ..Default::default() };
    let (_, store) = with(options).await;
    let _tx = store.write().await.unwrap();
    let _reader = store.read().await.unwrap();
    let (one, two) = tokio::join!(store.write(), store.write());
    assert!(matches!(one.err(), Some(StoreError::Busy)) && matches!(two.err(), Some(StoreError::Busy)));
}

#[tokio::test]
async fn after_a_crash_of_the_server_the_store_works_again_by_itself() {
    let mut cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
    let store = PostgresStore::open(&cluster.new_url(), "test", PostgresOptions::default()).await.unwrap();
    let world = World::new(store.clone(), ()).await;
    let kept = world.record(Fields::new().with("amount", 1));
    world.insert("lab.sample", std::slice::from_ref(&kept)).await.unwrap();
    let mut open = store.write().await.unwrap();
    open.insert(world.sample(), &[world.record(Fields::new())]).await.unwrap();
    cluster.crash().unwrap();
    assert!(matches!(open.commit().await, Err(StoreError::InDoubt)));
    drop(open);
    assert!(store.read().await.is_err());
    cluster.launch().unwrap();
    assert_eq!(world.find("lab.sample", kept.id).await, Some(kept));
    assert_eq!(world.count("lab.sample").await, 1);
}

#[tokio::test]
async fn a_server_that_falls_silent_does_not_hold_the_store_up_for_ever() {
    let short = Duration::from_millis(200);
    let options = PostgresOptions {
        writers_max: 2,
        readers_max: 2,
        statement_timeout: short,
        answer_grace: short,
        connect_timeout: short,
        ..PostgresOptions::default()
    };
    let relay = Relay::start(server().socket()).await;
    let store = PostgresStore::open(&relay.url("relayed"), "test", options).await.unwrap();
    let world = World::new(store.clone(), ()).await;
    for record in [0, 1].map(|_| world.record(Fields::new())) {
        world.insert("lab.sample", &[record]).await.unwrap();
    }
    relay.fall_silent(true);
    let finds = (0..8).map(|_| async { store.read().await?.count(&world.catalog, &world.query("lab.sample")).await });
    let found = tokio::time::timeout(Duration::from_secs(5), futures::future::join_all(finds)).await.unwrap();
    assert!(found.iter().all(|count| matches!(count, Err(StoreError::Busy))), "{found:?}");
    relay.fall_silent(false);
    assert_eq!(world.count("lab.sample").await, 2);
}

#[tokio::test]
async fn without_a_limit_on_silence_it_would() {
    let options = PostgresOptions { answer_grace: Duration::from_secs(3_600), ..PostgresOptions::default() };
    let relay = Relay::start(server().socket()).await;
    let store = PostgresStore::open(&relay.url("patient"), "test", options).await.unwrap();
    let world = World::new(store.clone(), ()).await;
    world.insert("lab.sample", &[world.record(Fields::new())]).await.unwrap();
    relay.fall_silent(true);
    let find = async { store.read().await?.count(&world.catalog, &world.query("lab.sample")).await };
    assert!(tokio::time::timeout(Duration::from_secs(1), find).await.is_err());
}

/// Passes bytes between the store and the server, or swallows them without a word.
struct Relay {
    folder: TempDir,
    silent: Arc<AtomicBool>,
}

impl Relay {
    async fn start(server: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        let silent = Arc::new(AtomicBool::new(false));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let is_silent = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = UnixStream::connect(&server).await else { continue };
                let (client_in, client_out) = client.into_split();
                let (server_in, server_out) = upstream.into_split();
                tokio::spawn(pass(client_in, server_out, Arc::clone(&is_silent)));
                tokio::spawn(pass(server_in, client_out, Arc::clone(&is_silent)));
            }
        });
        Self { folder, silent }
    }

    fn url(&self, schema: &str) -> String {
        format!("postgres://postgres@localhost/postgres?host={}&schema={schema}", self.folder.path().display())
    }

    fn fall_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: Arc<AtomicBool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !silent.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
