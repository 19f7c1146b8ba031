//! Visits of a client: each is counted once, when it is done or when its time is over.
//!
//! `salon.counted` is the one truth. The hook before the write sets it when a visit is done and takes it off
//! when it is given up; the timer sets it when the time is over; the hook after the write follows it.

use std::collections::{BTreeMap, BTreeSet};

use pergola_plugin::prelude::*;

use crate::rows_by_id;

/// The most changes in one call of the host.
const CHANGES_MAX: usize = 500;

/// Before appointments are written: what is done counts, what is given up does not.
pub(crate) fn mark(writes: &[Write]) -> Vec<Verdict> {
    let marked: Vec<Fields> = writes.iter().map(marked).collect();
    if marked.iter().all(Fields::is_empty) {
        return Vec::new();
    }
    marked.into_iter().map(|changes| Verdict { changes, refusal: None }).collect()
}

fn marked(write: &Write) -> Fields {
    let is_counted = is_counted(if write.changes("salon.counted") { &write.changes } else { &write.before });
    match write.changes.text("status") {
        Some("done") if !is_counted => Fields::new().with("salon.counted", true),
        Some("cancelled" | "no_show") if is_counted => Fields::new().with("salon.counted", false),
        _ => Fields::new(),
    }
}

/// The timer at an appointment's end: counts a visit that nobody has closed or given up.
pub(crate) fn over(appointment: &Record) -> Result<(), Failure> {
    if !is_to_count(&appointment.fields) {
        return Ok(());
    }
    let counted = Fields::new().with("salon.counted", true);
    // At this version: whoever changes it meanwhile makes the timer fire again, on what they wrote.
    let change = Change::update("booking.appointment", appointment.id, counted).if_version(appointment.version);
    records::apply([change]).map(|_| ())
}

fn is_to_count(appointment: &Fields) -> bool {
    !is_counted(appointment) && !matches!(appointment.text("status"), Some("cancelled" | "no_show"))
}

fn is_counted(appointment: &Fields) -> bool {
    appointment.bool("salon.counted") == Some(true)
}

/// After appointments were written: the clients' visits follow, in one query and one write.
pub(crate) fn count(written: &[Written]) -> Result<(), Failure> {
    let tallies = tallies(written);
    let contacts: BTreeSet<Id> = tallies.keys().copied().collect();
    let mut changes = Vec::with_capacity(tallies.len());
    for row in rows_by_id("contact", &contacts, &["salon.visits", "salon.last_visit"])? {
        let Some(tally) = tallies.get(&row.id) else { continue };
        // What was the last visit may no longer be one.
        let last = if tally.gone > 0 { last_counted(row.id)? } else { tally.last(&row.fields) };
        changes.push(Change::update("contact", row.id, tally.applied(&row.fields, last)));
    }
    for chunk in changes.chunks(CHANGES_MAX) {
        records::apply(chunk.iter().cloned())?;
    }
    Ok(())
}

/// The start of the contact's latest visit that counts.
fn last_counted(contact: Id) -> Result<Option<DateTime>, Failure> {
    let query = Query::of("booking.appointment").filter("contact == p0 && salon.counted == true").param(contact);
    let latest = query.sort("-starts_at").fields(["starts_at"]).first()?;
    Ok(latest.and_then(|row| row.fields.datetime("starts_at")))
}

/// What a batch adds to a client's visits, or takes away.
#[derive(Debug, PartialEq, Eq, Default)]
struct Tally {
    /// Starts of visits that count now.
    come: Vec<DateTime>,
    /// How many no longer count.
    gone: usize,
}

fn tallies(written: &[Written]) -> BTreeMap<Id, Tally> {
    let counted = |fields: &Fields| {
        let visit = fields.reference("contact").zip(fields.datetime("starts_at"));
        visit.filter(|_| is_counted(fields))
    };
    let mut tallies: BTreeMap<Id, Tally> = BTreeMap::new();
    for one in written {
        let (before, now) = (counted(&one.before), counted(&one.now.fields));
        if before == now {
            continue;
        }
        if let Some((contact, _)) = before {
            tallies.entry(contact).or_default().gone += 1;
        }
        if let Some((contact, start)) = now {
            tallies.entry(contact).or_default().come.push(start);
        }
    }
    tallies
}

impl Tally {
    fn last(&self, contact: &Fields) -> Option<DateTime> {
        self.come.iter().copied().chain(contact.datetime("salon.last_visit")).max()
    }

