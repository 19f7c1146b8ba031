//! The one write path on a real store, without plugins: what it refuses, keeps and undoes.

use insta::assert_snapshot;
use pergola_model::{Actor, ChangeKind, Role};
use pergola_service::ApplyMode;
use pergola_testkit::TestHost;
use serde_json::json;

use crate::told;

#[tokio::test]
async fn a_contact_is_normalised_on_the_way_in() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let contact = json!({"name": "  Masha ", "phone": "8 (912) 345-67-89", "email": "Masha@Example.COM", "birthday": "1990-12-31"});
    let masha = host.create("contact", &contact).await.unwrap();
    assert_eq!(masha["name"], "Masha");
    assert_eq!(masha["phone"], "+79123456789");
    assert_eq!(masha["email"], "masha@example.com");
    assert_eq!(masha["version"], 1);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_record_is_told_at_once() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let told_phone = told(host.create("contact", &json!({"name": "A", "phone": "12", "email": "x"})).await);
    assert!(told_phone.contains(r#"["email", "phone"]"#), "{told_phone}");
    assert_snapshot!(told(host.create("contact", &json!({"phone": "+79123456789"})).await), @r#"invalid ["name"]: name: a value is needed"#);
    let unknown = told(host.create("contact", &json!({"name": "A", "phoen": "1"})).await);
    assert_snapshot!(unknown, @r#"invalid ["phoen"]: phoen: contact has no field of this name. Did you mean "phone"?"#);
    assert_eq!(host.list("contact", "").await.unwrap().len(), 0, "nothing was written");
}

#[tokio::test]
async fn a_reference_to_nobody_names_the_field() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let ghost = "01890000-0000-7000-8000-000000000000";
    let refused = told(host.create("task", &json!({"title": "Call", "contact": ghost})).await);
    assert_snapshot!(refused, @r#"invalid ["contact"]: contact: there is no contact 01890000-0000-7000-8000-000000000000"#);
}

#[tokio::test]
async fn an_update_of_an_old_version_is_refused() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    host.update("contact", &masha["id"], &json!({"name": "Maria"})).await.unwrap();
    let mut late = host.read_change(ChangeKind::Update, "contact", Some(&masha["id"]), &json!({"name": "M."})).unwrap();
    late.if_version = Some(1);
    let error = host.workspace.apply(&TestHost::owner(), vec![late]).await.unwrap_err();
    assert_eq!(error.code(), "stale");
    assert_eq!(host.list("contact", "").await.unwrap()[0]["name"], "Maria");
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    let same = host.update("contact", &masha["id"], &json!({"name": "Masha"})).await.unwrap();
    assert_eq!(same["version"], 1);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let good = host.read_change(ChangeKind::Create, "contact", None, &json!({"name": "Good"})).unwrap();
    let bad = host.read_change(ChangeKind::Create, "contact", None, &json!({"phone": "+79123456789"})).unwrap();
    host.workspace.apply(&TestHost::owner(), vec![good, bad]).await.unwrap_err();
    assert_eq!(host.list("contact", "").await.unwrap().len(), 0);
}

#[tokio::test]
async fn groups_fail_on_their_own_and_a_dry_run_writes_none() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let group = |name: Option<&str>| {
        let fields = name.map_or(json!({"notes": "no name"}), |name| json!({"name": name}));
        vec![host.read_change(ChangeKind::Create, "contact", None, &fields).unwrap()]
    };
    let groups = || vec![group(Some("A")), group(None), group(Some("B")), group(Some("C")), group(None)];
    let outcome =
        |results: Vec<Result<_, _>>| results.iter().map(|one: &Result<Vec<_>, _>| one.is_ok()).collect::<Vec<_>>();
    let expected = vec![true, false, true, true, false];
    let dry = host.workspace.apply_each(&TestHost::owner(), groups(), ApplyMode::DryRun).await.unwrap();
    assert_eq!(outcome(dry), expected);
    assert_eq!(host.list("contact", "").await.unwrap().len(), 0, "a dry run writes nothing");
    let real = host.workspace.apply_each(&TestHost::owner(), groups(), ApplyMode::Commit).await.unwrap();
    assert_eq!(outcome(real), expected);
    assert_eq!(host.list("contact", "").await.unwrap().len(), 3);
}

#[tokio::test]
async fn deleting_clears_takes_along_or_refuses_as_declared() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    let task = host.create("task", &json!({"title": "Call", "contact": masha["id"]})).await.unwrap();
    host.create("activity", &json!({"text": "Called", "contact": masha["id"]})).await.unwrap();
    host.delete("contact", &masha["id"]).await.unwrap();
    assert_eq!(host.list("task", "").await.unwrap()[0]["contact"], serde_json::Value::Null, "clear");
    assert_eq!(host.list("task", "").await.unwrap()[0]["id"], task["id"]);
    assert_eq!(host.list("activity", "").await.unwrap().len(), 0, "cascade");

    let pipeline = host.create("pipeline", &json!({"name": "Sales"})).await.unwrap();
    let stage = host.create("stage", &json!({"name": "New", "pipeline": pipeline["id"]})).await.unwrap();
    host.create("deal", &json!({"title": "Wedding", "stage": stage["id"]})).await.unwrap();
    let refused = told(host.delete("pipeline", &pipeline["id"]).await);
    assert!(refused.starts_with("in_use"), "{refused}");
    assert_eq!(host.list("stage", "").await.unwrap().len(), 1, "nothing was taken along");
}

