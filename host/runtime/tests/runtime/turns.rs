//! Guest and host take turns: waiting is free, what was begun is finished, calls do not see one another.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pergola_service::ports::plugins::{Call, CallContext, CallError, Failure, Host, Limits, Request, Response};

use crate::{
    samples::{CALL_GET, GET, asking_action, counting, forever, hook},
    support::{ALL, Answering, Bench, bench, calls_seen, context, create, manifest, plugin, runtime},
};

#[tokio::test]
async fn every_call_sees_a_fresh_instance() {
    let bench = bench(&counting());
    for _ in 0..300 {
        assert_eq!(calls_seen(&bench.hook().await.unwrap()), 1);
    }
}

#[tokio::test]
async fn waiting_for_the_host_is_not_computing() {
    let bench = bench(&hook(GET, CALL_GET));
    let mut slow = Answering { takes: Duration::from_millis(60), ..Answering::nothing() };
    let context = context(Limits { cpu: Duration::from_millis(30), ..Limits::hook() });
    bench.call(create(1), &context, &mut slow).await.unwrap();
    assert_eq!(slow.finished, 1);
}

#[tokio::test]
async fn what_the_host_has_begun_is_finished_when_the_guests_time_is_over() {
    let bench = bench(&hook(GET, &forever(CALL_GET)));
    let mut slow = Answering { takes: Duration::from_millis(40), ..Answering::nothing() };
    let context = context(Limits { wall: Duration::from_millis(10), ..Limits::hook() });
    let error = bench.call(create(1), &context, &mut slow).await.unwrap_err();
    assert_eq!(error.to_string(), "plugin sample used more than its time of 10 ms in before-write");
    assert_eq!(slow.finished, 1);
    bench.assert_good_plugin_works().await;
}

#[tokio::test]
async fn a_host_that_answers_another_question_is_not_the_guests_fault() {
    let bench = bench(&hook(GET, CALL_GET));
    let mut wrong = Answering { answer: Response::Count(1), ..Answering::nothing() };
    let error = bench.call(create(1), &context(Limits::hook()), &mut wrong).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_once_do_not_disturb_one_another() {
    let good = Arc::new(bench(&counting()));
    let digest = good.runtime.load(&plugin(), &manifest(""), &hook("", &forever("")), None).unwrap();
    let looping = Arc::new(Bench { runtime: Arc::clone(&good.runtime), digest });
    let calls: Vec<_> = (0..64)
        .map(|number| {
            let bench = Arc::clone(if number % 16 == 0 { &looping } else { &good });
            tokio::spawn(async move { (number % 16 == 0, bench.hook().await) })
        })
        .collect();
    for call in calls {
        match call.await.unwrap() {
            (false, Ok(reply)) => assert_eq!(calls_seen(&reply), 1),
            (true, Err(CallError::Limit { limit: "computing time", .. }))
            | (false, Err(CallError::Unavailable { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A host whose answers call the plugin again, like hooks of a write from a hook.
struct Nesting<'a> {
    bench: &'a Bench,
    context: CallContext,
    depth_reached: u32,
}

#[async_trait]
impl Host for Nesting<'_> {
    async fn ask(&mut self, _: Request) -> Result<Response, Failure> {
        let depth = self.context.depth + 1;
        let mut inner =
            Nesting { context: CallContext { depth, ..self.context.clone() }, depth_reached: depth, ..*self };
        let context = inner.context.clone();
        let outcome = self.bench.call(create(1), &context, &mut inner).await;
        self.depth_reached = inner.depth_reached;
        match outcome {
            Ok(_) | Err(CallError::Limit { limit: "depth", .. }) => Ok(Response::Record(None)),
            Err(other) => Err(Failure::new("nested", other.to_string())),
        }
    }
}

#[tokio::test]
async fn nested_calls_need_no_places_of_their_own() {
    // Seventeen calls deep, in a pool for five at once.
    let config = pergola_runtime::RuntimeConfig { calls_max: 5, ..pergola_runtime::RuntimeConfig::default() };
    let runtime = pergola_runtime::Runtime::new(config, Arc::new(crate::support::Counted)).unwrap();
    let digest = runtime.load(&plugin(), &manifest(ALL), &hook(GET, CALL_GET), None).unwrap();
    let bench = Bench { runtime, digest };
    let context = context(Limits::hook());
    let mut host = Nesting { bench: &bench, context: context.clone(), depth_reached: 0 };
    bench.call(create(1), &context, &mut host).await.unwrap();
    assert_eq!(host.depth_reached, 17);
}

fn act() -> Call {
    Call::Action { id: "wait".to_owned(), input: "{}".to_owned() }
}

fn narrow(component: &[u8]) -> Bench {
    let config = pergola_runtime::RuntimeConfig {
        calls_max: 1,
        queue_wait: Duration::from_millis(5),
        ..pergola_runtime::RuntimeConfig::default()
    };
    let runtime = pergola_runtime::Runtime::new(config, Arc::new(crate::support::Counted)).unwrap();
    let digest = runtime.load(&plugin(), &manifest(ALL), component, None).unwrap();
    Bench { runtime, digest }
}

#[tokio::test]
async fn a_call_that_finds_no_place_is_told_so() {
    let bench = narrow(&asking_action());
    let (slow, other) = (context(Limits::background()), context(Limits::background()));
    let mut takes_long = Answering { takes: Duration::from_millis(100), ..Answering::nothing() };
    let mut nothing = Answering::nothing();
    let (first, second) =
        tokio::join!(bench.call(act(), &slow, &mut takes_long), bench.call(act(), &other, &mut nothing));
    first.unwrap();
    let told = "plugin sample cannot be called: no call ended in time to make place for it";
    assert_eq!(second.unwrap_err().to_string(), told);
}

#[tokio::test]
async fn a_hook_never_waits_for_a_place() {
    // It holds the turn to write, for which the calls in all places may be waiting.
    let bench = narrow(&asking_action());
    let digest = bench.runtime.load(&plugin(), &manifest(ALL), &hook("", ""), None).unwrap();
    let hooked = Bench { runtime: Arc::clone(&bench.runtime), digest };
    let (slow, other) = (context(Limits::background()), context(Limits::hook()));
    let mut takes_long = Answering { takes: Duration::from_millis(100), ..Answering::nothing() };
    let mut nothing = Answering::nothing();
    let (first, second) =
        tokio::join!(bench.call(act(), &slow, &mut takes_long), hooked.call(create(1), &other, &mut nothing));
    first.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn a_plugin_that_is_not_loaded_cannot_be_called() {
    let bench = bench(&counting());
    bench.runtime.unload(&plugin(), &bench.digest);
    let error = bench.hook().await.unwrap_err();
    assert!(error.to_string().contains("is loaded for it"), "{error}");
    let never = Bench { runtime: runtime(), digest: "0".repeat(64) };
    assert!(never.hook().await.is_err());
}