    /// The client's fields with it.
    fn applied(&self, contact: &Fields, last: Option<DateTime>) -> Fields {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let visits = contact.integer("salon.visits").unwrap_or(0);
        let visits = visits.saturating_add(number(self.come.len())).saturating_sub(number(self.gone)).max(0);
        Fields::new().with("salon.visits", visits).with("salon.last_visit", last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: u128 = 5;
    const BEN: u128 = 6;

    fn time(micros: i64) -> DateTime {
        DateTime::from_micros(micros)
    }

    fn appointment(contact: u128, start: i64, counted: bool) -> Fields {
        let fields = Fields::new().with("contact", Id::from_u128(contact)).with("starts_at", time(start));
        fields.with("salon.counted", counted)
    }

    fn write(kind: Kind, before: Fields, changes: Fields) -> Write {
        Write { object: "booking.appointment".to_owned(), kind, id: Id::from_u128(9), before, changes }
    }

    fn written(before: Fields, now: Fields) -> Written {
        let kind = if before.is_empty() { Kind::Create } else { Kind::Update };
        let object = "booking.appointment".to_owned();
        let id = Id::from_u128(9);
        let now = Record { object, id, version: 1, created_at: time(0), updated_at: time(0), fields: now };
        Written { kind, before, now, changed: Vec::new() }
    }

    #[test]
    fn a_visit_that_is_done_is_marked_once_and_one_that_is_given_up_is_unmarked() {
        let (open, counted) = (appointment(ANN, 1, false), appointment(ANN, 1, true));
        let status = |status: &str| Fields::new().with("status", status);
        for (before, changes, marked) in [
            (Fields::new(), status("done"), Some(true)),
            (Fields::new(), status("booked"), None),
            (Fields::new(), status("done").with("salon.counted", true), None),
            (open.clone(), status("done"), Some(true)),
            (counted.clone(), status("done"), None),
            (counted.clone(), status("no_show"), Some(false)),
            (open.clone(), status("cancelled"), None),
            (open, Fields::new().with("notes", "x"), None),
        ] {
            let write = write(Kind::Update, before, changes);
            let expected = marked.map(|counted| Fields::new().with("salon.counted", counted)).unwrap_or_default();
            assert_eq!(super::marked(&write), expected, "{write:?}");
        }
        assert_eq!(mark(&[write(Kind::Create, Fields::new(), status("booked"))]), []);
    }

    #[test]
    fn the_end_of_its_time_counts_a_visit_unless_it_is_counted_or_given_up() {
        for (status, counted, expected) in [
            ("booked", false, true),
            ("arrived", false, true),
            ("booked", true, false),
            ("cancelled", false, false),
            ("no_show", false, false),
        ] {
            let appointment = appointment(ANN, 1, counted).with("status", status);
            assert_eq!(is_to_count(&appointment), expected, "{status} {counted}");
        }
    }

    #[test]
    fn tallies_follow_what_counts() {
        let tally = |contact: u128, come: &[i64], gone| {
            (Id::from_u128(contact), Tally { come: come.iter().copied().map(time).collect(), gone })
        };
        for (before, now, expected) in [
            (Fields::new(), appointment(ANN, 1, true), vec![tally(ANN, &[1], 0)]),
            (Fields::new(), appointment(ANN, 1, false), vec![]),
            (appointment(ANN, 1, false), appointment(ANN, 1, true), vec![tally(ANN, &[1], 0)]),
            (appointment(ANN, 1, true), appointment(ANN, 1, true).with("notes", "x"), vec![]),
            (appointment(ANN, 1, true), appointment(ANN, 1, false), vec![tally(ANN, &[], 1)]),
            (appointment(ANN, 1, true), appointment(ANN, 2, true), vec![tally(ANN, &[2], 1)]),
            (appointment(ANN, 1, true), appointment(BEN, 1, true), vec![tally(ANN, &[], 1), tally(BEN, &[1], 0)]),
        ] {
            assert_eq!(tallies(&[written(before, now)]), expected.into_iter().collect());
        }
    }

    #[test]
    fn the_last_visit_is_the_latest_whatever_the_order_of_counting() {
        let known = Fields::new().with("salon.visits", 3).with("salon.last_visit", time(200));
        for (contact, come, visits, last) in
            [(Fields::new(), vec![100], 1, 100), (known.clone(), vec![100], 4, 200), (known, vec![300, 250], 5, 300)]
        {
            let tally = Tally { come: come.into_iter().map(time).collect(), gone: 0 };
            let expected = Fields::new().with("salon.visits", visits).with("salon.last_visit", time(last));
            assert_eq!(tally.applied(&contact, tally.last(&contact)), expected);
        }
    }

    #[test]
    fn a_visit_taken_back_leaves_the_one_before_or_none() {
        let contact = Fields::new().with("salon.visits", 1).with("salon.last_visit", time(200));
        let tally = Tally { come: Vec::new(), gone: 2 };
        let expected = Fields::new().with("salon.visits", 0).with("salon.last_visit", Value::Null);
        assert_eq!(tally.applied(&contact, None), expected);
    }
}
