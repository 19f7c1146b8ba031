//! Each limit ends the call that reached it, says so by plugin, handler, limit and figure, and harms no other call.

use std::time::Duration;

use pergola_service::ports::plugins::Limits;

use crate::{
    samples::{self, CALL_GET, GET, forever, hook, hook_with},
    support::{Answering, bench, context, create},
};

async fn failing(component: &[u8], limits: Limits) -> String {
    bench(component).failing(create(1), limits).await
}

#[tokio::test]
async fn a_loop_uses_up_its_computing_time() {
    let error = failing(&hook("", &forever("")), Limits::hook()).await;
    assert_eq!(error, "plugin sample used more than its computing time of 50 ms in before-write");
}

#[tokio::test]
async fn a_loop_while_starting_uses_up_its_computing_time() {
    let component = hook_with("", &format!("(func $start {}) (start $start)", forever("")), "");
    let error = failing(&component, Limits::hook()).await;
    assert_eq!(error, "plugin sample used more than its computing time of 50 ms in before-write");
}

#[tokio::test]
async fn computing_time_belongs_to_the_root_request() {
    let bench = bench(&hook("", &forever("")));
    let context = context(Limits { cpu: Duration::from_millis(20), ..Limits::hook() });
    bench.call(create(1), &context, &mut Answering::nothing()).await.unwrap_err();
    assert!(!context.budget.take_cpu(Duration::from_micros(1)));
}

#[tokio::test]
async fn a_trap_is_told_by_its_cause() {
    let error = failing(&hook("", "unreachable"), Limits::hook()).await;
    assert_eq!(error, "plugin sample failed in before-write: unreachable");
    let error = failing(&hook("", "(drop (i32.load (i32.const -4)))"), Limits::hook()).await;
    assert_eq!(error, "plugin sample failed in before-write: out of bounds memory access");
}

#[tokio::test]
async fn allocating_without_end_reaches_the_memory_limit() {
    let grow = "(br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))";
    let component = hook("", &format!("(loop $again {grow}) unreachable"));
    let error = failing(&component, Limits::hook()).await;
    assert_eq!(error, "plugin sample used more than its memory of 64 MiB in before-write");
    let error = failing(&component, Limits { memory_bytes: 1 << 20, ..Limits::hook() }).await;
    assert_eq!(error, "plugin sample used more than its memory of 1 MiB in before-write");
}

#[tokio::test]
async fn a_guest_that_copes_with_a_refused_allocation_goes_on() {
    let bench = bench(&hook("", "(drop (memory.grow (i32.const 10000)))"));
    bench.hook().await.unwrap();
}

#[tokio::test]
async fn recursing_reaches_the_stack_limit() {
    let component = hook_with("", "(func $down (param i64) (call $down (local.get 0)))", "(call $down (i64.const 1))");
    let error = failing(&component, Limits::hook()).await;
    assert_eq!(error, "plugin sample used more than its stack of 64 KiB in before-write");
}

#[tokio::test]
async fn a_million_host_calls_end_at_a_hundred() {
    let bench = bench(&hook(GET, &forever(CALL_GET)));
    let mut host = Answering::nothing();
    let error = bench.call(create(1), &context(Limits::hook()), &mut host).await.unwrap_err();
    assert_eq!(error.to_string(), "plugin sample used more than its host calls of 100 in before-write");
    assert_eq!(host.finished, 100);
    bench.assert_good_plugin_works().await;
}

#[tokio::test]
async fn rows_are_counted_over_all_host_calls() {
    let error = failing(&hook(GET, &forever(CALL_GET)), Limits { rows: 10, ..Limits::hook() }).await;
    assert_eq!(error, "plugin sample used more than its rows of 10 in before-write");
}

#[tokio::test]
async fn cheap_host_functions_cost_computing_time() {
    let now = r#"(import "pergola:plugin/clock@0.1.0" "now" (func $now (result i64)))"#;
    let error = failing(&hook(now, &forever("(drop (call $now))")), Limits::hook()).await;
    assert_eq!(error, "plugin sample used more than its computing time of 50 ms in before-write");
}

#[tokio::test]
async fn log_lines_beyond_their_number_are_dropped_and_the_call_goes_on() {
    let log = r#"(import "pergola:plugin/log@0.1.0" "write" (func $write (param i32 i32 i32 i32)))"#;
    let code = r#"(local $left i32) (local.set $left (i32.const 1000))
        (loop $again
            (call $write (i32.const 512) (i32.const 4) (i32.const 512) (i32.const 4))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"#;
    let bench = bench(&hook_with(log, "(data (i32.const 512) \"info\")", code));
    let context = context(Limits { cpu: Duration::from_secs(5), ..Limits::hook() });
    bench.call(create(1), &context, &mut Answering::nothing()).await.unwrap();
    assert!(!context.budget.take_log_line());
}

#[tokio::test]
async fn a_huge_argument_of_a_host_function_is_refused_before_it_is_built() {
    let get = "(call $get (i32.const 0) (i32.const 9000000) (i64.const 0) (i64.const 1) (i32.const 2048))";
    let error = failing(&hook(GET, &format!("(drop (memory.grow (i32.const 200))) {get}")), Limits::hook()).await;
    assert_eq!(error, "plugin sample used more than its transfer size of 8 MiB in before-write");
}

#[tokio::test]
async fn a_call_nested_too_deep_is_not_made() {
    let bench = bench(&samples::counting());
    let mut deep = context(Limits::hook());
    deep.depth = 17;
    let error = bench.call(create(1), &deep, &mut Answering::nothing()).await.unwrap_err();
    assert_eq!(error.to_string(), "plugin sample used more than its depth of 16 in before-write");
    deep.depth = 16;
    bench.call(create(1), &deep, &mut Answering::nothing()).await.unwrap();
}
