//! A schema as files and back: of one moment while others write, and the same again, to the last byte.

use std::{collections::BTreeMap, fs, path::Path};

use pergola_model::{ChangeKind, Fields, Money, ObjectName, Value};
use pergola_service::ports::{
    counters::{Balance, BalanceKey},
    store::{AuditEntry, NewEvent, Store as _, StoreError},
};
use pergola_store::{
    PostgresOptions, PostgresStore,
    backup::{Remote, SHAPE, TABLES, read_snapshot},
};
use sqlx::{Connection as _, Executor as _, Row as _};
use tempfile::TempDir;

use crate::{
    postgres::{raw, server},
    world::{World, now},
};

/// A workspace in a new schema, and where it is.
async fn world(schema: &str) -> (World, Remote) {
    let url = server().url(schema);
    let store = PostgresStore::open(&url, "test", PostgresOptions::default()).await.unwrap();
    (World::new(store, ()).await, Remote::new(&url, "test").unwrap())
}

/// Another schema of the same server, made from a snapshot.
async fn restored(schema: &str, from: &Path) -> Remote {
    let remote = Remote::new(&server().url(schema), "test").unwrap();
    let new = remote.unfinished();
    new.load(from, &read_snapshot(from).await.unwrap()).await.unwrap();
    new.take_place_of(&remote, None).await.unwrap();
    remote
}

/// One unit of work that leaves all sums at zero: two samples, two lines in the audit, two events, two balances.
async fn transfer(world: &World, amount: i64) -> Result<(), StoreError> {
    let object: ObjectName = "lab.sample".parse().unwrap();
    let samples = [amount, -amount].map(|amount| world.record(Fields::new().with("amount", amount)));
    let mut tx = world.store.write().await?;
    tx.lock(&["transfer".to_owned()]).await?;
    tx.insert(world.sample(), &samples).await?;
    let keys = ["a", "b"].map(|account| BalanceKey {
        object: object.clone(),
        account: account.to_owned(),
        unit: String::new(),
        currency: String::new(),
    });
    let before: BTreeMap<BalanceKey, i64> =
        tx.find_balances(&keys).await?.into_iter().map(|one| (one.key, one.amount)).collect();
    let after = keys.into_iter().zip([amount, -amount]).map(|(key, change)| {
        let amount = before.get(&key).copied().unwrap_or_default() + change;
        Balance { key, amount }
    });
    tx.put_balances(&after.collect::<Vec<_>>()).await?;
    let kind = ChangeKind::Create;
    let event = |record| NewEvent { at: now(), object: object.clone(), kind, record, changed: vec![] };
    let line = |record| AuditEntry {
        at: now(),
        actor: "test".to_owned(),
        plugin: None,
        kind: kind.into(),
        object: object.clone(),
        record,
        changes: serde_json::Value::Null,
    };
    tx.append_events(&samples.each_ref().map(|one| event(one.id))).await?;
    tx.append_audit(&samples.each_ref().map(|one| line(one.id))).await?;
    tx.commit().await
}

