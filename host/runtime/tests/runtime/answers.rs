//! A guest's answer is believed only as far as the contract goes.

use pergola_service::ports::plugins::{Call, CallError, Limits, Reply, RouteRequest};

use crate::{
    samples::{action, hook, hook_with, route},
    support::{Answering, bench, context, create},
};

async fn told(component: &[u8], call: Call) -> String {
    bench(component).failing(call, Limits::hook()).await
}

fn run() -> Call {
    Call::Action { id: "sum".to_owned(), input: "{}".to_owned() }
}

fn request() -> Call {
    let text = |text: &str| text.to_owned();
    Call::Route(RouteRequest { method: text("GET"), path: text("/slots"), query: vec![], body: vec![] })
}

/// One verdict that sets the field `f`; `value` writes the value at 392, its payload at 400.
fn setting(value: &str) -> Vec<u8> {
    let items = "(data (i32.const 512) \"f\") (data (i32.const 520) \"rub\")";
    let verdict = r#"(i32.store (i32.const 68) (i32.const 256)) (i32.store (i32.const 72) (local.get $rows))
        (i32.store (i32.const 256) (i32.const 384)) (i32.store (i32.const 260) (i32.const 1))
        (i32.store (i32.const 384) (i32.const 512)) (i32.store (i32.const 388) (i32.const 1))"#;
    hook_with("", items, &format!("{verdict} {value}"))
}

#[tokio::test]
async fn no_verdicts_accept_all_rows() {
    let Reply::Verdicts(verdicts) = bench(&hook("", "")).hook().await.unwrap() else { panic!() };
    assert!(verdicts.is_empty());
}

#[tokio::test]
async fn verdicts_to_rows_that_were_not_asked_about_are_refused() {
    let two = "(i32.store (i32.const 68) (i32.const 1024)) (i32.store (i32.const 72) (i32.const 2))";
    let error = told(&hook("", two), create(3)).await;
    assert_eq!(error, "plugin sample failed in before-write: answered 2 verdicts to 3 rows");
}

#[tokio::test]
async fn a_list_that_is_not_there_is_refused() {
    let far = "(i32.store (i32.const 68) (i32.const 1024)) (i32.store (i32.const 72) (i32.const 100000))";
    assert!(told(&hook("", far), create(1)).await.starts_with("plugin sample failed in before-write: "));
}

#[tokio::test]
async fn a_pointer_to_nowhere_is_refused() {
    assert!(told(&hook("", "(return (i32.const -8))"), create(1)).await.starts_with("plugin sample failed"));
}

#[tokio::test]
async fn values_outside_the_contract_are_told_by_their_field() {
    let money = r#"(i32.store8 (i32.const 392) (i32.const 4)) (i64.store (i32.const 400) (i64.const 1))
        (i32.store (i32.const 408) (i32.const 520)) (i32.store (i32.const 412) (i32.const 3))"#;
    let error = told(&setting(money), create(1)).await;
    assert!(error.ends_with("field \"f\": \"rub\" is no currency: three capital letters"), "{error}");
    let reference = told(&setting("(i32.store8 (i32.const 392) (i32.const 9))"), create(1)).await;
    assert!(reference.ends_with("field \"f\": the id 0 names no record"), "{reference}");
    let ext = told(&setting("(i32.store8 (i32.const 392) (i32.const 12))"), create(1)).await;
    assert!(ext.ends_with("field \"f\": this host knows no value of kind \"\""), "{ext}");
    let none = told(&setting("(i32.store8 (i32.const 392) (i32.const 99))"), create(1)).await;
    assert!(none.starts_with("plugin sample failed in before-write: "), "{none}");
}

#[tokio::test]
async fn a_plugins_refusal_is_not_an_error_of_its_own() {
    let refusing = r#"(i32.store8 (i32.const 64) (i32.const 1))
        (i32.store (i32.const 68) (i32.const 512)) (i32.store (i32.const 72) (i32.const 10))
        (i32.store (i32.const 76) (i32.const 530)) (i32.store (i32.const 80) (i32.const 4))"#;
    let items = "(data (i32.const 512) \"slot_taken\") (data (i32.const 530) \"Late\")";
    let error = bench(&hook_with("", items, refusing)).hook().await.unwrap_err();
    let CallError::Refused { failure, .. } = error else { panic!("{error}") };
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("slot_taken", "Late"));
}

#[tokio::test]
async fn an_action_answers_json_of_bounded_size() {
    let text = |length: u32| {
        format!("(i32.store (i32.const 68) (i32.const 1024)) (i32.store (i32.const 72) (i32.const {length}))")
    };
    let error = told(&action(&text(1)), run()).await;
    assert!(error.starts_with("plugin sample failed in action: answered no JSON text"), "{error}");
    let grown = format!("(drop (memory.grow (i32.const 64))) {}", text((1 << 20) + 1));
    let error = told(&action(&grown), run()).await;
    assert_eq!(error, "plugin sample used more than its answer size of 1 MiB in action");
}

#[tokio::test]
async fn a_route_answers_a_status_and_a_content_type_of_http() {
    let status = |status: u32| format!("(i32.store16 (i32.const 68) (i32.const {status}))");
    bench(&route(&status(204))).call(request(), &context(Limits::hook()), &mut Answering::nothing()).await.unwrap();
    let error = told(&route(&status(101)), request()).await;
    assert_eq!(error, "plugin sample failed in route: answered the status 101, which is not in 200 to 599");
    let line_break = r#"(i32.store8 (i32.const 1024) (i32.const 10))
        (i32.store (i32.const 72) (i32.const 1024)) (i32.store (i32.const 76) (i32.const 1))"#;
    let error = told(&route(&format!("{} {line_break}", status(200))), request()).await;
    assert!(error.ends_with("which is no content type"), "{error}");
}
