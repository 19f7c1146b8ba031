//! `POST /book`: one visit or several, all or nothing.

use std::collections::BTreeSet;

use pergola_plugin::prelude::*;

use crate::book::{ALTERNATIVES_MAX, Plans, Trouble};
use crate::catalogue::Catalogue;
use crate::load::{self, HostClock, Taken};
use crate::order::{self, Order, Visit};
use crate::rules::Rules;
use crate::span::{Span, Spans};
use crate::team::{Master, Slot};

/// How often an order is planned anew when somebody else was faster.
const ATTEMPTS_MAX: usize = 4;
/// Days after the last visit whose time off is known, for alternatives.
const DAYS_AFTER: i64 = 5;

/// Books, or tells why not and what could be booked instead.
pub(crate) fn answer(request: &Request) -> Result<Response, Failure> {
    let order = order::read(&request.json()?)?;
    let phone = phones::normalise(&order.contact.phone).map_err(|failure| failure.field("contact.phone"))?;
    let rules = Rules::load();
    check_starts(&order.visits, rules)?;
    let (catalogue, team) = load(&order.visits)?;
    let plans = Plans { catalogue: &catalogue, team: &team, rules, clock: &HostClock };
    plans.check(&order.visits)?;
    let holders = phones::lookup(&phone)?;
    let contact = holders.iter().find(|holder| holder.object == "contact").map(|holder| holder.id);
    for _ in 0..ATTEMPTS_MAX {
        let taken = taken_at(&plans, &order.visits)?;
        let slots = match plans.plan(&order.visits, &taken) {
            Ok(slots) => slots,
            Err(trouble) => return Err(refusal(&plans, &order.visits, &trouble)?),
        };
        match write(&order, &phone, contact, &slots) {
            // Somebody was faster; perhaps another master is free.
            Err(failure) if failure.code == "overlap" => {}
            Err(failure) => return Err(at_its_place(failure)),
            Ok(response) => return Ok(response),
        }
    }
    let lost = Trouble { visits: (0..order.visits.len()).collect(), taken: true };
    Err(refusal(&plans, &order.visits, &lost)?)
}

/// Passes starts that may be booked now. Comes before all that asks the clock about them.
fn check_starts(visits: &[Visit], rules: Rules) -> Result<(), Failure> {
    let bookable = rules.bookable();
    visits.iter().enumerate().try_for_each(|(place, visit)| {
        let message = if visit.start < bookable.start {
            "This time is over or too soon; choose a later one."
        } else if visit.start >= bookable.end {
            "This is too far ahead; choose an earlier time."
        } else {
            return Ok(());
        };
        Err(Failure::refused("not_bookable", message).field(format!("visits[{place}].starts_at")))
    })
}

fn load(visits: &[Visit]) -> Result<(Catalogue, Vec<Master>), Failure> {
    let services: BTreeSet<Id> = visits.iter().map(|visit| visit.service).collect();
    let starts = || visits.iter().map(|visit| visit.start);
    let (first, last) = (starts().min().unwrap_or(clock::now()), starts().max().unwrap_or(clock::now()));
    let mut team = load::team(Span::new(first - Duration::days(1), last + Duration::days(DAYS_AFTER)))?;
    team.retain(Master::has_hours);
    Ok((load::catalogue(&services)?, team))
}

/// What is taken at the times of the visits.
fn taken_at(plans: &Plans<'_>, visits: &[Visit]) -> Result<Taken, Failure> {
    load::taken_in(&Spans::union(visits.iter().map(|visit| plans.longest(visit))))
}

/// Writes the contact, if it is new, and the appointments, in one unit of work.
fn write(order: &Order, phone: &str, known: Option<Id>, slots: &[Slot]) -> Result<Response, Failure> {
    let contact = known.unwrap_or_else(records::new_id);
    let mut changes = Vec::with_capacity(slots.len() + 1);
    if known.is_none() {
        let mut fields = Fields::new().with("name", order.contact.name.as_str()).with("phone", phone);
        fields.set("source", "online");
        fields.set_some("email", order.contact.email.as_deref());
        fields.set_some("language", order.contact.language.as_deref());
        changes.push(Change::create("contact", fields).with_id(contact));
    }
    changes.extend(order.visits.iter().zip(slots).map(|(visit, slot)| {
        let fields = Fields::new()
            .with("contact", contact)
            .with("service", visit.service)
            .with("master", slot.master)
            .with("starts_at", slot.span.start)
            .with("ends_at", slot.span.end)
            .with("source", "online");
        Change::create("booking.appointment", fields)
    }));
    let written = records::apply(changes)?;
    let appointments = written.iter().filter(|record| record.object == "booking.appointment").map(appointment_json);
    let appointments = appointments.collect::<Result<Vec<_>, _>>()?;
    // No more of the contact than its id: whoever knows a phone number must not learn whose it is.
    Response::json(201, &json!({ "contact": { "id": contact }, "appointments": appointments }))
}

