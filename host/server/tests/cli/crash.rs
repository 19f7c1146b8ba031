//! `kill -9` in the middle of bookings: what was acknowledged stays, nothing is sold or sent twice.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{Api, Server, demo, encoded};

const ROUNDS: usize = 20;
/// Callers that book at the same time.
const CALLERS: usize = 4;
/// The days ahead that are booked.
const DAYS: i64 = 20;
/// Between two messages: they leave more slowly than they can be written.
const PAUSE: Duration = Duration::from_millis(5);
/// How long after a start the first reminders fall due: in this life of the server, or in a later one.
const REMINDED_AFTER: SignedDuration = SignedDuration::from_millis(1_500);
/// How long the visits take that are reminded of.
const VISIT: SignedDuration = SignedDuration::from_millis(100);
/// How long messages may take to leave after the last start.
const MESSAGES_PATIENCE: Duration = Duration::from_secs(30);

/// What the server has promised.
#[derive(Default)]
pub(crate) struct Promised {
    /// Appointments by id, as answered.
    appointments: BTreeMap<String, Json>,
    /// Those of them whose reminders fall due within the test.
    reminded: BTreeSet<String>,
    pub(crate) messages: BTreeSet<String>,
}

impl Promised {
    pub(crate) fn add(&mut self, other: Self) {
        self.appointments.extend(other.appointments);
        self.reminded.extend(other.reminded);
        self.messages.extend(other.messages);
    }
}

/// A master's free time for a service.
pub(crate) struct Slot {
    master: Json,
    pub(crate) service: Json,
    starts_at: String,
}

/// The server's clock.
pub(crate) fn now(api: &Api) -> Timestamp {
    let created = api.post("/api/v1/tasks", &json!({"title": "what time is it?"}));
    created.json()["created_at"].as_str().unwrap().parse().unwrap()
}

/// Half hours of the coming weeks.
pub(crate) fn slots(api: &Api, now: Timestamp) -> Vec<Slot> {
    let until = now + SignedDuration::from_hours(24 * DAYS);
    let mut slots = Vec::new();
    let services = api.get(&format!("/api/v1/booking/services?filter={}", encoded("minutes == 30"))).json();
    for service in services["items"].as_array().unwrap() {
        let id = service["id"].as_str().unwrap();
        let found = api.get(&format!("/p/booking/slots?service={id}&from={now}&to={until}"));
        assert_eq!(found.status, 200, "{found:?}");
        for slot in found.json()["slots"].as_array().unwrap() {
            let starts_at = slot["starts_at"].as_str().unwrap().to_owned();
            slots.push(Slot { master: slot["master"].clone(), service: service["id"].clone(), starts_at });
        }
    }
    slots.sort_by_key(|slot| slot.starts_at.clone());
    slots
}

/// Books slot after slot until the server is gone. Every slot is wanted by two callers.
pub(crate) fn book(api: &Api, slots: &[Slot], next: &AtomicUsize) -> Promised {
    let mut promised = Promised::default();
    while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed) / 2) {
        let phone = format!("+7926{:07}", unique());
        let order = json!({
            "contact": {"name": "Vera Orlova", "phone": phone},
            "visits": [{"service": slot.service, "master": slot.master, "starts_at": slot.starts_at}],
        });
        let Ok(answer) = api.try_call("POST", "/p/booking/book", &order) else { break };
        if answer.status == 201 {
            let json = answer.json();
            let appointment = &json["appointments"][0];
            promised.appointments.insert(appointment["id"].as_str().unwrap().to_owned(), appointment.clone());
        } else {
            assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("slot_taken")), "{answer:?}");
        }
    }
    promised
}

/// Writes visits into the journal whose reminders fall due seconds later, until the server is gone.
pub(crate) fn write_visits(api: &Api, master: &Json, service: &Json, contacts: &[Json], now: Timestamp) -> Promised {
    let mut promised = Promised::default();
    let mut starts_at = now + SignedDuration::from_hours(24) + REMINDED_AFTER;
    loop {
        // Every client once, so that no two reminders are alike.
        let contact = &contacts[usize::try_from(unique()).unwrap() % contacts.len()]["id"];
        let ends_at = starts_at + VISIT;
        let visit = json!({"contact": contact, "service": service, "master": master, "starts_at": starts_at, "ends_at": ends_at});
        let Ok(answer) = api.try_call("POST", "/api/v1/booking/appointments", &visit) else { return promised };
        if answer.status == 201 {
            let appointment = answer.json();
            let id = appointment["id"].as_str().unwrap().to_owned();
            promised.reminded.insert(id.clone());
            promised.appointments.insert(id, appointment);
        } else {
            assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("overlap")), "{answer:?}");
        }
        starts_at = ends_at;
        thread::sleep(PAUSE);
    }
}

/// Queues messages until the server is gone.
pub(crate) fn write_messages(api: &Api, contact: &str) -> Promised {
    let mut promised = Promised::default();
    loop {
        let body = format!("Message {}", unique());
        let message = json!({"contact": contact, "channel": "sms", "address": "+79161000000", "body": body});
        let Ok(answer) = api.try_call("POST", "/api/v1/messages", &message) else { return promised };
        assert_eq!(answer.status, 201, "{answer:?}");
        promised.messages.insert(answer.json()["id"].as_str().unwrap().to_owned());
        thread::sleep(PAUSE);
    }
}

