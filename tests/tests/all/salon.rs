//! A salon runs on it: the packs on the real host, over weeks of its clock.

use serde_json::{Value as Json, json};

use crate::{Salon, at, hours, told};

/// Subjects or first lines of what was sent since, by what they are about.
fn bodies(salon: &Salon) -> Vec<String> {
    salon.host.sent().into_iter().map(|message| message.body).collect()
}

async fn book_one(salon: &Salon, days: i64, hour: i8) -> Json {
    let visits = json!([{"service": salon.haircut, "master": salon.anna, "starts_at": at(days, hour, 0)}]);
    let (_, booked) = salon.book("Masha", "+79123456789", visits).await.unwrap();
    booked["appointments"][0]["id"].clone()
}

async fn messages(salon: &Salon, action: &str) -> Vec<Json> {
    let all = salon.host.list("message", "").await.unwrap();
    all.into_iter().filter(|message| message["key"].as_str().unwrap().contains(action)).collect()
}

#[tokio::test]
async fn a_reminder_leaves_a_day_before_the_visit() {
    let salon = Salon::open(super::backend()).await;
    book_one(&salon, 3, 12).await;
    salon.host.advance(hours(47)).await.unwrap();
    assert_eq!(salon.host.sent().len(), 0, "not yet");
    salon.host.advance(hours(1)).await.unwrap();
    let sent = salon.host.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0].channel.as_str(), sent[0].address.as_str()), ("sms", "+79123456789"));
    assert!(sent[0].body.contains("12:00"), "on the salon's clock: {}", sent[0].body);
    assert_eq!(sent[0].at, at(2, 12, 0));
}

#[tokio::test]
async fn a_moved_visit_moves_its_reminder_and_a_cancelled_one_has_none() {
    let salon = Salon::open(super::backend()).await;
    let moved = book_one(&salon, 3, 12).await;
    let cancelled = book_one(&salon, 3, 15).await;
    salon.host.update("booking.appointment", &moved, &json!({"starts_at": at(5, 12, 0)})).await.unwrap();
    salon.host.update("booking.appointment", &cancelled, &json!({"status": "cancelled"})).await.unwrap();
    salon.host.advance(hours(72)).await.unwrap();
    assert_eq!(salon.host.sent().len(), 0);
    salon.host.advance(hours(24)).await.unwrap();
    assert_eq!(salon.host.sent().len(), 1);
    assert_eq!(salon.host.sent()[0].at, at(4, 12, 0));
}

#[tokio::test]
async fn a_reminder_that_waits_to_leave_is_cancelled_with_the_visit() {
    let salon = Salon::open(super::backend()).await;
    let id = book_one(&salon, 3, 12).await;
    salon.host.outbox.fail_with(Some("the gateway is away"));
    salon.host.advance(hours(49)).await.unwrap();
    salon.host.update("booking.appointment", &id, &json!({"status": "cancelled"})).await.unwrap();
    salon.host.outbox.fail_with(None);
    salon.host.advance(hours(4)).await.unwrap();
    assert_eq!(salon.host.sent().len(), 0, "{:?}", bodies(&salon));
    assert_eq!(salon.host.list("message", "status == 'cancelled'").await.unwrap().len(), 1);
}

#[tokio::test]
async fn after_the_visit_a_rating_is_asked_for_and_counts_for_the_master() {
    let salon = Salon::open(super::backend()).await;
    let id = book_one(&salon, 3, 12).await;
    let early = told(salon.host.route("salon", "POST", "/rate", &[], &json!({"appointment": id, "stars": 5})).await);
    assert!(early.starts_with("conflict"), "{early}");
    salon.host.advance(hours(24 * 3 + 6)).await.unwrap();
    assert_eq!(messages(&salon, "rating").await.len(), 1, "{:?}", bodies(&salon));
    let bad = told(salon.host.route("salon", "POST", "/rate", &[], &json!({"appointment": id, "stars": 6})).await);
    assert!(bad.contains("stars"), "{bad}");
    let (status, _) =
        salon.host.route("salon", "POST", "/rate", &[], &json!({"appointment": id, "stars": 4})).await.unwrap();
    assert_eq!(status, 201);
    let again = told(salon.host.route("salon", "POST", "/rate", &[], &json!({"appointment": id, "stars": 1})).await);
    assert!(again.starts_with("taken"), "{again}");
    let anna = salon.host.list("booking.resource", "name == 'Anna'").await.unwrap()[0].clone();
    assert_eq!((anna["salon"]["rating"].as_str(), anna["salon"]["ratings"].as_i64()), (Some("4.00"), Some(1)));
}

