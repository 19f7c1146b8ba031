//! Hostile plugins through the whole write path: the write fails with plugin, limit and figure, nothing of it
//! stays, and the next request works.

#[path = "../../../host/runtime/tests/runtime/samples.rs"]
#[expect(dead_code, reason = "the runtime's own tests use the rest")]
mod samples;

use pergola_testkit::TestHost;
use serde_json::json;

use crate::told;
use samples::{CALL_GET, GET, forever, hook, hook_with};

const MANIFEST: &str = r#"
id = "hostile"
version = "1.0.0"
api = "0.1"
[capabilities]
records = { "contact" = "read" }
[[hook]]
on = "contact"
when = ["create"]
"#;

/// What a create of a contact is told under a hook; afterwards other writes and reads must work.
async fn under(component: &[u8]) -> String {
    let host = TestHost::start().await.unwrap();
    host.install_component(MANIFEST, component).await.unwrap();
    let told = told(host.create("contact", &json!({"name": "Masha"})).await);
    assert_eq!(host.list("contact", "").await.unwrap().len(), 0, "nothing of the write stays");
    host.create("task", &json!({"title": "Call the plugin's author"})).await.unwrap();
    assert_eq!(host.list("task", "").await.unwrap().len(), 1, "the next request works");
    told
}

#[tokio::test]
async fn a_hook_that_loops() {
    let told = under(&hook("", &forever(""))).await;
    assert_eq!(told, "plugin_limit []: plugin hostile used more than its computing time of 50 ms in before-write");
}

#[tokio::test]
async fn a_hook_that_traps() {
    let told = under(&hook("", "unreachable")).await;
    assert_eq!(told, "plugin_failed []: plugin hostile failed in before-write: unreachable");
}

#[tokio::test]
async fn a_hook_that_allocates_without_end() {
    let grow = "(br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))";
    let told = under(&hook("", &format!("(loop $again {grow}) unreachable"))).await;
    assert_eq!(told, "plugin_limit []: plugin hostile used more than its memory of 64 MiB in before-write");
}

#[tokio::test]
async fn a_hook_that_recurses() {
    let down = "(func $down (param i64) (call $down (local.get 0)))";
    let told = under(&hook_with("", down, "(call $down (i64.const 1))")).await;
    assert_eq!(told, "plugin_limit []: plugin hostile used more than its stack of 64 KiB in before-write");
}

#[tokio::test]
async fn a_hook_that_calls_the_host_a_million_times() {
    let told = under(&hook(GET, &forever(CALL_GET))).await;
    assert_eq!(told, "plugin_limit []: plugin hostile used more than its host calls of 100 in before-write");
}

#[tokio::test]
async fn a_hook_that_may_fail_is_left_out_of_the_write() {
    let host = TestHost::start().await.unwrap();
    let manifest = format!("{MANIFEST}on_failure = \"skip\"\n");
    host.install_component(&manifest, &hook("", "unreachable")).await.unwrap();
    host.create("contact", &json!({"name": "Masha"})).await.unwrap();
}

#[tokio::test]
async fn a_component_that_asks_for_what_its_manifest_does_not_is_not_installed() {
    let host = TestHost::start().await.unwrap();
    let modest = MANIFEST.replace("records = { \"contact\" = \"read\" }", "");
    let error = host.install_component(&modest, &hook(GET, "")).await.unwrap_err();
    assert!(format!("{error:#}").contains("records"), "{error:#}");
    let error = host.install_component(MANIFEST, b"no component at all").await.unwrap_err();
    assert!(!format!("{error:#}").is_empty());
    assert!(host.workspace.catalog().plugins.is_empty());
}
