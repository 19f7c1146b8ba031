//! The right to be forgotten: after a purge no table and no byte of the database's files has a value of the person.

use std::{collections::BTreeSet, fs, path::Path};

use pergola_model::{Actor, ChangeKind, Id, ObjectName, Role};
use pergola_service::{
    ports::{bin::BinQuery, purge::Place},
    workspace::{Keyed, KeyedAnswer},
};
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::{Salon, at, told};

/// Words that stand only in what is about the purged person.
const SECRETS: [&str; 12] = [
    "Zinaida",
    "+79998887766",
    "zina@secret.test",
    "xylophones",
    "Oldsurname",
    "quince-activity",
    "quince-message",
    "quince-task",
    "quince-visit",
    "quince-in-the-bin",
    "quince-emptied",
    "quince-answer",
];
/// System tables that never hold anything of a contact.
const IMPERSONAL: [&str; 12] = [
    // Ids, codes and numbers only.
    "pergola_balance",
    "pergola_sequence",
    "_sqlx_migrations",
    "pergola_column",
    "pergola_conversion",
    "pergola_conversion_record",
    "pergola_plugin",
    "pergola_purge",
    "pergola_setting",
    "pergola_subscription",
    "pergola_token",
    "pergola_user",
];

/// Tables of search, whose rows are written and removed with their records, so that a purge has nothing of its own to do.
const WITH_RECORDS: [&str; 6] = [
    "pergola_search",
    "pergola_search_new",
    "pergola_search_object",
    "pergola_search_word",
    "pergola_search_word_data",
    "pergola_search_word_idx",
];

fn contact() -> ObjectName {
    "contact".parse().unwrap()
}

fn id(json: &Json) -> Id {
    json["id"].as_str().unwrap().parse().unwrap()
}

/// A person about whom there is something at every place where there can be.
async fn zinaida(salon: &Salon) -> Json {
    let host = &salon.host;
    let zina = host
        .create("contact", &json!({"name": "Zinaida Oldsurname", "phone": "+79998887766", "email": "zina@secret.test", "notes": "xylophones"}))
        .await
        .unwrap();
    host.update("contact", &zina["id"], &json!({"name": "Zinaida"})).await.unwrap();
    host.create("activity", &json!({"text": "quince-activity", "contact": zina["id"]})).await.unwrap();
    host.create("task", &json!({"title": "quince-task", "contact": zina["id"]})).await.unwrap();
    let message = json!({"contact": zina["id"], "channel": "sms", "address": "+79998887766", "body": "quince-message"});
    host.create("message", &message).await.unwrap();
    let visit = json!({"contact": zina["id"], "service": salon.haircut, "master": salon.anna, "starts_at": at(3, 10, 0), "notes": "quince-visit"});
    host.create("booking.appointment", &visit).await.unwrap();
    host.create("deal", &deal(host, &zina).await).await.unwrap();
    for text in ["quince-emptied", "quince-in-the-bin"] {
        let gone = host.create("activity", &json!({"text": text, "contact": zina["id"]})).await.unwrap();
        host.delete("activity", &gone["id"]).await.unwrap();
        if text == "quince-emptied" {
            let query = BinQuery { object: None, after: None, limit: 1 };
            let deletion = host.workspace.list_bin(&TestHost::owner(), &query).await.unwrap()[0].id;
            host.workspace.drop_deletion(&TestHost::owner(), deletion).await.unwrap();
        }
    }
    answer(host, &zina).await;
    zina
}

/// A sale that stays, without the person.
async fn deal(host: &TestHost, zina: &Json) -> Json {
    let pipeline = host.create("pipeline", &json!({"name": "Sales"})).await.unwrap();
    let stage = host.create("stage", &json!({"name": "New", "pipeline": pipeline["id"]})).await.unwrap();
    json!({"title": "A wedding", "stage": stage["id"], "contact": zina["id"]})
}

/// An answer that is kept under a key.
async fn answer(host: &TestHost, zina: &Json) {
    let fields = json!({"text": "quince-answer", "contact": zina["id"]});
    let change = host.read_change(ChangeKind::Create, "activity", None, &fields).unwrap();
    let keyed = Keyed { key: "owner\nkey".to_owned(), request_sha256: vec![0; 32] };
    let render = |records: &[(ObjectName, pergola_model::Record)]| {
        let body = json!({"id": records[0].1.id, "text": "quince-answer"}).to_string().into_bytes();
        KeyedAnswer { status: 201, body }
    };
    host.workspace.apply_once(&TestHost::owner(), keyed, vec![change], render).await.unwrap();
}

