//! The doctor: each damage is made in the database, seen, and mended where that decides nothing.

use pergola_service::workspace::{Finding, Severity};
use pergola_testkit::{Backend, TestHost};
use serde_json::{Value as Json, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::{Salon, at, derived::declare};

/// Damages a workspace as no program of ours would.
struct Harm(Backend);

impl Harm {
    /// Runs a statement past the store; `{nil}` in it is an id, and `{bytes}` some bytes.
    async fn run(&self, host: &TestHost, statement: &str) {
        let rows = match &self.0 {
            Backend::Sqlite => {
                let path = host.folder().join("test.db");
                let mut db = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
                db.execute("PRAGMA foreign_keys = OFF").await.unwrap();
                let statement = statement.replace("{nil}", "zeroblob(16)").replace("{bytes}", "x'7b7d'");
                let done = db.execute(AssertSqlSafe(statement)).await.unwrap().rows_affected();
                db.close().await.unwrap();
                done
            }
            Backend::Postgres(url) => {
                let (url, schema) = url.split_once("&schema=").unwrap();
                let mut db = PgConnection::connect(url).await.unwrap();
                // Replicas do not look at references.
                let begin = format!("SET search_path = {schema}; SET session_replication_role = replica");
                db.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await.unwrap();
                let nil = "'00000000-0000-0000-0000-000000000000'";
                let statement = statement.replace("{nil}", nil).replace("{bytes}", "'\\x7b7d'");
                db.execute(AssertSqlSafe(statement)).await.unwrap().rows_affected()
            }
        };
        assert!(rows > 0 || statement.starts_with("DROP"), "{statement} changed nothing");
    }
}

/// An empty workspace, and what damages it.
async fn host() -> (TestHost, Harm) {
    let backend = super::backend();
    (TestHost::start_on(backend.clone()).await.unwrap(), Harm(backend))
}

/// A salon with a visit, and what damages it.
async fn salon() -> (Salon, Harm) {
    let backend = super::backend();
    let salon = Salon::open(backend.clone()).await;
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, 10, 0)}]);
    salon.book("Masha", "+79120000001", visits).await.unwrap();
    (salon, Harm(backend))
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
    let (salon, _) = salon().await;
    salon.host.settle().await.unwrap();
    assert_eq!(examine(&salon.host, true).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_computed_value_that_is_not_what_its_sources_say_is_computed_anew() {
    let (salon, harm) = salon().await;
    harm.run(&salon.host, "UPDATE contact SET \"salon.visits\" = 7").await;
    is_found_and_mended(&salon.host, "derived", 1).await;
}

#[tokio::test]
async fn a_missing_index_is_made_again() {
    let (host, harm) = host().await;
    harm.run(&host, "DROP INDEX \"contact$phone\"").await;
    is_found_and_mended(&host, "schema", 1).await;
}

#[tokio::test]
async fn what_cannot_become_what_is_declared_is_told() {
    let (host, harm) = host().await;
    harm.run(&host, "UPDATE pergola_column SET holds = 'integer' WHERE object = 'contact' AND field = 'birthday'")
        .await;
    is_found(&host, "schema_misfit", "birthday of contact").await;
}

#[tokio::test]
async fn a_unique_rule_that_the_records_break_cannot_be_made_again() {
    let (host, harm) = host().await;
    for name in ["Sales", "Service"] {
        host.create("pipeline", &json!({"name": name})).await.unwrap();
    }
    harm.run(&host, "DROP INDEX pipeline_unique_name").await;
    harm.run(&host, "UPDATE pipeline SET name = 'Sales'").await;
    assert_eq!(examine(&host, false).await, ["schema 1 false"]);
    assert_eq!(examine(&host, true).await, ["schema 1 false", "schema_misfit 1 false"]);
}

#[tokio::test]
async fn a_value_that_does_not_parse_is_found_by_its_record() {
    let (host, harm) = host().await;
    host.create("contact", &json!({"name": "Well"})).await.unwrap();
    let ill = host.create("contact", &json!({"name": "Ill"})).await.unwrap();
    harm.run(&host, "UPDATE contact SET birthday = '2026-13-45' WHERE name = 'Ill'").await;
    is_found(&host, "unreadable", ill["id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn missing_and_misfitting_values_are_found() {
    for (statement, place) in [
        ("UPDATE contact SET name = NULL", "name: a value is needed"),
        ("UPDATE contact SET gender = 'f'", "gender"),
        ("UPDATE contact SET phone = '12'", "phone"),
    ] {
        let (host, harm) = host().await;
        host.create("contact", &json!({"name": "Masha"})).await.unwrap();
        harm.run(&host, statement).await;
        is_found(&host, "invalid", place).await;
    }
}

#[tokio::test]
async fn records_that_overlap_are_found() {
    let (salon, harm) = salon().await;
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, 14, 0)}]);
    salon.book("Masha", "+79120000002", visits).await.unwrap();
    let from = at(2, 10, 30).as_microsecond();
    harm.run(&salon.host, &format!("UPDATE \"booking.appointment\" SET starts_at = {from} WHERE starts_at > {from}"))
        .await;
    let findings = salon.host.workspace.examine(false).await.unwrap();
    // Each of the two; and the timer of the one that was moved stands for another time.
    assert_eq!(short(&findings), ["overlap 2 false", "timer_missing 1 false"]);
}

