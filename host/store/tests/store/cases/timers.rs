//! Timers: set, moved, claimed, fired, put off; those that follow records and those that plugins set themselves.

use jiff::Timestamp;
use pergola_model::{Fields, PluginId};
use pergola_service::ports::{
    purge::{Forgotten, Place, TraceKey},
    store::{OwnTimer, StoredTimer, TimerKey, TimerOf, Transaction},
};

use crate::world::{World, after, now};

fn lab() -> PluginId {
    "lab".parse().unwrap()
}

fn timer(world: &World, action: &str) -> TimerKey {
    TimerKey {
        plugin: lab(),
        action: action.parse().unwrap(),
        of: TimerOf::Record(world.sample().name.clone(), world.record(Fields::new()).id),
    }
}

/// What could be claimed at that time.
async fn due(tx: &mut Box<dyn Transaction>, at: Timestamp) -> Vec<StoredTimer> {
    tx.savepoint().await.unwrap();
    let timers = tx.claim_timers(at, after(1_000), 10).await.unwrap();
    tx.rollback_savepoint().await.unwrap();
    timers
}

pub(crate) async fn timers_are_set_moved_fired_and_put_off(world: &World) {
    let keys = [timer(world, "a"), timer(world, "b"), timer(world, "c")];
    let mut tx = world.store.write().await.unwrap();
    assert_eq!(tx.next_timer().await.unwrap(), None);
    tx.set_timers(&keys, &[after(30), after(10), after(20)]).await.unwrap();
    assert_eq!(tx.next_timer().await.unwrap(), Some(after(10)));
    let first = due(&mut tx, after(20)).await;
    assert_eq!(first.iter().map(|timer| &timer.key).collect::<Vec<_>>(), [&keys[1], &keys[2]]);

    // Put off: not due before its retry, its due time stays.
    tx.delay_timer(&first[0], after(60), "no answer").await.unwrap();
    assert!(due(&mut tx, after(15)).await.is_empty());
    let retried = due(&mut tx, after(60)).await.into_iter().find(|timer| timer.key == keys[1]).unwrap();
    assert_eq!((retried.due_at, retried.attempts), (after(10), 1));

    // Set again to the same time: the attempts stay. Moved: they start anew.
    tx.set_timers(&keys[1..2], &[after(10)]).await.unwrap();
    assert!(due(&mut tx, after(15)).await.is_empty());
    tx.set_timers(&keys[1..2], &[after(12)]).await.unwrap();
    let moved = due(&mut tx, after(15)).await;
    assert_eq!((moved[0].due_at, moved[0].attempts), (after(12), 0));

    // What was seen before the move neither ends nor delays it.
    tx.finish_timers(&first[..1]).await.unwrap();
    tx.delay_timer(&first[0], after(90), "late").await.unwrap();
    assert_eq!(due(&mut tx, after(15)).await.len(), 1);
    tx.finish_timers(&moved[..1]).await.unwrap();
    assert!(due(&mut tx, after(15)).await.is_empty());

    tx.clear_timers(&[keys[0].clone(), keys[2].clone(), timer(world, "never_set")]).await.unwrap();
    assert_eq!(tx.next_timer().await.unwrap(), None);
    assert!(tx.set_timers(&keys, &[after(1)]).await.is_err());
}

pub(crate) async fn a_claimed_timer_is_nobody_elses_until_then(world: &World) {
    let keys = [timer(world, "a"), timer(world, "b"), timer(world, "c")];
    let mut tx = world.store.write().await.unwrap();
    tx.set_timers(&keys, &[after(1), after(2), after(99)]).await.unwrap();
    tx.commit().await.unwrap();
    let claim = async |at: i64, until: i64, limit: u32| {
        let mut tx = world.store.write().await.unwrap();
        let timers = tx.claim_timers(after(at), after(until), limit).await.unwrap();
        tx.commit().await.unwrap();
        timers.into_iter().map(|timer| timer.key).collect::<Vec<_>>()
    };
    assert_eq!(claim(10, 20, 1).await, keys[..1]);
    assert_eq!(claim(10, 30, 10).await, keys[1..2]);
    assert_eq!(claim(10, 30, 10).await, []);
    // The first one's process has died.
    assert_eq!(claim(20, 30, 10).await, keys[..1]);
    let mut tx = world.store.write().await.unwrap();
    assert_eq!(tx.next_timer().await.unwrap(), Some(after(30)));
    let stored: Vec<StoredTimer> = tx.claim_timers(after(30), after(40), 10).await.unwrap();
    tx.finish_timers(&stored).await.unwrap();
    assert_eq!(tx.next_timer().await.unwrap(), Some(after(99)));
}

