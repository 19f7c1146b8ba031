//! A flipped bit of a workspace's file: the pages' check or the doctor sees it, or one value is another one. Never is
//! there less, or more, or a mixture, without anybody saying so.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use pergola_model::{Actor, Query, json};
use pergola_service::{
    Error, Workspace,
    ports::store::Store as _,
    workspace::{Ports, Severity},
};
use pergola_store::{Options, SqliteStore, backup};
use pergola_testkit::{CountedIds, TestHost};
use serde_json::{Value as Json, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

/// Flips in `cargo test`; `PERGOLA_FLIPS` asks for more.
const FLIPS: u64 = 80;

/// Records by object and id.
type Contents = BTreeMap<(String, String), Json>;

/// A workspace with a bit of everything.
async fn filled() -> TestHost {
    let host = TestHost::start().await.unwrap();
    for number in 0..90 {
        let contact = json!({
            "name": format!("Person {number}"), "phone": format!("+7912000{number:04}"), "tags": ["vip"],
            "email": format!("person{number}@example.com"), "notes": "lorem ipsum ".repeat(number % 40),
            "birthday": "1990-05-17",
        });
        let contact = host.create("contact", &contact).await.unwrap()["id"].clone();
        host.create("task", &json!({"title": format!("Call {number}"), "contact": contact})).await.unwrap();
        host.create("activity", &json!({"text": "Called ".repeat(number % 30 + 1), "contact": contact})).await.unwrap();
    }
    let path = host.folder().join("test.db");
    let mut db = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    host
}

async fn contents(workspace: &Workspace) -> Result<Contents, Error> {
    let (mut contents, catalog) = (Contents::new(), workspace.catalog());
    for name in ["contact", "task", "activity"] {
        let object = catalog.find_object(name).unwrap();
        let page = workspace.list(&Actor::System, &Query::of(object.name.clone()).limited(500)).await?;
        let records = page
            .records
            .iter()
            .map(|record| ((name.to_owned(), record.id.to_string()), json::record_to_json(object, record)));
        contents.extend(records);
    }
    Ok(contents)
}

/// What became of one flip.
#[derive(Debug, Default)]
struct Outcome {
    by_pages: bool,
    by_doctor: bool,
    /// What was served, if anything was.
    served: Option<Contents>,
}

async fn look(host: &TestHost, path: &Path) -> Outcome {
    let by_pages = backup::damage(path).await.map_or(true, |problems| !problems.is_empty());
    let mut outcome = Outcome { by_pages, ..Outcome::default() };
    let Ok(store) = SqliteStore::open(path, Options::default()).await else {
        return Outcome { by_doctor: true, ..outcome };
    };
    let ports = Ports {
        store: Arc::clone(&store) as _,
        plugins: Arc::clone(&host.runtime) as _,
        clock: Arc::clone(&host.clock) as _,
        ids: Arc::new(CountedIds::default()),
    };
    match Workspace::open(ports).await {
        Ok(workspace) => {
            outcome.served = contents(&workspace).await.ok();
            let findings = workspace.examine(false).await;
            outcome.by_doctor = findings.map_or(true, |all| all.iter().any(|one| one.severity == Severity::Damage));
        }
        Err(_) => outcome.by_doctor = true,
    }
    store.close().await;
    outcome
}

/// How many values differ, if the same records are there.
fn differences(before: &Contents, after: &Contents) -> Option<usize> {
    if !before.keys().eq(after.keys()) {
        return None;
    }
    let differing = |(a, b): (&Json, &Json)| {
        let (a, b) = (a.as_object().unwrap(), b.as_object().unwrap());
        a.iter().filter(|(key, value)| b.get(*key) != Some(value)).count()
    };
    Some(before.values().zip(after.values()).map(differing).sum())
}

#[expect(clippy::disallowed_methods, reason = "how long a test takes is no configuration of the program")]
fn flips() -> u64 {
    std::env::var("PERGOLA_FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(FLIPS)
}

#[tokio::test]
async fn a_flipped_bit_is_seen_or_is_one_value_at_most() {
    let flips = flips();
    let host = filled().await;
    let whole = fs::read(host.folder().join("test.db")).unwrap();
    let before = contents(&host.workspace).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut by_pages, mut by_doctor, mut value, mut nothing, mut mixture) = (0, 0, 0, 0, 0);
    for flip in 0..flips {
        // A full period of the file's places in no order.
        let place = usize::try_from(flip.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11).unwrap() % whole.len();
        let path = folder.path().join(format!("{flip}.db"));
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (flip % 8);
        fs::write(&path, bytes).unwrap();
        let outcome = look(&host, &path).await;
        let differing = outcome.served.as_ref().map(|served| differences(&before, served));
        match (outcome.by_pages, outcome.by_doctor, differing) {
            (true, _, served) => {
                by_pages += 1;
                mixture += usize::from(served.is_some_and(|served| served.is_none_or(|count| count > 1)));
            }
            (false, true, _) => by_doctor += 1,
            (false, false, Some(Some(1))) => value += 1,
            (false, false, Some(Some(0))) => nothing += 1,
            (false, false, other) => panic!("byte {place}, flip {flip}: {other:?} and nobody says so"),
        }
        fs::remove_file(&path).unwrap();
    }
    println!(
        "{flips} flips of {} bytes: {by_pages} seen by the pages' check ({mixture} of them would have been served as a \
         mixture), {by_doctor} by the doctor besides, {value} another value, {nothing} in no record",
        whole.len()
    );
    assert!(by_pages > 0 && by_doctor > 0, "{by_pages} and {by_doctor}: neither can be left out");
}
