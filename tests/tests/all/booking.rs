//! Booking: at once in the journal, and never doubled.

use std::{collections::BTreeSet, sync::Arc};

use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use crate::{Salon, at, told};

#[tokio::test]
async fn a_visit_booked_online_is_at_once_in_the_journal() {
    let salon = Salon::open(super::backend()).await;
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
    let (status, booked) = salon.book("Masha", "8 912 345-67-89", visits).await.unwrap();
    assert_eq!(status, 201, "{booked}");
    let journal = salon.host.list("booking.appointment", "status == 'booked'").await.unwrap();
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0]["id"], booked["appointments"][0]["id"]);
    assert_eq!(journal[0]["ends_at"], at(3, 13, 0).to_string(), "the service's minutes");
    assert_eq!(journal[0]["price"], json!({"amount_minor": 250_000, "currency": "RUB"}), "the service's price");
    let contact = &salon.host.list("contact", "phone == '+79123456789'").await.unwrap()[0];
    assert_eq!(journal[0]["contact"], contact["id"]);
    assert_eq!(salon.host.list("activity", "kind == 'visit'").await.unwrap().len(), 1, "it is on the timeline");
}

#[tokio::test]
async fn a_known_phone_in_another_spelling_is_the_same_contact() {
    let salon = Salon::open(super::backend()).await;
    let visit = |hour| json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, hour, 0)}]);
    salon.book("Masha", "8 912 345-67-89", visit(12)).await.unwrap();
    salon.book("Maria", "+7 (912) 345 67 89", visit(15)).await.unwrap();
    let contacts = salon.host.list("contact", "").await.unwrap();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0]["name"], "Masha", "what is known is not overwritten");
}

#[tokio::test]
async fn a_second_phone_of_a_contact_is_the_same_contact() {
    let salon = Salon::open(super::backend()).await;
    let masha = salon.host.create("contact", &json!({"name": "Masha", "phone": "+79120000001"})).await.unwrap();
    let point = json!({"contact": masha["id"], "kind": "phone", "label": "work", "phone": "8 912 345-67-89"});
    salon.host.create("contact_point", &point).await.unwrap();
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
    let (_, booked) = salon.book("Maria", "+79123456789", visits).await.unwrap();
    assert_eq!(booked["contact"]["id"], masha["id"]);
    assert_eq!(salon.host.list("contact", "").await.unwrap().len(), 1);
}

#[tokio::test]
async fn several_visits_are_booked_together_or_not_at_all() {
    let salon = Salon::open(super::backend()).await;
    let taken = json!([{"service": salon.nails, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
    salon.book("First", "+79120000001", taken).await.unwrap();
    let both = json!([
        {"service": salon.haircut, "master": salon.boris, "starts_at": at(3, 11, 0)},
        {"service": salon.nails, "master": salon.anna, "starts_at": at(3, 12, 0)},
    ]);
    let refused = told(salon.book("Second", "+79120000002", both).await);
    assert!(refused.starts_with("slot_taken"), "{refused}");
    assert_eq!(salon.host.list("booking.appointment", "").await.unwrap().len(), 1, "nothing of the second booking");
    assert_eq!(salon.host.list("contact", "").await.unwrap().len(), 1, "not even the contact");
    let both = json!([
        {"service": salon.haircut, "master": salon.boris, "starts_at": at(3, 11, 0)},
        {"service": salon.nails, "master": salon.anna, "starts_at": at(3, 14, 0)},
    ]);
    let (status, booked) = salon.book("Second", "+79120000002", both).await.unwrap();
    assert_eq!((status, booked["appointments"].as_array().unwrap().len()), (201, 2));
}

#[tokio::test]
async fn the_loser_is_given_free_alternatives() {
    let salon = Salon::open(super::backend()).await;
    let visit = || json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
    salon.book("First", "+79120000001", visit()).await.unwrap();
    let Err(pergola_service::Error::Refused(refused)) = salon.book("Second", "+79120000002", visit()).await else {
        panic!("a taken slot was sold")
    };
    assert_eq!(refused.code, "slot_taken");
    let alternatives = refused.detail.unwrap()["alternatives"].as_array().unwrap().clone();
    assert!(!alternatives.is_empty());
    let first = &alternatives[0];
    let visits = json!([{"service": salon.haircut, "master": first["master"], "starts_at": first["starts_at"]}]);
    let (status, _) = salon.book("Second", "+79120000002", visits).await.unwrap();
    assert_eq!(status, 201, "an alternative can really be booked: {first}");
}

#[tokio::test]
async fn of_two_hundred_who_want_one_slot_exactly_one_gets_it() {
    let salon = Arc::new(Salon::open(super::backend()).await);
    let tries = (0..200).map(|number| {
        let salon = Arc::clone(&salon);
        tokio::spawn(async move {
            let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
            match salon.book("Someone", &format!("+7912000{number:04}"), visits).await {
                Ok((201, _)) => "booked".to_owned(),
                Ok((status, body)) => format!("{status} {body}"),
                Err(error) => error.code().to_owned(),
            }
        })
    });
    let mut outcomes = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        outcomes.push(one.await.unwrap());
    }
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "booked").count(), 1);
    let others: BTreeSet<&str> = outcomes.iter().map(String::as_str).filter(|outcome| *outcome != "booked").collect();
    assert_eq!(others, BTreeSet::from(["slot_taken"]));
    assert_eq!(salon.host.list("booking.appointment", "").await.unwrap().len(), 1);
}

