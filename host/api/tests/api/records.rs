//! Records: lists, conditions, idempotency, the timeline.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let app = TestApp::new().await;
    let created = app.create("/api/v1/contacts", json!({ "name": "Ann", "booking": { "visits": 3 } })).await;
    let path = format!("/api/v1/contacts/{}", created.id());
    assert_eq!((created.header("location"), created.header("etag")), (path.as_str(), "\"1\""));

    let read = app.get(&path).await;
    assert_eq!(read.json(), created.json());
    assert_eq!((read.header("etag"), read.json()["booking"]["visits"].clone()), ("\"1\"", json!(3)));

    let changed = app.ask("PATCH", &path).json(&json!({ "phone": "+7 912 345-67-89" })).send().await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""));
    assert_eq!(
        (changed.json()["phone"].clone(), changed.json()["name"].clone()),
        (json!("+79123456789"), json!("Ann"))
    );

    let deleted = app.ask("DELETE", &path).send().await;
    assert_eq!((deleted.status.as_u16(), deleted.text()), (204, String::new()));
    assert_eq!(app.get(&path).await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn an_object_of_a_plugin_has_its_own_path() {
    let app = TestApp::new().await;
    let contact = app.contact("Ann").await;
    let body = json!({ "title": "Haircut", "contact": contact, "price": "15.50 EUR" });
    let created = app.create("/api/v1/booking/appointments", body).await;
    assert_eq!(created.header("location"), format!("/api/v1/booking/appointments/{}", created.id()));
    let read = app.get(created.header("location")).await.json();
    assert_eq!(read["price"], json!({ "amount_minor": 1550, "currency": "EUR" }));
    assert_eq!(read["status"], "booked");
}

#[tokio::test]
async fn a_list_is_filtered_sorted_counted_and_paged() {
    let app = TestApp::new().await;
    for name in ["Ann", "Bob", "Cid", "Dan"] {
        app.contact(name).await;
    }
    let first = app.get("/api/v1/contacts?filter=name%20!=%20'Bob'&sort=-name&limit=2&count=true").await;
    assert_eq!(first.column("name"), ["Dan", "Cid"]);
    assert_eq!(first.json()["total"], 3);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let second = app.get(&format!("/api/v1/contacts?filter=name%20!=%20'Bob'&sort=-name&limit=2&after={next}")).await;
    assert_eq!(second.column("name"), ["Ann"]);
    assert_eq!((second.json()["next"].clone(), second.json().get("total").cloned()), (json!(null), None));
}

#[tokio::test]
async fn groups_of_records_are_counted_and_summed() {
    let app = TestApp::new().await;
    let ann = app.contact("Ann").await;
    for (title, price) in [("Haircut", "15.50 EUR"), ("Haircut", "14.50 EUR"), ("Nails", "40 EUR")] {
        let body = json!({ "title": title, "contact": ann, "price": price });
        app.create("/api/v1/booking/appointments", body).await;
    }
    let asked = "measure=count,sum(price),avg(price)&group=title,contact.name&sort=-count";
    let answer = app.get(&format!("/api/v1/booking/appointments/aggregate?{asked}")).await;
    let euros = |amount_minor: i64| json!({ "amount_minor": amount_minor, "currency": "EUR" });
    assert_eq!(
        answer.json(),
        json!({"items": [
            {"title": "Haircut", "contact.name": "Ann", "count": 2, "sum(price)": euros(3000), "avg(price)": euros(1500)},
            {"title": "Nails", "contact.name": "Ann", "count": 1, "sum(price)": euros(4000), "avg(price)": euros(4000)},
        ], "more": false})
    );
    let path = "/api/v1/contacts/aggregate";
    assert_eq!(app.get(&format!("{path}?measure=count")).await.json()["items"], json!([{ "count": 1 }]));
    assert_eq!(app.get(&format!("{path}?measure=total")).await.problem(), (400, "bad_measure".to_owned()));
    assert_eq!(app.get(&format!("{path}?measure=count&group=nmae")).await.problem(), (400, "bad_group".to_owned()));
    assert_eq!(app.get(&format!("{path}?measure=count&limit=1001")).await.problem(), (400, "bad_limit".to_owned()));
}

#[tokio::test]
async fn an_empty_list_is_an_empty_list() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/api/v1/deals").await.text(), r#"{"items":[],"next":null}"#);
}

#[tokio::test]
async fn a_stale_version_is_412_with_if_match_and_nothing_is_written() {
    let app = TestApp::new().await;
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    let good = app.ask("PATCH", &path).header("if-match", "\"1\"").json(&json!({ "name": "Anna" })).send().await;
    assert_eq!(good.status, 200);
    let stale = app.ask("PATCH", &path).header("if-match", "\"1\"").json(&json!({ "name": "Annette" })).send().await;
    assert_eq!(stale.problem(), (412, "stale".to_owned()));
    let stale = app.ask("DELETE", &path).header("if-match", "\"1\"").send().await;
    assert_eq!(stale.problem(), (412, "stale".to_owned()));
    assert_eq!(app.get(&path).await.json()["name"], "Anna");
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let app = TestApp::new().await;
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    let same = app.ask("GET", &path).header("if-none-match", "\"1\"").send().await;
    assert_eq!((same.status.as_u16(), same.text(), same.header("etag")), (304, String::new(), "\"1\""));
    assert_eq!(app.ask("GET", &path).header("if-none-match", "\"7\"").send().await.status, 200);
}

