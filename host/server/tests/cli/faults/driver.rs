//! A load on the real program: everything that people do at once, until told to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::notes::{BOOKINGS, Note, Notes, Outcome, Request};
use crate::support::{Api, encoded};

/// The days ahead that are booked.
const DAYS: i64 = 40;
/// Between two writes whose effects take the worker's time: they leave more slowly than they can be written.
const PAUSE: Duration = Duration::from_millis(25);
/// After a request without an answer.
const LOST_PAUSE: Duration = Duration::from_millis(10);
/// How long after the begin the first reminders fall due.
const REMINDED_AFTER: SignedDuration = SignedDuration::from_millis(1_000);
/// How long the visits take that are reminded of.
const SHORT_VISIT: SignedDuration = SignedDuration::from_millis(100);
/// How long others take, and how far apart they may start.
const VISIT: SignedDuration = SignedDuration::from_mins(30);
const STEP: SignedDuration = SignedDuration::from_mins(15);

/// What there is to write about, by id.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) service: Json,
    pub(crate) masters: Vec<Json>,
    /// Whose visits are reminded of, and who is not booked otherwise: one for each server.
    pub(crate) remembered: Vec<Json>,
    pub(crate) rooms: Vec<Json>,
    pub(crate) purses: Vec<Json>,
    pub(crate) clients: Vec<Json>,
}

/// One server's load.
struct Load {
    api: Api,
    scene: Scene,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    /// The server's clock, and ours before it was asked for: reckoned on, it is never behind.
    now: Timestamp,
    asked: Instant,
    /// Which of the servers.
    place: usize,
    slots: Vec<Slot>,
    next_slot: AtomicUsize,
}

/// A master's free time, as it is offered online.
struct Slot {
    master: Json,
    starts_at: String,
}

/// How much of the load was answered with a yes or a no.
pub(crate) struct Progress(Arc<AtomicU64>);