#[tokio::test]
async fn slots_leave_out_breaks_time_off_and_what_is_booked() {
    let salon = Salon::open(super::backend()).await;
    let lunch = json!({"resource": salon.anna, "weekday": 2, "kind": "break", "from_minute": 780, "until_minute": 840});
    salon.host.create("booking.hours", &lunch).await.unwrap();
    let off = json!({"resource": salon.boris, "starts_at": at(3, 0, 0), "ends_at": at(4, 0, 0), "reason": "doctor"});
    salon.host.create("booking.time_off", &off).await.unwrap();
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(3, 16, 0)}]);
    salon.book("Masha", "+79123456789", visits).await.unwrap();
    // Day 3 after Saturday is a Tuesday, weekday 2.
    let free = salon.slots(&salon.haircut, at(3, 0, 0), at(4, 0, 0)).await;
    assert!(free.iter().all(|(master, _)| *master == salon.anna), "Boris is at the doctor's");
    let starts: BTreeSet<String> = free.into_iter().map(|(_, start)| start).collect();
    let free_at = |hour, minute| starts.contains(&at(3, hour, minute).to_string());
    assert!(free_at(10, 0) && free_at(12, 0) && free_at(14, 0) && free_at(15, 0) && free_at(17, 0) && free_at(19, 0));
    assert!(!free_at(12, 30) && !free_at(13, 0) && !free_at(13, 30), "the break is from one to two");
    assert!(!free_at(15, 30) && !free_at(16, 0) && !free_at(16, 30), "booked from four to five");
    assert!(!free_at(9, 30) && !free_at(19, 30), "outside working hours");
}

