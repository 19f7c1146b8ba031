//! What the plugin asks the host for: few queries, however many masters and rows there are.

use std::collections::{BTreeMap, BTreeSet};

use pergola_plugin::prelude::*;

use crate::catalogue::{Catalogue, Offering, Service};
use crate::records;
use crate::span::{Span, Spans};
use crate::team::{Hours, Master, WallClock};

/// Ids in one filter: a filter has at most 500 parts.
const IDS_MAX: usize = 200;
/// The longest visit; the hook on appointments keeps to it, so that a query by start finds those under way.
pub(crate) const VISIT_MINUTES_MAX: i64 = 1440;
/// The most appointments read for one answer. A request may read 10,000 rows in all.
pub(crate) const TAKEN_MAX: usize = 6_000;

/// The workspace's own clock.
pub(crate) struct HostClock;

impl WallClock for HostClock {
    fn date(&self, at: DateTime) -> Date {
        clock::wall(at).date
    }

    fn at(&self, date: Date, minutes: u32) -> DateTime {
        clock::at(date, minutes)
    }
}

/// All records whose `field` is one of these ids.
pub(crate) fn rows_by(object: &str, field: &str, ids: &BTreeSet<Id>, fields: &[&str]) -> Result<Vec<Row>, Failure> {
    let ids: Vec<Id> = ids.iter().copied().collect();
    let mut rows = Vec::new();
    for chunk in ids.chunks(IDS_MAX) {
        let names: Vec<String> = (0..chunk.len()).map(|place| format!("p{place}")).collect();
        let filter = format!("{field} in [{}]", names.join(", "));
        let query = Query::of(object).filter(filter).fields(fields.iter().copied()).page_size(1_000);
        rows.extend(chunk.iter().fold(query, |query, id| query.param(*id)).all()?);
    }
    Ok(rows)
}

/// These services and who does them.
pub(crate) fn catalogue(services: &BTreeSet<Id>) -> Result<Catalogue, Failure> {
    const FIELDS: [&str; 5] = ["name", "category", "minutes", "price", "online"];
    let rows = rows_by("booking.service", "id", services, &FIELDS)?;
    let services_found = rows.iter().map(service).collect::<Result<Vec<_>, _>>()?;
    let offered = rows_by("booking.offering", "service", services, &["resource", "service", "minutes", "price"])?;
    Ok(Catalogue::new(services_found, offered.iter().map(offering).collect::<Result<_, _>>()?))
}

/// One service that can be booked online, and who does it.
///
/// # Errors
/// `not_found`.
pub(crate) fn service_online(id: Id) -> Result<Catalogue, Failure> {
    let found = catalogue(&[id].into())?;
    if found.service(id).is_some_and(|service| service.online) {
        return Ok(found);
    }
    Err(Failure::not_found("There is no such service to book online.").field("service"))
}

/// The services that people may book themselves, by category and name.
pub(crate) fn services_online() -> Result<Vec<Service>, Failure> {
    let query = Query::of("booking.service").filter("online != false").sort("category,name").page_size(1_000);
    query.fields(["name", "category", "minutes", "price", "online"]).rows().map(|row| service(&row?)).collect()
}

fn service(row: &Row) -> Result<Service, Failure> {
    let read: records::Service = row.read()?;
    Ok(Service {
        id: row.id,
        name: read.name,
        category: read.category,
        minutes: read.minutes,
        price: read.price,
        online: read.online != Some(false),
    })
}

fn offering(row: &Row) -> Result<Offering, Failure> {
    let read: records::Offering = row.read()?;
    Ok(Offering { master: read.resource, service: read.service, minutes: read.minutes, price: read.price })
}

/// The names of these records.
pub(crate) fn names(object: &str, ids: &BTreeSet<Id>) -> Result<BTreeMap<Id, String>, Failure> {
    let rows = rows_by(object, "id", ids, &["name"])?;
    Ok(rows.iter().map(|row| (row.id, row.fields.text("name").unwrap_or_default().to_owned())).collect())
}

