//! The bin: what is deleted goes there whole, and comes back as it was or not at all.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use jiff::SignedDuration;
use pergola_model::{Actor, Id, Role};
use pergola_service::{
    Error,
    ports::bin::{BinQuery, Deletion},
    workspace::Restored,
};
use pergola_testkit::TestHost;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::{Salon, at, told};

/// Objects that refer to each other in every way that a manifest knows.
const FAMILY: &str = r#"
id = "family"
version = "1.0.0"
api = "0.1"
[object.node]
fields.name = { type = "text", unique = true }
fields.parent = { type = "ref", to = "family.node", on_delete = "cascade" }
fields.friend = { type = "ref", to = "family.node", on_delete = "clear" }
fields.level = { type = "integer", default = 7 }
"#;

async fn bin(host: &TestHost) -> Vec<Deletion> {
    let query = BinQuery { object: None, after: None, limit: 100 };
    host.workspace.list_bin(&TestHost::owner(), &query).await.unwrap()
}

async fn restore_last(host: &TestHost) -> Result<Restored, Error> {
    let last = bin(host).await[0].id;
    host.workspace.restore(&TestHost::owner(), last).await
}

/// A record without what a restore counts on.
fn content(record: &Json) -> Json {
    let mut record = record.clone();
    for key in ["version", "updated_at"] {
        record.as_object_mut().unwrap().remove(key);
    }
    record
}

#[tokio::test]
async fn a_deleted_contact_comes_back_with_all_that_went_with_it() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha =
        host.create("contact", &json!({"name": "Masha", "phone": "+79123456789", "tags": ["vip"]})).await.unwrap();
    let call = host.create("activity", &json!({"text": "Called", "contact": masha["id"]})).await.unwrap();
    let task = host.create("task", &json!({"title": "Call", "contact": masha["id"]})).await.unwrap();
    host.delete("contact", &masha["id"]).await.unwrap();
    assert_eq!(host.list("activity", "").await.unwrap().len(), 0);

    let deletion = &bin(&host).await[0];
    assert_eq!((deletion.title.as_str(), deletion.records, deletion.actor.as_str()), ("Masha", 2, "owner"));
    let restored = restore_last(&host).await.unwrap();
    assert_eq!((restored.records, restored.references), (2, 1));
    let back = &host.list("contact", "").await.unwrap()[0];
    assert_eq!(content(back), content(&masha));
    assert_eq!(back["version"], 2, "nobody who saw it before takes it for the same version");
    assert_eq!(content(&host.list("activity", "").await.unwrap()[0]), content(&call));
    assert_eq!(host.list("task", "").await.unwrap()[0]["contact"], masha["id"]);
    assert_eq!(host.list("task", "").await.unwrap()[0]["id"], task["id"]);
    assert!(bin(&host).await.is_empty());
}

#[tokio::test]
async fn a_reference_that_was_set_anew_meanwhile_stays() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    let anna = host.create("contact", &json!({"name": "Anna"})).await.unwrap();
    let task = host.create("task", &json!({"title": "Call", "contact": masha["id"]})).await.unwrap();
    host.delete("contact", &masha["id"]).await.unwrap();
    host.update("task", &task["id"], &json!({"contact": anna["id"]})).await.unwrap();
    assert_eq!(restore_last(&host).await.unwrap().references, 0);
    assert_eq!(host.list("task", "").await.unwrap()[0]["contact"], anna["id"]);
}

#[tokio::test]
async fn what_does_not_fit_any_more_is_named_and_nothing_comes_back() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let sales = host.create("pipeline", &json!({"name": "Sales"})).await.unwrap();
    host.create("stage", &json!({"name": "New", "pipeline": sales["id"]})).await.unwrap();
    host.delete("pipeline", &sales["id"]).await.unwrap();
    host.create("pipeline", &json!({"name": "Sales"})).await.unwrap();
    let refused = told(restore_last(&host).await).replace(sales["id"].as_str().unwrap(), "ID");
    assert_snapshot!(refused, @r#"cannot_restore ["name"]: nothing was restored: pipeline "Sales" (ID) does not fit any more: another pipeline has the same name"#);
    assert_eq!(host.list("stage", "").await.unwrap().len(), 0);
    assert_eq!(bin(&host).await.len(), 1, "it stays in the bin");
}

#[tokio::test]
async fn a_visit_does_not_come_back_into_a_time_that_was_sold() {
    let salon = Salon::open(super::backend()).await;
    let visit = |phone: &'static str| {
        let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(2, 10, 0)}]);
        salon.book("Masha", phone, visits)
    };
    let (_, first) = visit("+79120000001").await.unwrap();
    let id = &first["appointments"][0]["id"];
    salon.host.delete("booking.appointment", id).await.unwrap();
    let deletion = bin(&salon.host).await[0].id;
    salon.host.workspace.restore(&TestHost::owner(), deletion).await.unwrap();
    assert_eq!(salon.appointment(id).await["status"], "booked");
    assert!(salon.host.next_due().await.unwrap().is_some(), "its timers are set again");

    salon.host.delete("booking.appointment", id).await.unwrap();
    visit("+79120000002").await.unwrap();
    let refused = told(restore_last(&salon.host).await);
    assert!(refused.starts_with("cannot_restore") && refused.contains("overlaps"), "{refused}");
}

