//! What clients sent and what they were told.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::support::Api;

/// How long keys are repeated until there is an answer.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);
/// Acknowledged keys that are repeated after a fault: the last ones.
const REPEATED: usize = 30;

/// Something to write that can be found again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The collection of what comes of it; online bookings have one of their own.
    pub(crate) collection: &'static str,
    /// A text in the record that no other has.
    pub(crate) mark: String,
    /// Whether it is sent under a key, which is the mark.
    pub(crate) is_keyed: bool,
    pub(crate) body: Json,
}

impl Request {
    pub(crate) fn send(&self, api: &Api) -> Outcome {
        let bearer = format!("Bearer {}", api.token);
        let mut headers = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        if self.is_keyed {
            headers.push(("Idempotency-Key", self.mark.as_str()));
        }
        let path = match self.collection {
            BOOKINGS => "/p/booking/book".to_owned(),
            collection => format!("/api/v1/{collection}"),
        };
        match api.send("POST", &path, &headers, self.body.to_string().as_bytes()) {
            Err(_) => Outcome::Unknown(0),
            Ok(answer) if answer.status == 201 => Outcome::Acknowledged(answer.json()),
            // A full disk is a no; other troubles promise nothing.
            Ok(answer) if answer.status >= 500 && answer.status != 507 => Outcome::Unknown(answer.status),
            Ok(answer) => Outcome::Refused(answer.json()["code"].as_str().unwrap_or(&answer.body).to_owned()),
        }
    }
}

/// Online bookings, which become a contact and an appointment.
pub(crate) const BOOKINGS: &str = "bookings";

/// What the client knows afterwards.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It is there, as the answer shows it.
    Acknowledged(Json),
    /// It is not there, with the code of the reason.
    Refused(String),
    /// No answer, or one that promises nothing: its status.
    Unknown(u16),
}

/// One request and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) request: Request,
    pub(crate) outcome: Outcome,
    pub(crate) sent: Instant,
    pub(crate) told: Instant,
}

/// How many of each outcome: by collection if acknowledged, by code if refused, by status if unknown.
pub(crate) type Summary = BTreeMap<String, usize>;

/// What all clients noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) all: Vec<Note>,
    /// Where a key did not stand for one effect.
    pub(crate) broken_keys: Vec<String>,
}

impl Notes {
    /// Sends and notes.
    pub(crate) fn send(&mut self, api: &Api, request: Request) -> &Outcome {
        let sent = Instant::now();
        let outcome = request.send(api);
        let note = Note { request, outcome, sent, told: Instant::now() };
        self.all.push(note);
        &self.all[self.all.len() - 1].outcome
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.all.extend(other.all);
        self.broken_keys.extend(other.broken_keys);
    }

    /// Repeats the last key: it must give the first answer.
    pub(crate) fn repeat_last(&mut self, api: &Api) {
        if let Some(last) = self.all.last() {
            self.broken_keys.extend(repeat(api, last));
        }
    }

    /// Repeats what has no answer until it has one, and some of what has.
    pub(crate) fn settle(&mut self, api: &Api) {
        let known = |note: &&Note| note.request.is_keyed && matches!(note.outcome, Outcome::Acknowledged(_));
        let again: Vec<String> =
            self.all.iter().rev().filter(known).take(REPEATED).filter_map(|note| repeat(api, note)).collect();
        self.broken_keys.extend(again);
        let started = Instant::now();
        for note in self.all.iter_mut().filter(|note| note.request.is_keyed) {
            while let Outcome::Unknown(status) = note.outcome {
                assert!(started.elapsed() < SETTLE_PATIENCE, "no answer but {status} to {:?}", note.request);
                note.outcome = note.request.send(api);
                note.told = Instant::now();
                if let Outcome::Unknown(_) = note.outcome {
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }

    pub(crate) fn acknowledged(&self, collection: &str) -> impl Iterator<Item = (&Note, &Json)> {
        self.all.iter().filter(move |note| note.request.collection == collection).filter_map(|note| {
            match &note.outcome {
                Outcome::Acknowledged(answer) => Some((note, answer)),
                _ => None,
            }
        })
    }

    /// How many of each outcome, for people.
    pub(crate) fn summary(&self) -> Summary {
        let mut counts = BTreeMap::new();
        for note in &self.all {
            let outcome = match &note.outcome {
                Outcome::Acknowledged(_) => note.request.collection.to_owned(),
                Outcome::Refused(code) => code.clone(),
                Outcome::Unknown(status) => format!("unknown {status}"),
            };
            *counts.entry(outcome).or_default() += 1;
        }
        counts
    }
}

/// What is wrong with the answer to an acknowledged key that comes again. No answer is no answer.
fn repeat(api: &Api, note: &Note) -> Option<String> {
    let Outcome::Acknowledged(first) = &note.outcome else { return None };
    match note.request.send(api) {
        Outcome::Acknowledged(again) if again["id"] == first["id"] => None,
        Outcome::Unknown(_) => None,
        other => Some(format!("{} was answered {first} and then {other:?}", note.request.mark)),
    }
}
