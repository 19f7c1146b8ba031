//! When there is something to do in a workspace that is left alone.

use pergola_testkit::TestHost;
use serde_json::json;

use crate::{Salon, at, hours};

#[tokio::test]
async fn a_workspace_tells_when_its_next_work_is_due() {
    let salon = Salon::open(super::backend()).await;
    let (host, workspace) = (&salon.host, &salon.host.workspace);
    host.settle().await.unwrap();
    assert_eq!(workspace.next_work().await.unwrap(), None, "nothing waits");
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
    salon.book("Masha", "+79123456789", visits).await.unwrap();
    host.settle().await.unwrap();
    assert_eq!(workspace.next_work().await.unwrap(), Some(at(2, 12, 0)), "the reminder");
    // An event that the packs want to be told of.
    host.outbox.fail_with(Some("the gateway is away"));
    host.advance(hours(48)).await.unwrap();
    let retry = workspace.next_work().await.unwrap().unwrap();
    assert!(retry > workspace.now() && retry < at(2, 13, 0), "the message that could not leave: {retry}");
    host.outbox.fail_with(None);
    host.advance(hours(1)).await.unwrap();
    assert!(workspace.next_work().await.unwrap().unwrap() > at(3, 0, 0), "it has left");
}

#[tokio::test]
async fn messages_events_and_the_bin_are_work() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let workspace = &host.workspace;
    host.settle().await.unwrap();
    assert_eq!(workspace.next_work().await.unwrap(), None);
    let vera = host.create("contact", &json!({"name": "Vera"})).await.unwrap();
    let message = json!({
        "contact": vera["id"], "channel": "email", "address": "vera@example.com", "subject": "Hello", "body": "…",
    });
    host.create("message", &message).await.unwrap();
    assert_eq!(workspace.next_work().await.unwrap(), Some(workspace.now()), "a message waits");
    host.settle().await.unwrap();
    assert_eq!(workspace.next_work().await.unwrap(), None);
    let task = host.create("task", &json!({"title": "Call"})).await.unwrap();
    let deleted_at = workspace.now();
    host.delete("task", &task["id"]).await.unwrap();
    let days = i64::from(workspace.bin_keep_days().await.unwrap());
    let end = deleted_at.checked_add(hours(days * 24)).unwrap();
    assert_eq!(workspace.next_work().await.unwrap(), Some(end), "a deletion ends its days in the bin");
}
