//! Every way in which a request can go wrong, and how it is told.

use std::time::Duration;

use axum::body::Body;
use insta::assert_snapshot;
use pergola_api::ApiLimits;
use pergola_model::Role;
use serde_json::json;

use crate::support::TestApp;

const NO_SUCH_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn what_cannot_be_read_as_a_request_is_400() {
    let app = TestApp::new().await;
    for (path, code) in [
        ("/api/v1/contacts?limit=501", "bad_limit"),
        ("/api/v1/contacts?limit=0", "bad_limit"),
        ("/api/v1/contacts?limit=many", "bad_limit"),
        ("/api/v1/contacts?count=yes", "bad_parameter"),
        ("/api/v1/contacts?order=name", "unknown_parameter"),
        ("/api/v1/contacts?limit=1&limit=2", "repeated_parameter"),
        ("/api/v1/contacts?filter=name%20==", "bad_filter"),
        ("/api/v1/contacts?filter=nmae%20==%20'x'", "bad_filter"),
        ("/api/v1/contacts?sort=colour", "bad_sort"),
        ("/api/v1/contacts?after=nonsense", "bad_cursor"),
        ("/api/v1/plugins?x=1", "unknown_parameter"),
        (&format!("/api/v1/contacts/{NO_SUCH_ID}?x=1"), "unknown_parameter"),
        (&format!("/api/v1/contacts/{NO_SUCH_ID}/timeline?limit=101"), "bad_limit"),
    ] {
        assert_eq!(app.get(path).await.problem(), (400, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let app = TestApp::new().await;
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/api/v1/nothing/things",
        "/api/v1/booking/things",
        &format!("/api/v1/booking/things/{NO_SUCH_ID}"),
        &format!("/api/v1/contacts/{NO_SUCH_ID}"),
        &format!("/api/v1/contacts/{NO_SUCH_ID}/timeline"),
        "/api/v1/contacts/not-a-uuid",
        "/api/v1/contacts/not-a-uuid/timeline",
        "/api/v1/contacts/a/b/c",
        "/api/v1/docs/nothing.js",
        "/p/booking/nothing",
        "/p/nothing/slots",
        "/p/booking",
    ] {
        assert_eq!(app.get(path).await.problem(), (404, "not_found".to_owned()), "{path}");
    }
    for (method, path) in [
        ("PATCH", format!("/api/v1/contacts/{NO_SUCH_ID}")),
        ("PATCH", "/api/v1/plugins/nothing/settings".to_owned()),
        ("PATCH", "/api/v1/plugins/No-Name/settings".to_owned()),
        ("POST", "/api/v1/booking/actions/nothing".to_owned()),
        ("POST", "/api/v1/nothing/actions/run".to_owned()),
    ] {
        let answer = app.ask(method, &path).json(&json!({})).send().await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_slip_in_a_path_or_parameter_gets_a_hint() {
    let app = TestApp::new().await;
    let detail = app.get("/api/v1/contatcs").await.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with("Did you mean \"contacts\"?"), "{detail}");
    let detail = app.get("/api/v1/contacts?fitler=x").await.json()["detail"].as_str().unwrap().to_owned();
    assert_snapshot!(detail, @r#"there is no parameter "fitler" here; known are filter, sort, limit, after, count. Did you mean "filter"?"#);
}

#[tokio::test]
async fn a_method_that_is_not_for_a_path_is_405_and_names_those_that_are() {
    let app = TestApp::new().await;
    for (method, path, allow) in [
        ("PUT", "/api/v1/contacts", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", "/api/v1/booking/appointments", "GET, HEAD, POST, OPTIONS"),
        ("POST", &format!("/api/v1/contacts/{NO_SUCH_ID}"), "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("GET", "/api/v1/booking/actions/run", "POST, OPTIONS"),
        ("DELETE", "/p/booking/slots", "GET, POST, HEAD, OPTIONS"),
        ("GET", "/api/v1/session", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let answer = app.ask(method, path).send().await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()), "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn bad_json_is_400_with_its_place() {
    let app = TestApp::new().await;
    let answer = app
        .ask("POST", "/api/v1/contacts")
        .header("content-type", "application/json")
        .body("{\n  \"name\": Ann\n}")
        .send()
        .await;
    assert_snapshot!(answer.pretty(), @r#"
    {
      "type": "urn:pergola:problem:bad_json",
      "title": "The request makes no sense",
      "status": 400,
      "detail": "this is not the JSON that is expected: expected value at line 2 column 11",
      "code": "bad_json",
      "request_id": "test",
      "line": 2,
      "column": 11
    }
    "#);
    for body in ["", "[]", "{\"name\": \"Ann\"", "\u{feff}{}"] {
        let answer =
            app.ask("POST", "/api/v1/contacts").header("content-type", "application/json").body(body).send().await;
        assert_eq!(answer.problem(), (400, "bad_json".to_owned()), "{body:?}");
    }
}

#[tokio::test]
async fn fields_that_cannot_be_taken_are_422_each_with_its_name() {
    let app = TestApp::new().await;
    let body = json!({ "nmae": "Ann", "phone": 7, "id": NO_SUCH_ID });
    let answer = app.ask("POST", "/api/v1/contacts").json(&body).send().await;
    assert_eq!(answer.problem(), (422, "invalid".to_owned()));
    assert_snapshot!(serde_json::to_string_pretty(&answer.json()["errors"]).unwrap(), @r#"
    [
      {
        "field": "nmae",
        "code": "unknown_field",
        "message": "contact has no field of this name. Did you mean \"name\"?"
      },
      {
        "field": "phone",
        "code": "wrong_type",
        "message": "expected a phone number as text, found a number"
      },
      {
        "field": "id",
        "code": "read_only",
        "message": "the host sets this field itself: leave it out"
      }
    ]
    "#);
    let answer = app.ask("POST", "/api/v1/contacts").json(&json!({ "email": "a@example.com" })).send().await;
    assert_eq!(answer.problem(), (422, "invalid".to_owned()));
    assert_eq!(answer.json()["errors"][0]["field"], "name");
    assert_eq!(app.get("/api/v1/contacts").await.column("name"), [""; 0]);
}

#[tokio::test]
async fn other_data_in_the_way_is_409() {
    let app = TestApp::new().await;
    app.create("/api/v1/pipelines", json!({ "name": "Sales" })).await;
    let taken = app.ask("POST", "/api/v1/pipelines").json(&json!({ "name": "Sales" })).send().await;
    assert_eq!(taken.problem(), (409, "taken".to_owned()));
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_a_larger_one_413() {
    let limits = ApiLimits { body_bytes_max: 100, public_body_bytes_max: 10, ..ApiLimits::default() };
    let app = TestApp::with_limits(limits).await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = app.ask("POST", "/api/v1/contacts").header("content-type", media_type).body("{}").send().await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()), "{media_type}");
    }
    for media_type in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
        let answer = app
            .ask("POST", "/api/v1/contacts")
            .header("content-type", media_type)
            .body("{\"name\":\"Ann\"}")
            .send()
            .await;
        assert_eq!(answer.status, 201, "{media_type}");
    }
    let answer = app.ask("POST", "/api/v1/contacts").json(&json!({ "name": "x".repeat(100) })).send().await;
    assert_eq!(answer.problem(), (413, "too_large".to_owned()));
    let chunks = futures::stream::iter(["x"; 11].map(Ok::<_, std::convert::Infallible>));
    let answer = app.ask("POST", "/p/booking/slots").body(Body::from_stream(chunks)).send().await;
    assert_eq!(answer.problem(), (413, "too_large".to_owned()));
}

#[tokio::test]
async fn conditions_and_keys_that_are_none_are_400() {
    let app = TestApp::new().await;
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    let answer = app.ask("PATCH", &path).header("if-match", "1").json(&json!({})).send().await;
    assert_eq!(answer.problem(), (400, "bad_if_match".to_owned()));
    let answer = app
        .ask("POST", "/api/v1/contacts")
        .header("idempotency-key", &"k".repeat(256))
        .json(&json!({ "name": "Bob" }))
        .send()
        .await;
    assert_eq!(answer.problem(), (400, "bad_idempotency_key".to_owned()));
    assert_eq!(app.get("/api/v1/contacts").await.column("name"), ["Ann"]);
}

#[tokio::test]
async fn who_may_not_is_403() {
    let app = TestApp::new().await;
    let (viewer, staff) = (app.token(Role::Viewer).await, app.token(Role::Staff).await);
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    let ask = |token: &str, method: &str, path: &str| app.ask_as_nobody(method, path).token(token);
    assert_eq!(ask(&viewer, "GET", &path).send().await.status, 200);
    let write = ask(&viewer, "POST", "/api/v1/contacts").json(&json!({ "name": "Bob" })).send().await;
    assert_eq!(write.problem(), (403, "forbidden".to_owned()));
    assert_eq!(ask(&staff, "DELETE", &path).send().await.problem(), (403, "forbidden".to_owned()));
    let settings = ask(&staff, "PATCH", "/api/v1/plugins/booking/settings").json(&json!({})).send().await;
    assert_eq!(settings.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn too_much_at_once_is_503_and_says_when_to_come_again() {
    let app = TestApp::with_limits(ApiLimits { in_flight_max: 0, ..ApiLimits::default() }).await;
    let answer = app.get("/api/v1/contacts").await;
    assert_eq!(answer.problem(), (503, "busy".to_owned()));
    assert_eq!(answer.header("retry-after"), "1");
    let app = TestApp::with_limits(ApiLimits { public_in_flight_max: 0, ..ApiLimits::default() }).await;
    let answer = app.get("/p/booking/slots").await;
    assert_eq!(answer.problem(), (503, "busy".to_owned()));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(app.get("/api/v1/contacts").await.status, 200);
}

#[tokio::test]
async fn what_takes_too_long_is_504() {
    let app = TestApp::with_limits(ApiLimits { request_timeout: Duration::ZERO, ..ApiLimits::default() }).await;
    let never = futures::stream::pending::<Result<&str, std::convert::Infallible>>();
    let answer = app.ask("POST", "/p/booking/slots").body(Body::from_stream(never)).send().await;
    assert_eq!(answer.problem(), (504, "timeout".to_owned()));
}

#[tokio::test]
async fn a_panic_is_500_with_a_fixed_text_and_the_next_request_is_served() {
    let app = TestApp::new().await;
    let answer = app.get("/p/booking/slots?what=panic").await;
    assert_snapshot!(answer.pretty(), @r#"
    {
      "type": "urn:pergola:problem:internal",
      "title": "Something went wrong",
      "status": 500,
      "detail": "something went wrong inside Pergola; whoever runs it finds the cause in the log by the request_id",
      "code": "internal",
      "request_id": "test"
    }
    "#);
    assert_eq!(app.get("/healthz").await.json(), json!({ "status": "ok" }));
}

#[tokio::test]
async fn a_request_without_a_plain_id_gets_one() {
    let app = TestApp::new().await;
    let ask = |id| app.ask_as_nobody("GET", "/nothing").request_id(id).send();
    let (first, second) = (ask(None).await, ask(Some("with a blank")).await);
    assert_eq!((first.problem().0, second.problem().0), (404, 404));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(ask(Some("mine-1")).await.header("x-request-id"), "mine-1");
    assert_eq!(first.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn a_flood_of_sign_ins_leaves_room_for_the_rest() {
    let app = TestApp::with_limits(ApiLimits { sign_ins_max: 0, ..ApiLimits::default() }).await;
    let body = json!({ "email": "ann@example.com", "password": "x" });
    let answer = app.ask_as_nobody("POST", "/api/v1/session").json(&body).send().await;
    assert_eq!(answer.problem(), (503, "busy".to_owned()));
    assert_eq!(app.get("/api/v1/contacts").await.status, 200);
}
