//! A database server that ends under load and comes back: nothing is lost, and all is as fast as before.

use std::{
    thread,
    time::{Duration, Instant},
};

use pergola_cluster::{Cluster, ClusterError};

use super::{
    driver::{Progress, under_load},
    invariants::{Breaches, Rule},
    notes::Notes,
    world::World,
};

/// Until connections are open and statements prepared.
const WARM_UP: Duration = Duration::from_millis(700);
/// In which the usual rate is measured.
const BEFORE: Duration = Duration::from_millis(1_500);
/// The rate is as before in a second that begins within this.
const BACK_WITHIN: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(250);
/// Of the usual rate.
const ENOUGH: f64 = 0.7;

/// How many requests were answered within a while.
fn answered_in(progress: &Progress, length: Duration) -> f64 {
    let before = progress.answered();
    thread::sleep(length);
    u32::try_from(progress.answered() - before).map(f64::from).unwrap()
}

/// Waits for a second about as good as the usual one that begins in time; false if there is none.
fn is_back_in_time(progress: &Progress, usual: f64) -> bool {
    let back = Instant::now();
    // Answers until now, and until then, in steps.
    let mut counts = vec![progress.answered()];
    let steps = usize::try_from(SECOND.as_millis() / STEP.as_millis()).unwrap();
    while back.elapsed() < BACK_WITHIN + SECOND {
        thread::sleep(STEP);
        counts.push(progress.answered());
        let second = counts.len().checked_sub(steps + 1).map(|first| counts[counts.len() - 1] - counts[first]);
        if second.is_some_and(|second| u32::try_from(second).map(f64::from).unwrap() >= usual * ENOUGH) {
            return true;
        }
    }
    false
}

/// Load, the fault, and load again until it must be as fast as before.
fn with_outage(
    world: &World,
    cluster: &mut Cluster,
    fault: fn(&mut Cluster) -> Result<(), ClusterError>,
    notes: &mut Notes,
) -> Breaches {
    let server = world.serve("a");
    let (is_back, made) = under_load(&world.scene, &[server.api()], |progress| {
        thread::sleep(WARM_UP);
        let usual = answered_in(progress, BEFORE) / BEFORE.as_secs_f64();
        fault(cluster).unwrap();
        cluster.launch().unwrap();
        is_back_in_time(progress, usual)
    });
    assert!(is_back, "not as fast as before within {BACK_WITHIN:?} of the restart");
    notes.add(made);
    world.look(&server, notes).assert_none();
    notes.settle(&server);
    world.end(server, notes, 0)
}

#[test]
fn a_database_that_is_stopped_at_once_or_killed_is_back_within_seconds_and_has_lost_nothing() {
    let mut cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
    let (world, mut notes) = (World::on_postgres(&cluster), Notes::default());
    for fault in [Cluster::crash, Cluster::kill] {
        with_outage(&world, &mut cluster, fault, &mut notes).assert_none();
        println!("{:?}", notes.summary());
    }
}

#[test]
fn a_database_that_answers_before_it_has_written_is_caught() {
    let mut cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
    let url = format!("{}&options=-c%20synchronous_commit%3Doff", cluster.new_url());
    let world = World::at(url);
    let server = world.serve("a");
    let ((), notes) = under_load(&world.scene, &[server.api()], |_| {
        thread::sleep(WARM_UP + BEFORE);
        cluster.crash().unwrap();
    });
    cluster.launch().unwrap();
    assert!(world.look(&server, &notes).has(Rule::Kept));
}