fn appointment_json(record: &Record) -> Result<Json, Failure> {
    let fields = &record.fields;
    Ok(json!({
        "id": record.id,
        "service": fields.read::<Id>("service")?,
        "master": fields.read::<Id>("master")?,
        "starts_at": fields.read::<DateTime>("starts_at")?,
        "ends_at": fields.read::<DateTime>("ends_at")?,
        "status": fields.text("status"),
        "price": fields.money("price"),
    }))
}

/// The failure, with what could be booked instead of the visits in trouble.
fn refusal(plans: &Plans<'_>, visits: &[Visit], trouble: &Trouble) -> Result<Failure, Failure> {
    let (code, message) = if trouble.taken {
        ("slot_taken", "This time is taken; choose another one.")
    } else {
        ("not_bookable", "Nobody works at that time; choose another one.")
    };
    let place = trouble.visits.first().copied().unwrap_or(0);
    let failure = Failure::refused(code, message).field(format!("visits[{place}].starts_at"));
    let Some(first) = visits.get(place) else { return Ok(failure) };
    let mut window = plans.alternative_window(first);
    let mut taken = load::taken(window)?;
    window.end = taken.known_until.unwrap_or(window.end).min(window.end);
    keep_others(visits, trouble, plans, &mut taken);
    // Visits on another day would need another look at what is taken; they get theirs when this one is settled.
    let near: Vec<&Visit> = trouble
        .visits
        .iter()
        .filter_map(|place| visits.get(*place))
        .filter(|visit| plans.alternative_window(visit) == plans.alternative_window(first))
        .collect();
    let each = (ALTERNATIVES_MAX / near.len().max(1)).max(1);
    let slots = near.iter().flat_map(|visit| {
        plans.alternatives(visit, window, &taken, each).into_iter().map(|slot| slot_json(visit.service, slot))
    });
    let alternatives: Vec<Json> = slots.take(ALTERNATIVES_MAX).collect();
    Ok(failure.detail(json!({ "alternatives": alternatives })))
}

/// Keeps the other visits' times, as far as their masters are known.
fn keep_others(visits: &[Visit], trouble: &Trouble, plans: &Plans<'_>, taken: &mut Taken) {
    for (place, visit) in visits.iter().enumerate() {
        if let Some(master) = visit.master.filter(|_| !trouble.visits.contains(&place)) {
            taken.add(master, plans.longest(visit));
        }
    }
}

fn slot_json(service: Id, slot: Slot) -> Json {
    json!({ "service": service, "master": slot.master, "starts_at": slot.span.start, "ends_at": slot.span.end })
}

/// Names the place in the request instead of the field of the new contact.
fn at_its_place(failure: Failure) -> Failure {
    let of_contact = failure.field.as_deref().filter(|field| ["name", "phone", "email", "language"].contains(field));
    match of_contact.map(|field| format!("contact.{field}")) {
        Some(place) => failure.field(place),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::id;
    use crate::test_clock::at;

    #[test]
    fn only_starts_between_the_notice_and_the_end_of_what_is_bookable_pass() {
        let rules = Rules { now: at("2026-01-05 10:00"), step: 30, notice_minutes: 60, ahead_days: 7 };
        for (start, passes) in [
            ("2026-01-05 09:00", false),
            ("2026-01-05 10:59", false),
            ("2026-01-05 11:00", true),
            ("2026-01-12 09:59", true),
            ("2026-01-12 10:00", false),
        ] {
            let visit = Visit { service: id(10), master: None, start: at(start) };
            let failure = check_starts(&[visit], rules).err();
            assert_eq!(failure.is_none(), passes, "{start}");
            assert!(failure.iter().all(|failure| failure.field.as_deref() == Some("visits[0].starts_at")));
        }
    }

    #[test]
    fn a_refused_contact_is_marked_where_the_request_has_it() {
        let field = |name: &str| at_its_place(Failure::refused("invalid", "").field(name)).field;
        assert_eq!(field("email").as_deref(), Some("contact.email"));
        assert_eq!(field("starts_at").as_deref(), Some("starts_at"));
    }
}
