//! The reminder a day before a visit.

use pergola_plugin::prelude::*;

use crate::words::{Language, Moment};
use crate::{load, rules};

/// Queues the reminder of an appointment, unless there is nothing to remind of or nowhere to send it.
pub(crate) fn remind(appointment: &Record) -> Result<(), Failure> {
    let now = clock::now();
    let Some(visit) = Upcoming::of(appointment, now)? else { return Ok(()) };
    let Some(contact) = records::get("contact", visit.contact)? else { return Ok(()) };
    let language = contact.fields.text("language").and_then(Language::find).unwrap_or_else(rules::language);
    let service = name("booking.service", visit.service)?;
    let master = name("booking.resource", visit.master)?;
    let (at, today): (Moment, Moment) = (clock::wall(visit.start).into(), clock::wall(now).into());
    let when = language.moment(at, today.date.year());
    let message = Message::to(visit.contact, visit.key())
        .subject(language.reminder_subject(&service))
        .body(language.reminder(&language.visit(&service, &master, &when)))
        .about("booking.appointment", visit.id);
    match messages::queue(message) {
        // Trying again later would not help.
        Err(failure) if failure.code == "no_address" => Ok(()),
        queued => queued.map(|_| ()),
    }
}

fn name(object: &str, id: Id) -> Result<String, Failure> {
    Ok(load::names(object, &[id].into())?.remove(&id).unwrap_or_default())
}

/// A visit that people can still come to.
#[derive(Debug, PartialEq, Eq)]
struct Upcoming {
    id: Id,
    contact: Id,
    service: Id,
    master: Id,
    start: DateTime,
}

impl Upcoming {
    /// None if the appointment is no longer booked, or has begun.
    fn of(appointment: &Record, now: DateTime) -> Result<Option<Self>, Failure> {
        let fields = &appointment.fields;
        let start: DateTime = fields.read("starts_at")?;
        if fields.text("status") != Some("booked") || start <= now {
            return Ok(None);
        }
        let (contact, service, master) = (fields.read("contact")?, fields.read("service")?, fields.read("master")?);
        Ok(Some(Self { id: appointment.id, contact, service, master, start }))
    }

    /// Names the start, so that a moved visit is reminded of again.
    fn key(&self) -> String {
        format!("remind:{}:{}", self.id, self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::id;

    fn upcoming(status: &str, start: &str) -> Option<Upcoming> {
        let at: DateTime = "2026-11-20T14:00:00Z".parse().unwrap();
        let fields = Fields::new().with("contact", id(5)).with("service", id(10)).with("master", id(1));
        let fields = fields.with("starts_at", start.parse::<DateTime>().unwrap()).with("status", status);
        let object = "booking.appointment".to_owned();
        let record = Record { object, id: id(99), version: 1, created_at: at, updated_at: at, fields };
        Upcoming::of(&record, at).unwrap()
    }

    #[test]
    fn only_booked_visits_that_have_not_begun_are_reminded_of() {
        for (status, start, reminded) in [
            ("booked", "2026-11-21T14:00:00Z", true),
            ("booked", "2026-11-20T14:00:00Z", false),
            ("booked", "2026-11-20T13:00:00Z", false),
            ("cancelled", "2026-11-21T14:00:00Z", false),
            ("arrived", "2026-11-21T14:00:00Z", false),
        ] {
            assert_eq!(upcoming(status, start).is_some(), reminded, "{status} {start}");
        }
    }

    #[test]
    fn a_moved_visit_has_another_key() {
        let key = |start| upcoming("booked", start).unwrap().key();
        assert_eq!(key("2026-11-21T14:00:00Z"), "remind:00000000-0000-0000-0000-000000000063:2026-11-21T14:00:00Z");
        assert_ne!(key("2026-11-21T15:00:00Z"), key("2026-11-21T14:00:00Z"));
    }
}
