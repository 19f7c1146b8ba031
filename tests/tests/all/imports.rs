//! Imports as batches on the real store: taken back, gone on with, and two at once.

use pergola_exchange::{Content, ImportOptions, ImportSummary, OnMatch, Source, import};
use pergola_model::{Actor, Id, ObjectName, Role};
use pergola_service::{ApplyMode, workspace::UndoStep};
use pergola_testkit::{Backend, TestHost};
use serde_json::{Value as Json, json};

use crate::{Salon, told};

fn options(object: &str) -> ImportOptions {
    ImportOptions::new(ObjectName::new(object).unwrap())
}

async fn import_text(host: &TestHost, text: &str, options: &ImportOptions) -> ImportSummary {
    let source = Source { name: "clients.csv".to_owned(), content: Content::Bytes(text.as_bytes().to_vec()) };
    import(&host.workspace, &TestHost::owner(), source, options, &mut |_| {}).await.unwrap()
}

/// Removed, restored, and the reasons for what was kept by row.
async fn undo(host: &TestHost, batch: Id, mode: ApplyMode) -> (u64, u64, Vec<String>) {
    let mut undone = host.workspace.undo_import(&TestHost::owner(), batch, mode).await.unwrap();
    let mut all = UndoStep::default();
    while let Some(step) = undone.step().await.unwrap() {
        all.removed += step.removed;
        all.restored += step.restored;
        all.kept.extend(step.kept);
    }
    let kept = all.kept.iter().map(|one| format!("row {}: {}", one.line, one.reason)).collect();
    (all.removed, all.restored, kept)
}

async fn contacts(host: &TestHost) -> Vec<Json> {
    let mut contacts = host.list("contact", "").await.unwrap();
    for contact in &mut contacts {
        ["version", "updated_at"].iter().for_each(|key| drop(contact.as_object_mut().unwrap().remove(*key)));
    }
    contacts
}

async fn states(host: &TestHost) -> Vec<&'static str> {
    let imports = host.workspace.list_imports(&TestHost::owner(), 10).await.unwrap();
    imports.iter().map(|import| import.state.as_str()).collect()
}

/// Enough rows for several batches and steps.
fn many() -> String {
    let mut file = "Name;Phone;E-mail\n".to_owned();
    (0..450).for_each(|number| file += &format!("Client {number};8912000{number:04};\n"));
    // Later rows about records of this file and of the workspace.
    file + "Client 7;89120000007;seven@x.ru\nAnna Kim;89123456789;anna@x.ru\n"
}

#[tokio::test]
async fn an_import_is_taken_back_as_if_it_had_never_been() {
    let host = TestHost::start().await.unwrap();
    host.create("contact", &json!({"name": "Anna", "phone": "+79123456789", "notes": "tea"})).await.unwrap();
    let before = contacts(&host).await;
    let overwrite = ImportOptions { on_match: OnMatch::Overwrite, ..options("contact") };
    let done = import_text(&host, &many(), &overwrite).await;
    assert_eq!((done.created, done.updated, done.merged), (450, 1, 1));
    let batch = done.batch.unwrap();
    assert_eq!(states(&host).await, ["done"]);
    let after = contacts(&host).await;
    assert_eq!(undo(&host, batch, ApplyMode::DryRun).await, (450, 1, vec![]));
    assert_eq!((contacts(&host).await, states(&host).await), (after, vec!["done"]));
    assert_eq!(undo(&host, batch, ApplyMode::Commit).await, (450, 1, vec![]));
    assert_eq!((contacts(&host).await, states(&host).await), (before, vec!["undone"]));
    // Once more does nothing.
    assert_eq!(undo(&host, batch, ApplyMode::Commit).await, (0, 0, vec![]));
}

