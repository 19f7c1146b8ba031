//! `capacity` and its waiting list: never more than there is room for, and nobody waits while there is room.

use std::{collections::BTreeMap, sync::Arc};

use insta::assert_snapshot;
use pergola_model::{Change, ChangeKind};
use pergola_service::mutants::Rule;
use pergola_testkit::TestHost;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{code, host_with, run};
use crate::told;

const GYM: &str = r#"
id = "gym"
[object.session]
fields.name = { type = "text" }
fields.seats = { type = "integer" }
[object.booking]
fields.session = { type = "ref", to = "gym.session", on_delete = "cascade" }
fields.persons = { type = "integer" }
fields.status = { type = "choice", of = ["booked", "waiting", "cancelled"], default = "booked" }
capacity = [{ on = "session", max = "session.seats", size = "persons", when = "status == 'booked'", waiting = { field = "status", value = "waiting", then = "booked" } }]
[object.ticket]
fields.session = { type = "ref", to = "gym.session" }
fields.persons = { type = "integer" }
capacity = [{ on = "session", max = "session.seats * 2", size = "persons" }]
"#;

async fn session(host: &TestHost, seats: i64) -> Json {
    host.create("gym.session", &json!({"seats": seats})).await.unwrap()["id"].clone()
}

/// What the stored rows say: places taken beyond the seats, and who waits though there is room for them.
async fn complaints(host: &TestHost) -> Vec<String> {
    let mut found = Vec::new();
    for session in host.list("gym.session", "").await.unwrap() {
        let (id, seats) = (&session["id"], session["seats"].as_i64().unwrap());
        let bookings = host.list("gym.booking", "").await.unwrap();
        let size = |booking: &Json| booking["persons"].as_i64().unwrap_or(1);
        let with = |status: &'static str| {
            bookings.iter().filter(move |one| one["session"] == *id && one["status"] == status).collect::<Vec<_>>()
        };
        let taken: i64 = with("booked").iter().map(|one| size(one)).sum();
        if taken > seats {
            found.push(format!("{taken} in {seats} seats"));
        }
        found.extend(with("waiting").iter().filter(|one| size(one) <= seats - taken).map(|one| format!("{one} waits")));
    }
    found
}

#[tokio::test]
async fn who_finds_no_room_waits_and_is_let_in_by_the_first_who_leaves() {
    let host = host_with(GYM).await;
    let session = session(&host, 3).await;
    let booking = |persons: i64| json!({"session": session, "persons": persons});
    let first = host.create("gym.booking", &booking(2)).await.unwrap();
    let second = host.create("gym.booking", &booking(2)).await.unwrap();
    assert_eq!((first["status"].as_str(), second["status"].as_str()), (Some("booked"), Some("waiting")));
    let third = host.create("gym.booking", &booking(1)).await.unwrap();
    assert_eq!(third["status"], "booked", "a smaller one fits");
    let fourth = host.create("gym.booking", &booking(1)).await.unwrap();
    assert_eq!(fourth["status"], "waiting");
    host.update("gym.booking", &third["id"], &json!({"status": "cancelled"})).await.unwrap();
    let waiting = host.list("gym.booking", "status == 'waiting'").await.unwrap();
    assert_eq!(waiting.len(), 1, "the first in line does not fit and is passed over");
    assert_eq!(waiting[0]["id"], second["id"]);
    host.delete("gym.booking", &first["id"]).await.unwrap();
    assert_eq!(host.list("gym.booking", "status == 'waiting'").await.unwrap().len(), 0);
    assert!(complaints(&host).await.is_empty());
}

#[tokio::test]
async fn who_asks_to_wait_where_there_is_room_is_let_in_at_once() {
    let host = host_with(GYM).await;
    let session = session(&host, 1).await;
    let booking = host.create("gym.booking", &json!({"session": session, "status": "waiting"})).await.unwrap();
    assert_eq!((booking["status"].as_str(), booking["version"].as_i64()), (Some("booked"), Some(2)));
}