/// How many samples there are, if all that goes with them is there and nothing else.
async fn consistent(schema: &str) -> Option<i64> {
    let question = "SELECT (SELECT count(*) FROM \"lab.sample\"), (SELECT count(*) FROM pergola_audit), \
         (SELECT count(*) FROM pergola_outbox), (SELECT sum(amount)::bigint FROM \"lab.sample\"), \
         (SELECT sum(amount)::bigint FROM pergola_balance), \
         (SELECT sum(amount)::bigint FROM \"lab.sample\" WHERE amount > 0), \
         (SELECT amount FROM pergola_balance WHERE account = 'a')";
    let row = raw(schema).await.fetch_one(question).await.unwrap();
    let number = |index: usize| row.get::<Option<i64>, _>(index).unwrap_or_default();
    let holds = number(0) == number(1) && number(1) == number(2) && number(3) == 0 && number(4) == 0;
    (holds && number(5) == number(6)).then_some(number(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_taken_while_others_write_is_of_one_moment() {
    let (world, remote) = world("loaded").await;
    let world = std::sync::Arc::new(world);
    let writers: Vec<_> = (1..=6)
        .map(|amount| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move {
                loop {
                    drop(transfer(&world, amount).await);
                }
            })
        })
        .collect();
    let folder = TempDir::new().unwrap();
    let mut counts = Vec::new();
    for round in 0..4 {
        let copy = folder.path().join(round.to_string());
        remote.snapshot(&copy).await.unwrap();
        let schema = format!("loaded_{round}");
        restored(&schema, &copy).await;
        counts.push(consistent(&schema).await.unwrap_or_else(|| panic!("round {round} is of several moments")));
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(counts.windows(2).all(|two| two[0] < two[1]), "nobody wrote meanwhile: {counts:?}");
    // Of two moments: what this test would say of a backup that is not of one.
    let audit = format!("{TABLES}/pergola_audit.copy");
    fs::copy(folder.path().join("3").join(&audit), folder.path().join("0").join(&audit)).unwrap();
    restored("loaded_mixed", &folder.path().join("0")).await;
    assert_eq!(consistent("loaded_mixed").await, None);
}

/// All files of a snapshot.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<_, _> = fs::read_dir(folder.join(TABLES))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.insert(SHAPE.to_owned(), fs::read(folder.join(SHAPE)).unwrap());
    files
}

#[tokio::test]
async fn a_restored_schema_is_the_same_to_the_last_byte_and_counts_on() {
    let (original, remote) = world("twin").await;
    let price = Money { amount_minor: i64::MIN, currency: "EUR".to_owned() };
    let odd = ["\\N", "a\tb\nc\r\\d", "", "\u{1f600} \u{7f}", "\\."];
    let samples: Vec<_> = odd
        .iter()
        .map(|text| Fields::new().with("title", *text).with("open", true).with("price", Value::Money(price.clone())))
        .map(|fields| original.record(fields))
        .collect();
    original.insert("lab.sample", &samples).await.unwrap();
    transfer(&original, 5).await.unwrap();
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    remote.snapshot(&first).await.unwrap();
    let twin = restored("twin_2", &first).await;
    twin.snapshot(&second).await.unwrap();
    let (wanted, found) = (files(&first), files(&second));
    assert!(wanted.len() > 15, "{:?}", wanted.keys());
    for (name, content) in &wanted {
        assert_eq!(String::from_utf8_lossy(content), String::from_utf8_lossy(&found[name]), "{name}");
    }
    let store = twin.open().await.unwrap();
    assert!(store.plan(&original.catalog, &pergola_model::upgrade::Upgrade::default()).await.unwrap().is_empty());
    let copy = World::new(store, ()).await;
    for sample in samples {
        assert_eq!(copy.find("lab.sample", sample.id).await, Some(sample));
    }
    let steps = raw("twin_2").await.fetch_all("SELECT sequence FROM pergola_audit").await.unwrap().len();
    let mut tx = copy.store.write().await.unwrap();
    let record = copy.record(Fields::new()).id;
    let object = copy.sample().name.clone();
    tx.append_events(&[NewEvent { at: now(), object, kind: ChangeKind::Create, record, changed: vec![] }])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let last = raw("twin_2").await.fetch_one("SELECT max(id) FROM pergola_outbox").await.unwrap().get::<i64, _>(0);
    assert_eq!((steps, last), (2, 3), "numbers go on after those that were given out");
}

#[tokio::test]
async fn what_a_backup_would_lose_is_named() {
    let (_world, remote) = world("visited").await;
    let mut raw = raw("visited").await;
    for (statement, name) in [
        ("CREATE VIEW report AS SELECT 1 AS one", "the view or foreign table report"),
        ("CREATE SEQUENCE steps", "the sequence steps"),
        ("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1", "the function one"),
        ("CREATE DOMAIN short AS text", "the type short"),
    ] {
        raw.execute("BEGIN").await.unwrap();
        raw.execute(statement).await.unwrap();
        raw.execute("COMMIT").await.unwrap();
        let told = remote.snapshot(&TempDir::new().unwrap().path().join("copy")).await.unwrap_err().to_string();
        assert!(told.starts_with(&format!("{name} in schema visited is not Pergola's")), "{told}");
        let kind = statement.split(' ').nth(1).unwrap();
        let name = name.rsplit(' ').next().unwrap();
        raw.execute(sqlx::AssertSqlSafe(format!("DROP {kind} {name}"))).await.unwrap();
    }
    remote.snapshot(&TempDir::new().unwrap().path().join("copy")).await.unwrap();
}

#[tokio::test]
async fn a_schema_in_use_keeps_its_place() {
    let (world, remote) = world("busy").await;
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    remote.snapshot(&copy).await.unwrap();
    world.insert("lab.sample", &[world.record(Fields::new())]).await.unwrap();
    let new = remote.unfinished();
    new.load(&copy, &read_snapshot(&copy).await.unwrap()).await.unwrap();
    assert!(remote.is_in_use().await.unwrap());
    assert!(matches!(new.take_place_of(&remote, Some("busy_before")).await, Err(StoreError::Busy)));
    assert_eq!(world.count("lab.sample").await, 1);
    world.store.close().await;
    assert!(!remote.is_in_use().await.unwrap());
    new.take_place_of(&remote, Some("busy_before")).await.unwrap();
    let count = |schema: &'static str| async move {
        raw(schema).await.fetch_one("SELECT count(*) FROM \"lab.sample\"").await.unwrap().get::<i64, _>(0)
    };
    assert_eq!((count("busy").await, count("busy_before").await), (0, 1));
}

