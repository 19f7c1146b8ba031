//! `hold`: a slot kept while somebody pays, which is free again at the instant at which the hold ends.

use std::sync::Arc;

use insta::assert_snapshot;
use jiff::SignedDuration;
use pergola_service::mutants::Rule;
use pergola_testkit::TestHost;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{code, host_with, hour, run};
use crate::told;

const DESK: &str = r#"
id = "desk"
[object.room]
fields.name = { type = "text" }
fields.seats = { type = "integer", default = 2 }
[object.visit]
fields.room = { type = "ref", to = "desk.room" }
fields.starts_at = { type = "datetime" }
fields.ends_at = { type = "datetime" }
fields.status = { type = "choice", of = ["held", "booked", "expired"], default = "held" }
fields.held_until = { type = "datetime" }
hold = { field = "status", value = "held", until = "held_until", minutes = 15, then = "expired" }
exclude = [{ on = "room", during = ["starts_at", "ends_at"], when = "status != 'expired'" }]
transitions.status = [{ from = "held", to = "booked" }, { from = "held", to = "expired" }]
[object.seat]
fields.room = { type = "ref", to = "desk.room" }
fields.status = { type = "choice", of = ["held", "booked", "waiting", "expired"], default = "held" }
fields.held_until = { type = "datetime" }
hold = { field = "status", value = "held", until = "held_until", minutes = 15, then = "expired" }
capacity = [{ on = "room", max = "room.seats", when = "status in ['held', 'booked']", waiting = { field = "status", value = "waiting", then = "booked" } }]
"#;

struct Desk {
    host: TestHost,
    room: Json,
}

impl Desk {
    async fn open() -> Self {
        let host = host_with(DESK).await;
        let room = host.create("desk.room", &json!({"name": "Blue"})).await.unwrap()["id"].clone();
        Self { host, room }
    }

    fn visit(&self) -> Json {
        json!({"room": self.room, "starts_at": hour(10), "ends_at": hour(11)})
    }

    async fn pay(&self, visit: &Json) -> Result<Json, pergola_service::Error> {
        self.host.update("desk.visit", &visit["id"], &json!({"status": "booked"})).await
    }

    /// Moves the clock without letting anything happen.
    fn wait(&self, minutes: i64) {
        let now = self.host.workspace.now();
        self.host.clock.set(now.checked_add(SignedDuration::from_mins(minutes)).unwrap());
    }

