//! Every rule of the checker can be broken: a small world in which all is well, and one thing after the other is not.

use std::{collections::BTreeMap, fs, time::Instant};

use serde_json::{Value as Json, json};

use super::{BALANCES, Rule, State, check, check_sinks};
use crate::{
    faults::{
        driver::keyed,
        notes::{BOOKINGS, Note, Notes, Outcome, Request},
    },
    support::Scratch,
};

fn note(request: Request, outcome: Outcome) -> Note {
    Note { request, outcome, sent: Instant::now(), told: Instant::now() }
}

/// Two clients, two visits of theirs, a move between two purses, and a reminder.
fn well() -> (BTreeMap<&'static str, Vec<Json>>, Notes) {
    let visit = |id: &str, starts_at: &str, ends_at: &str, contact: &str| {
        json!({"id": id, "master": "anna", "room": null, "status": "booked", "service": "cut", "contact": contact,
               "starts_at": starts_at, "ends_at": ends_at, "notes": if id == "v1" { json!("visit 1") } else { Json::Null }})
    };
    let (first, second, third) = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z");
    let visits = vec![visit("v1", first, second, "c1"), visit("v2", second, third, "c2")];
    let clients = vec![json!({"id": "c1", "name": "Client 1"}), json!({"id": "c2", "name": "Guest 2"})];
    let booked = json!({"appointments": [visits[1].clone()]});
    let notes = vec![
        note(
            keyed("contacts", "Client 1".into(), json!({"name": "Client 1"})),
            Outcome::Acknowledged(clients[0].clone()),
        ),
        note(keyed("contacts", "Client 0".into(), json!({"name": "Client 0"})), Outcome::Refused("overlap".into())),
        note(
            keyed("booking/appointments", "visit 1".into(), json!({"notes": "visit 1", "ends_at": second})),
            Outcome::Unknown(0),
        ),
        note(
            Request { collection: BOOKINGS, mark: "Guest 2".into(), is_keyed: false, body: json!({}) },
            Outcome::Acknowledged(booked),
        ),
        note(keyed("till/moves", "move 1".into(), json!({"mark": "move 1", "amount": 3})), Outcome::Unknown(503)),
    ];
    let entry = |purse: &str, amount: i64, transfer: &str| json!({"purse": purse, "amount": amount, "transfer": if transfer.is_empty() { Json::Null } else { json!(transfer) }});
    let state = BTreeMap::from([
        ("contacts", clients),
        ("booking/appointments", visits),
        ("till/entries", vec![entry("p", 5, ""), entry("p", -3, "m1"), entry("q", 3, "m1")]),
        (
            "till/moves",
            vec![json!({"id": "m1", "source": "p", "target": "q", "amount": 3, "number": 1, "mark": "move 1"})],
        ),
        (
            "till/purses",
            vec![json!({"id": "p", "total": 2, "entries": 2}), json!({"id": "q", "total": 3, "entries": 1})],
        ),
        (BALANCES, vec![json!({"account": "p", "balance": 2}), json!({"account": "q", "balance": 3})]),
        ("messages", vec![json!({"id": "s1", "about_id": "v1", "status": "sent", "body": "come"})]),
    ]);
    (state, Notes { all: notes, broken_keys: Vec::new() })
}

/// What the checker says after one thing was changed: in a collection, at a place, a field.
fn after(collection: &str, place: usize, field: &str, value: Json) -> Vec<Rule> {
    let (mut state, notes) = well();
    state.get_mut(collection).unwrap()[place][field] = value;
    check(&State(state), &notes).rules()
}

#[test]
fn where_all_is_well_the_checker_says_nothing() {
    let (state, notes) = well();
    check(&State(state), &notes).assert_none();
}

#[test]
fn each_rule_is_seen_to_be_broken() {
    let mut cases = vec![
        (Rule::Kept, after("contacts", 0, "name", json!("Seed"))),
        (Rule::Once, after("contacts", 0, "id", json!("c3"))),
        (Rule::Whole, after("booking/appointments", 0, "ends_at", json!("2026-01-01T10:30:00Z"))),
        (Rule::Whole, after("contacts", 0, "name", json!("Client 0"))),
        (Rule::Whole, after("contacts", 0, "name", json!("nobody"))),
        (Rule::Kept, after("booking/appointments", 1, "contact", json!("c1"))),
        (Rule::Whole, after("booking/appointments", 1, "status", json!("arrived"))),
        (Rule::Overlap, after("booking/appointments", 1, "starts_at", json!("2026-01-01T10:59:00Z"))),
        (Rule::Balance, after(BALANCES, 0, "balance", json!(1))),
        (Rule::Floor, after("till/entries", 0, "amount", json!(2))),
        (Rule::Transfer, after("till/entries", 2, "amount", json!(4))),
        (Rule::Transfer, after("till/entries", 2, "transfer", json!("m2"))),
        (Rule::Rollup, after("till/purses", 1, "entries", json!(2))),
        (Rule::Rollup, after("till/purses", 1, "total", json!(4))),
        (Rule::Sequence, after("till/moves", 0, "number", json!(2))),
    ];
    let (mut state, mut notes) = well();
    let again = state["messages"][0].clone();
    state.get_mut("messages").unwrap().push(again);
    cases.push((Rule::Reminder, check(&State(state), &notes).rules()));
    notes.all[1].outcome = Outcome::Refused("stale".to_owned());
    cases.push((Rule::Refusal, check(&State(well().0), &notes).rules()));
    notes.broken_keys.push("visit 1 was answered twice".to_owned());
    cases.push((Rule::Once, check(&State(well().0), &notes).rules()));
    let (mut state, notes) = well();
    let twin = state["contacts"][0].clone();
    state.get_mut("contacts").unwrap().push(twin);
    cases.push((Rule::Once, check(&State(state), &notes).rules()));
    for (place, (rule, found)) in cases.into_iter().enumerate() {
        assert!(found.contains(&rule), "case {place}: {rule:?} is not in {found:?}");
    }
}

#[test]
fn a_message_that_left_twice_or_never_or_for_nobody_is_seen() {
    let (state, scratch) = (State(well().0), Scratch::new());
    let rules = |first: &str, second: &str, again_max: usize| {
        let files = [scratch.file("a.jsonl", first), scratch.file("b.jsonl", second)];
        let found = check_sinks(&[&files[0], &files[1]], &state, again_max);
        fs::remove_file(&files[0]).unwrap();
        found.rules()
    };
    let (line, other) = ("{\"id\":\"s1\"}\n", "{\"id\":\"s2\"}\n");
    assert_eq!(rules(line, "", 0), []);
    assert_eq!(rules(line, line, 1), []);
    assert_eq!(rules(line, line, 0), [Rule::Sink]);
    assert_eq!(rules(&line.repeat(2), "", 1), [Rule::Sink]);
    assert_eq!(rules("", "", 0), [Rule::Sink]);
    assert_eq!(rules(line, other, 0), [Rule::Sink]);
}