#[tokio::test]
async fn rows_that_are_not_whole_or_too_few_are_refused() {
    let (world, remote) = world("cut").await;
    world.insert("lab.sample", &[0, 1].map(|_| world.record(Fields::new()))).await.unwrap();
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    remote.snapshot(&copy).await.unwrap();
    let contents = read_snapshot(&copy).await.unwrap();
    assert_eq!(contents.tables["lab.sample"], 2);
    let rows = copy.join(TABLES).join("lab.sample.copy");
    let whole = fs::read(&rows).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for bad in [&whole[..whole.len() - 1], &whole[..first + 20]] {
        fs::write(&rows, bad).unwrap();
        let told = read_snapshot(&copy).await.unwrap_err();
        assert!(format!("{told:?}").contains("of table lab.sample is not whole"), "{told:?}");
    }
    fs::write(&rows, &whole[..first]).unwrap();
    let told = remote.unfinished().load(&copy, &contents).await.unwrap_err();
    assert!(format!("{told:?}").contains("lab.sample has 1 rows and should have 2"), "{told:?}");
    let rest = raw("cut").await.fetch_all("SELECT 1 FROM pg_namespace WHERE nspname = 'cut~restoring'").await;
    assert!(rest.unwrap().is_empty(), "nothing of it is left");
}

#[tokio::test]
async fn a_flipped_bit_of_a_servers_page_is_an_error_to_readers_the_doctor_and_the_backup() {
    let mut cluster = pergola_cluster::Cluster::start().unwrap_or_else(|error| panic!("{error}"));
    let url = cluster.url("flipped");
    let store = PostgresStore::open(&url, "test", PostgresOptions::default()).await.unwrap();
    let world = World::new(store, ()).await;
    // Nothing that the server could press together.
    let body: String = (0_u32..150).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let samples: Vec<_> = (0..60).map(|_| world.record(Fields::new().with("body", body.as_str()))).collect();
    world.insert("lab.sample", &samples).await.unwrap();
    let remote = Remote::new(&url, "test").unwrap();
    let mut db = sqlx::PgConnection::connect(url.split_once("&schema=").unwrap().0).await.unwrap();
    let question = "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('flipped.\"lab.sample\"')";
    let file: String = db.fetch_one(question).await.unwrap().get(0);
    db.execute("CHECKPOINT").await.unwrap();
    cluster.crash().unwrap();
    let whole = fs::read(&file).unwrap();
    // The head of a page, its list of rows, a row, and the last page.
    for place in [8_192 + 13, 8_192 + 25, 8_192 + 5_000, whole.len() - 100] {
        let mut bytes = whole.clone();
        bytes[place] ^= 2;
        fs::write(&file, bytes).unwrap();
        cluster.launch().unwrap();
        let damage = remote.damage().await.unwrap();
        assert!(damage.len() == 1 && damage[0].starts_with("table lab.sample: "), "byte {place}: {damage:?}");
        let folder = TempDir::new().unwrap();
        assert!(remote.snapshot(&folder.path().join("copy")).await.is_err(), "byte {place} is backed up");
        let read = world.store.read().await.unwrap().list(&world.catalog, &world.query("lab.sample")).await;
        assert!(read.is_err(), "byte {place} is served");
        cluster.crash().unwrap();
    }
    fs::write(&file, whole).unwrap();
    cluster.launch().unwrap();
    assert_eq!(remote.damage().await.unwrap(), Vec::<String>::new());
}