fn own(name: &str, at: i64, payload: &str) -> OwnTimer {
    let (action, payload) = ("ring".parse().unwrap(), payload.to_owned());
    OwnTimer { plugin: lab(), action, name: name.to_owned(), at: after(at), payload }
}

pub(crate) async fn own_timers_are_set_anew_listed_counted_and_cleared(world: &World) {
    let mut tx = world.store.write().await.unwrap();
    tx.set_timers(&[timer(world, "ring")], &[after(5)]).await.unwrap();
    for (name, at, payload) in [("b", 7, "x"), ("a", 6, "y"), ("c", 8, "z"), ("b", 9, "moved")] {
        tx.set_own_timer(&own(name, at, payload)).await.unwrap();
    }
    let ring = "ring".parse().unwrap();
    let listed = async |tx: &mut Box<dyn Transaction>, after: &str, limit: u32| {
        let found = tx.list_own_timers(&lab(), &ring, after, limit).await.unwrap();
        found.into_iter().map(|one| (one.key.of, one.payload)).collect::<Vec<_>>()
    };
    let row = |name: &str, payload: &str| (TimerOf::Own(name.to_owned()), payload.to_owned());
    assert_eq!(listed(&mut tx, "", 2).await, [row("a", "y"), row("b", "moved")]);
    assert_eq!(listed(&mut tx, "b", 2).await, [row("c", "z")]);
    let counts = [tx.count_own_timers(&lab(), 9).await.unwrap(), tx.count_own_timers(&lab(), 2).await.unwrap()];
    assert_eq!(counts, [3, 2], "the one that follows a record is not counted");
    assert_eq!(tx.list_timers(None, 10).await.unwrap().len(), 4);
    let found = tx.find_timer(&own("b", 0, "").key()).await.unwrap().unwrap();
    assert_eq!((found.due_at, found.payload.as_str(), found.attempts), (after(9), "moved", 0));
    assert_eq!(tx.find_timer(&own("z", 0, "").key()).await.unwrap(), None);
    let keys = [own("a", 0, "").key(), own("z", 0, "").key()];
    assert_eq!(tx.clear_timers(&keys).await.unwrap(), 1);
    assert_eq!(tx.next_timer().await.unwrap(), Some(after(5)));
}

pub(crate) async fn an_own_timer_that_is_set_anew_while_it_is_fired_stays(world: &World) {
    let mut tx = world.store.write().await.unwrap();
    tx.set_own_timer(&own("a", 1, "first")).await.unwrap();
    let fired = tx.claim_timers(after(2), after(60), 10).await.unwrap();
    // To the same time: what tells them apart is that it was set again.
    tx.set_own_timer(&own("a", 1, "second")).await.unwrap();
    tx.finish_timers(&fired).await.unwrap();
    tx.delay_timer(&fired[0], after(90), "late").await.unwrap();
    let again = tx.claim_timers(after(2), after(60), 10).await.unwrap();
    let seen: Vec<_> = again.iter().map(|one| (one.payload.as_str(), one.attempts)).collect();
    assert_eq!(seen, [("second", 0)]);
    tx.finish_timers(&again).await.unwrap();
    assert_eq!(tx.next_timer().await.unwrap(), None);
}

pub(crate) async fn own_timers_are_traces_of_whom_they_mention(world: &World) {
    let mut tx = world.store.write().await.unwrap();
    for (name, payload) in [("a", "x"), ("b", "y"), ("c", "z")] {
        tx.set_own_timer(&own(name, 1, payload)).await.unwrap();
    }
    tx.set_timers(&[timer(world, "ring")], &[now()]).await.unwrap();
    let mut texts = Vec::new();
    let mut place: Option<TraceKey> = None;
    loop {
        let page = tx.list_traces(Place::Timers, place.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        place = Some(last.key.clone());
        texts.extend(page.into_iter().map(|trace| trace.text));
    }
    assert_eq!(texts, ["a x", "b y", "c z"]);
    let forgotten = Forgotten { timers: vec![own("b", 0, "").key()], ..Forgotten::default() };
    assert_eq!(tx.forget(Place::Timers, &forgotten).await.unwrap(), 1);
    assert_eq!(tx.list_timers(None, 9).await.unwrap().len(), 3);
}
