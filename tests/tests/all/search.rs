//! Search: the index says what the records say, whatever happens to them.

use pergola_model::ChangeKind;
use pergola_service::workspace::{ApplyMode, SearchReport, SearchRequest};
use pergola_testkit::TestHost;
use serde_json::json;
use sqlx::Connection as _;

const GYM: &str = r#"
id = "gym"
version = "1.0.0"
api = "0.1"
[extend.contact]
fields.card = { type = "text" }
"#;

async fn found(host: &TestHost, text: &str) -> Vec<String> {
    let request = SearchRequest { text: text.to_owned(), objects: vec![], limit: 20 };
    let hits = host.workspace.search(&TestHost::owner(), &request).await.unwrap();
    hits.iter().map(|hit| hit.title().to_owned()).collect()
}

async fn install(host: &TestHost, manifest: &str) {
    let text = manifest.to_owned();
    let manifest = std::sync::Arc::new(toml::from_str(&text).unwrap());
    let package = pergola_service::workspace::Package { manifest, manifest_text: text, digest: String::new() };
    host.workspace.install(package).await.unwrap();
}

async fn execute(host: &TestHost, sql: &'static str) {
    let path = host.folder().join("test.db");
    let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_field_that_becomes_searchable_is_indexed_by_the_worker_and_one_that_ceases_is_not_found() {
    let host = TestHost::start().await.unwrap();
    install(&host, GYM).await;
    for number in 0..3 {
        let contact = json!({"name": format!("Client {number}"), "gym": {"card": format!("Gold{number}")}});
        host.create("contact", &contact).await.unwrap();
    }
    assert!(found(&host, "gold1").await.is_empty());
    let searchable = GYM.replace("type = \"text\"", "type = \"text\", searchable = true").replace("1.0.0", "1.1.0");
    install(&host, &searchable).await;
    host.settle().await.unwrap();
    assert_eq!(found(&host, "gold1").await, ["Client 1"]);
    assert!(host.workspace.check_search(false).await.unwrap().is_clean());
    install(&host, &GYM.replace("1.0.0", "1.2.0")).await;
    host.settle().await.unwrap();
    assert!(found(&host, "gold1").await.is_empty());
    assert_eq!(found(&host, "client 1").await.first().map(String::as_str), Some("Client 1"));
}

#[tokio::test]
async fn more_records_than_a_portion_are_all_indexed_again() {
    let host = TestHost::start().await.unwrap();
    for portion in 0..2 {
        let change = |number: i32| {
            let fields = json!({"name": format!("Client {}", portion * 600 + number)});
            host.read_change(ChangeKind::Create, "contact", None, &fields).unwrap()
        };
        host.workspace.apply(&TestHost::owner(), (0..600).map(change).collect()).await.unwrap();
    }
    execute(&host, "DELETE FROM pergola_search").await;
    execute(&host, "UPDATE pergola_search_object SET fingerprint = 'of before'").await;
    install(&host, GYM).await;
    host.settle().await.unwrap();
    let report = host.workspace.check_search(false).await.unwrap();
    assert_eq!(report, SearchReport { records: 1_200, ..SearchReport::default() });
}

#[tokio::test]
async fn a_check_tells_and_mends_what_differs() {
    let host = TestHost::start().await.unwrap();
    for name in ["Anna", "Boris", "Vera"] {
        host.create("contact", &json!({"name": name})).await.unwrap();
    }
    execute(&host, "DELETE FROM pergola_search WHERE title = 'anna'").await;
    execute(&host, "UPDATE pergola_search SET title = 'petr' WHERE title = 'boris'").await;
    let orphan = "INSERT INTO pergola_search (object, record, title, body, keys) VALUES ('contact', x'01a20046f9b272050000000000000001', 'ghost', '', '')";
    execute(&host, orphan).await;
    let broken = SearchReport { records: 3, missing: 1, stale: 1, orphaned: 1 };
    assert_eq!(host.workspace.check_search(false).await.unwrap(), broken);
    let findings = host.workspace.examine(false).await.unwrap();
    assert!(findings.iter().any(|one| one.check == "search" && one.count == 3 && !one.mended), "{findings:?}");
    assert_eq!(host.workspace.check_search(true).await.unwrap(), broken);
    assert!(host.workspace.check_search(false).await.unwrap().is_clean());
    assert_eq!(found(&host, "boris").await, ["Boris"]);
    assert!(found(&host, "petr").await.is_empty() && found(&host, "ghost").await.is_empty());
}

#[tokio::test]
async fn refused_groups_dry_runs_and_restored_records_leave_the_index_in_step() {
    let host = TestHost::start().await.unwrap();
    let create =
        |fields: serde_json::Value| vec![host.read_change(ChangeKind::Create, "contact", None, &fields).unwrap()];
    let groups = || {
        vec![create(json!({"name": "Good"})), create(json!({"phone": "+79120000001"})), create(json!({"name": "Fine"}))]
    };
    host.workspace.apply_each(&TestHost::owner(), groups(), ApplyMode::DryRun).await.unwrap();
    assert!(found(&host, "good").await.is_empty());
    let results = host.workspace.apply_each(&TestHost::owner(), groups(), ApplyMode::Commit).await.unwrap();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    let anna = host.create("contact", &json!({"name": "Anna", "phone": "+79120000002"})).await.unwrap();
    host.create("contact_point", &json!({"contact": anna["id"], "kind": "phone", "phone": "+79120000003"}))
        .await
        .unwrap();
    host.delete("contact", &anna["id"]).await.unwrap();
    assert!(found(&host, "anna").await.is_empty() && found(&host, "0000003").await.is_empty());
    assert_eq!(
        host.workspace.check_search(false).await.unwrap(),
        SearchReport { records: 2, ..SearchReport::default() }
    );
}

#[tokio::test]
async fn a_word_that_is_removed_is_not_left_in_the_index() {
    let host = TestHost::start().await.unwrap();
    let row = host.create("contact", &json!({"name": "Zyxwvuts"})).await.unwrap();
    for number in 0..200 {
        host.create("contact", &json!({"name": format!("Client {number}")})).await.unwrap();
    }
    let path = host.folder().join("test.db");
    let blocks = async || -> i64 {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        // FTS5 leaves out what a term has in common with the one before it: the end of the word stands there whole.
        let sql = "SELECT count(*) FROM pergola_search_word_data WHERE instr(block, CAST('yxwvuts' AS BLOB)) > 0";
        let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count
    };
    assert!(blocks().await > 0);
    host.delete("contact", &row["id"]).await.unwrap();
    assert_eq!(blocks().await, 0);
}
