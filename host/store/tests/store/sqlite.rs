//! What only SQLite's store has: a file, a queue, group commits, a quota.

use std::{path::Path, sync::Arc, time::Duration};

use futures::FutureExt as _;
use pergola_model::{Fields, Record};
use pergola_service::ports::store::{Store, StoreError};
use pergola_store::{Options, SqliteStore};
use tempfile::TempDir;

use crate::world::World;

/// A world in a new file.
pub(crate) async fn world() -> World {
    with(Options::default()).await.0
}

async fn with(options: Options) -> (World, Arc<SqliteStore>) {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("workspace.db"), options).await.unwrap();
    (World::new(store.clone(), folder).await, store)
}

async fn reopen(path: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(path, Options::default()).await.unwrap()
}

#[tokio::test]
async fn what_was_committed_is_there_after_closing_and_opening() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("workspace.db");
    let store = reopen(&path).await;
    let world = World::new(store.clone(), ()).await;
    let record = world.record(Fields::new().with("amount", 1));
    world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
    store.close().await;
    assert!(world.store.read().await.is_err() && world.store.write().await.is_err());

    let world = World::new(reopen(&path).await, ()).await;
    assert_eq!(world.find("lab.sample", record.id).await, Some(record));
}

#[tokio::test]
async fn a_closed_workspace_is_one_file_whoever_read_last() {
    let folder = TempDir::new().unwrap();
    let store = reopen(&folder.path().join("workspace.db")).await;
    let world = World::new(store.clone(), ()).await;
    world.insert("lab.sample", &[world.record(Fields::new())]).await.unwrap();
    assert_eq!(world.count("lab.sample").await, 1);
    let mut reader = store.read().await.unwrap();
    reader.find_setting("locale").await.unwrap();
    let reading = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(reader);
    };
    tokio::join!(reading, store.close());
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["workspace.db"]);
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let (world, store) = with(Options::default()).await;
    let mut tx = store.write().await.unwrap();
    tx.insert(world.sample(), &[world.record(Fields::new())]).await.unwrap();
    let record = world.record(Fields::new());
    let writes = world.insert("lab.sample", std::slice::from_ref(&record));
    let first = async {
        tx.commit().await.unwrap();
    };
    let (queued, (), ()) = tokio::join!(writes, store.close(), first);
    queued.unwrap();
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once_and_a_long_wait_is_busy_in_time() {
    let options = Options { units_max: 1, queue_max: 2, turn_timeout: Duration::from_millis(50), ..Options::default() };
    let (world, store) = with(options).await;
    let turn = store.write().await.unwrap();
    let waits = futures::future::join_all((0..10).map(|_| store.write())).await;
    assert!(waits.iter().all(|wait| matches!(wait, Err(StoreError::Busy))));
    drop(turn);
    world.insert("lab.sample", &[]).await.unwrap();
}

#[tokio::test]
async fn no_connection_for_a_reader_is_busy_in_time() {
    let options = Options { readers_max: 1, reader_timeout: Duration::from_millis(50), ..Options::default() };
    let (world, store) = with(options).await;
    let mut reader = store.read().await.unwrap();
    reader.find_setting("locale").await.unwrap();
    assert!(matches!(store.read().await.err(), Some(StoreError::Busy)));
    drop(reader);
    assert_eq!(world.count("lab.sample").await, 0);
}

#[tokio::test]
async fn a_unit_that_is_cancelled_within_a_statement_is_undone() {
    let (world, store) = with(Options::default()).await;
    let mut cancelled = 0;
    while cancelled < 5 {
        // As many as fit in one statement, and so large that its answer is seldom there when it is polled at once.
        let body = "x".repeat(10_000);
        let records: Vec<Record> = (0..256).map(|_| world.record(Fields::new().with("body", body.as_str()))).collect();
        let mut tx = store.write().await.unwrap();
        tx.find_setting("locale").await.unwrap();
        if tx.insert(world.sample(), &records).now_or_never().is_none() {
            cancelled += 1;
            // Nobody knows what became of the statement, so the unit cannot end well.
            assert!(tx.find(world.sample(), records[0].id).await.is_err());
            assert!(tx.commit().await.is_err());
        }
    }
    assert_eq!(world.count("lab.sample").await, 0);
    world.insert("lab.sample", &[world.record(Fields::new())]).await.unwrap();
}