/// The masters who can be booked online, in their order, with their hours and the time off in the window.
pub(crate) fn team(window: Span) -> Result<Vec<Master>, Failure> {
    let mut team = masters_online()?;
    let places: BTreeMap<Id, usize> = team.iter().enumerate().map(|(place, master)| (master.id, place)).collect();
    for row in Query::of("booking.hours").page_size(1_000).rows() {
        let read: records::Hours = row?.read()?;
        if let Some(master) = places.get(&read.resource).and_then(|place| team.get_mut(*place)) {
            master.hours.extend(hours(&read));
        }
    }
    let off = Query::of("booking.time_off").filter("ends_at > p0 && starts_at < p1").page_size(1_000);
    for row in off.param(window.start).param(window.end).fields(["resource", "starts_at", "ends_at"]).rows() {
        let read: records::TimeOff = row?.read()?;
        if let Some(master) = places.get(&read.resource).and_then(|place| team.get_mut(*place)) {
            master.time_off.push(Span::new(read.starts_at, read.ends_at));
        }
    }
    Ok(team)
}

fn masters_online() -> Result<Vec<Master>, Failure> {
    let query = Query::of("booking.resource").filter("kind == 'master' && online != false").sort("position,name");
    let master = |row: Row| Master {
        id: row.id,
        name: row.fields.text("name").unwrap_or_default().to_owned(),
        hours: Vec::new(),
        time_off: Vec::new(),
    };
    query.fields(["name"]).page_size(1_000).rows().map(|row| row.map(master)).collect()
}

/// None for hours that no hook has seen and that make no sense.
fn hours(read: &records::Hours) -> Option<Hours> {
    let (from, until) = (u32::try_from(read.from_minute).ok()?, u32::try_from(read.until_minute).ok()?);
    Some(Hours {
        weekday: u8::try_from(read.weekday).ok()?,
        is_break: read.kind.as_deref() == Some("break"),
        from,
        until: until.min(1440),
    })
}

/// Time that live appointments take, by master.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    by_master: BTreeMap<Id, Vec<Span>>,
    /// Up to when it is known.
    pub(crate) known_until: Option<DateTime>,
}

impl Taken {
    pub(crate) fn of(&self, master: Id) -> &[Span] {
        self.by_master.get(&master).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, master: Id, span: Span) {
        self.by_master.entry(master).or_default().push(span);
    }
}

const LIVE: &str = "!(status in ['cancelled', 'no_show'])";

/// The time that is taken in the window. Of very many appointments only the first are read; `known_until` tells.
pub(crate) fn taken(window: Span) -> Result<Taken, Failure> {
    taken_in(&Spans::union([window]))
}

/// The time that is taken in any of the windows, in one query.
pub(crate) fn taken_in(windows: &Spans) -> Result<Taken, Failure> {
    let mut taken = Taken::default();
    let (Some(first), Some(last)) = (windows.iter().next(), windows.iter().last()) else { return Ok(taken) };
    let in_window = |place: usize| format!("starts_at < p{} && ends_at > p{}", 2 * place + 3, 2 * place + 2);
    let in_any: Vec<String> = (0..windows.iter().count()).map(in_window).collect();
    // The bounds around all windows are what an index can follow.
    let filter = format!("starts_at > p0 && starts_at < p1 && {LIVE} && ({})", in_any.join(" || "));
    let around = Query::of("booking.appointment")
        .filter(filter)
        .param(first.start - Duration::minutes(VISIT_MINUTES_MAX + 1))
        .param(last.end);
    let query = windows.iter().fold(around, |query, window| query.param(window.start).param(window.end));
    let query = query.fields(["master", "starts_at", "ends_at"]).sort("starts_at").page_size(1_000);
    for (count, row) in query.rows().enumerate() {
        let fields = row?.fields;
        let span = Span::new(fields.read("starts_at")?, fields.read("ends_at")?);
        if count >= TAKEN_MAX {
            taken.known_until = Some(span.start);
            break;
        }
        taken.add(fields.read("master")?, span);
    }
    Ok(taken)
}