    /// Records that are held still though their time is over, or for ever.
    async fn left_over(&self) -> usize {
        let filter = "status == 'held' && (held_until == null || held_until <= now)";
        self.host.list("desk.visit", filter).await.unwrap().len()
            + self.host.list("desk.seat", filter).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_its_slot_is_free_from_that_instant() {
    let desk = Desk::open().await;
    let held = desk.host.create("desk.visit", &desk.visit()).await.unwrap();
    let until = desk.host.workspace.now().checked_add(SignedDuration::from_mins(15)).unwrap();
    assert_eq!(held["held_until"], json!(until));
    desk.wait(14);
    assert_eq!(code(&desk.host.create("desk.visit", &desk.visit()).await), "overlap", "it is held");
    desk.wait(1);
    // Nothing has run yet, and the slot is free.
    let other = desk.host.create("desk.visit", &desk.visit()).await.unwrap();
    assert_snapshot!(told(desk.pay(&held).await), @r#"hold_over ["held_until"]: the hold of this desk.visit is over and its place was taken; take another one"#);
    desk.host.settle().await.unwrap();
    let ended = desk.host.list("desk.visit", "status == 'expired'").await.unwrap();
    assert_eq!((ended.len(), &ended[0]["id"]), (1, &held["id"]));
    desk.pay(&other).await.unwrap();
    desk.host.advance(SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(desk.host.list("desk.visit", "status == 'booked'").await.unwrap().len(), 1, "what is paid stays");
    assert_eq!(desk.left_over().await, 0);
}

#[tokio::test]
async fn who_pays_late_gets_what_nobody_else_took() {
    let desk = Desk::open().await;
    let held = desk.host.create("desk.visit", &desk.visit()).await.unwrap();
    desk.wait(20);
    assert_eq!(desk.pay(&held).await.unwrap()["status"], "booked");
    let second = desk.host.create("desk.visit", &desk.visit()).await;
    assert_eq!(code(&second), "overlap");
    desk.host.settle().await.unwrap();
    assert_eq!(desk.host.list("desk.visit", "status == 'expired'").await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_hold_may_be_told_its_end_which_is_in_the_future() {
    let desk = Desk::open().await;
    let until = |until: Json| {
        let mut visit = desk.visit();
        visit["held_until"] = until;
        visit
    };
    let held = desk.host.create("desk.visit", &until(hour(2))).await.unwrap();
    assert_eq!(held["held_until"], hour(2));
    let past = told(desk.host.update("desk.visit", &held["id"], &json!({"held_until": hour(-1)})).await);
    assert_snapshot!(past, @r#"invalid ["held_until"]: held_until: a hold ends in the future"#);
    desk.host.update("desk.visit", &held["id"], &json!({"held_until": hour(3)})).await.unwrap();
    desk.host.advance(SignedDuration::from_hours(2)).await.unwrap();
    assert_eq!(code(&desk.host.create("desk.visit", &desk.visit()).await), "overlap", "it was made longer");
    desk.host.advance(SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(code(&desk.host.create("desk.visit", &desk.visit()).await), "done");
}

#[tokio::test]
async fn who_waits_is_let_in_when_a_hold_ends() {
    let desk = Desk::open().await;
    let seat = json!({"room": desk.room});
    let mut seats = Vec::new();
    for _ in 0..3 {
        seats.push(desk.host.create("desk.seat", &seat).await.unwrap());
    }
    assert_eq!(seats[2]["status"], "waiting");
    desk.host.advance(SignedDuration::from_mins(15)).await.unwrap();
    let count = |status: &'static str| {
        let host = &desk.host;
        async move { host.list("desk.seat", &format!("status == '{status}'")).await.unwrap().len() }
    };
    assert_eq!((count("expired").await, count("booked").await), (2, 1));
    assert_eq!(desk.left_over().await, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_slot_has_one_owner_at_every_minute(steps in prop::collection::vec((0_i64..12, 0_usize..4, prop::bool::ANY), 1..20)) {
        run(async {
            let desk = Desk::open().await;
            // In the model: who has the slot, and until when it is held if it is not paid for.
            let mut owner: Option<(usize, Option<i64>)> = None;
            let mut visits: Vec<Json> = Vec::new();
            let mut minute = 0;
            for (pause, place, settle) in steps {
                desk.wait(pause);
                minute += pause;
                if settle { desk.host.settle().await.unwrap() }
                if owner.is_some_and(|(_, until)| until.is_some_and(|until| until <= minute)) { owner = None }
                if place >= visits.len() {
                    let held = desk.host.create("desk.visit", &desk.visit()).await;
                    assert_eq!(code(&held), if owner.is_none() { "done" } else { "overlap" });
                    if let Ok(held) = held {
                        owner = Some((visits.len(), Some(minute + 15)));
                        visits.push(held);
                    }
                    continue;
                }
                let id = visits[place]["id"].as_str().unwrap().to_owned();
                let status = desk.host.list("desk.visit", &format!("id == '{id}'")).await.unwrap()[0]["status"].clone();
                let result = code(&desk.pay(&visits[place]).await);
                let wanted = match (owner, status.as_str().unwrap()) {
                    (_, "booked") => "done",
                    (_, "expired") => "transition",
                    (None, _) => "done",
                    (Some((has, _)), _) => if has == place { "done" } else { "hold_over" },
                };
                assert_eq!(result, wanted);
                if result == "done" { owner = Some((place, None)) }
            }
            desk.host.advance(SignedDuration::from_hours(1)).await.unwrap();
            assert_eq!(desk.left_over().await, 0);
            let live = desk.host.list("desk.visit", "status != 'expired'").await.unwrap().len();
            assert_eq!(live, usize::from(owner.is_some_and(|(_, until)| until.is_none())));
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_what_a_hold_gave_up_one_gets_it() {
    let desk = Desk::open().await;
    let held = desk.host.create("desk.visit", &desk.visit()).await.unwrap();
    desk.wait(15);
    let desk = Arc::new(desk);
    let tasks = (0..30).map(|number| {
        let (desk, held) = (Arc::clone(&desk), held.clone());
        tokio::spawn(async move {
            let result = if number % 3 == 0 {
                desk.pay(&held).await
            } else {
                desk.host.create("desk.visit", &desk.visit()).await
            };
            assert!(["done", "overlap", "hold_over"].contains(&code(&result).as_str()), "{}", code(&result));
        })
    });
    for one in tasks.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let live =
        desk.host.list("desk.visit", "status == 'booked' || (status == 'held' && held_until > now)").await.unwrap();
    assert_eq!(live.len(), 1);
}

#[tokio::test]
async fn the_checker_of_holds_notices_when_they_are_off() {
    let desk = Desk::open().await;
    desk.host.workspace.switch_off(Rule::Hold);
    desk.host.create("desk.visit", &desk.visit()).await.unwrap();
    desk.host.advance(SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(desk.left_over().await, 1);
}
