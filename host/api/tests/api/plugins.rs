//! Plugins: refusals, faults, actions, routes, settings.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Answer, TestApp};

async fn book(app: &TestApp, title: &str) -> Answer {
    app.ask("POST", "/api/v1/booking/appointments").json(&json!({ "title": title })).send().await
}

#[tokio::test]
async fn a_refusal_says_who_why_and_what_else_there_is() {
    let app = TestApp::new().await;
    assert_snapshot!(book(&app, "refuse slot_taken").await.pretty(), @r#"
    {
      "type": "urn:pergola:problem:slot_taken",
      "title": "A plugin refused",
      "status": 409,
      "detail": "take another time",
      "code": "slot_taken",
      "request_id": "test",
      "plugin": "booking",
      "errors": [
        {
          "field": "title",
          "code": "slot_taken",
          "message": "take another time"
        }
      ],
      "alternatives": [
        "2026-04-01T10:00:00Z"
      ]
    }
    "#);
    assert_eq!(app.get("/api/v1/booking/appointments").await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_code_of_a_refusal_decides_its_status() {
    let app = TestApp::new().await;
    for (code, status) in [
        ("not_found", 404),
        ("forbidden", 403),
        ("slot_taken", 409),
        ("overlap", 409),
        ("taken", 409),
        ("conflict", 409),
        ("stale", 409),
        ("in_use", 409),
        ("too_early", 422),
        ("odd code", 422),
    ] {
        assert_eq!(book(&app, &format!("refuse {code}")).await.problem(), (status, code.to_owned()));
    }
}

#[tokio::test]
async fn a_plugin_that_fails_is_named_with_its_limit() {
    let app = TestApp::new().await;
    assert_snapshot!(book(&app, "limit").await.pretty(), @r#"
    {
      "type": "urn:pergola:problem:plugin_limit",
      "title": "A plugin failed",
      "status": 500,
      "detail": "plugin booking used more than its computing time of 50 ms in before-write",
      "code": "plugin_limit",
      "request_id": "test",
      "plugin": "booking",
      "handler": "before-write",
      "limit": "computing time",
      "figure": "50 ms"
    }
    "#);
    assert_eq!(book(&app, "trap").await.problem(), (500, "plugin_failed".to_owned()));
    let unavailable = book(&app, "unavailable").await;
    assert_eq!(unavailable.problem(), (503, "plugin_unavailable".to_owned()));
    assert_eq!((unavailable.header("retry-after"), unavailable.json()["plugin"].clone()), ("1", json!("booking")));
    assert_eq!(app.get("/api/v1/booking/appointments").await.json()["items"], json!([]));
}

#[tokio::test]
async fn an_action_takes_json_and_gives_json() {
    let app = TestApp::new().await;
    let run = |what: &str| app.ask("POST", "/api/v1/booking/actions/run").json(&json!({ "what": what })).send();
    let done = run("sweep").await;
    assert_eq!((done.status.as_u16(), done.text()), (200, r#"{"did":"sweep"}"#.to_owned()));
    assert_eq!(run("refuse too_early").await.problem(), (422, "too_early".to_owned()));
    assert_eq!(run("nonsense").await.problem(), (500, "plugin_failed".to_owned()));
    let bad = app
        .ask("POST", "/api/v1/booking/actions/run")
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await;
    assert_eq!(bad.problem(), (400, "bad_json".to_owned()));
}

#[tokio::test]
async fn a_public_route_is_open_to_pages_from_elsewhere_and_sandboxed() {
    let app = TestApp::new().await;
    let answer = app.ask_as_nobody("GET", "/p/booking/slots?day=2026-04-01&what=%C3%A4").send().await;
    assert_eq!(answer.json()["query"], json!([["day", "2026-04-01"], ["what", "ä"]]));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("content-security-policy").starts_with("sandbox "));
    let posted = app.ask_as_nobody("POST", "/p/booking/slots").token("pgl_wrong").body("raw").send().await;
    assert_eq!((posted.status.as_u16(), posted.json()["body"].clone()), (200, json!("raw")));
    let refused = app.ask_as_nobody("GET", "/p/booking/slots?what=refuse+slot_taken").send().await;
    assert_eq!(refused.problem(), (409, "slot_taken".to_owned()));
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    assert_eq!(app.get("/p/booking/slots?what=nonsense").await.problem(), (500, "plugin_failed".to_owned()));
    let head = app.ask_as_nobody("HEAD", "/p/booking/slots").send().await;
    assert_eq!((head.status.as_u16(), head.text()), (200, String::new()));
}

#[tokio::test]
async fn a_browser_may_ask_before_it_calls_a_public_route() {
    let app = TestApp::new().await;
    let asked = app.ask_as_nobody("OPTIONS", "/p/booking/slots").header("origin", "https://salon.example").send().await;
    assert_eq!(asked.status, 204);
    assert_eq!(asked.header("access-control-allow-origin"), "*");
    assert_eq!(asked.header("access-control-allow-methods"), "GET, POST, HEAD, OPTIONS");
    let asked = app.ask_as_nobody("OPTIONS", "/p/booking/report").send().await;
    assert_eq!((asked.status.as_u16(), asked.header("allow")), (204, "GET, HEAD, OPTIONS"));
    assert!(!asked.headers.contains_key("access-control-allow-origin"));
    let served = app.get("/p/booking/report").await;
    assert_eq!((served.status.as_u16(), served.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn settings_are_shown_to_and_changed_by_owners() {
    let app = TestApp::new().await;
    let staff = app.token(pergola_model::Role::Staff).await;
    assert_snapshot!(app.get("/api/v1/plugins").await.text(), @r#"{"items":[{"id":"booking","version":"1.2.0","label":{"en":"Booking"},"settings":{"slot_minutes":30},"declared_settings":[{"name":"slot_minutes","type":"integer","label":{"en":"Length of a slot"}}]}],"next":null}"#);
    let seen = app.ask_as_nobody("GET", "/api/v1/plugins").token(&staff).send().await.json();
    assert_eq!((seen["items"][0]["id"].clone(), seen["items"][0].get("settings")), (json!("booking"), None));
    let path = "/api/v1/plugins/booking/settings";
    let changed = app.ask("PATCH", path).json(&json!({ "slot_minutes": 15 })).send().await;
    assert_eq!(changed.json()["settings"], json!({ "slot_minutes": 15 }));
    let wrong = app.ask("PATCH", path).json(&json!({ "slot_minutes": "many" })).send().await;
    assert_eq!(wrong.problem(), (422, "bad_manifest".to_owned()));
    let back = app.ask("PATCH", path).json(&json!({ "slot_minutes": null })).send().await;
    assert_eq!(back.json()["settings"], json!({ "slot_minutes": 30 }));
}