#[tokio::test]
async fn a_slow_statement_of_a_reader_is_stopped_and_a_cancelled_one_too() {
    let options = Options { statement_timeout: Duration::from_millis(20), readers_max: 1, ..Options::default() };
    let (world, store) = with(options).await;
    for _ in 0..20 {
        let records: Vec<Record> =
            (0..1_000).map(|n| world.record(Fields::new().with("body", "a".repeat(n)))).collect();
        world.insert("lab.sample", &records).await.unwrap();
    }
    // Looks for a long text that is not there at every place of every body.
    let source = vec![format!("body.contains('{}b')", "a".repeat(200)); 8].join(" || ");
    let filter = Some(world.expression("lab.sample", &source, &[]));
    let query = pergola_model::Query { filter, ..world.query("lab.sample") };
    let mut reader = store.read().await.unwrap();
    assert!(matches!(reader.count(&world.catalog, &query).await, Err(StoreError::Busy)));
    drop(reader);

    let mut reader = store.read().await.unwrap();
    let count = reader.count(&world.catalog, &query);
    assert!(tokio::time::timeout(Duration::from_millis(5), count).await.is_err());
    drop(reader);
    assert!(world.find("lab.sample", world.record(Fields::new()).id).await.is_none());
}

/// Each unit of a group that ran into the end of the disk is told so, and nothing of it is there.
#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_reads_and_ends_when_there_is_room_again() {
    let (world, store) = with(Options::default()).await;
    let first = world.record(Fields::new().with("amount", 1));
    world.insert("lab.sample", std::slice::from_ref(&first)).await.unwrap();
    store.set_pages_max(200).await.unwrap();

    let mut kept = vec![first];
    let mut refused = Vec::new();
    for round in 0..30 {
        let body = "x".repeat(if round % 2 == 0 { 3_000 } else { 40_000 });
        let records: Vec<Record> = (0..8).map(|_| world.record(Fields::new().with("body", body.as_str()))).collect();
        let inserts = records.iter().map(|record| world.insert("lab.sample", std::slice::from_ref(record)));
        let results = futures::future::join_all(inserts).await;
        for (record, result) in records.into_iter().zip(results) {
            match result {
                Ok(()) => kept.push(record),
                Err(StoreError::Full) => refused.push(record),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(kept.len() > 8 && refused.len() > 8, "{} kept, {} refused", kept.len(), refused.len());
    assert_eq!(world.count("lab.sample").await, kept.len() as u64);
    for record in &kept {
        assert_eq!(world.find("lab.sample", record.id).await.as_ref(), Some(record));
    }

    store.set_pages_max(1_000_000).await.unwrap();
    for record in refused {
        world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
        assert_eq!(world.find("lab.sample", record.id).await, Some(record));
    }
}

#[tokio::test]
async fn a_unit_that_goes_on_after_a_full_disk_writes_nothing() {
    let (world, store) = with(Options::default()).await;
    store.set_pages_max(1).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let large = world.record(Fields::new().with("body", "x".repeat(99_000)));
    let small = world.record(Fields::new());
    assert!(matches!(tx.insert(world.sample(), &[large]).await, Err(StoreError::Full)));
    store_is_full(tx.insert(world.sample(), std::slice::from_ref(&small)).await);
    store_is_full(tx.commit().await);
    assert_eq!(world.find("lab.sample", small.id).await, None);
}

#[tokio::test]
async fn a_unit_that_asks_for_nothing_commits_nothing_and_holds_up_nobody() {
    let (world, store) = with(Options::default()).await;
    let mut idle = store.write().await.unwrap();
    idle.commit().await.unwrap();
    drop(store.write().await.unwrap());
    world.insert("lab.sample", &[world.record(Fields::new())]).await.unwrap();
    assert_eq!(world.count("lab.sample").await, 1);
}

fn store_is_full(result: Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::Full)), "{result:?}");
}

#[tokio::test]
async fn a_file_that_another_process_writes_to_is_busy_in_time() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("workspace.db");
    let options = Options { busy_timeout: Duration::from_millis(20), ..Options::default() };
    let (one, other) =
        (SqliteStore::open(&path, options.clone()).await.unwrap(), SqliteStore::open(&path, options).await.unwrap());
    let (one, other) = (World::new(one, ()).await, World::new(other, folder).await);
    let mut turn = one.store.write().await.unwrap();
    turn.insert(one.sample(), &[one.record(Fields::new())]).await.unwrap();
    let contact = [other.record(Fields::new().with("name", "A"))];
    assert!(matches!(other.insert("contact", &contact).await, Err(StoreError::Busy)));
    drop(turn);
    other.insert("contact", &contact).await.unwrap();
    assert_eq!(one.count("lab.sample").await, 0);
    assert_eq!(one.count("contact").await, 1);
}