#[tokio::test]
async fn more_seats_let_in_and_fewer_than_are_taken_are_refused() {
    let host = host_with(GYM).await;
    let session = session(&host, 1).await;
    for _ in 0..3 {
        host.create("gym.booking", &json!({"session": session})).await.unwrap();
    }
    host.update("gym.session", &session, &json!({"seats": 2})).await.unwrap();
    assert_eq!(host.list("gym.booking", "status == 'booked'").await.unwrap().len(), 2);
    let refused = told(host.update("gym.session", &session, &json!({"seats": 1})).await);
    assert_snapshot!(refused, @r#"full ["seats"]: 2 are taken by bookings already, so 1 are too few; free some first, or make seats larger"#);
    host.update("gym.session", &session, &json!({"seats": null})).await.unwrap();
    assert_eq!(host.list("gym.booking", "status == 'booked'").await.unwrap().len(), 3, "no number is no limit");
}

#[tokio::test]
async fn without_a_waiting_list_the_refusal_tells_what_is_left() {
    let host = host_with(GYM).await;
    let session = session(&host, 2).await;
    let ticket = |persons: i64| json!({"session": session, "persons": persons});
    let first = host.create("gym.ticket", &ticket(3)).await.unwrap();
    let refused = told(host.create("gym.ticket", &ticket(2)).await);
    assert_snapshot!(refused, @r#"full ["session"]: 1 of 4 are left in this session, and 2 are wanted; take fewer or another one"#);
    assert_eq!(code(&host.update("gym.ticket", &first["id"], &ticket(5)).await), "full");
    assert_eq!(code(&host.update("gym.ticket", &first["id"], &ticket(4)).await), "done");
    assert_eq!(code(&host.update("gym.ticket", &first["id"], &ticket(-1)).await), "invalid");
    assert_eq!(code(&host.create("gym.ticket", &ticket(0)).await), "done", "nobody takes no seat");
}

#[tokio::test]
async fn who_has_a_place_keeps_it_when_more_do_not_fit() {
    let host = host_with(GYM).await;
    let (small, full) = (session(&host, 2).await, session(&host, 1).await);
    host.create("gym.booking", &json!({"session": full})).await.unwrap();
    let mine = host.create("gym.booking", &json!({"session": small})).await.unwrap();
    for change in [json!({"persons": 3}), json!({"session": full})] {
        assert_eq!(code(&host.update("gym.booking", &mine["id"], &change).await), "full");
    }
    assert_eq!(host.list("gym.booking", "status == 'booked'").await.unwrap().len(), 2);
}

/// One unit of work on a session with few seats.
#[derive(Debug, Clone)]
enum Step {
    Book(Vec<i64>),
    Cancel(usize),
    Return(usize),
    Resize(usize, i64),
    Delete(usize),
    Seats(i64),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(0_i64..4, 1..4).prop_map(Step::Book),
        2 => (0_usize..12).prop_map(Step::Cancel),
        2 => (0_usize..12).prop_map(Step::Return),
        1 => (0_usize..12, 0_i64..4).prop_map(|(place, size)| Step::Resize(place, size)),
        1 => (0_usize..12).prop_map(Step::Delete),
        2 => (0_i64..8).prop_map(Step::Seats),
    ]
}

/// The class as it should be: bookings in order of creation, with size and status.
#[derive(Debug, Clone, Default)]
struct Model {
    seats: i64,
    bookings: Vec<(Json, i64, &'static str)>,
}

impl Model {
    fn left(&self) -> i64 {
        self.seats
            - self.bookings.iter().filter(|(.., status)| *status == "booked").map(|(_, size, _)| size).sum::<i64>()
    }

    fn let_in(&mut self) {
        for place in 0..self.bookings.len() {
            let left = self.left();
            let (_, size, status) = &mut self.bookings[place];
            if *status == "waiting" && left > 0 && *size <= left {
                *status = "booked";
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn who_is_in_and_who_waits_is_as_in_the_model(seats in 0_i64..6, steps in prop::collection::vec(steps(), 1..20)) {
        run(async {
            let host = host_with(GYM).await;
            let session = session(&host, seats).await;
            let mut model = Model { seats, ..Model::default() };
            for step in steps {
                take(&host, &session, &mut model, step).await;
                let stored: BTreeMap<String, String> = host.list("gym.booking", "").await.unwrap().iter()
                    .map(|one| (one["id"].to_string(), one["status"].as_str().unwrap().to_owned())).collect();
                let wanted = model.bookings.iter().map(|(id, _, status)| (id.to_string(), (*status).to_owned())).collect();
                assert_eq!(stored, wanted);
                assert!(complaints(&host).await.is_empty() || model.left() == 0, "{:?}", complaints(&host).await);
            }
        });
    }
}

async fn take(host: &TestHost, session: &Json, model: &mut Model, step: Step) {
    match step {
        Step::Book(sizes) => {
            let changes: Vec<Change> = sizes
                .iter()
                .map(|size| json!({"session": session, "persons": size}))
                .map(|fields| host.read_change(ChangeKind::Create, "gym.booking", None, &fields).unwrap())
                .collect();
            let written = host.workspace.apply(&TestHost::owner(), changes).await.unwrap();
            for (size, (_, record)) in sizes.into_iter().zip(written) {
                let status = if size <= model.left().max(0) { "booked" } else { "waiting" };
                model.bookings.push((json!(record.id), size, status));
            }
        }
        Step::Cancel(place) => {
            let Some((id, _, status)) = model.bookings.get_mut(place) else { return };
            host.update("gym.booking", id, &json!({"status": "cancelled"})).await.unwrap();
            *status = "cancelled";
        }
        Step::Return(place) => {
            let left = model.left();
            let Some((id, size, status)) = model.bookings.get_mut(place) else { return };
            host.update("gym.booking", id, &json!({"status": "booked"})).await.unwrap();
            if *status != "booked" {
                *status = if *size <= left.max(0) { "booked" } else { "waiting" };
            }
        }
        Step::Resize(place, new) => {
            let left = model.left();
            let Some((id, size, status)) = model.bookings.get_mut(place) else { return };
            let fits = *status != "booked" || new - *size <= left.max(0);
            let result = host.update("gym.booking", id, &json!({"persons": new})).await;
            assert_eq!(code(&result), if fits { "done" } else { "full" });
            if fits {
                *size = new;
            }
        }
        Step::Delete(place) => {
            if place < model.bookings.len() {
                host.delete("gym.booking", &model.bookings.remove(place).0).await.unwrap();
            }
        }
        Step::Seats(seats) => {
            let fits = seats >= model.seats - model.left() || seats >= model.seats;
            let result = host.update("gym.session", session, &json!({"seats": seats})).await;
            assert_eq!(code(&result), if fits { "done" } else { "full" });
            if fits {
                model.seats = seats;
            }
        }
    }
    model.let_in();
}

/// Many who book and cancel at once in a class of five.
async fn rush(host: TestHost) -> Arc<TestHost> {
    let session = session(&host, 5).await;
    let host = Arc::new(host);
    let tasks = (0..40_i64).map(|number| {
        let (host, session) = (Arc::clone(&host), session.clone());
        tokio::spawn(async move {
            let booking = json!({"session": session, "persons": 1 + number % 2});
            let booked = host.create("gym.booking", &booking).await.unwrap();
            if number % 3 == 0 {
                host.update("gym.booking", &booked["id"], &json!({"status": "cancelled"})).await.unwrap();
            }
        })
    });
    for one in tasks.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_as_many_are_in_as_there_is_room_for() {
    let host = rush(host_with(GYM).await).await;
    assert_eq!(complaints(&host).await, Vec::<String>::new());
    let booked = host.list("gym.booking", "status == 'booked'").await.unwrap();
    let taken: i64 = booked.iter().map(|one| one["persons"].as_i64().unwrap()).sum();
    assert_eq!(taken, 5, "somebody small always waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_of_rooms_notices_when_a_rule_is_off() {
    for (rule, complaint) in [(Rule::Capacity, "in 5 seats"), (Rule::Promotion, "waits")] {
        let host = host_with(GYM).await;
        host.workspace.switch_off(rule);
        let host = rush(host).await;
        let found = complaints(&host).await;
        assert!(found.iter().any(|one| one.ends_with(complaint)), "{rule:?}: {found:?}");
    }
}
