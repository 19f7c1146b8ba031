//! Expressions in rules: they look along references and at children, in the transaction of the write.

use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::told;

const STUDIO: &str = r#"
id = "studio"
version = "1.0.0"
api = "0.1"
[object.course]
fields.title = { type = "text" }
fields.contact = { type = "ref", to = "contact" }
fields.status = { type = "choice", of = ["draft", "open", "held"], default = "draft" }
transitions.status = [
    { from = "draft", to = "open", guard = "studio.lessons.count(l, l.starts_at > now) >= 2" },
    { from = "open", to = "held", guard = "contact.organization.name == 'House' && !studio.lessons.exists(l, l.starts_at.getHours() < 10)" },
]
[object.lesson]
fields.course = { type = "ref", to = "studio.course", on_delete = "cascade" }
fields.starts_at = { type = "datetime" }
"#;

async fn course(host: &TestHost, organization: &str) -> Json {
    let house = host.create("organization", &json!({"name": organization})).await.unwrap();
    let contact = host.create("contact", &json!({"name": "Ann", "organization": house["id"]})).await.unwrap();
    host.create("studio.course", &json!({"title": "Clay", "contact": contact["id"]})).await.unwrap()["id"].clone()
}

async fn lesson(host: &TestHost, course: &Json, starts_at: &str) -> Json {
    let lesson = json!({"course": course, "starts_at": starts_at});
    host.create("studio.lesson", &lesson).await.unwrap()["id"].clone()
}

#[tokio::test]
async fn a_guard_counts_children_and_follows_paths() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    host.install_manifest(STUDIO).await.unwrap();
    let course = course(&host, "House").await;
    lesson(&host, &course, "2030-01-01T10:00:00Z").await;
    let open = json!({"status": "open"});
    let refused = told(host.update("studio.course", &course, &open).await);
    assert!(refused.contains("only if studio.lessons.count(l, l.starts_at > now) >= 2"), "{refused}");
    // Half past eight in Moscow is before ten, although it is half past five in UTC.
    let early = lesson(&host, &course, "2030-01-02T05:30:00Z").await;
    host.update("studio.course", &course, &open).await.unwrap();
    let held = json!({"status": "held"});
    assert!(told(host.update("studio.course", &course, &held).await).starts_with("transition"));
    host.delete("studio.lesson", &early).await.unwrap();
    host.update("studio.course", &course, &held).await.unwrap();
}

#[tokio::test]
async fn a_filter_on_children_answers_otherwise_at_once_when_one_is_gone() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    host.install_manifest(STUDIO).await.unwrap();
    let course = course(&host, "Mill").await;
    let lesson = lesson(&host, &course, "2030-01-01T10:00:00Z").await;
    let filter = "studio.lessons.exists(l, l.starts_at > now) && contact.organization.name == 'Mill'";
    assert_eq!(host.list("studio.course", filter).await.unwrap().len(), 1);
    host.delete("studio.lesson", &lesson).await.unwrap();
    assert_eq!(host.list("studio.course", filter).await.unwrap().len(), 0);
}
