//! Two servers on one PostgreSQL, one of which is killed at work: the other one does what it left.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::atomic::AtomicUsize,
    thread,
    time::Duration,
};

use pergola_cluster::Cluster;
use serde_json::Value as Json;

use crate::{
    crash::{Promised, book, check, now, slots, wait_for_messages, write_messages, write_visits},
    support::{Api, Scratch, Server, copy, pergola, text},
};

/// Callers of each server that book at the same time.
const CALLERS: usize = 3;
/// How long both work, and how long the other one goes on alone.
const TOGETHER: Duration = Duration::from_millis(2_500);
const ALONE: Duration = Duration::from_millis(1_500);

fn serve(data: &Path, url: &str) -> Server {
    fs::write(data.join("pergola.toml"), "[worker]\nlease_seconds = 3\n").unwrap();
    let mut command = pergola();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(data), "--database", url]);
    Server::start(command, data, "token ")
}

/// Everything that people do at once, until the server is gone.
fn work(api: &Api, number: usize) -> Promised {
    let now = now(api);
    let (slots, next) = (slots(api, now), AtomicUsize::new(number));
    let (masters, contacts) = (api.all("booking/resources"), api.all("contacts"));
    let mut promised = Promised::default();
    thread::scope(|scope| {
        let (slots, next, contacts) = (&slots, &next, &contacts);
        let (master, service) = (&masters[number]["id"], &slots[0].service);
        let mut callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(move || book(api, slots, next))).collect();
        callers.push(scope.spawn(move || write_visits(api, master, service, contacts, now)));
        callers.push(scope.spawn(move || write_messages(api, contacts[0]["id"].as_str().unwrap())));
        callers.into_iter().for_each(|caller| promised.add(caller.join().unwrap()));
    });
    promised
}

#[test]
fn what_a_killed_server_was_doing_is_done_once_by_the_other() {
    let cluster = Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
    let (url, scratch) = (cluster.new_url(), Scratch::new());
    let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
    assert_eq!(Server::demo(&a, &["--database", &url]).terminate().0, Some(0));
    copy(&a, &b);
    let (mut first, mut second) = (serve(&a, &url), serve(&b, &url));
    let mut promised = Promised::default();
    thread::scope(|scope| {
        let working = [first.api(), second.api()]
            .into_iter()
            .enumerate()
            .map(|(number, api)| scope.spawn(move || work(&api, number)))
            .collect::<Vec<_>>();
        thread::sleep(TOGETHER);
        first.kill();
        thread::sleep(ALONE);
        second.kill();
        working.into_iter().for_each(|one| promised.add(one.join().unwrap()));
    });
    assert!(promised.messages.len() > 50, "too little to say anything");
    // Neither of the two is left; whoever comes next finds what both left.
    let last = serve(&b, &url);
    check(&last, &promised);
    wait_for_messages(&last, &promised);
    reminded_once(&last);
    let sent: BTreeSet<String> =
        last.all("messages").iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    let lines: Vec<String> = [&a, &b].iter().flat_map(|data| lines(data)).collect();
    let in_files: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(in_files, sent, "sent, and in one of the files");
    // What the first one had under way when it was killed may have left twice, as documented: at most one round.
    assert!(lines.len() - in_files.len() <= 20, "{} lines of {} messages", lines.len(), in_files.len());
}

/// Each visit has been reminded of by one message at most, whoever fired its timer.
fn reminded_once(api: &Api) {
    let mut reminders: BTreeMap<String, usize> = BTreeMap::new();
    for message in api.all("messages") {
        if let Json::String(about) = &message["about_id"] {
            *reminders.entry(about.clone()).or_default() += 1;
        }
    }
    assert!(reminders.values().all(|count| *count == 1), "{reminders:?}");
}

/// The ids of the messages in the file.
fn lines(data: &Path) -> Vec<String> {
    let file = fs::read_to_string(data.join("messages/main.jsonl")).unwrap_or_default();
    let id = |line: &str| serde_json::from_str::<Json>(line).unwrap()["id"].as_str().unwrap().to_owned();
    file.lines().map(id).collect()
}
