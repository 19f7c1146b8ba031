//! The bin over REST.

use serde_json::json;

use crate::support::TestApp;

async fn delete(app: &TestApp, name: &str) -> String {
    let path = format!("/api/v1/contacts/{}", app.contact(name).await);
    assert_eq!(app.ask("DELETE", &path).send().await.status.as_u16(), 204);
    path
}

#[tokio::test]
async fn what_was_deleted_is_listed_in_pages_and_restored() {
    let app = TestApp::new().await;
    let ann = delete(&app, "Ann").await;
    delete(&app, "Bob").await;
    let first = app.get("/api/v1/bin?limit=1&object=contact").await;
    assert_eq!(first.column("title"), ["Bob"]);
    assert_eq!((first.json()["keep_days"].clone(), first.json()["items"][0]["records"].clone()), (json!(30), json!(1)));
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let second = app.get(&format!("/api/v1/bin?limit=1&after={next}")).await;
    assert_eq!((second.column("title"), second.json()["next"].clone()), (vec!["Ann".to_owned()], json!(null)));

    let deletion = second.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let restored = app.ask("POST", &format!("/api/v1/bin/{deletion}/restore")).send().await;
    assert_eq!((restored.status.as_u16(), restored.json()["records"].clone()), (200, json!(1)));
    assert_eq!(app.get(&ann).await.json()["name"], "Ann");
    let again = app.ask("POST", &format!("/api/v1/bin/{deletion}/restore")).send().await;
    assert_eq!(again.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_deletion_is_dropped_for_good_and_the_days_are_set() {
    let app = TestApp::new().await;
    delete(&app, "Ann").await;
    let id = app.get("/api/v1/bin").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(app.ask("DELETE", &format!("/api/v1/bin/{id}")).send().await.status.as_u16(), 204);
    assert_eq!(app.ask("DELETE", &format!("/api/v1/bin/{id}")).send().await.problem().0, 404);
    let set = app.ask("PATCH", "/api/v1/bin").json(&json!({ "keep_days": 7 })).send().await;
    assert_eq!(set.json(), json!({ "keep_days": 7 }));
    assert_eq!(app.get("/api/v1/bin").await.json()["keep_days"], 7);
    let refused = app.ask("PATCH", "/api/v1/bin").json(&json!({ "keep_days": 4000 })).send().await;
    assert_eq!(refused.problem(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let app = TestApp::new().await;
    for (path, problem) in [
        ("/api/v1/bin?limit=501", (400, "bad_limit")),
        ("/api/v1/bin?after=x", (400, "bad_cursor")),
        ("/api/v1/bin?object=A", (400, "bad_parameter")),
        ("/api/v1/bin?object=ghost", (404, "not_found")),
        ("/api/v1/bin?filter=x", (400, "unknown_parameter")),
    ] {
        let (status, code) = app.get(path).await.problem();
        assert_eq!((status, code.as_str()), problem, "{path}");
    }
    assert_eq!(app.ask("DELETE", "/api/v1/bin/x").send().await.problem().0, 404);
}

#[tokio::test]
async fn an_owner_sees_what_a_purge_would_remove_and_does_it() {
    let app = TestApp::new().await;
    let firm = app.create("/api/v1/organizations", json!({"name": "Roga"})).await.id();
    let firm = format!("/api/v1/organizations/{firm}");
    assert_eq!(app.get(&format!("{firm}/purge")).await.json()["deleted"], json!({ "organization": 1 }));
    assert_eq!(app.ask("POST", &format!("{firm}/purge")).send().await.status.as_u16(), 200);
    assert_eq!(app.get(&firm).await.problem().0, 404);
    let path = format!("/api/v1/contacts/{}", app.contact("Ann").await);
    let staff = app.token(pergola_model::Role::Staff).await;
    let purge = format!("{path}/purge");
    assert_eq!(app.ask_as_nobody("POST", &purge).token(&staff).send().await.problem(), (403, "forbidden".to_owned()));
    let planned = app.get(&purge).await.json();
    assert_eq!((planned["deleted"].clone(), planned["traces"]["audit"].clone()), (json!({ "contact": 1 }), json!(1)));
    assert_eq!(app.get(&path).await.status.as_u16(), 200, "a plan changes nothing");
    let done = app.ask("POST", &purge).send().await.json();
    assert_eq!((done["deleted"].clone(), done["scrubbed"].clone()), (json!({ "contact": 1 }), json!(true)));
    for path in [&path, &purge] {
        assert_eq!(app.get(path).await.problem().0, 404);
    }
}
