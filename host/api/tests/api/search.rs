//! Search over REST: what is found, as what, and what is refused.

use insta::assert_snapshot;
use pergola_model::Role;
use serde_json::json;

use crate::support::{Answer, TestApp};

/// `object title field` of all hits.
fn hits(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let items = json["items"].as_array().unwrap_or_else(|| panic!("{json}")).iter();
    let text = |item: &serde_json::Value, key: &str| item[key].as_str().unwrap().to_owned();
    items.map(|item| format!("{} {} {}", text(item, "object"), text(item, "title"), text(item, "field"))).collect()
}

async fn search(app: &TestApp, query: &str) -> Vec<String> {
    hits(&app.get(&format!("/api/v1/search?q={}", query.replace(' ', "%20"))).await)
}

#[tokio::test]
async fn records_of_all_objects_are_found_best_first() {
    let app = TestApp::new().await;
    let ann = app.create("/api/v1/contacts", json!({ "name": "Anna Morozova", "phone": "+79123456789" })).await;
    app.create("/api/v1/contacts", json!({ "name": "Ana Kim", "email": "kim@example.com" })).await;
    app.create("/api/v1/organizations", json!({ "name": "Annabel" })).await;
    app.create("/api/v1/tasks", json!({ "title": "Call anna back" })).await;
    let found = search(&app, "anna").await;
    let wanted = [
        "contact Anna Morozova name",
        "task Call anna back title",
        "organization Annabel name",
        "contact Ana Kim name",
    ];
    assert_eq!(found, wanted);
    assert_eq!(search(&app, "anna&objects=contact,task&limit=2").await, wanted[..2]);
    assert_eq!(search(&app, "345-67-89").await, ["contact Anna Morozova phone"]);
    assert_eq!(search(&app, "morozva").await, ["contact Anna Morozova name"]);
    assert_eq!(search(&app, "anna kim").await, ["contact Ana Kim name"]);
    assert!(search(&app, "petrov").await.is_empty());
    let answer = app.get("/api/v1/search?q=6789").await.text().replace(&ann.id(), "ID");
    assert_snapshot!(answer, @r#"{"items":[{"object":"contact","id":"ID","title":"Anna Morozova","field":"phone","snippet":"+79123456789"}],"next":null}"#);
}

#[tokio::test]
async fn a_contact_point_is_found_as_its_owner_once() {
    let app = TestApp::new().await;
    let ann = app.create("/api/v1/contacts", json!({ "name": "Ann", "phone": "+79120006789" })).await.id();
    let point = json!({ "contact": ann, "kind": "phone", "phone": "+79123456789" });
    app.create("/api/v1/contact_points", point).await;
    let firm = app.create("/api/v1/organizations", json!({ "name": "Firm" })).await.id();
    let point = json!({ "organization": firm, "kind": "address", "address": "Lenina 5" });
    app.create("/api/v1/contact_points", point).await;
    assert_eq!(search(&app, "3456789").await, ["contact Ann contact_point.phone"]);
    assert_eq!(search(&app, "6789").await.len(), 1, "by both numbers, and once");
    assert_eq!(search(&app, "lenina&objects=organization").await, ["organization Firm contact_point.address"]);
    assert!(search(&app, "lenina&objects=contact").await.is_empty());
}

#[tokio::test]
async fn what_changed_or_went_is_found_as_it_is_now() {
    let app = TestApp::new().await;
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    app.ask("PATCH", &path).json(&json!({ "name": "Maria" })).send().await;
    assert!(search(&app, "ann").await.is_empty());
    assert_eq!(search(&app, "maria").await.len(), 1);
    app.ask("DELETE", &path).send().await;
    assert!(search(&app, "maria").await.is_empty());
}

#[tokio::test]
async fn a_search_that_cannot_be_is_refused() {
    let app = TestApp::new().await;
    let long = "a".repeat(201);
    for (query, code) in [
        ("", "bad_search"),
        ("?q=--", "bad_search"),
        (&format!("?q={long}"), "bad_search"),
        ("?q=a+b+c+d+e+f+g+h+i", "bad_search"),
        ("?q=ann&limit=101", "bad_limit"),
        ("?q=ann&objects=contatc", "bad_parameter"),
        ("?q=ann&objects=stage", "bad_parameter"),
        ("?query=ann", "unknown_parameter"),
    ] {
        let answer = app.get(&format!("/api/v1/search{query}")).await;
        assert_eq!(answer.problem(), (400, code.to_owned()), "{query}");
    }
    let viewer = app.token(Role::Viewer).await;
    assert_eq!(app.ask_as_nobody("GET", "/api/v1/search?q=ann").token(&viewer).send().await.status, 200);
    assert_eq!(app.ask_as_nobody("GET", "/api/v1/search?q=ann").send().await.status, 401);
}