impl Progress {
    pub(crate) fn answered(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes through the servers while `meanwhile` does what it does; gives what that gave and what the clients noted.
pub(crate) fn under_load<T>(scene: &Scene, servers: &[Api], meanwhile: impl FnOnce(&Progress) -> T) -> (T, Notes) {
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load = |(place, api)| Load::new(api, scene, &stop, &answered, place);
    let loads: Vec<Load> = servers.iter().enumerate().map(load).collect();
    thread::scope(|scope| {
        let writers: [fn(&Load) -> Notes; 10] = [
            Load::register,
            Load::visit,
            Load::visit,
            Load::book,
            Load::book,
            Load::pay,
            Load::pay,
            Load::put_and_take,
            Load::visit_soon,
            Load::message,
        ];
        let working: Vec<_> =
            loads.iter().flat_map(|load| writers.map(|write| scope.spawn(move || write(load)))).collect();
        let result = meanwhile(&Progress(answered));
        stop.store(true, Ordering::SeqCst);
        let mut notes = Notes::default();
        working.into_iter().for_each(|one| notes.add(one.join().unwrap()));
        (result, notes)
    })
}

impl Load {
    fn new(api: &Api, scene: &Scene, stop: &Arc<AtomicBool>, answered: &Arc<AtomicU64>, place: usize) -> Self {
        let asked = Instant::now();
        let now = now(api);
        let slots = slots(api, &scene.service, now);
        let (api, scene, stop, answered) = (api.clone(), scene.clone(), Arc::clone(stop), Arc::clone(answered));
        Self { api, scene, stop, answered, now, asked, place, slots, next_slot: AtomicUsize::new(place) }
    }

    /// Sends what `request` makes, again and again, until told to stop.
    fn repeat(&self, pause: Duration, mut request: impl FnMut(u64) -> Option<Request>) -> Notes {
        let mut notes = Notes::default();
        while !self.stop.load(Ordering::SeqCst) {
            let number = unique();
            let Some(request) = request(number) else { break };
            let is_keyed = request.is_keyed;
            let is_there = match notes.send(&self.api, request) {
                Outcome::Unknown(_) => {
                    thread::sleep(LOST_PAUSE);
                    continue;
                }
                outcome => matches!(outcome, Outcome::Acknowledged(_)),
            };
            self.answered.fetch_add(1, Ordering::Relaxed);
            if is_there && is_keyed && number.is_multiple_of(8) {
                notes.repeat_last(&self.api);
            }
            thread::sleep(pause);
        }
        notes
    }

    fn register(&self) -> Notes {
        self.repeat(Duration::ZERO, |number| {
            let name = format!("Client {number}");
            let notes = "x".repeat(1 + usize::try_from(number % 97).unwrap() * 50);
            Some(keyed("contacts", name.clone(), json!({"name": name, "notes": notes})))
        })
    }

    /// At the desk: any master and any room, at times that are often taken.
    fn visit(&self) -> Notes {
        let first = self.now.round(jiff::Unit::Hour).unwrap() + SignedDuration::from_hours(48);
        let starts = DAYS * 24 * 4;
        self.repeat(Duration::ZERO, |number| {
            let starts_at = first + STEP * fastrand::i32(0..i32::try_from(starts).unwrap());
            let notes = format!("visit {number}");
            let visit = json!({
                "contact": any(&self.scene.clients), "service": self.scene.service, "master": any(&self.scene.masters),
                "room": any(&self.scene.rooms), "starts_at": starts_at, "ends_at": starts_at + VISIT, "notes": notes,
            });
            Some(keyed("booking/appointments", notes, visit))
        })
    }

    /// Online, slot after slot. Every slot is wanted by two callers.
    fn book(&self) -> Notes {
        self.repeat(Duration::ZERO, |number| {
            let slot = self.slots.get(self.next_slot.fetch_add(1, Ordering::Relaxed) / 2)?;
            let (name, phone) = (format!("Guest {number}"), format!("+7926{:07}", number % 10_000_000));
            let visit = json!({"service": self.scene.service, "master": slot.master, "starts_at": slot.starts_at});
            let body = json!({"contact": {"name": name, "phone": phone}, "visits": [visit]});
            Some(Request { collection: BOOKINGS, mark: name, is_keyed: false, body })
        })
    }

    /// From purse to purse, often more than there is.
    fn pay(&self) -> Notes {
        self.repeat(Duration::ZERO, |number| {
            let purses = &self.scene.purses;
            let source = fastrand::usize(0..purses.len());
            let target = (source + fastrand::usize(1..purses.len())) % purses.len();
            let (amount, mark) = (fastrand::i64(1..400), format!("move {number}"));
            let body =
                json!({"source": purses[source], "target": purses[target], "amount": amount, "mark": mark.clone()});
            Some(keyed("till/moves", mark, body))
        })
    }

    fn put_and_take(&self) -> Notes {
        self.repeat(Duration::ZERO, |number| {
            let (amount, mark) = (fastrand::i64(-200..200), format!("entry {number}"));
            let body = json!({"purse": any(&self.scene.purses), "amount": amount, "mark": mark.clone()});
            Some(keyed("till/entries", mark, body))
        })
    }

    /// Visits a day from now, whose reminders fall due soon: in this life of the server, or in a later one.
    fn visit_soon(&self) -> Notes {
        let soon = self.now + SignedDuration::from_hours(24) + REMINDED_AFTER;
        let mut starts_at = soon;
        let master = &self.scene.remembered[self.place];
        self.repeat(PAUSE, |number| {
            // However slow the server is: not among what is due already, of which nobody is reminded.
            starts_at = (starts_at + SHORT_VISIT)
                .max(soon + SignedDuration::from_millis(i64::try_from(self.asked.elapsed().as_millis()).unwrap()));
            // Every client once, so that no two reminders are alike.
            let contact = &self.scene.clients[usize::try_from(number).unwrap() % self.scene.clients.len()];
            let notes = format!("soon {number}");
            let visit = json!({
                "contact": contact, "service": self.scene.service, "master": master,
                "starts_at": starts_at, "ends_at": starts_at + SHORT_VISIT, "notes": notes,
            });
            Some(keyed("booking/appointments", notes, visit))
        })
    }

    fn message(&self) -> Notes {
        self.repeat(PAUSE, |number| {
            let body = format!("Message {number}");
            let message =
                json!({"contact": self.scene.clients[0], "channel": "sms", "address": "+79161000000", "body": body});
            Some(keyed("messages", body, message))
        })
    }
}

/// Whether there must be a reminder of a visit within the test: it was written before that is due.
pub(crate) fn is_reminded(note: &Note) -> bool {
    let taken = SignedDuration::try_from(note.told - note.sent).unwrap();
    note.request.mark.starts_with("soon ") && taken < REMINDED_AFTER
}

pub(crate) fn keyed(collection: &'static str, mark: String, body: Json) -> Request {
    Request { collection, mark, is_keyed: true, body }
}

fn any(ids: &[Json]) -> &Json {
    &ids[fastrand::usize(0..ids.len())]
}

/// No two requests of these tests have a mark in common.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The server's clock.
fn now(api: &Api) -> Timestamp {
    let created = api.post("/api/v1/tasks", &json!({"title": "what time is it?"}));
    created.json()["created_at"].as_str().unwrap().parse().unwrap()
}

/// Half hours of the coming days.
fn slots(api: &Api, service: &Json, now: Timestamp) -> Vec<Slot> {
    let (from, until) = (now, now + SignedDuration::from_hours(24 * 5));
    let (service, from, until) = (service.as_str().unwrap(), encoded(&from.to_string()), encoded(&until.to_string()));
    let found = api.get(&format!("/p/booking/slots?service={service}&from={from}&to={until}"));
    assert_eq!(found.status, 200, "{found:?}");
    let slot = |slot: &Json| Slot {
        master: slot["master"].clone(),
        starts_at: slot["starts_at"].as_str().unwrap().to_owned(),
    };
    let mut slots: Vec<Slot> = found.json()["slots"].as_array().unwrap().iter().map(slot).collect();
    slots.sort_by_key(|slot| slot.starts_at.clone());
    slots
}