/// The secrets that stand in the files of a folder.
fn in_bytes(folder: &Path, secrets: &[String]) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let files: Vec<Vec<u8>> = files.collect();
    let stands = |secret: &&String| {
        files.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
    };
    secrets.iter().filter(stands).cloned().collect()
}

fn secrets() -> Vec<String> {
    SECRETS.map(str::to_owned).to_vec()
}

async fn connect(folder: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", folder.join("test.db").display())).await.unwrap()
}

async fn tables(db: &mut SqliteConnection) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    sqlx::query(tables).fetch_all(db).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// `table.column: secret`, wherever one stands.
async fn in_tables(folder: &Path) -> BTreeSet<String> {
    let mut db = connect(folder).await;
    let mut found = BTreeSet::new();
    for table in tables(&mut db).await {
        let columns =
            sqlx::query("SELECT name FROM pragma_table_info(?)").bind(&table).fetch_all(&mut db).await.unwrap();
        for column in columns.iter().map(|row| row.get::<String, _>(0)) {
            for secret in SECRETS {
                let sql = format!("SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS TEXT), ?)");
                let count: i64 =
                    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(secret).fetch_one(&mut db).await.unwrap();
                if count > 0 {
                    found.insert(format!("{table}.{column}: {secret}"));
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn after_a_purge_no_table_and_no_byte_has_a_value_of_the_person() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let host = &salon.host;
    host.create("contact", &json!({"name": "Olga Control"})).await.unwrap();
    let zina = zinaida(&salon).await;
    assert_eq!(in_bytes(host.folder(), &secrets()).len(), SECRETS.len(), "the search finds what is there");
    for table in
        ["pergola_audit.changes", "pergola_bin_item.content", "pergola_answer.body", "booking.appointment.notes"]
    {
        assert!(in_tables(host.folder()).await.iter().any(|place| place.starts_with(table)), "{table}");
    }

    let owner = TestHost::owner();
    let planned = host.workspace.plan_purge(&owner, &contact(), id(&zina)).await.unwrap();
    assert_eq!(in_bytes(host.folder(), &secrets()).len(), SECRETS.len(), "a plan changes nothing");
    let done = host.workspace.purge(&owner, &contact(), id(&zina)).await.unwrap();
    assert_eq!((&done.deleted, &done.cleared), (&planned.deleted, &planned.cleared));
    let names: Vec<String> = done.deleted.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(names, ["activity 3", "booking.appointment 1", "contact 1", "message 1", "task 1"]);
    let cleared: Vec<String> = done.cleared.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(cleared, ["deal 1"]);
    assert_eq!((planned.traces["answers"], planned.traces["audit"], planned.traces["bin"]), (1, 12, 1));
    assert!(done.scrubbed);

    assert_eq!(in_tables(host.folder()).await, BTreeSet::new());
    assert_eq!(in_bytes(host.folder(), &secrets()), BTreeSet::new());
    assert_eq!(in_bytes(host.folder(), &["Olga Control".to_owned()]).len(), 1, "others stay");
    let deal = &host.list("deal", "").await.unwrap()[0];
    assert_eq!((deal["title"].as_str(), &deal["contact"]), (Some("A wedding"), &Json::Null));
    host.settle().await.unwrap();
    assert_eq!(host.sent().len(), 0, "what was queued does not leave");
}

#[tokio::test]
async fn an_organization_goes_with_what_is_about_it_and_its_people_stay() {
    let host = TestHost::start().await.unwrap();
    let firm = json!({"name": "Oldsurname", "email": "zina@secret.test", "notes": "xylophones"});
    let firm = host.create("organization", &firm).await.unwrap();
    let anna = host.create("contact", &json!({"name": "Anna", "organization": firm["id"]})).await.unwrap();
    host.create("activity", &json!({"text": "quince-activity", "organization": firm["id"]})).await.unwrap();
    let phone = json!({"organization": firm["id"], "kind": "phone", "phone": "+79998887766"});
    host.create("contact_point", &phone).await.unwrap();
    let link = json!({"from_contact": anna["id"], "kind": "employee_of", "to_organization": firm["id"]});
    host.create("link", &link).await.unwrap();
    let object: ObjectName = "organization".parse().unwrap();
    let done = host.workspace.purge(&TestHost::owner(), &object, id(&firm)).await.unwrap();
    let names: Vec<String> = done.deleted.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(names, ["activity 1", "contact_point 1", "link 1", "organization 1"]);
    assert_eq!(host.list("contact", "").await.unwrap()[0]["organization"], Json::Null);
    assert_eq!(in_tables(host.folder()).await, BTreeSet::new());
    assert_eq!(in_bytes(host.folder(), &secrets()), BTreeSet::new());
}

#[tokio::test]
async fn that_something_was_purged_when_and_by_whom_stays() {
    let host = TestHost::start().await.unwrap();
    let zina = host.create("contact", &json!({"name": "Zinaida"})).await.unwrap();
    host.workspace.purge(&TestHost::owner(), &contact(), id(&zina)).await.unwrap();
    let mut db = connect(host.folder()).await;
    let lines =
        sqlx::query("SELECT kind, actor, changes FROM pergola_audit ORDER BY sequence").fetch_all(&mut db).await;
    let lines: Vec<String> =
        lines.unwrap().iter().map(|row| [row.get::<String, _>(0), row.get(1), row.get(2)].join(" ")).collect();
    assert_eq!(lines, [r#"create owner {"$purged":true}"#, r#"delete owner {"$purged":true}"#]);
    assert!(told(host.workspace.purge(&TestHost::owner(), &contact(), id(&zina)).await).starts_with("not_found"));
}

#[tokio::test]
async fn one_who_was_deleted_earlier_is_purged_from_the_bin_and_the_audit() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let host = &salon.host;
    let zina = host.create("contact", &json!({"name": "Zinaida", "notes": "xylophones"})).await.unwrap();
    host.create("activity", &json!({"text": "quince-activity", "contact": zina["id"]})).await.unwrap();
    host.delete("contact", &zina["id"]).await.unwrap();
    let done = host.workspace.purge(&TestHost::owner(), &contact(), id(&zina)).await.unwrap();
    assert_eq!((done.deleted.len(), done.traces["bin"]), (0, 2));
    assert_eq!(in_tables(host.folder()).await, BTreeSet::new());
    assert_eq!(in_bytes(host.folder(), &secrets()), BTreeSet::new());
    let query = BinQuery { object: None, after: None, limit: 10 };
    assert_eq!(host.workspace.list_bin(&TestHost::owner(), &query).await.unwrap(), []);
}

#[tokio::test]
async fn a_receipt_stays_without_the_person_and_what_belongs_to_the_receipt_stays_too() {
    let host = TestHost::start().await.unwrap();
    host.install_manifest(
        r#"
        id = "till"
        version = "1.0.0"
        api = "0.1"
        [object.receipt]
        fields.number = { type = "integer" }
        fields.contact = { type = "ref", to = "contact", on_delete = "restrict", on_purge = "clear" }
        [object.line]
        fields.receipt = { type = "ref", to = "till.receipt", required = true, on_delete = "cascade" }
        [object.card]
        fields.contact = { type = "ref", to = "contact" }
        "#,
    )
    .await
    .unwrap();
    let zina = host.create("contact", &json!({"name": "Zinaida"})).await.unwrap();
    let receipt = host.create("till.receipt", &json!({"number": 7, "contact": zina["id"]})).await.unwrap();
    host.create("till.line", &json!({"receipt": receipt["id"]})).await.unwrap();
    host.create("till.card", &json!({"contact": zina["id"]})).await.unwrap();
    assert!(told(host.delete("contact", &zina["id"]).await).starts_with("in_use"), "a delete is restricted");
    host.workspace.purge(&TestHost::owner(), &contact(), id(&zina)).await.unwrap();
    let receipt = &host.list("till.receipt", "").await.unwrap()[0];
    assert_eq!((receipt["number"].as_i64(), &receipt["contact"]), (Some(7), &Json::Null));
    assert_eq!(host.list("till.line", "").await.unwrap().len(), 1);
    assert_eq!(host.list("till.card", "").await.unwrap().len(), 0, "restrict is no reason to stay");
}

#[tokio::test]
async fn a_regular_with_more_records_than_fit_on_a_page_is_purged_whole() {
    let host = TestHost::start().await.unwrap();
    let zina = host.create("contact", &json!({"name": "Zinaida"})).await.unwrap();
    let activity = json!({"text": "quince-activity", "contact": zina["id"]});
    let create = host.read_change(ChangeKind::Create, "activity", None, &activity).unwrap();
    for _ in 0..3 {
        host.workspace.apply(&TestHost::owner(), vec![create.clone(); 900]).await.unwrap();
    }
    let done = host.workspace.purge(&TestHost::owner(), &contact(), id(&zina)).await.unwrap();
    assert_eq!(done.deleted[&"activity".parse::<ObjectName>().unwrap()], 2_700);
    assert_eq!(in_bytes(host.folder(), &secrets()), BTreeSet::new());
}

#[tokio::test]
async fn no_byte_is_left_however_often_pages_were_split_and_merged() {
    let host = TestHost::start().await.unwrap();
    let mut people = Vec::new();
    for number in 0..300 {
        let notes = format!("secret-{number:03}-{}", "x".repeat(number * 37 % 900));
        people
            .push(host.create("contact", &json!({"name": format!("Person {number}"), "notes": notes})).await.unwrap());
    }
    for round in 1..4 {
        for (number, person) in people.iter().enumerate() {
            let notes = format!("secret-{number:03}-{}", "y".repeat((number + round * 101) * 53 % 2_500));
            host.update("contact", &person["id"], &json!({"notes": notes})).await.unwrap();
        }
    }
    let gone: Vec<usize> = (0..300).step_by(7).collect();
    for number in &gone {
        host.workspace.purge(&TestHost::owner(), &contact(), id(&people[*number])).await.unwrap();
    }
    let secrets: Vec<String> = (0..300).map(|number| format!("secret-{number:03}-")).collect();
    let left = in_bytes(host.folder(), &secrets);
    for number in gone {
        assert!(!left.contains(&secrets[number]), "{number}");
    }
    assert_eq!(left.len(), 300 - 43, "the others are all there");
}

#[tokio::test]
async fn a_purge_that_was_cut_off_is_finished_by_the_worker() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let host = &salon.host;
    let zina = zinaida(&salon).await;
    // As after a crash: the records are gone, and only the note says what is still to be done.
    host.delete("booking.appointment", &host.list("booking.appointment", "").await.unwrap()[0]["id"]).await.unwrap();
    host.delete("contact", &zina["id"]).await.unwrap();
    let mut db = connect(host.folder()).await;
    let bytes = id(&zina).0.as_bytes().to_vec();
    sqlx::query("INSERT INTO pergola_purge (record) VALUES (?)").bind(bytes).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    host.advance(jiff::SignedDuration::from_hours(2)).await.unwrap();
    let left: Vec<String> = in_tables(host.folder()).await.into_iter().collect();
    // The task was only cleared by the delete, and is no longer about anybody.
    assert!(left.iter().all(|place| place.ends_with("quince-task")), "{left:?}");
    let mut db = connect(host.folder()).await;
    let notes: i64 = sqlx::query_scalar("SELECT count(*) FROM pergola_purge").fetch_one(&mut db).await.unwrap();
    assert_eq!(notes, 0);
}

#[tokio::test]
async fn only_those_who_may_delete_may_purge() {
    let host = TestHost::start().await.unwrap();
    let zina = host.create("contact", &json!({"name": "Zinaida"})).await.unwrap();
    let staff = Actor::User { name: "Kim".to_owned(), role: Role::Staff };
    assert!(told(host.workspace.plan_purge(&staff, &contact(), id(&zina)).await).starts_with("forbidden"));
    assert!(told(host.workspace.purge(&staff, &contact(), id(&zina)).await).starts_with("forbidden"));
    assert_eq!(host.list("contact", "").await.unwrap().len(), 1);
}

/// A table that is forgotten here would be forgotten by a purge: give it a [`Place`], or say that it is impersonal.
#[tokio::test]
async fn every_system_table_is_a_place_or_known_to_hold_nothing_of_people() {
    let host = TestHost::start().await.unwrap();
    let places = Place::ALL.iter().flat_map(|place| place.tables()).copied();
    let known: BTreeSet<&str> =
        places.chain(IMPERSONAL).chain(WITH_RECORDS).chain(["pergola_search_word_config"]).collect();
    let objects: BTreeSet<String> = host.workspace.catalog().objects.keys().map(ToString::to_string).collect();
    for table in tables(&mut connect(host.folder()).await).await {
        assert!(known.contains(table.as_str()) || objects.contains(&table), "{table}: see the test's head");
    }
}
