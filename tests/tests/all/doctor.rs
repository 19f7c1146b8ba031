//! The doctor: each damage is made in the file, seen, and mended where that decides nothing.

use pergola_service::workspace::{Finding, Severity};
use pergola_testkit::TestHost;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::{Salon, at};

/// Runs a statement on the file, as no program of ours would.
async fn harm(host: &TestHost, statement: &str) {
    let path = host.folder().join("test.db");
    let mut db = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut db).await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut db).await.unwrap();
    assert!(done.rows_affected() > 0 || statement.starts_with("DROP"), "{statement} changed nothing");
    db.close().await.unwrap();
}

/// `check count mended` of each finding. Harm is done behind the back of search, which tells of it too; `search.rs`
/// looks at that.
fn short(findings: &[Finding]) -> Vec<String> {
    let other = findings.iter().filter(|one| one.check != "search");
    other.map(|one| format!("{} {} {}", one.check, one.count, one.mended)).collect()
}

async fn examine(host: &TestHost, fix: bool) -> Vec<String> {
    short(&host.workspace.examine(fix).await.unwrap())
}

/// Found without `fix` and left alone; mended with it, and then not found any more.
async fn is_found_and_mended(host: &TestHost, check: &str, count: u64) {
    assert_eq!(examine(host, false).await, [format!("{check} {count} false")]);
    assert_eq!(examine(host, true).await, [format!("{check} {count} true")]);
    assert_eq!(examine(host, false).await, Vec::<String>::new());
}

/// Found, told where, and left alone whatever is asked.
async fn is_found(host: &TestHost, check: &str, place: &str) {
    for fix in [false, true] {
        let findings = host.workspace.examine(fix).await.unwrap();
        assert_eq!(short(&findings), [format!("{check} 1 false")]);
        assert!(findings[0].places[0].contains(place), "{findings:?}");
        assert!(!findings[0].mendable && !findings[0].advice.is_empty());
    }
}

#[tokio::test]
async fn a_salon_at_work_is_well() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, 10, 0)}]);
    salon.book("Masha", "+79120000001", visits).await.unwrap();
    salon.host.settle().await.unwrap();
    assert_eq!(examine(&salon.host, true).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_computed_value_that_is_not_what_its_sources_say_is_computed_anew() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, 10, 0)}]);
    salon.book("Masha", "+79120000001", visits).await.unwrap();
    harm(&salon.host, "UPDATE contact SET \"salon.visits\" = 7").await;
    is_found_and_mended(&salon.host, "derived", 1).await;
}

#[tokio::test]
async fn a_missing_index_is_made_again() {
    let host = TestHost::start().await.unwrap();
    harm(&host, "DROP INDEX \"contact$phone\"").await;
    is_found_and_mended(&host, "schema", 1).await;
}

#[tokio::test]
async fn what_cannot_become_what_is_declared_is_told() {
    let host = TestHost::start().await.unwrap();
    harm(&host, "UPDATE pergola_column SET holds = 'integer' WHERE object = 'contact' AND field = 'birthday'").await;
    is_found(&host, "schema_misfit", "birthday of contact").await;
}

#[tokio::test]
async fn a_unique_rule_that_the_records_break_cannot_be_made_again() {
    let host = TestHost::start().await.unwrap();
    for name in ["Sales", "Service"] {
        host.create("pipeline", &json!({"name": name})).await.unwrap();
    }
    harm(&host, "DROP INDEX pipeline_unique_name").await;
    harm(&host, "UPDATE pipeline SET name = 'Sales'").await;
    assert_eq!(examine(&host, false).await, ["schema 1 false"]);
    assert_eq!(examine(&host, true).await, ["schema 1 false", "schema_misfit 1 false"]);
}

