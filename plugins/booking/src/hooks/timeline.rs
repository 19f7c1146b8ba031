//! The contact's timeline follows appointments: booked, moved, cancelled. Reminders of what was given up are stopped.

use std::collections::{BTreeMap, BTreeSet};

use pergola_plugin::prelude::*;

use crate::words::{Language, Moment};
use crate::{load, rules};

/// The most changes in one call of the host.
const CHANGES_MAX: usize = 500;

/// What happened to an appointment, as far as its contact is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Booked,
    Moved { from: DateTime },
    Cancelled,
}

/// Notes a batch of written appointments: one query for the services' names, one for the masters', one write.
pub(crate) fn note(written: &[Written]) -> Result<(), Failure> {
    let news: Vec<(&Written, News)> = written.iter().filter_map(|one| Some((one, news(one)?))).collect();
    if news.is_empty() {
        return Ok(());
    }
    let ids =
        |field: &str| news.iter().filter_map(|(one, _)| one.now.fields.reference(field)).collect::<BTreeSet<Id>>();
    let writer = Writer {
        language: rules::language(),
        now: clock::now(),
        services: load::names("booking.service", &ids("service"))?,
        masters: load::names("booking.resource", &ids("master"))?,
        wall: |at| clock::wall(at).into(),
    };
    for (one, news) in &news {
        if *news != News::Booked {
            messages::cancel_about("booking.appointment", one.now.id)?;
        }
    }
    let entries: Vec<Fields> = news.iter().filter_map(|(one, news)| writer.entry(&one.now.fields, *news)).collect();
    for chunk in entries.chunks(CHANGES_MAX) {
        records::apply(chunk.iter().map(|fields| Change::create("activity", fields.clone())))?;
    }
    Ok(())
}

fn news(written: &Written) -> Option<News> {
    let status = written.now.fields.text("status");
    if written.kind == Kind::Create {
        return (status != Some("cancelled")).then_some(News::Booked);
    }
    if written.became("status", "cancelled") {
        return Some(News::Cancelled);
    }
    let from = written.before.datetime("starts_at").filter(|_| written.changed("starts_at"))?;
    (status != Some("cancelled")).then_some(News::Moved { from })
}

/// Writes entries of the timeline.
struct Writer {
    language: Language,
    now: DateTime,
    services: BTreeMap<Id, String>,
    masters: BTreeMap<Id, String>,
    wall: fn(DateTime) -> Moment,
}

impl Writer {
    /// None for an appointment without what every appointment has.
    fn entry(&self, appointment: &Fields, news: News) -> Option<Fields> {
        let (contact, start) = (appointment.reference("contact")?, appointment.datetime("starts_at")?);
        let name = |names: &BTreeMap<Id, String>, field: &str| names.get(&appointment.reference(field)?).cloned();
        let service = name(&self.services, "service").unwrap_or_default();
        let master = name(&self.masters, "master").unwrap_or_default();
        let visit = self.language.visit(&service, &master, &self.moment(start));
        let (kind, text, at) = match news {
            News::Booked => ("visit", visit, start),
            News::Moved { from } => ("change", self.language.moved(&visit, &self.moment(from)), self.now),
            News::Cancelled => ("change", self.language.cancelled(&visit), self.now),
        };
        let entry = Fields::new().with("kind", kind).with("contact", contact).with("text", text);
        Some(entry.with("happened_at", at))
    }

    fn moment(&self, at: DateTime) -> String {
        self.language.moment((self.wall)(at), (self.wall)(self.now).date.year())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::id;

    fn time(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    fn appointment(start: &str, status: &str) -> Fields {
        let fields = Fields::new().with("contact", id(5)).with("service", id(10)).with("master", id(1));
        fields.with("starts_at", time(start)).with("status", status)
    }

    fn written(kind: Kind, before: Fields, now: Fields) -> Written {
        let changed =
            now.iter().filter(|(name, value)| before.get(name) != Some(value)).map(|(name, _)| name.to_owned());
        let (changed, at) = (changed.collect(), time("2026-11-01T09:00:00Z"));
        let object = "booking.appointment".to_owned();
        Written {
            kind,
            before,
            changed,
            now: Record { object, id: id(99), version: 1, created_at: at, updated_at: at, fields: now },
        }
    }

    fn writer() -> Writer {
        Writer {
            language: Language::English,
            now: time("2026-11-01T09:00:00Z"),
            services: [(id(10), "Haircut".to_owned())].into(),
            masters: [(id(1), "Anna".to_owned())].into(),
            wall: |at| Moment { date: at.utc_date(), minutes: u16::try_from(at.micros() / 60_000_000 % 1440).unwrap() },
        }
    }

    const MORNING: &str = "2026-11-21T10:00:00Z";
    const AFTERNOON: &str = "2026-11-21T14:00:00Z";

    #[test]
    fn booking_moving_and_cancelling_are_news_and_the_rest_is_not() {
        for (kind, before, now, expected) in [
            (Kind::Create, Fields::new(), appointment(MORNING, "booked"), Some(News::Booked)),
            (Kind::Create, Fields::new(), appointment(MORNING, "cancelled"), None),
            (
                Kind::Update,
                appointment(MORNING, "booked"),
                appointment(AFTERNOON, "booked"),
                Some(News::Moved { from: time(MORNING) }),
            ),
            (Kind::Update, appointment(MORNING, "booked"), appointment(AFTERNOON, "cancelled"), Some(News::Cancelled)),
            (Kind::Update, appointment(MORNING, "booked"), appointment(MORNING, "arrived"), None),
            (Kind::Update, appointment(MORNING, "booked"), appointment(MORNING, "booked").with("notes", "x"), None),
            (Kind::Update, appointment(MORNING, "cancelled"), appointment(AFTERNOON, "cancelled"), None),
        ] {
            assert_eq!(news(&written(kind, before, now.clone())), expected, "{now:?}");
        }
    }

    #[test]
    fn entries_say_what_with_whom_and_when() {
        for (news, kind, text, at) in [
            (News::Booked, "visit", "Haircut with Anna, 21 Nov 14:00", AFTERNOON),
            (
                News::Moved { from: time(MORNING) },
                "change",
                "Moved: Haircut with Anna, 21 Nov 14:00 (was 21 Nov 10:00)",
                "2026-11-01T09:00:00Z",
            ),
            (News::Cancelled, "change", "Cancelled: Haircut with Anna, 21 Nov 14:00", "2026-11-01T09:00:00Z"),
        ] {
            let expected = Fields::new().with("kind", kind).with("contact", id(5)).with("text", text);
            let entry = writer().entry(&appointment(AFTERNOON, "booked"), news).unwrap();
            assert_eq!(entry, expected.with("happened_at", time(at)));
        }
    }
}
