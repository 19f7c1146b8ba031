//! `transitions` with `roles`: a step that only some may take.

use insta::assert_snapshot;
use pergola_model::{Actor, ChangeKind, Role};
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use super::{code, host_with};
use crate::told;

const TILL: &str = r#"
id = "till"
[object.receipt]
fields.status = { type = "choice", of = ["open", "paid", "void"], default = "open" }
fields.sum = { type = "integer" }
transitions.status = [
    { from = "open", to = "paid" },
    { from = "paid", to = "void", guard = "sum < 100" },
    { from = "paid", to = "void", roles = ["owner"] },
    { from = "void", to = "open", roles = ["owner", "viewer"] },
]
"#;

async fn step(host: &TestHost, actor: &Actor, id: &Json, status: &str) -> Result<(), pergola_service::Error> {
    let change = host.read_change(ChangeKind::Update, "till.receipt", Some(id), &json!({"status": status})).unwrap();
    host.workspace.apply(actor, vec![change]).await.map(|_| ())
}

#[tokio::test]
async fn a_step_of_an_owner_is_refused_to_staff_and_open_to_the_system() {
    let host = host_with(TILL).await;
    let staff = Actor::User { name: "Kim".to_owned(), role: Role::Staff };
    let receipt = |sum: i64| {
        let host = &host;
        async move { host.create("till.receipt", &json!({"sum": sum, "status": "paid"})).await.unwrap()["id"].clone() }
    };
    let large = receipt(500).await;
    assert_snapshot!(told(step(&host, &staff, &large, "void").await), @r#"forbidden []: status may go from paid to void only by: owner; ask one of them"#);
    assert_eq!(code(&step(&host, &TestHost::owner(), &large, "void").await), "done");
    assert_snapshot!(told(step(&host, &staff, &large, "open").await), @r#"forbidden []: status may go from void to open only by: owner, viewer; ask one of them"#);
    assert_eq!(code(&step(&host, &Actor::System, &large, "open").await), "done");
    assert_eq!(code(&step(&host, &Actor::System, &large, "void").await), "transition", "only declared steps");
    let small = receipt(50).await;
    assert_eq!(code(&step(&host, &staff, &small, "void").await), "done", "one of two ways is open to all");
}