#[tokio::test]
async fn a_repeated_post_with_one_key_creates_one_record() {
    let app = TestApp::new().await;
    let post = |body: serde_json::Value| {
        app.ask("POST", "/api/v1/contacts").header("idempotency-key", "k1").json(&body).send()
    };
    let first = post(json!({ "name": "Ann" })).await;
    let again = post(json!({ "name": "Ann" })).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(again.text(), first.text());
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("etag"), "\"1\"");
    assert_eq!(post(json!({ "name": "Bob" })).await.problem(), (409, "idempotency_key_reused".to_owned()));
    assert_eq!(app.get("/api/v1/contacts").await.column("name"), ["Ann"]);
}

#[tokio::test]
async fn keys_of_two_callers_do_not_meet() {
    let app = TestApp::new().await;
    let staff = app.token(pergola_model::Role::Staff).await;
    let ask = |token: &str| app.ask_as_nobody("POST", "/api/v1/contacts").token(token).header("idempotency-key", "k1");
    let first = ask(&app.owner).json(&json!({ "name": "Ann" })).send().await;
    let second = ask(&staff).json(&json!({ "name": "Ann" })).send().await;
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_names_the_methods() {
    let app = TestApp::new().await;
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    let whole = app.get(&path).await;
    let head = app.ask("HEAD", &path).send().await;
    assert_eq!((head.status.as_u16(), head.text()), (200, String::new()));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    let options = app.ask("OPTIONS", &path).send().await;
    assert_eq!((options.status.as_u16(), options.header("allow")), (204, "GET, HEAD, PATCH, DELETE, OPTIONS"));
    let options = app.ask("OPTIONS", "/api/v1/contacts").send().await;
    assert_eq!(options.header("allow"), "GET, HEAD, POST, OPTIONS");
    assert!(!options.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_timeline_is_merged_newest_first_and_only_of_its_contact() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.contact("Ann").await, app.contact("Bob").await);
    let activity = |text: &str, contact: &str, at: Option<&str>| {
        app.create("/api/v1/activities", json!({ "text": text, "contact": contact, "happened_at": at }))
    };
    activity("long ago", &ann, Some("2025-01-01T00:00:00Z")).await;
    app.pass_seconds(60);
    activity("undated", &ann, None).await;
    app.pass_seconds(60);
    let message = json!({ "contact": ann, "channel": "email", "address": "a@example.com", "body": "mail" });
    app.create("/api/v1/messages", message).await;
    activity("tomorrow", &ann, Some("2026-04-01T00:00:00Z")).await;
    activity("not hers", &bob, None).await;

    let path = format!("/api/v1/contacts/{ann}/timeline");
    let timeline = app.get(&path).await.json();
    let texts = |timeline: &serde_json::Value| -> Vec<String> {
        let items = timeline["items"].as_array().unwrap().iter();
        items
            .map(|item| format!("{} {}", item["object"], item["record"].get("text").unwrap_or(&item["record"]["body"])))
            .collect()
    };
    let all =
        [r#""activity" "tomorrow""#, r#""message" "mail""#, r#""activity" "undated""#, r#""activity" "long ago""#];
    assert_eq!(texts(&timeline), all);
    assert_eq!(timeline["next"], json!(null));
    assert_eq!(texts(&app.get(&format!("{path}?limit=2")).await.json()), all[..2]);
}

#[tokio::test]
async fn balances_are_listed_by_account_and_unit_in_pages() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.contact("Ann").await, app.contact("Bob").await);
    for (contact, amount, program) in [(&ann, 5, json!("bonus")), (&ann, 1, json!("visits")), (&bob, 7, json!(null))] {
        let entry = json!({ "contact": contact, "amount": amount, "program": program });
        app.create("/api/v1/booking/points", entry).await;
    }
    let path = "/api/v1/booking/points/balances";
    let of_ann = app.get(&format!("{path}?account={ann}")).await.json();
    let bonus = json!({ "account": ann, "unit": "bonus", "balance": 5 });
    assert_eq!(of_ann, json!({ "items": [bonus, { "account": ann, "unit": "visits", "balance": 1 }], "next": null }));
    let first = app.get(&format!("{path}?limit=2")).await.json();
    let next = first["next"].as_str().unwrap().replace('"', "%22").replace('[', "%5B").replace(']', "%5D");
    let rest = app.get(&format!("{path}?limit=2&after={next}")).await.json();
    assert_eq!(rest, json!({ "items": [{ "account": bob, "unit": null, "balance": 7 }], "next": null }));
    assert_eq!(app.get(&format!("{path}?after=x")).await.problem(), (400, "bad_cursor".to_owned()));
    assert_eq!(app.get(&format!("{path}?limit=501")).await.problem(), (400, "bad_limit".to_owned()));
    assert_eq!(app.get("/api/v1/booking/appointments/balances").await.problem(), (404, "not_found".to_owned()));
    let short = json!({ "contact": ann, "amount": -6, "program": "bonus" });
    assert_eq!(
        app.ask("POST", "/api/v1/booking/points").json(&short).send().await.problem(),
        (409, "insufficient".to_owned())
    );
}