/// No two calls of these tests are about the same client or text.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One life of a server: it works for a while and is killed at it.
fn round(data: &Path, number: usize, promised: &mut Promised) {
    let mut server = Server::serve(data);
    check(&server, promised);
    let now = now(&server);
    let (slots, next) = (slots(&server, now), AtomicUsize::new(0));
    let masters = server.all("booking/resources");
    let contacts = server.all("contacts");
    let api = server.api();
    let made = thread::scope(|scope| {
        let (api, slots, next, contacts) = (&api, &slots, &next, &contacts);
        let (master, service) = (&masters[number % masters.len()]["id"], &slots[0].service);
        let mut callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(move || book(api, slots, next))).collect();
        callers.push(scope.spawn(move || write_visits(api, master, service, contacts, now)));
        callers.push(scope.spawn(move || write_messages(api, contacts[0]["id"].as_str().unwrap())));
        // Anything from the first request to some hundreds of them.
        thread::sleep(Duration::from_millis(20 + u64::try_from(number).unwrap() * 97 % 700));
        server.kill();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<Promised>>()
    });
    made.into_iter().for_each(|one| promised.add(one));
}

/// What was promised is there as it was promised, and no master is in two places.
pub(crate) fn check(api: &Api, promised: &Promised) {
    let appointments = api.all("booking/appointments");
    let by_id: HashMap<&str, &Json> = appointments.iter().map(|one| (one["id"].as_str().unwrap(), one)).collect();
    for (id, answered) in &promised.appointments {
        let kept = by_id.get(id.as_str()).unwrap_or_else(|| panic!("the appointment {answered} is lost"));
        for field in ["master", "service", "starts_at", "ends_at", "status"] {
            assert_eq!(kept[field], answered[field], "{field} of {answered}");
        }
    }
    let mut by_master: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    let given_up = |one: &Json| one["status"] == "cancelled" || one["status"] == "no_show";
    for one in appointments.iter().filter(|one| !given_up(one)) {
        let at = |field: &str| one[field].as_str().unwrap().parse().unwrap();
        by_master.entry(one["master"].as_str().unwrap()).or_default().push((at("starts_at"), at("ends_at")));
    }
    for (master, mut spans) in by_master {
        spans.sort();
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{master} was sold twice: {pair:?}");
        }
    }
}

/// Waits until every visit was reminded of and nothing is on its way out.
pub(crate) fn wait_for_messages(api: &Api, promised: &Promised) {
    let started = Instant::now();
    loop {
        let messages = api.all("messages");
        let reminded: BTreeSet<&str> = messages.iter().filter_map(|one| one["about_id"].as_str()).collect();
        let waiting = promised.reminded.iter().filter(|id| !reminded.contains(id.as_str())).count();
        let on_their_way = messages.iter().filter(|one| one["status"] != "sent").count();
        if (waiting, on_their_way) == (0, 0) {
            return;
        }
        let told = format!("{waiting} visits without a reminder, {on_their_way} messages not sent");
        assert!(started.elapsed() < MESSAGES_PATIENCE, "{told}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// Every message that was promised or is marked as sent is in the file, and none is there twice.
fn check_sink(data: &Path, sent: u64, promised: &Promised) {
    let file = fs::read_to_string(data.join("messages/main.jsonl")).unwrap();
    let lines: Vec<Json> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    let texts: BTreeSet<String> = lines.iter().map(|line| format!("{} {}", line["address"], line["body"])).collect();
    assert_eq!((ids.len(), texts.len()), (lines.len(), lines.len()), "a message is in the file twice");
    let lost: Vec<&String> = promised.messages.iter().filter(|id| !ids.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "not in the file: {lost:?}");
    assert_eq!(u64::try_from(lines.len()).unwrap(), sent);
}

#[tokio::test]
async fn twenty_kills_in_the_middle_of_bookings_lose_nothing_and_repeat_nothing() {
    let scratch = demo().copy();
    let data = scratch.data();
    // What a killed server was sending is sent by the next one after so long.
    fs::write(data.join("pergola.toml"), "[worker]\nlease_seconds = 2\n").unwrap();
    let mut promised = Promised::default();
    for number in 0..ROUNDS {
        round(&data, number, &mut promised);
    }
    let counts = [promised.appointments.len(), promised.reminded.len(), promised.messages.len()];
    println!("acknowledged: {} bookings, {} of them with reminders due, {} messages", counts[0], counts[1], counts[2]);
    assert!(counts.iter().all(|count| *count > ROUNDS), "too little to say anything: {counts:?}");
    let server = Server::serve(&data);
    check(&server, &promised);
    wait_for_messages(&server, &promised);
    let sent = server.count("messages", "");
    assert_eq!(server.terminate().0, Some(0));
    check_sink(&data, sent, &promised);
    assert_eq!(integrity(&data).await, "ok");
}

/// What SQLite thinks of the file.
async fn integrity(data: &Path) -> String {
    let file = SqliteConnectOptions::new().filename(data.join("workspaces/main.db"));
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap()
}