#[tokio::test]
async fn a_reference_to_nothing_is_emptied_where_a_delete_would_have() {
    let (host, harm) = host().await;
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    host.create("task", &json!({"title": "Call", "contact": masha["id"]})).await.unwrap();
    harm.run(&host, "DELETE FROM contact").await;
    is_found_and_mended(&host, "loose_reference", 1).await;
    assert_eq!(host.list("task", "").await.unwrap()[0]["contact"], Json::Null);
}

#[tokio::test]
async fn another_reference_to_nothing_is_told() {
    let (host, harm) = host().await;
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    host.create("activity", &json!({"text": "Called", "contact": masha["id"]})).await.unwrap();
    harm.run(&host, "DELETE FROM contact").await;
    is_found(&host, "orphan", "contact refers to contact").await;
}

#[tokio::test]
async fn timers_of_nobody_and_for_nothing_are_dropped() {
    let (salon, harm) = salon().await;
    let insert = "INSERT INTO pergola_timer (plugin, object, action, record, due_at, wake_at) VALUES";
    let far = at(9_000, 10, 0).as_microsecond();
    harm.run(&salon.host, &format!("{insert} ('ghost', 'contact', 'haunt', {{nil}}, {far}, {far})")).await;
    harm.run(&salon.host, &format!("{insert} ('booking', 'booking.appointment', 'remind', {{nil}}, {far}, {far})"))
        .await;
    is_found_and_mended(&salon.host, "timer", 2).await;
}

#[tokio::test]
async fn a_timer_and_an_event_that_fail_again_and_again_are_told() {
    let (salon, harm) = salon().await;
    harm.run(&salon.host, "UPDATE pergola_timer SET attempts = 9 WHERE plugin = 'booking'").await;
    is_found(&salon.host, "timer_failing", "of booking").await;
    harm.run(&salon.host, "UPDATE pergola_timer SET attempts = 0").await;
    harm.run(&salon.host, "INSERT INTO pergola_subscription (plugin, sequence, attempts) VALUES ('salon', 7, 9)").await;
    is_found(&salon.host, "outbox", "salon, 9 attempts at event 8").await;
}

#[tokio::test]
async fn a_message_that_never_came_to_an_end_is_told() {
    let (host, _) = host().await;
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
    let (host, harm) = host().await;
    harm.run(&host, "INSERT INTO pergola_answer (key, request_sha256, status, body, expires_at) VALUES ('k', {bytes}, 201, {bytes}, 1)").await;
    let findings = host.workspace.examine(false).await.unwrap();
    assert_eq!((findings[0].check, findings[0].severity), ("answer", Severity::Notice));
    is_found_and_mended(&host, "answer", 1).await;
    harm.run(&host, "INSERT INTO pergola_purge (record) VALUES ({nil})").await;
    is_found_and_mended(&host, "purge", 1).await;
}

