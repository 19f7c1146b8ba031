//! What must hold after any fault: computed here, from what clients noted and from what is there, and not by the engine.

mod balances;
mod tests;
mod writes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::notes::Notes;
use crate::support::{Api, Told};

/// What was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What was acknowledged is there.
    Kept,
    /// What was sent once, or again under its key, is there once.
    Once,
    /// What is there is there as it was sent, and what was refused is not.
    Whole,
    /// Nobody is refused without a reason.
    Refusal,
    /// Nobody and no room is in two places.
    Overlap,
    /// Balances are what the entries come to.
    Balance,
    /// No balance is below the floor.
    Floor,
    /// Transfers come to zero.
    Transfer,
    /// Rollups are what their sources come to.
    Rollup,
    /// Numbers have no gaps.
    Sequence,
    /// A sink gets a message once, and only one that is there.
    Sink,
    /// A visit is reminded of once.
    Reminder,
    /// `pergola doctor` finds all well.
    Doctor,
}

/// One place where a rule was not kept.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) rule: Rule,
    /// Read when a test fails.
    #[expect(dead_code, reason = "it is shown by Debug")]
    told: String,
}

/// Places found so far.
#[derive(Debug, Default)]
pub(crate) struct Breaches(Vec<Breach>);

impl Breaches {
    fn add(&mut self, rule: Rule, told: impl Into<String>) {
        self.0.push(Breach { rule, told: told.into() });
    }

    fn unless(&mut self, holds: bool, rule: Rule, told: impl FnOnce() -> String) {
        if !holds {
            self.add(rule, told());
        }
    }

    pub(crate) fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn has(&self, rule: Rule) -> bool {
        self.0.iter().any(|breach| breach.rule == rule)
    }

    fn rules(&self) -> Vec<Rule> {
        self.0.iter().map(|breach| breach.rule).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn assert_none(&self) {
        let first: Vec<String> = self.0.iter().take(20).map(|breach| format!("{breach:?}")).collect();
        assert!(self.is_empty(), "{} breaches:\n{}", self.0.len(), first.join("\n"));
    }
}

/// Everything that is there, as REST shows it.
pub(crate) struct State(BTreeMap<&'static str, Vec<Json>>);

/// Collections with marks, and the field that has them.
const MARKED: [(&str, &str); 5] = [
    ("contacts", "name"),
    ("booking/appointments", "notes"),
    ("till/moves", "mark"),
    ("till/entries", "mark"),
    ("messages", "body"),
];

impl State {
    pub(crate) fn read(api: &Api) -> Self {
        let mut found: BTreeMap<&'static str, Vec<Json>> = BTreeMap::new();
        for (collection, _) in MARKED.into_iter().chain([("till/purses", "")]) {
            // A workspace without the plugin has none.
            if api.get(&format!("/api/v1/{collection}?limit=1")).status == 200 {
                found.insert(collection, api.all(collection));
            }
        }
        if found.contains_key("till/entries") {
            found.insert(BALANCES, api.all(BALANCES));
        }
        Self(found)
    }

    fn all(&self, collection: &str) -> &[Json] {
        self.0.get(collection).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn messages(&self) -> &[Json] {
        self.all("messages")
    }
}

const BALANCES: &str = "till/entries/balances";

/// What can be seen over REST.
pub(crate) fn check(state: &State, notes: &Notes) -> Breaches {
    let mut breaches = Breaches::default();
    writes::check(state, notes, &mut breaches);
    overlaps(state.all("booking/appointments"), &mut breaches);
    balances::check(state, &mut breaches);
    sequence(state.all("till/moves"), &mut breaches);
    reminders(state.messages(), &mut breaches);
    breaches
}

/// The time of a master or a room is sold once, in whichever of the two fields it stands.
fn overlaps(appointments: &[Json], breaches: &mut Breaches) {
    let mut spans: BTreeMap<&str, Vec<(Timestamp, Timestamp, &str)>> = BTreeMap::new();
    let given_up = |one: &Json| one["status"] == "cancelled" || one["status"] == "no_show";
    for one in appointments.iter().filter(|one| !given_up(one)) {
        let at = |field: &str| one[field].as_str().unwrap().parse().unwrap();
        let resources: BTreeSet<&str> = ["master", "room"].iter().filter_map(|field| one[field].as_str()).collect();
        for resource in resources {
            spans.entry(resource).or_default().push((at("starts_at"), at("ends_at"), text(one, "id")));
        }
    }
    for (resource, mut spans) in spans {
        spans.sort();
        for pair in spans.windows(2) {
            let fits = pair[0].1 <= pair[1].0;
            breaches.unless(fits, Rule::Overlap, || format!("{resource} was sold twice: {pair:?}"));
        }
    }
}

fn sequence(moves: &[Json], breaches: &mut Breaches) {
    let mut numbers: Vec<Option<i64>> = moves.iter().map(|one| one["number"].as_i64()).collect();
    numbers.sort_unstable();
    let expected = (1..).map(Some);
    if let Some((number, expected)) = numbers.iter().zip(expected).find(|(number, expected)| *number != expected) {
        breaches.add(Rule::Sequence, format!("of {} numbers {expected:?} is {number:?}", numbers.len()));
    }
}

fn reminders(messages: &[Json], breaches: &mut Breaches) {
    let mut about: BTreeMap<&str, usize> = BTreeMap::new();
    for visit in messages.iter().filter_map(|one| one["about_id"].as_str()) {
        *about.entry(visit).or_default() += 1;
    }
    for (visit, count) in about.into_iter().filter(|(_, count)| *count > 1) {
        breaches.add(Rule::Reminder, format!("{count} reminders of {visit}"));
    }
}

/// What left, by the file of each server. `again_max` messages may be in two files: a server was killed that had them
/// under way, and the other one cannot know.
pub(crate) fn check_sinks(files: &[&Path], state: &State, again_max: usize) -> Breaches {
    let mut breaches = Breaches::default();
    let sent: BTreeSet<&str> =
        state.messages().iter().filter(|one| one["status"] == "sent").map(|one| text(one, "id")).collect();
    let (mut left, mut lines) = (BTreeSet::new(), 0);
    for file in files {
        let mut of_file = BTreeSet::new();
        for line in fs::read_to_string(file).unwrap_or_default().lines() {
            let id = text(&serde_json::from_str(line).unwrap(), "id").to_owned();
            lines += 1;
            breaches.unless(sent.contains(id.as_str()), Rule::Sink, || format!("{id} left, and is not marked as sent"));
            left.insert(id.clone());
            let told = format!("{id} is twice in {}", file.display());
            breaches.unless(of_file.insert(id), Rule::Sink, || told);
        }
    }
    for id in sent.iter().filter(|id| !left.contains(**id)) {
        breaches.add(Rule::Sink, format!("{id} is marked as sent, and never left"));
    }
    let again: usize = lines - left.len();
    breaches.unless(again <= again_max, Rule::Sink, || format!("{again} messages left by two servers"));
    breaches
}

/// What the doctor says of it.
pub(crate) fn check_doctor(told: &Told) -> Breaches {
    let mut breaches = Breaches::default();
    breaches.unless(told.code == Some(0), Rule::Doctor, || format!("{told:?}"));
    breaches
}

fn text<'a>(record: &'a Json, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_else(|| panic!("{field} of {record}"))
}