#[tokio::test]
async fn what_was_changed_or_referred_to_since_is_kept_and_told() {
    let host = TestHost::start().await.unwrap();
    host.create("contact", &json!({"name": "Anna", "phone": "+79123456789"})).await.unwrap();
    let file = "Name;Phone;E-mail;Notes\nAnna;89123456789;anna@x.ru;tea\nBoris;89123456780;;\nClara;89123456781;;\nDmitry;;;\n";
    let batch = import_text(&host, file, &options("contact")).await.batch.unwrap();
    let find = async |name: &str| {
        let found = host.list("contact", &format!("name == '{name}'")).await.unwrap();
        found[0]["id"].clone()
    };
    host.update("contact", &find("Anna").await, &json!({"notes": "coffee"})).await.unwrap();
    host.update("contact", &find("Boris").await, &json!({"notes": "called"})).await.unwrap();
    let clara = find("Clara").await;
    let task = host.create("task", &json!({"title": "Call", "contact": clara})).await.unwrap();

    let task_id = task["id"].as_str().unwrap();
    let kept = vec![
        "row 3: it was changed since the import".to_owned(),
        format!("row 4: it is referred to by task {task_id}"),
        "row 2: notes was changed since the import".to_owned(),
    ];
    assert_eq!(undo(&host, batch, ApplyMode::DryRun).await, (1, 1, kept.clone()));
    assert_eq!(undo(&host, batch, ApplyMode::Commit).await, (1, 1, kept));
    let left = contacts(&host).await;
    let left: Vec<_> = left.iter().map(|one| (one["name"].as_str().unwrap(), &one["email"], &one["notes"])).collect();
    let null = &Json::Null;
    assert_eq!(left, [("Anna", null, &json!("coffee")), ("Boris", null, &json!("called")), ("Clara", null, null)]);

    // What stood in the way is gone: what was kept is looked at again.
    host.delete("task", &task["id"]).await.unwrap();
    assert_eq!(undo(&host, batch, ApplyMode::DryRun).await.0, 1);
    assert_eq!(undo(&host, batch, ApplyMode::Commit).await.0, 1);
    assert_eq!(host.list("contact", "name == 'Clara'").await.unwrap().len(), 0);
}

#[tokio::test]
async fn records_that_refer_to_each_other_go_together_with_what_hooks_made() {
    let salon = Salon::open(Backend::Sqlite).await;
    let host = &salon.host;
    let people = "Name;Phone\nVera;89123456789\nOlga;89123456780\n";
    let people = import_text(host, people, &options("contact")).await.batch.unwrap();
    let visits = "contact;service;master;starts_at;ends_at\n\
        Vera;Haircut;Anna;2026-11-30T10:00:00+03:00;2026-11-30T11:00:00+03:00\n\
        Olga;Haircut;Boris;2026-11-30T10:00:00+03:00;2026-11-30T11:00:00+03:00\n";
    let visits = import_text(host, visits, &options("booking.appointment")).await;
    assert_eq!((visits.created, visits.problems), (2, vec![]));
    // The visits stand in the way of their people.
    let (removed, _, kept) = undo(host, people, ApplyMode::DryRun).await;
    assert_eq!((removed, kept.len()), (0, 2), "{kept:?}");
    assert_eq!(undo(host, visits.batch.unwrap(), ApplyMode::Commit).await.2, Vec::<String>::new());
    assert_eq!(host.list("booking.appointment", "").await.unwrap().len(), 0);
    let activities = host.list("activity", "").await.unwrap();
    let (removed, _, kept) = undo(host, people, ApplyMode::Commit).await;
    assert_eq!((removed, kept), (2, vec![]), "{activities:?}");
}

#[tokio::test]
async fn only_owners_take_imports_back() {
    let host = TestHost::start().await.unwrap();
    let batch = import_text(&host, "Name\nAnna\n", &options("contact")).await.batch.unwrap();
    let staff = Actor::User { name: "s".to_owned(), role: Role::Staff };
    let refused = host.workspace.undo_import(&staff, batch, ApplyMode::Commit).await.map(|_| ());
    assert_eq!(told(refused), "forbidden []: only an owner may look at imports and take them back");
    assert_eq!(host.list("contact", "").await.unwrap().len(), 1);
    let nobody = Id(uuid::Uuid::nil());
    let missing = host.workspace.undo_import(&TestHost::owner(), nobody, ApplyMode::Commit).await.map(|_| ());
    assert!(told(missing).starts_with("not_found"));
}

#[tokio::test]
async fn two_processes_do_not_go_on_with_one_import() {
    let host = TestHost::start().await.unwrap();
    let batch = import_text(&host, "Name\nAnna\n", &options("contact")).await.batch.unwrap();
    let imports = host.workspace.list_imports(&TestHost::owner(), 1).await.unwrap();
    let mut one = imports[0].clone();
    let mut other = one.clone();
    assert_eq!(one.id, batch);
    host.workspace.put_import(&mut one).await.unwrap();
    let refused = host.workspace.put_import(&mut other).await;
    assert!(told(refused).starts_with("stale []: another process goes on with this import"));
}
