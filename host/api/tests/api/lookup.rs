//! Caller lookup, contact points and links.

use serde_json::json;

use crate::support::{Answer, TestApp};

/// `title field` of all that were found.
fn found(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let items = json["items"].as_array().unwrap_or_else(|| panic!("{json}")).iter();
    items.map(|item| format!("{} {}", item["title"].as_str().unwrap(), item["field"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_caller_is_found_by_every_phone_field_and_contact_point() {
    let app = TestApp::new().await;
    let point =
        |owner: &str, id: String| json!({ owner: id, "kind": "phone", "label": "home", "phone": "89123456789" });
    let second = app.contact("Second").await;
    app.create("/api/v1/contact_points", point("contact", second.clone())).await;
    let firm = app.create("/api/v1/organizations", json!({ "name": "Firm" })).await.id();
    app.create("/api/v1/contact_points", point("organization", firm)).await;
    app.create("/api/v1/contacts", json!({ "name": "Added", "booking": { "work_phone": "+79123456789" } })).await;
    app.create("/api/v1/contacts", json!({ "name": "Own", "phone": "+79123456789" })).await;
    app.create("/api/v1/contacts", json!({ "name": "Other", "phone": "+79123456780" })).await;

    let answer = app.get("/api/v1/lookup?phone=8%20(912)%20345-67-89").await;
    let wanted = ["Own phone", "Added booking.work_phone", "Second contact_point.phone", "Firm contact_point.phone"];
    assert_eq!(found(&answer), wanted);
    assert_eq!(answer.json()["phone"], "+79123456789");
    assert_eq!(answer.json()["items"][2]["record"]["id"], json!(second));
    assert_eq!(answer.json()["items"][3]["object"], "organization");
}

#[tokio::test]
async fn an_address_is_found_in_lower_case_and_its_contact_only_once() {
    let app = TestApp::new().await;
    let ann = app.create("/api/v1/contacts", json!({ "name": "Ann", "email": "ann@example.com" })).await.id();
    let point = json!({ "contact": ann, "kind": "email", "email": "ann@example.com" });
    app.create("/api/v1/contact_points", point).await;
    assert_eq!(found(&app.get("/api/v1/lookup?email=ANN@Example.com").await), ["Ann email"]);
    assert!(found(&app.get("/api/v1/lookup?email=bob@example.com").await).is_empty());
}

#[tokio::test]
async fn a_lookup_answers_fifty_at_most() {
    let app = TestApp::new().await;
    for number in 0..51 {
        app.create("/api/v1/contacts", json!({ "name": format!("C{number}"), "phone": "+79123456789" })).await;
    }
    assert_eq!(found(&app.get("/api/v1/lookup?phone=%2B79123456789").await).len(), 50);
}

#[tokio::test]
async fn a_lookup_without_one_address_is_refused() {
    let app = TestApp::new().await;
    for (query, problem) in [
        ("", (400, "bad_parameter")),
        ("?phone=%2B79123456789&email=a@b.example", (400, "bad_parameter")),
        ("?phone=12345", (422, "invalid")),
        ("?phone=", (422, "invalid")),
        ("?email=nobody", (422, "invalid")),
        ("?name=Ann", (400, "unknown_parameter")),
    ] {
        let answer = app.get(&format!("/api/v1/lookup{query}")).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.to_owned()), "{query}");
    }
    let nobody = app.ask_as_nobody("GET", "/api/v1/lookup?phone=%2B79123456789").send().await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn a_number_stands_once_at_its_owner_and_goes_with_them() {
    let app = TestApp::new().await;
    let ann = app.contact("Ann").await;
    let point = json!({ "contact": ann, "kind": "phone", "phone": "+79123456789" });
    app.create("/api/v1/contact_points", point.clone()).await;
    let again = app.ask("POST", "/api/v1/contact_points").json(&point).send().await;
    assert_eq!(again.problem(), (409, "taken".to_owned()));
    app.ask("DELETE", &format!("/api/v1/contacts/{ann}")).send().await;
    assert_eq!(app.get("/api/v1/contact_points").await.json()["items"], json!([]));
    assert!(found(&app.get("/api/v1/lookup?phone=%2B79123456789").await).is_empty());
}

#[tokio::test]
async fn links_are_read_from_both_ends() {
    let app = TestApp::new().await;
    let (ann, pavel, maria) = (app.contact("Ann").await, app.contact("Pavel").await, app.contact("Maria").await);
    let link = |from: &str, kind: &str, to: &str| json!({ "from_contact": from, "kind": kind, "to_contact": to, "since": "2020-05-01" });
    app.create("/api/v1/links", link(&ann, "parent_of", &pavel)).await;
    app.create("/api/v1/links", link(&pavel, "referred_by", &maria)).await;
    app.create("/api/v1/links", link(&maria, "friend_of", &ann)).await;

    let path = |filter: String| format!("/api/v1/links?filter={}", filter.replace(' ', "%20").replace("&&", "%26%26"));
    let of_pavel = app.get(&path(format!("from_contact == '{pavel}' || to_contact == '{pavel}'"))).await;
    assert_eq!(of_pavel.column("kind"), ["parent_of", "referred_by"]);
    let brought = app.get(&path(format!("kind == 'referred_by' && to_contact == '{maria}'"))).await;
    assert_eq!(brought.column("from_contact"), [pavel.as_str()]);
    app.ask("DELETE", &format!("/api/v1/contacts/{pavel}")).send().await;
    assert_eq!(app.get("/api/v1/links").await.column("kind"), ["friend_of"]);
}