#[tokio::test]
async fn a_message_that_had_not_left_does_not_leave_after_a_restore() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha", "phone": "+79123456789"})).await.unwrap();
    let message = json!({"contact": masha["id"], "channel": "sms", "address": "+79123456789", "body": "Hi"});
    host.create("message", &message).await.unwrap();
    host.delete("contact", &masha["id"]).await.unwrap();
    restore_last(&host).await.unwrap();
    host.settle().await.unwrap();
    assert_eq!(host.list("message", "").await.unwrap()[0]["status"], "cancelled");
    assert_eq!(host.sent().len(), 0);
}

#[tokio::test]
async fn records_that_refer_to_each_other_go_and_come_back_together() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    host.install_manifest(FAMILY).await.unwrap();
    let a = host.create("family.node", &json!({"name": "a", "level": null})).await.unwrap();
    let b = host.create("family.node", &json!({"name": "b", "parent": a["id"], "friend": a["id"]})).await.unwrap();
    host.update("family.node", &a["id"], &json!({"parent": b["id"], "friend": a["id"]})).await.unwrap();
    let before = nodes(&host).await;
    host.delete("family.node", &a["id"]).await.unwrap();
    assert!(nodes(&host).await.is_empty());
    assert_eq!(restore_last(&host).await.unwrap().records, 2);
    assert_eq!(nodes(&host).await, before, "and a level that was empty takes no default");
}

#[tokio::test]
async fn a_deletion_that_would_take_more_than_a_thousand_is_refused() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    host.install_manifest(FAMILY).await.unwrap();
    let root = host.create("family.node", &json!({"name": "root"})).await.unwrap();
    for half in 0..2 {
        let middle = host.create("family.node", &json!({"parent": root["id"]})).await.unwrap();
        let child = json!({"parent": middle["id"]});
        let create = host.read_change(pergola_model::ChangeKind::Create, "family.node", None, &child).unwrap();
        host.workspace.apply(&TestHost::owner(), vec![create; 499 + half]).await.unwrap();
    }
    let refused = told(host.delete("family.node", &root["id"]).await);
    assert_snapshot!(refused, @"in_use []: deleting this family.node would take along or change more than 1000 records; delete some of them first");
    assert!(bin(&host).await.is_empty());
}

#[tokio::test]
async fn the_bin_is_emptied_when_its_days_are_over() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    for name in ["old", "new"] {
        let contact = host.create("contact", &json!({"name": name})).await.unwrap();
        host.delete("contact", &contact["id"]).await.unwrap();
        host.advance(SignedDuration::from_hours(24 * 20)).await.unwrap();
    }
    let titles = |bin: Vec<Deletion>| bin.into_iter().map(|one| one.title).collect::<Vec<_>>();
    assert_eq!(titles(bin(&host).await), ["new"], "after 40 and 20 days");
    host.workspace.put_bin_keep_days(0).await.unwrap();
    host.advance(SignedDuration::from_hours(1)).await.unwrap();
    assert!(bin(&host).await.is_empty());
    assert!(told(host.workspace.put_bin_keep_days(3_651).await).starts_with("invalid"));
}

#[tokio::test]
async fn only_those_who_may_delete_look_into_the_bin() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let masha = host.create("contact", &json!({"name": "Masha"})).await.unwrap();
    host.delete("contact", &masha["id"]).await.unwrap();
    let id = bin(&host).await[0].id;
    let staff = Actor::User { name: "Kim".to_owned(), role: Role::Staff };
    let query = BinQuery { object: None, after: None, limit: 10 };
    assert!(told(host.workspace.list_bin(&staff, &query).await).starts_with("forbidden"));
    assert!(told(host.workspace.restore(&staff, id).await).starts_with("forbidden"));
    assert!(told(host.workspace.drop_deletion(&staff, id).await).starts_with("forbidden"));
    host.workspace.drop_deletion(&TestHost::owner(), id).await.unwrap();
    assert!(told(restore_last_or(&host, id).await).starts_with("not_found"));
}

async fn restore_last_or(host: &TestHost, id: Id) -> Result<Restored, Error> {
    host.workspace.restore(&TestHost::owner(), id).await
}

/// All nodes by name, without their versions.
async fn nodes(host: &TestHost) -> BTreeMap<String, Json> {
    let nodes = host.list("family.node", "").await.unwrap();
    nodes.iter().map(|node| (node["name"].as_str().unwrap_or_default().to_owned(), content(node))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever refers to whatever: deleting some and restoring them, last one first, changes nothing.
    #[test]
    fn deleting_and_restoring_in_turn_is_as_if_nothing_had_been(
        parents in prop::collection::vec(prop::option::of(0_usize..7), 7),
        friends in prop::collection::vec(prop::option::of(0_usize..7), 7),
        victims in prop::collection::vec(0_usize..7, 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let host = TestHost::start_on(super::backend()).await.unwrap();
            host.install_manifest(FAMILY).await.unwrap();
            let mut ids = Vec::new();
            for name in 0..7 {
                ids.push(host.create("family.node", &json!({"name": name.to_string()})).await.unwrap()["id"].clone());
            }
            for (place, id) in ids.iter().enumerate() {
                let to = |other: Option<usize>| other.map_or(Json::Null, |other| ids[other].clone());
                host.update("family.node", id, &json!({"parent": to(parents[place]), "friend": to(friends[place])})).await.unwrap();
            }
            let before = nodes(&host).await;
            let mut deleted = 0;
            for victim in victims {
                // One that went along with an earlier one is gone already.
                deleted += usize::from(host.delete("family.node", &ids[victim]).await.is_ok());
            }
            assert_eq!(bin(&host).await.len(), deleted);
            for _ in 0..deleted {
                restore_last(&host).await.unwrap();
            }
            assert_eq!(nodes(&host).await, before);
        });
    }
}