#[tokio::test]
async fn a_value_that_does_not_parse_is_found_by_its_record() {
    let host = TestHost::start().await.unwrap();
    host.create("contact", &json!({"name": "Well"})).await.unwrap();
    let ill = host.create("contact", &json!({"name": "Ill"})).await.unwrap();
    harm(&host, "UPDATE contact SET birthday = '2026-13-45' WHERE name = 'Ill'").await;
    is_found(&host, "unreadable", ill["id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn missing_and_misfitting_values_are_found() {
    for (statement, place) in [
        ("UPDATE contact SET name = NULL", "name: a value is needed"),
        ("UPDATE contact SET gender = 'f'", "gender"),
        ("UPDATE contact SET phone = '12'", "phone"),
    ] {
        let host = TestHost::start().await.unwrap();
        host.create("contact", &json!({"name": "Masha"})).await.unwrap();
        harm(&host, statement).await;
        is_found(&host, "invalid", place).await;
    }
}

#[tokio::test]
async fn records_that_overlap_are_found() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    for (phone, hour) in [("+79120000001", 10), ("+79120000002", 14)] {
        let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, hour, 0)}]);
        salon.book("Masha", phone, visits).await.unwrap();
    }
    let from = at(2, 10, 30).as_microsecond();
    harm(&salon.host, &format!("UPDATE \"booking.appointment\" SET starts_at = {from} WHERE starts_at > {from}")).await;
    let findings = salon.host.workspace.examine(false).await.unwrap();
    assert_eq!(short(&findings), ["overlap 2 false"], "each of the two");
}

#[tokio::test]
async fn a_reference_to_nothing_is_emptied_where_a_delete_would_have() {
    let host = TestHost::start().await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    host.create("task", &json!({"title": "Call", "contact": masha["id"]})).await.unwrap();
    harm(&host, "DELETE FROM contact").await;
    is_found_and_mended(&host, "loose_reference", 1).await;
    assert_eq!(host.list("task", "").await.unwrap()[0]["contact"], serde_json::Value::Null);
}

#[tokio::test]
async fn another_reference_to_nothing_is_told() {
    let host = TestHost::start().await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    host.create("activity", &json!({"text": "Called", "contact": masha["id"]})).await.unwrap();
    harm(&host, "DELETE FROM contact").await;
    is_found(&host, "orphan", "contact refers to contact").await;
}

#[tokio::test]
async fn timers_of_nobody_and_for_nothing_are_dropped() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let insert = "INSERT INTO pergola_timer (plugin, object, action, record, due_at, wake_at) VALUES";
    let far = at(9_000, 10, 0).as_microsecond();
    harm(&salon.host, &format!("{insert} ('ghost', 'contact', 'haunt', zeroblob(16), {far}, {far})")).await;
    harm(&salon.host, &format!("{insert} ('booking', 'booking.appointment', 'remind', zeroblob(16), {far}, {far})"))
        .await;
    is_found_and_mended(&salon.host, "timer", 2).await;
}

#[tokio::test]
async fn a_timer_and_an_event_that_fail_again_and_again_are_told() {
    let salon = Salon::open(pergola_testkit::Backend::Sqlite).await;
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, 10, 0)}]);
    salon.book("Masha", "+79120000001", visits).await.unwrap();
    harm(&salon.host, "UPDATE pergola_timer SET attempts = 9 WHERE plugin = 'booking'").await;
    is_found(&salon.host, "timer_failing", "of booking").await;
    harm(&salon.host, "UPDATE pergola_timer SET attempts = 0").await;
    harm(&salon.host, "INSERT INTO pergola_subscription (plugin, sequence, attempts) VALUES ('salon', 7, 9)").await;
    is_found(&salon.host, "outbox", "salon, 9 attempts at event 8").await;
}

#[tokio::test]
async fn a_message_that_never_came_to_an_end_is_told() {
    let host = TestHost::start().await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha", "phone": "+79123456789"})).await.unwrap();
    let message =
        json!({"contact": masha["id"], "channel": "sms", "address": "+79123456789", "body": "Hi", "status": "sending"});
    let message = host.create("message", &message).await.unwrap();
    assert_eq!(examine(&host, false).await, Vec::<String>::new(), "it has only begun");
    // No worker runs meanwhile: it would send what was left behind.
    host.clock.set(host.clock.now_at() + jiff::SignedDuration::from_hours(2));
    is_found(&host, "message", message["id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn expired_answers_and_unfinished_purges_are_seen_to() {
    let host = TestHost::start().await.unwrap();
    harm(&host, "INSERT INTO pergola_answer (key, request_sha256, status, body, expires_at) VALUES ('k', x'00', 201, x'7b7d', 1)").await;
    let findings = host.workspace.examine(false).await.unwrap();
    assert_eq!((findings[0].check, findings[0].severity), ("answer", Severity::Notice));
    is_found_and_mended(&host, "answer", 1).await;
    harm(&host, "INSERT INTO pergola_purge (record) VALUES (zeroblob(16))").await;
    is_found_and_mended(&host, "purge", 1).await;
}
