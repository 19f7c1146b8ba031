//! `GET …/export`: files, who may have them, and what the audit says.

use std::time::Duration;

use pergola_api::ApiLimits;
use pergola_model::Role;
use serde_json::json;

use crate::support::TestApp;

async fn app_with_contacts(limits: ApiLimits) -> TestApp {
    let app = TestApp::with_limits(limits).await;
    for (name, phone) in [("Anna", "+79123456789"), ("=1+1", "+79123456780"), ("Vera", "+79123456781")] {
        app.create("/api/v1/contacts", json!({ "name": name, "phone": phone, "booking": { "visits": 2 } })).await;
    }
    app
}

#[tokio::test]
async fn a_table_has_the_asked_columns_and_no_formula() {
    let app = app_with_contacts(ApiLimits::default()).await;
    let path = "/api/v1/contacts/export?format=csv&fields=name,phone,booking.visits&sort=-name&filter=name!='Anna'";
    let answer = app.get(path).await;
    assert_eq!(answer.text(), "name,phone,booking.visits\r\nVera,'+79123456781,2\r\n'=1+1,'+79123456780,2\r\n");
    let heads = ["content-type", "content-disposition", "cache-control"].map(|name| answer.header(name));
    let expected = ["text/csv; charset=utf-8; header=present", "attachment; filename=\"contacts.csv\"", "no-store"];
    assert_eq!(heads, expected);
}

#[tokio::test]
async fn lines_are_the_records_as_a_list_has_them_and_plugins_have_theirs() {
    let app = app_with_contacts(ApiLimits::default()).await;
    let lines = app.get("/api/v1/contacts/export?format=jsonl").await.text();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), app.get("/api/v1/contacts").await.json()["items"]);
    app.create("/api/v1/booking/appointments", json!({ "title": "Cut" })).await;
    let line = app.get("/api/v1/booking/appointments/export?format=jsonl").await;
    assert_eq!(line.json()["title"], "Cut");
    let cards = app.get("/api/v1/contacts/export?format=vcard").await;
    assert_eq!(cards.text().matches("BEGIN:VCARD\r\n").count(), 3);
    let book = app.get("/api/v1/contacts/export?format=xlsx").await;
    assert!(book.body.starts_with(b"PK"), "{}", book.text());
}

#[tokio::test]
async fn only_owners_export() {
    let app = app_with_contacts(ApiLimits::default()).await;
    for role in [Role::Staff, Role::Viewer] {
        let token = app.token(role).await;
        let answer = app.ask_as_nobody("GET", "/api/v1/contacts/export?format=csv").token(&token).send().await;
        assert_eq!(answer.problem(), (403, "forbidden".to_owned()));
    }
    let answer = app.ask_as_nobody("GET", "/api/v1/contacts/export?format=csv").send().await;
    assert_eq!(answer.problem(), (401, "unauthenticated".to_owned()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let app = app_with_contacts(ApiLimits { export_records_max: 2, ..ApiLimits::default() }).await;
    for (query, code) in [
        ("", "bad_export"),
        ("format=pdf", "bad_export"),
        ("format=csv&fields=name,nmae", "bad_export"),
        ("format=csv&fields=name,name", "bad_export"),
        ("format=csv&separator=x", "bad_export"),
        ("format=csv&filter=nmae=='x'", "bad_filter"),
        ("format=csv&sort=nmae", "bad_sort"),
        ("format=csv&limit=1", "unknown_parameter"),
        // Three records are one too many.
        ("format=csv", "bad_export"),
    ] {
        let answer = app.get(&format!("/api/v1/contacts/export?{query}")).await;
        assert_eq!(answer.problem(), (400, code.to_owned()), "{query}: {}", answer.text());
    }
    let head = app.ask("HEAD", "/api/v1/contacts/export?format=csv").send().await;
    assert_eq!((head.status.as_u16(), head.header("allow")), (405, "GET, OPTIONS"));
}

#[tokio::test]
async fn one_too_many_at_once_is_told_to_come_again_and_a_reader_who_stops_is_let_go() {
    let limits = ApiLimits { exports_max: 1, export_stall: Duration::from_millis(50), ..ApiLimits::default() };
    let app = TestApp::with_limits(limits).await;
    // More than the pieces that are made ahead.
    for number in 0..2_500 {
        app.create("/api/v1/contacts", json!({ "name": format!("Client {number}") })).await;
    }
    let unread = app.ask("GET", "/api/v1/contacts/export?format=jsonl").send_unread().await;
    let refused = app.get("/api/v1/contacts/export?format=csv").await;
    assert_eq!(refused.problem(), (503, "busy".to_owned()));
    // The slot is free when the reader was given up.
    let mut tries = 0;
    while app.get("/api/v1/contacts/export?format=csv").await.status != 200 {
        tries += 1;
        assert!(tries < 200, "the export is never given up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cut = axum::body::to_bytes(unread, usize::MAX).await;
    assert!(cut.is_err(), "a file that was cut short looks whole");
}
