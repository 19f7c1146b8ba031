//! Timers that a plugin sets itself: with the unit of work or not at all, at least once, within its quota.

use jiff::Timestamp;
use pergola_service::Error;
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::{ask, hours, probe, probe_without, told};

async fn run(host: &TestHost, action: &str, input: Json) -> Result<Json, Error> {
    ask(host, &TestHost::owner(), action, &input).await
}

fn later(host: &TestHost, by: i64) -> Timestamp {
    host.workspace.now().checked_add(hours(by)).unwrap()
}

/// What was fired, as `name payload` lines.
async fn rings(host: &TestHost) -> Vec<String> {
    let rings = host.list("probe.ring", "").await.unwrap();
    let text = |ring: &Json, field: &str| ring[field].as_str().unwrap_or_default().to_owned();
    rings.iter().map(|ring| format!("{} {}", text(ring, "name"), text(ring, "payload"))).collect()
}

#[tokio::test]
async fn a_timer_is_fired_at_its_time_with_what_was_left_with_it() {
    let host = probe(super::backend()).await;
    let at = later(&host, 2);
    let set = run(&host, "set", json!({"name": "a", "at": at, "payload": "{}"})).await.unwrap();
    assert_eq!(set, json!({"at": at, "payload": "{}", "attempts": 0}));
    host.advance(hours(1)).await.unwrap();
    assert_eq!(rings(&host).await, [""; 0]);
    host.advance(hours(1)).await.unwrap();
    assert_eq!(rings(&host).await, ["a {}"]);
    let ring = &host.list("probe.ring", "").await.unwrap()[0];
    assert_eq!(ring["at"], json!(at));
    assert_eq!(ring["key"], json!(format!("own:ring:a:{}", at.as_microsecond())));
    host.advance(hours(100)).await.unwrap();
    assert_eq!(rings(&host).await.len(), 1, "once");
    assert_eq!(run(&host, "waiting", json!({})).await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_timer_can_be_moved_and_cancelled_and_is_due_at_once_if_its_time_is_past() {
    let host = probe(super::backend()).await;
    for (name, at, payload) in [("b", 5, "first"), ("a", 5, "x"), ("b", 1, "moved"), ("past", -9, "y")] {
        run(&host, "set", json!({"name": name, "at": later(&host, at), "payload": payload})).await.unwrap();
    }
    assert_eq!(run(&host, "waiting", json!({})).await.unwrap(), json!(["a", "b", "past"]));
    assert_eq!(run(&host, "waiting", json!({"after": "a", "limit": 1})).await.unwrap(), json!(["b"]));
    host.settle().await.unwrap();
    assert_eq!(rings(&host).await, ["past y"]);
    assert_eq!(run(&host, "cancel", json!({"name": "a"})).await.unwrap(), json!({"was_set": true}));
    assert_eq!(run(&host, "cancel", json!({"name": "a"})).await.unwrap(), json!({"was_set": false}));
    host.advance(hours(9)).await.unwrap();
    assert_eq!(rings(&host).await, ["past y", "b moved"]);
}

#[tokio::test]
async fn a_timer_that_fails_is_fired_again_and_one_that_sets_itself_stays() {
    let host = probe(super::backend()).await;
    run(&host, "set", json!({"name": "bad", "payload": "fail"})).await.unwrap();
    run(&host, "set", json!({"name": "series", "payload": "again"})).await.unwrap();
    host.advance(hours(2)).await.unwrap();
    assert_eq!(rings(&host).await, ["series again"; 3]);
    assert_eq!(run(&host, "waiting", json!({})).await.unwrap(), json!(["bad", "series"]));
    // Set anew, it has not failed yet, and succeeds.
    let set = run(&host, "set", json!({"name": "bad", "payload": "good"})).await.unwrap();
    assert_eq!(set["attempts"], json!(0));
    run(&host, "cancel", json!({"name": "series"})).await.unwrap();
    host.settle().await.unwrap();
    assert_eq!(rings(&host).await[3..], ["bad good"]);
    assert_eq!(host.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn a_timer_of_a_hook_stands_or_falls_with_its_unit_of_work() {
    let host = probe(super::backend()).await;
    let ann = host.create("contact", &json!({"name": "Ann"})).await.unwrap()["id"].clone();
    let visit = json!({"contact": ann});
    for _ in 0..3 {
        host.create("probe.visit", &visit).await.unwrap();
    }
    let refused = told(host.create("probe.visit", &visit).await);
    assert!(refused.contains("4 open visits"), "{refused}");
    let waiting = run(&host, "waiting", json!({"action": "stay"})).await.unwrap();
    assert_eq!(waiting.as_array().unwrap().len(), 3, "the refused one left nothing");
    host.advance(hours(1)).await.unwrap();
    assert_eq!(host.list("probe.visit", "status == 'closed'").await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_plugin_may_have_so_many_timers_and_is_told_what_to_do() {
    let host = probe(super::backend()).await;
    host.workspace.limit_own_timers(3);
    let set = |name: &str, at: i64| run(&host, "set", json!({"name": name, "at": later(&host, at)}));
    for name in ["a", "b", "c"] {
        set(name, 1).await.unwrap();
    }
    let refused = told(set("d", 1).await);
    assert!(refused.starts_with("too_many_timers") && refused.contains("cancel those"), "{refused}");
    set("a", 2).await.unwrap();
    run(&host, "cancel", json!({"name": "b"})).await.unwrap();
    set("d", 1).await.unwrap();
    assert!(told(set("e", 1).await).starts_with("too_many_timers"));
    host.advance(hours(1)).await.unwrap();
    set("e", 1).await.unwrap();
    assert_eq!(run(&host, "waiting", json!({})).await.unwrap(), json!(["a", "e"]));
}

#[tokio::test]
async fn what_is_no_timer_of_the_plugin_is_refused() {
    let host = probe(super::backend()).await;
    for (input, code) in [
        (json!({"name": "a", "action": "remind"}), "not_found"),
        (json!({"name": ""}), "invalid"),
        (json!({"name": "a".repeat(201)}), "invalid"),
        (json!({"name": "a\u{0}"}), "invalid"),
        (json!({"name": "a", "payload": "x".repeat((16 << 10) + 1)}), "invalid"),
    ] {
        let error = run(&host, "set", input.clone()).await.unwrap_err();
        assert_eq!(error.code(), code, "{input}");
    }
    run(&host, "set", json!({"name": "a".repeat(200), "payload": "x".repeat(16 << 10)})).await.unwrap();
}

#[tokio::test]
async fn timers_that_mention_a_purged_person_go_with_them() {
    let host = probe(super::backend()).await;
    let ann = host.create("contact", &json!({"name": "Ann"})).await.unwrap()["id"].clone();
    let ann = ann.as_str().unwrap();
    let at = later(&host, 1);
    let payload = json!({"contact": ann}).to_string();
    for (name, payload) in [(ann, ""), ("by payload", payload.as_str()), ("other", "z")] {
        run(&host, "set", json!({"name": name, "at": at, "payload": payload})).await.unwrap();
    }
    let contact = TestHost::object("contact").unwrap();
    let report = host.workspace.purge(&TestHost::owner(), &contact, ann.parse().unwrap()).await.unwrap();
    assert_eq!(report.traces["timers"], 2);
    assert_eq!(run(&host, "waiting", json!({})).await.unwrap(), json!(["other"]));
}

#[tokio::test]
async fn a_timer_that_a_new_version_does_not_know_is_dropped() {
    let host = probe(super::backend()).await;
    let set = async |name: &str, hours: i64| {
        let timer = json!({"name": name, "action": "stay", "at": later(&host, hours)});
        run(&host, "set", timer).await.unwrap();
    };
    set("soon", 1).await;
    set("late", 9).await;
    run(&host, "set", json!({"name": "known", "at": later(&host, 9)})).await.unwrap();
    assert!(host.workspace.examine(false).await.unwrap().is_empty());
    probe_without(&host, "[[timer]]\naction = \"stay\"\n").await;
    host.advance(hours(2)).await.unwrap();
    let found = host.workspace.examine(true).await.unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.check, one.count, one.mended)).collect();
    assert_eq!(told, [("timer", 1, true)], "the first was dropped when it fell due");
    assert_eq!(run(&host, "waiting", json!({})).await.unwrap(), json!(["known"]));
}