#[tokio::test]
async fn a_client_who_stays_away_is_missed_once() {
    let salon = Salon::open(super::backend()).await;
    book_one(&salon, 1, 12).await;
    salon.host.advance(hours(24 * 2)).await.unwrap();
    let masha = salon.host.list("contact", "").await.unwrap()[0].clone();
    assert_eq!(masha["salon"]["visits"], 1);
    assert_eq!(masha["salon"]["last_visit"], at(1, 12, 0).to_string());
    assert_eq!(messages(&salon, "win_back").await.len(), 0);
    salon.host.advance(hours(24 * 61)).await.unwrap();
    assert_eq!(messages(&salon, "win_back").await.len(), 1);
    salon.host.advance(hours(24 * 200)).await.unwrap();
    assert_eq!(messages(&salon, "win_back").await.len(), 1, "not again");
}

#[tokio::test]
async fn who_has_booked_again_or_said_no_is_not_missed() {
    let salon = Salon::open(super::backend()).await;
    book_one(&salon, 1, 12).await;
    salon.host.advance(hours(24 * 30)).await.unwrap();
    book_one(&salon, 70, 12).await;
    salon.host.advance(hours(24 * 35)).await.unwrap();
    assert_eq!(messages(&salon, "win_back").await.len(), 0, "she has an appointment");
    let masha = salon.host.list("contact", "").await.unwrap()[0].clone();
    salon.host.advance(hours(24 * 10)).await.unwrap();
    salon.host.update("contact", &masha["id"], &json!({"salon": {"consent": "refused"}})).await.unwrap();
    salon.host.advance(hours(24 * 100)).await.unwrap();
    assert_eq!(messages(&salon, "win_back").await.len(), 0, "she said no");
    let masha = salon.host.list("contact", "").await.unwrap()[0].clone();
    assert!(masha["salon"]["consent_at"].is_string(), "when she said it is known");
}

#[tokio::test]
async fn a_visit_counts_once_however_it_is_marked() {
    let salon = Salon::open(super::backend()).await;
    let id = book_one(&salon, 1, 12).await;
    salon.host.advance(hours(24)).await.unwrap();
    salon.host.update("booking.appointment", &id, &json!({"status": "arrived"})).await.unwrap();
    salon.host.update("booking.appointment", &id, &json!({"status": "done"})).await.unwrap();
    salon.host.advance(hours(48)).await.unwrap();
    assert_eq!(salon.host.list("contact", "").await.unwrap()[0]["salon"]["visits"], 1);
}

#[tokio::test]
async fn what_a_client_spent_follows_the_visits_that_took_place() {
    let salon = Salon::open(super::backend()).await;
    let (first, second) = (book_one(&salon, 1, 12).await, book_one(&salon, 2, 12).await);
    salon.host.advance(hours(24 * 3)).await.unwrap();
    let spent = || async { salon.host.list("contact", "").await.unwrap()[0]["salon"].clone() };
    let money = |amount: i64| json!({"amount_minor": amount, "currency": "RUB"});
    let salon_fields = spent().await;
    assert_eq!((&salon_fields["lifetime_value"], &salon_fields["average_check"]), (&money(500_000), &money(250_000)));
    salon.host.update("booking.appointment", &second, &json!({"status": "no_show"})).await.unwrap();
    let salon_fields = spent().await;
    assert_eq!((&salon_fields["visits"], &salon_fields["lifetime_value"]), (&json!(1), &money(250_000)));
    assert_eq!(salon_fields["last_visit"], at(1, 12, 0).to_string());
    assert_eq!(salon.appointment(&first).await["status"], "done");
}

#[tokio::test]
async fn a_room_is_nobodys_preferred_master() {
    let salon = Salon::open(super::backend()).await;
    let room = salon.host.create("booking.resource", &json!({"name": "Room 1", "kind": "room"})).await.unwrap();
    let refused =
        told(salon.host.create("contact", &json!({"name": "Masha", "salon": {"preferred_master": room["id"]}})).await);
    assert!(refused.contains("salon.preferred_master"), "{refused}");
    salon.host.create("contact", &json!({"name": "Masha", "salon": {"preferred_master": salon.anna}})).await.unwrap();
}