#[tokio::test]
async fn two_stages_of_one_pipeline_have_two_names() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let pipeline = host.create("pipeline", &json!({"name": "Sales"})).await.unwrap();
    let stage = json!({"name": "New", "pipeline": pipeline["id"]});
    host.create("stage", &stage).await.unwrap();
    assert_snapshot!(told(host.create("stage", &stage).await), @r#"taken ["pipeline", "name"]: another stage has the same pipeline and name"#);
    let other = host.create("pipeline", &json!({"name": "Service"})).await.unwrap();
    host.create("stage", &json!({"name": "New", "pipeline": other["id"]})).await.unwrap();
}

#[tokio::test]
async fn a_choice_takes_only_the_declared_steps() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    let message = json!({"contact": masha["id"], "channel": "sms", "address": "+79123456789", "body": "Hi", "status": "cancelled"});
    let message = host.create("message", &message).await.unwrap();
    let refused = told(host.update("message", &message["id"], &json!({"status": "sent"})).await);
    assert_snapshot!(refused, @r#"transition ["status"]: status cannot go from cancelled to sent"#);
}

#[tokio::test]
async fn roles_bound_what_people_may_do() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    let as_role = |role| Actor::User { name: "Kim".to_owned(), role };
    let delete = || host.read_change(ChangeKind::Delete, "contact", Some(&masha["id"]), &json!({})).unwrap();
    let create = || host.read_change(ChangeKind::Create, "contact", None, &json!({"name": "B"})).unwrap();
    let code = |result: Result<_, pergola_service::Error>| {
        result.map(|_: Vec<_>| "done".to_owned()).unwrap_or_else(|error| error.code().to_owned())
    };
    assert_eq!(code(host.workspace.apply(&as_role(Role::Staff), vec![delete()]).await), "forbidden");
    assert_eq!(code(host.workspace.apply(&as_role(Role::Viewer), vec![create()]).await), "forbidden");
    assert_eq!(code(host.workspace.apply(&Actor::Public, vec![create()]).await), "forbidden");
    assert_eq!(code(host.workspace.apply(&as_role(Role::Staff), vec![create()]).await), "done");
}

#[tokio::test]
async fn more_than_a_thousand_changes_at_once_are_refused() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let change = host.read_change(ChangeKind::Create, "contact", None, &json!({"name": "A"})).unwrap();
    let error = host.workspace.apply(&TestHost::owner(), vec![change; 1_001]).await.unwrap_err();
    assert_eq!(error.code(), "too_many_changes");
}

#[tokio::test]
async fn a_message_leaves_once_and_is_retried_when_it_cannot() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha", "phone": "+79123456789"})).await.unwrap();
    let message = json!({"contact": masha["id"], "channel": "sms", "address": "+79123456789", "body": "Hi"});
    host.outbox.fail_with(Some("the gateway is away"));
    host.create("message", &message).await.unwrap();
    host.settle().await.unwrap();
    let waiting = &host.list("message", "").await.unwrap()[0];
    assert_eq!((waiting["status"].as_str(), waiting["attempts"].as_i64()), (Some("queued"), Some(1)));
    host.outbox.fail_with(None);
    host.settle().await.unwrap();
    assert_eq!(host.sent().len(), 0, "not before its time");
    host.advance(jiff::SignedDuration::from_secs(60)).await.unwrap();
    host.settle().await.unwrap();
    assert_eq!(host.sent().len(), 1);
    assert_eq!(host.list("message", "status == 'sent'").await.unwrap().len(), 1);
}