const CLUB: &str = r#"
id = "club"
version = "0.1.0"
api = "0.1"
[object.entry]
plural = "entries"
fields.contact = { type = "ref", to = "contact", required = true }
fields.points = { type = "integer", required = true }
fields.program = { type = "choice", of = ["points", "visits"] }
ledger = { account = "contact", amount = "points", unit = "program" }
[object.payment]
fields.contact = { type = "ref", to = "contact", required = true }
fields.amount = { type = "money", required = true }
ledger = { account = "contact", amount = "amount" }
"#;

/// Three people with entries of two ledgers.
async fn club() -> (TestHost, Harm, Vec<Json>) {
    let (host, harm) = host().await;
    declare(&host, CLUB).await.unwrap();
    let mut people = Vec::new();
    for name in ["Anna", "Boris", "Vera"] {
        let contact = host.create("contact", &json!({"name": name})).await.unwrap()["id"].clone();
        for (program, points) in [("points", 5), ("points", 7), ("visits", 1)] {
            let entry = json!({"contact": contact, "points": points, "program": program});
            host.create("club.entry", &entry).await.unwrap();
        }
        for (amount_minor, currency) in [(100, "RUB"), (250, "RUB"), (3, "EUR")] {
            let amount = json!({"amount_minor": amount_minor, "currency": currency});
            host.create("club.payment", &json!({"contact": contact, "amount": amount})).await.unwrap();
        }
        people.push(contact);
    }
    (host, harm, people)
}

#[tokio::test]
async fn balances_that_are_not_what_their_entries_come_to_are_computed_anew() {
    let (host, harm, people) = club().await;
    assert_eq!(examine(&host, false).await, Vec::<String>::new());
    let anna = people[0].as_str().unwrap();
    harm.run(&host, &format!("UPDATE pergola_balance SET amount = 13 WHERE account = '{anna}' AND unit = 'points'"))
        .await;
    let findings = host.workspace.examine(false).await.unwrap();
    assert_eq!(findings[0].places, [format!("balance of club.entry {anna} points: 13 → 12")]);
    is_found_and_mended(&host, "derived", 1).await;
    harm.run(&host, "DELETE FROM pergola_balance WHERE currency = 'RUB'").await;
    harm.run(&host, &format!("DELETE FROM pergola_balance WHERE account = '{anna}'")).await;
    is_found_and_mended(&host, "derived", 3 + 3).await;
    let insert = "INSERT INTO pergola_balance (object, account, unit, currency, amount) VALUES";
    harm.run(&host, &format!("{insert} ('club.entry', '{anna}', '', '', 4), ('club.payment', 'nobody', '', 'USD', 1)"))
        .await;
    is_found_and_mended(&host, "derived", 2).await;
}

#[tokio::test]
async fn what_cannot_be_read_does_not_keep_the_doctor_from_the_rest() {
    let (salon, harm) = salon().await;
    harm.run(&salon.host, "UPDATE contact SET birthday = '2026-13-45'").await;
    harm.run(&salon.host, "UPDATE pergola_timer SET attempts = 9 WHERE plugin = 'booking'").await;
    let found = examine(&salon.host, false).await;
    assert_eq!(found, ["unreadable 1 false", "derived 1 false", "timer_failing 1 false"]);
}

#[tokio::test]
async fn entries_of_search_that_are_lost_or_out_of_date_are_written_anew() {
    let (host, harm) = host().await;
    for name in ["Anna", "Boris", "Vera"] {
        host.create("contact", &json!({"name": name})).await.unwrap();
    }
    harm.run(&host, "DELETE FROM pergola_search WHERE title LIKE '%anna%'").await;
    harm.run(&host, "UPDATE contact SET name = 'Olga' WHERE name = 'Boris'").await;
    harm.run(&host, "DELETE FROM contact WHERE name = 'Vera'").await;
    for (fix, count) in [(false, 3), (true, 3), (true, 0)] {
        let findings = host.workspace.examine(fix).await.unwrap();
        let search = findings.iter().find(|one| one.check == "search");
        assert_eq!(search.map_or(0, |one| one.count), count, "{findings:?}");
        assert_eq!(search.is_some_and(|one| one.mended), fix && count > 0);
    }
}

