//! What was acknowledged is there, what was refused is not, and what nobody knows of is there whole or not at all.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Breaches, MARKED, Rule, State, text};
use crate::faults::notes::{BOOKINGS, Note, Notes, Outcome};

/// Why a client of the load may be refused.
const REFUSALS: [&str; 4] = ["slot_taken", "overlap", "insufficient", "disk_full"];
/// How records are marked that were there before the load.
pub(crate) const SEED: &str = "Seed";

pub(super) fn check(state: &State, notes: &Notes, breaches: &mut Breaches) {
    for broken in &notes.broken_keys {
        breaches.add(Rule::Once, broken.clone());
    }
    let mut of: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
    for note in &notes.all {
        if let Outcome::Refused(code) = &note.outcome {
            let is_one = REFUSALS.contains(&code.as_str());
            breaches.unless(is_one, Rule::Refusal, || format!("{code} for {:?}", note.request));
        }
        of.entry(note.request.collection).or_default().push(note);
    }
    let bookings = of.remove(BOOKINGS).unwrap_or_default();
    let by_contact = appointments_by_contact(state);
    for (collection, field) in MARKED {
        let mut there: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
        for record in state.all(collection) {
            if let Some(mark) = record[field].as_str() {
                there.entry(mark).or_default().push(record);
            }
        }
        for note in of.remove(collection).unwrap_or_default() {
            let found = there.remove(note.request.mark.as_str()).unwrap_or_default();
            compare(note, &found, breaches);
        }
        if collection == "contacts" {
            for note in &bookings {
                let guests = there.remove(note.request.mark.as_str()).unwrap_or_default();
                compare_booking(note, &guests, &by_contact, breaches);
            }
        }
        let of_nobody = |record: &&Json| record["about_id"].is_null();
        for (mark, found) in there.iter().filter(|(mark, _)| !mark.starts_with(SEED)) {
            for record in found.iter().copied().filter(of_nobody) {
                breaches.add(Rule::Whole, format!("nobody sent {mark}: {record}"));
            }
        }
    }
}

fn compare(note: &Note, found: &[&Json], breaches: &mut Breaches) {
    let request = &note.request;
    breaches.unless(found.len() < 2, Rule::Once, || format!("{} times: {request:?}", found.len()));
    match (&note.outcome, found.first()) {
        (Outcome::Acknowledged(answer), None) => breaches.add(Rule::Kept, format!("lost: {answer}")),
        (Outcome::Refused(code), Some(record)) => {
            breaches.add(Rule::Whole, format!("refused as {code}, and there: {record}"));
        }
        (outcome, Some(record)) => {
            for (field, sent) in request.body.as_object().unwrap() {
                breaches.unless(record[field] == *sent, Rule::Whole, || {
                    format!("{field} was sent as {sent}, and is in {record}")
                });
            }
            if let Outcome::Acknowledged(answer) = outcome {
                breaches.unless(record["id"] == answer["id"], Rule::Once, || format!("{answer} is {record}"));
            }
        }
        _ => {}
    }
}

fn appointments_by_contact(state: &State) -> BTreeMap<&str, Vec<&Json>> {
    let mut by_contact: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
    for one in state.all("booking/appointments") {
        by_contact.entry(text(one, "contact")).or_default().push(one);
    }
    by_contact
}

/// An online booking is a guest with a visit, or neither.
fn compare_booking(note: &Note, guests: &[&Json], by_contact: &BTreeMap<&str, Vec<&Json>>, breaches: &mut Breaches) {
    let visits: Vec<&Json> =
        guests.iter().flat_map(|guest| by_contact.get(text(guest, "id")).into_iter().flatten().copied()).collect();
    let is_whole = matches!((guests.len(), visits.len()), (0, 0) | (1, 1));
    breaches.unless(is_whole, Rule::Whole, || format!("{guests:?} with {visits:?} for {:?}", note.request));
    match &note.outcome {
        Outcome::Acknowledged(answer) => {
            let promised = &answer["appointments"][0];
            let Some(kept) = visits.first() else { return breaches.add(Rule::Kept, format!("lost: {promised}")) };
            for field in ["id", "master", "service", "starts_at", "ends_at", "status"] {
                breaches.unless(kept[field] == promised[field], Rule::Whole, || {
                    format!("{field} of {promised} is in {kept}")
                });
            }
        }
        Outcome::Refused(code) => {
            breaches.unless(guests.is_empty(), Rule::Whole, || format!("refused as {code}, and there: {guests:?}"));
        }
        Outcome::Unknown(_) => {}
    }
}
