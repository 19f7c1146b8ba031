//! A database server that does not answer any more, without a word: requests are told so in time, and when it is there
//! again all goes on without a restart.

use std::{
    thread,
    time::{Duration, Instant},
};

use pergola_cluster::Cluster;
use serde_json::json;

use super::{
    driver::{keyed, under_load},
    notes::{Note, Outcome},
    relay::Relay,
    world::World,
};
use crate::support::Api;

/// Load before the silence.
const BEFORE: Duration = Duration::from_millis(800);
/// Longer than a statement may take and a place in the pool is waited for.
const SILENT: Duration = Duration::from_secs(14);
/// No request takes longer, whatever the database does.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// After which all is as before: what the server that was cut off still holds is let go.
const RECOVERED_AFTER: Duration = Duration::from_secs(6);
/// As many as the pool has connections for units of work.
const AT_ONCE: usize = 16;

/// Whether the answer lets the client know what to do.
fn is_told(note: &Note) -> bool {
    match note.outcome {
        // Come again; or, where a commit was on its way, come again under the same key.
        Outcome::Unknown(status) => matches!(status, 503 | 504),
        Outcome::Acknowledged(_) | Outcome::Refused(_) => true,
    }
}

/// All connections of the pool can be used: so many writes at once, none of which waits long.
fn check_all_at_once(api: &Api) {
    let started = Instant::now();
    thread::scope(|scope| {
        let writes: Vec<_> = (0..AT_ONCE * 4)
            .map(|number| {
                scope.spawn(move || api.post("/api/v1/contacts", &json!({"name": format!("Seed at once {number}")})))
            })
            .collect();
        for write in writes {
            let answer = write.join().unwrap();
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    });
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_database_that_falls_silent_is_told_in_time_and_comes_back_without_a_restart() {
    let cluster = Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
    let relay = Relay::to(cluster.socket());
    let world = World::at(relay.url("silence"));
    let server = world.serve("a");
    let (back, mut notes) = under_load(&world.scene, &[server.api()], |_| {
        thread::sleep(BEFORE);
        relay.fall_silent(true);
        thread::sleep(SILENT);
        relay.fall_silent(false);
        let back = Instant::now();
        thread::sleep(RECOVERED_AFTER);
        back
    });
    println!("{:?}", notes.summary());
    for note in &notes.all {
        let taken = note.told - note.sent;
        assert!(taken < ANSWER_MAX, "{taken:?} for {note:?}");
        assert!(is_told(note), "{note:?}");
    }
    let since = notes.all.iter().filter(|note| note.sent > back + RECOVERED_AFTER / 2);
    let (good, bad): (Vec<&Note>, Vec<&Note>) = since.partition(|note| !matches!(note.outcome, Outcome::Unknown(_)));
    assert!(bad.is_empty() && good.len() > 20, "{} answered, not {bad:?}", good.len());
    check_all_at_once(&server);
    let last = keyed("contacts", "Client at last".to_owned(), json!({"name": "Client at last"}));
    assert!(matches!(notes.send(&server, last), Outcome::Acknowledged(_)));
    world.look(&server, &notes).assert_none();
    notes.settle(&server);
    world.end(server, &notes, 0).assert_none();
}
