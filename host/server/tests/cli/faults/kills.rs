//! `kill -9` under load: what was acknowledged stays, and nothing is done, sold or sent twice.

use std::{thread, time::Duration};

use pergola_cluster::Cluster;

use super::{
    driver::under_load,
    invariants::Rule,
    notes::{Notes, Summary},
    rounds,
    world::World,
};
use crate::support::Server;

/// Kills in one business; then the next one begins, so that looking at all of it stays quick.
const KILLS: usize = 10;
/// How long the other server goes on alone.
const ALONE: Duration = Duration::from_millis(300);
/// In which a broken rule must show.
const LIVES_MAX: usize = 5;
/// Messages that a killed server may have under way, and that the other one sends again: a round of its worker.
const UNDER_WAY: usize = 20;

/// Anything from the first requests to some hundreds of them.
fn working_time(number: usize) -> Duration {
    Duration::from_millis(200 + u64::try_from(number).unwrap() * 397 % 1_000)
}

/// Looks, repeats the keys, and looks again.
fn settle(world: &World, server: &Server, notes: &mut Notes) {
    world.look(server, notes).assert_none();
    notes.settle(server);
    world.look(server, notes).assert_none();
}

/// Lives of one server, each of them cut short.
fn kill_the_only_one(kills: usize) -> Summary {
    let world = World::on_sqlite();
    let (mut server, mut notes) = (world.serve("a"), Notes::default());
    for number in 0..kills {
        let api = server.api();
        let ((), made) = under_load(&world.scene, &[api], |_| {
            thread::sleep(working_time(number));
            server.kill();
        });
        notes.add(made);
        server = world.serve("a");
        settle(&world, &server, &mut notes);
    }
    world.end(server, &notes, 0).assert_none();
    notes.summary()
}

#[test]
fn a_server_on_a_file_that_is_killed_at_work_loses_nothing_and_repeats_nothing() {
    let rounds = rounds(3);
    for done in (0..rounds).step_by(KILLS) {
        println!("kills from {done}: {:?}", kill_the_only_one(KILLS.min(rounds - done)));
    }
}

/// Two servers on one database: the one is killed, the other goes on; every second time it is killed, too.
fn kill_one_of_two(kills: usize) -> Summary {
    let cluster = Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
    let world = World::on_postgres(cluster);
    let (mut first, mut second, mut notes) = (world.serve("a"), world.serve("b"), Notes::default());
    for number in 0..kills {
        let apis = [first.api(), second.api()];
        let kills_both = number % 2 == 1;
        let ((), made) = under_load(&world.scene, &apis, |_| {
            thread::sleep(working_time(number));
            first.kill();
            thread::sleep(ALONE);
            if kills_both {
                second.kill();
            }
        });
        notes.add(made);
        first = world.serve("a");
        if kills_both {
            second = world.serve("b");
        }
        settle(&world, &second, &mut notes);
    }
    assert_eq!(first.terminate().0, Some(0));
    world.end(second, &notes, kills * 2 * UNDER_WAY).assert_none();
    notes.summary()
}

#[test]
fn of_two_servers_on_one_database_either_may_be_killed_at_work() {
    let rounds = rounds(3);
    for done in (0..rounds).step_by(KILLS) {
        println!("kills from {done}: {:?}", kill_one_of_two(KILLS.min(rounds - done)));
    }
}

/// Whether the checker sees within a few lives of the server that it does not keep a rule.
fn is_caught(world: &World, kills: bool, rule: Rule) -> bool {
    let mut notes = Notes::default();
    for _ in 0..LIVES_MAX {
        let mut server = world.serve("a");
        let api = server.api();
        let ((), made) = under_load(&world.scene, &[api], |_| {
            thread::sleep(working_time(5));
            if kills {
                server.kill();
            }
        });
        notes.add(made);
        if !kills {
            server.terminate();
        }
        let next = world.serve("a");
        if world.look(&next, &notes).has(rule) {
            return true;
        }
    }
    false
}

#[test]
fn a_program_that_breaks_a_rule_is_caught() {
    let mutants = [
        ("commit", true, Rule::Kept),
        ("dedup", false, Rule::Once),
        ("exclude", false, Rule::Overlap),
        ("floor", false, Rule::Floor),
        ("sequence", false, Rule::Sequence),
    ];
    for (broken, kills, rule) in mutants {
        assert!(is_caught(&World::on_sqlite().breaking(broken), kills, rule), "{broken} was broken, and nobody saw it");
    }
}

#[test]
fn two_servers_that_do_not_claim_messages_are_caught() {
    let cluster = Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
    let (world, mut notes) = (World::on_postgres(cluster).breaking("claim"), Notes::default());
    let is_caught = (0..LIVES_MAX).any(|_| {
        let (first, second) = (world.serve("a"), world.serve("b"));
        let apis = [first.api(), second.api()];
        let ((), made) = under_load(&world.scene, &apis, |_| thread::sleep(working_time(5)));
        notes.add(made);
        assert_eq!(first.terminate().0, Some(0));
        world.end(second, &notes, 0).has(Rule::Sink)
    });
    assert!(is_caught);
}