#[tokio::test]
async fn what_cannot_be_booked_is_told_with_the_field() {
    let salon = Salon::open(super::backend()).await;
    let visit = |service: &Json, start: jiff::Timestamp| json!([{"service": service, "master": salon.boris, "starts_at": start}]);
    let past = told(salon.book("Masha", "+79123456789", visit(&salon.haircut, at(-1, 12, 0))).await);
    assert!(past.contains("visits[0].starts_at"), "{past}");
    let night = told(salon.book("Masha", "+79123456789", visit(&salon.haircut, at(3, 23, 0))).await);
    assert!(night.contains("slot_taken") || night.contains("not_bookable"), "{night}");
    let phone = told(salon.book("Masha", "12", visit(&salon.haircut, at(3, 12, 0))).await);
    assert!(phone.contains("contact.phone"), "{phone}");
    let nails = told(salon.book("Masha", "+79123456789", visit(&salon.nails, at(3, 12, 0))).await);
    assert!(!nails.is_empty(), "Boris does no nails");
    assert_eq!(salon.host.list("booking.appointment", "").await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_appointment_at_the_desk_is_held_to_the_same_rules() {
    let salon = Salon::open(super::backend()).await;
    let masha = salon.host.create("contact", &json!({"name": "Masha"})).await.unwrap()["id"].clone();
    let appointment = |hour: i8, minute: i8| json!({"contact": masha, "service": salon.haircut, "master": salon.anna, "starts_at": at(3, hour, minute)});
    let first = salon.host.create("booking.appointment", &appointment(12, 0)).await.unwrap();
    let refused = told(salon.host.create("booking.appointment", &appointment(12, 30)).await);
    assert!(refused.starts_with("overlap [\"starts_at\"]"), "{refused}");
    salon.host.create("booking.appointment", &appointment(13, 0)).await.unwrap();
    salon.host.update("booking.appointment", &first["id"], &json!({"status": "cancelled"})).await.unwrap();
    salon.host.create("booking.appointment", &appointment(12, 0)).await.unwrap();
    let back = told(salon.host.update("booking.appointment", &first["id"], &json!({"status": "booked"})).await);
    assert!(back.starts_with("overlap"), "the place was sold meanwhile: {back}");
}

#[tokio::test]
async fn moving_an_appointment_keeps_its_length() {
    let salon = Salon::open(super::backend()).await;
    let visits = json!([{"service": salon.nails, "master": salon.anna, "starts_at": at(3, 12, 0)}]);
    let (_, booked) = salon.book("Masha", "+79123456789", visits).await.unwrap();
    let id = &booked["appointments"][0]["id"];
    salon.host.update("booking.appointment", id, &json!({"starts_at": at(4, 15, 0)})).await.unwrap();
    let moved = salon.appointment(id).await;
    let length = SignedDuration::from_mins(90);
    assert_eq!(moved["ends_at"], at(4, 15, 0).checked_add(length).unwrap().to_string());
}

#[tokio::test]
async fn a_room_is_sold_once_along_with_its_master() {
    let salon = Salon::open(super::backend()).await;
    let masha = salon.host.create("contact", &json!({"name": "Masha"})).await.unwrap()["id"].clone();
    let room =
        salon.host.create("booking.resource", &json!({"name": "Blue", "kind": "room"})).await.unwrap()["id"].clone();
    let visit = |master: &Json, room: &Json, hour: i8| json!({"contact": masha, "service": salon.haircut, "master": master, "room": room, "starts_at": at(3, hour, 0)});
    salon.host.create("booking.appointment", &visit(&salon.anna, &room, 12)).await.unwrap();
    let refused = told(salon.host.create("booking.appointment", &visit(&salon.boris, &room, 12)).await);
    assert!(refused.starts_with("overlap [\"starts_at\"]"), "the master is free, the room is not: {refused}");
    salon.host.create("booking.appointment", &visit(&salon.boris, &Json::Null, 12)).await.unwrap();
    salon.host.create("booking.appointment", &visit(&salon.anna, &room, 13)).await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_the_manifest() {
    let salon = Salon::open(super::backend()).await;
    let masha = salon.host.create("contact", &json!({"name": "Masha"})).await.unwrap()["id"].clone();
    let room =
        salon.host.create("booking.resource", &json!({"name": "Blue", "kind": "room"})).await.unwrap()["id"].clone();
    let visit = |master: &Json, room: &Json, ends: jiff::Timestamp| json!({"contact": masha, "service": salon.haircut, "master": master, "room": room, "starts_at": at(3, 12, 0), "ends_at": ends});
    let hours = |weekday: i64, from: i64, until: i64| json!({"resource": salon.anna, "weekday": weekday, "from_minute": from, "until_minute": until});
    for (object, fields, field) in [
        ("booking.appointment", visit(&salon.anna, &Json::Null, at(3, 12, 0)), "ends_at"),
        ("booking.appointment", visit(&salon.anna, &Json::Null, at(4, 12, 1)), "ends_at"),
        ("booking.appointment", visit(&room, &Json::Null, at(3, 13, 0)), "master"),
        ("booking.appointment", visit(&salon.anna, &salon.boris, at(3, 13, 0)), "room"),
        ("booking.hours", hours(0, 540, 1020), "weekday"),
        ("booking.hours", hours(1, -1, 1020), "from_minute"),
        ("booking.hours", hours(1, 540, 1441), "until_minute"),
        ("booking.hours", hours(1, 540, 540), "until_minute"),
        ("booking.service", json!({"name": "Nothing", "minutes": 0}), "minutes"),
        ("booking.service", json!({"name": "For ever", "minutes": 1441}), "minutes"),
    ] {
        let refused = told(salon.host.create(object, &fields).await);
        assert!(refused.starts_with(&format!("invalid [\"{field}\"]")), "{refused}");
    }
}
