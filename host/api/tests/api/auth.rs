//! Who may come in.

use pergola_api::hash_password;
use pergola_model::Role;
use pergola_service::ports::store::StoredUser;
use serde_json::json;

use crate::support::{START, TestApp};

#[tokio::test]
async fn without_a_good_token_there_is_only_401() {
    let app = TestApp::new().await;
    for (header, code) in [
        (None, "unauthenticated"),
        (Some("Basic YTpi"), "unauthenticated"),
        (Some("Bearer "), "unauthenticated"),
        (Some("Bearer pgl_wrong"), "bad_token"),
        (Some(format!("Bearer {}", "x".repeat(1_000)).as_str()), "bad_token"),
    ] {
        let ask = app.ask_as_nobody("GET", "/api/v1/contacts");
        let answer = header.into_iter().fold(ask, |ask, header| ask.header("authorization", header)).send().await;
        assert_eq!(answer.problem(), (401, code.to_owned()), "{header:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"pergola\""), "{header:?}");
    }
    for path in ["/api/v1/plugins", "/api/v1/booking/appointments", "/p/booking/report"] {
        assert_eq!(app.ask_as_nobody("GET", path).send().await.problem().0, 401, "{path}");
    }
    for path in ["/healthz", "/api/v1/openapi.json", "/api/v1/docs/", "/p/booking/slots"] {
        assert_eq!(app.ask_as_nobody("GET", path).send().await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_token_ends_at_its_time_although_it_was_seen_a_moment_before() {
    let app = TestApp::new().await;
    let end: jiff::Timestamp = START.parse().unwrap();
    let token = app.token_until(Role::Staff, Some(end + jiff::SignedDuration::from_secs(5))).await;
    let read = || app.ask_as_nobody("GET", "/api/v1/contacts").token(&token).send();
    app.pass_seconds(4);
    assert_eq!(read().await.status, 200);
    app.pass_seconds(1);
    assert_eq!(read().await.problem(), (401, "bad_token".to_owned()));
}

#[tokio::test]
async fn a_user_signs_in_with_their_password_and_only_with_it() {
    let app = TestApp::new().await;
    let password_hash = hash_password("correct horse").unwrap();
    let user = StoredUser { email: "ann@example.com".to_owned(), password_hash, role: Role::Staff };
    app.workspace.put_user(&user).await.unwrap();
    let sign_in = |email: &str, password: &str| {
        app.ask_as_nobody("POST", "/api/v1/session").json(&json!({ "email": email, "password": password })).send()
    };
    let session = sign_in(" Ann@Example.com", "correct horse").await;
    assert_eq!((session.status.as_u16(), session.header("cache-control")), (201, "no-store"));
    assert_eq!(session.json()["role"], "staff");
    assert_eq!(session.json()["expires_at"], "2026-04-07T10:00:00Z");
    let token = session.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(app.ask_as_nobody("GET", "/api/v1/contacts").token(&token).send().await.status, 200);
    for (email, password) in [("ann@example.com", "wrong"), ("bob@example.com", "correct horse"), ("", "")] {
        assert_eq!(sign_in(email, password).await.problem(), (401, "bad_credentials".to_owned()), "{email}");
    }
    app.pass_seconds(7 * 24 * 3600);
    assert_eq!(app.ask_as_nobody("GET", "/api/v1/contacts").token(&token).send().await.status, 401);
}