#[tokio::test]
async fn contact_points_and_links_that_are_half_there_are_told() {
    let (host, _) = host().await;
    let anna = host.create("contact", &json!({"name": "Anna"})).await.unwrap()["id"].clone();
    host.create("contact_point", &json!({"contact": anna, "kind": "phone", "phone": "+79123456789"})).await.unwrap();
    host.create("link", &json!({"from_contact": anna, "to_contact": anna, "kind": "other"})).await.unwrap();
    assert_eq!(examine(&host, false).await, Vec::<String>::new());
    host.create("contact_point", &json!({"kind": "email", "email": "anna@example.com"})).await.unwrap();
    host.create("contact_point", &json!({"contact": anna, "kind": "email", "phone": "+79123456789"}))
        .await
        .unwrap_err();
    host.create("contact_point", &json!({"contact": anna, "kind": "email", "phone": "+79123456780"})).await.unwrap();
    host.create("link", &json!({"from_contact": anna, "kind": "spouse_of"})).await.unwrap();
    let findings = host.workspace.examine(true).await.unwrap();
    assert_eq!(short(&findings), ["contact_point 3 false"]);
    let told: Vec<&str> = findings[0].places.iter().map(|place| place.splitn(3, ' ').last().unwrap()).collect();
    assert_eq!(told, ["belongs to nobody", "has no value of its kind", "lacks an end"]);
}

#[tokio::test]
async fn events_that_a_killed_server_claimed_and_nobody_tells_are_told() {
    let (salon, harm) = salon().await;
    let past = at(-1, 10, 0).as_microsecond();
    let insert = "INSERT INTO pergola_subscription (plugin, sequence, attempts, retry_at) VALUES";
    harm.run(&salon.host, &format!("{insert} ('salon', 0, 0, {past})")).await;
    assert_eq!(examine(&salon.host, false).await, Vec::<String>::new(), "there is nothing to tell");
    let event = "INSERT INTO pergola_outbox (at, object, kind, record, changed) VALUES";
    harm.run(&salon.host, &format!("{event} (1, 'contact', 'create', {{nil}}, '[]')")).await;
    is_found(&salon.host, "outbox_waiting", "salon, since").await;
}

#[tokio::test]
async fn timers_that_a_record_should_have_are_set_again() {
    let (salon, harm) = salon().await;
    let due = salon.host.next_due().await.unwrap();
    harm.run(&salon.host, "DELETE FROM pergola_timer").await;
    let findings = salon.host.workspace.examine(false).await.unwrap();
    let found = findings.iter().find(|one| one.check == "timer_missing").unwrap();
    assert!(found.places.iter().any(|place| place.contains("of booking for booking.appointment")), "{found:?}");
    is_found_and_mended(&salon.host, "timer_missing", found.count).await;
    assert_eq!(salon.host.next_due().await.unwrap(), due, "as it was");
    harm.run(&salon.host, "UPDATE pergola_timer SET due_at = due_at + 60000000 WHERE plugin = 'booking'").await;
    let findings = salon.host.workspace.examine(true).await.unwrap();
    assert!(short(&findings)[0].starts_with("timer_missing ") && findings[0].mended, "{findings:?}");
}

#[tokio::test]
async fn timers_that_nobody_fires_are_told() {
    let (salon, _) = salon().await;
    let due = salon.host.next_due().await.unwrap().unwrap();
    salon.host.clock.set(due + crate::hours(2));
    let findings = salon.host.workspace.examine(false).await.unwrap();
    assert_eq!(findings[0].check, "timer_waiting", "{findings:?}");
    salon.host.settle().await.unwrap();
    assert_eq!(examine(&salon.host, false).await, Vec::<String>::new());
}
