//! Fills what an appointment leaves out: its end and its price. What cannot be is refused by the manifest's checks.

use std::collections::BTreeSet;

use pergola_plugin::prelude::*;

use crate::catalogue::{Catalogue, Terms};
use crate::load;

/// Looks at a batch of appointments: one round of queries for all, none if no row needs one.
pub(crate) fn fill(writes: &[Write]) -> Result<Vec<Verdict>, Failure> {
    let mut services = BTreeSet::new();
    for write in writes.iter().filter(|write| needs_terms(write)) {
        services.extend([write.before.reference("service"), write.changes.reference("service")].into_iter().flatten());
    }
    let catalogue = if services.is_empty() { Catalogue::default() } else { load::catalogue(&services)? };
    Ok(writes.iter().map(|write| decide(write, &catalogue).into()).collect())
}

/// Whether the service's minutes or price are needed for this row.
fn needs_terms(write: &Write) -> bool {
    let is_created = write.kind == Kind::Create;
    changes_terms(write) && !(is_created && write.changes("ends_at") && write.changes("price")) || clears_end(write)
}

fn changes_terms(write: &Write) -> bool {
    write.changes("service") || write.changes("master")
}

fn clears_end(write: &Write) -> bool {
    write.changes.get("ends_at").is_some_and(Value::is_null)
}

/// The terms that held for a row before the write, and those that hold after it.
#[derive(Default)]
struct Standard {
    before: Option<Terms>,
    after: Option<Terms>,
}

impl Standard {
    fn of(write: &Write, catalogue: &Catalogue) -> Result<Self, Failure> {
        let terms = |fields: &Fields| catalogue.terms(fields.reference("service")?, fields.reference("master"));
        let after = write.after();
        let standard = Self { before: terms(&write.before), after: terms(&after) };
        if standard.after.is_none() && after.contains("service") {
            return Err(Failure::refused("no_such_record", "There is no such service.").field("service"));
        }
        Ok(standard)
    }
}

fn decide(write: &Write, catalogue: &Catalogue) -> Result<Fields, Failure> {
    let standard = if needs_terms(write) { Standard::of(write, catalogue)? } else { Standard::default() };
    let mut fill = Fields::new();
    let start = write.read::<Option<DateTime>>("starts_at")?;
    let is_moved = changes_terms(write) || write.changes("starts_at");
    if write.changes.datetime("ends_at").is_none() && (is_moved || clears_end(write)) {
        fill.set_some("ends_at", start.zip(length(write, &standard)).map(|(start, length)| start + length));
    }
    fill_price(write, &standard, &mut fill);
    Ok(fill)
}

/// How long the visit is to take when nobody says when it ends.
///
/// Moving keeps the length. Another master's own minutes replace the usual ones, not a length that
/// somebody set by hand. Another service has its own length.
fn length(write: &Write, standard: &Standard) -> Option<Duration> {
    let usual = |terms: &Option<Terms>| terms.as_ref().map(|terms| Duration::minutes(terms.minutes));
    let ends = write.before.datetime("starts_at").zip(write.before.datetime("ends_at"));
    let stored = ends.map(|(start, end)| end - start);
    if stored.is_none() || write.changes("service") || clears_end(write) {
        return usual(&standard.after);
    }
    if write.changes("master") && stored == usual(&standard.before) { usual(&standard.after) } else { stored }
}

/// The usual price, unless there is one that somebody set by hand.
fn fill_price(write: &Write, standard: &Standard, fill: &mut Fields) {
    let Some(after) = &standard.after else { return };
    let usual_before = standard.before.as_ref().and_then(|terms| terms.price.as_ref());
    if write.changes("price") || write.before.money("price") != usual_before || after.price.as_ref() == usual_before {
        return;
    }
    fill.set("price", after.price.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::{id, offering, service};

    const ANNA: u128 = 1;
    const BORIS: u128 = 2;
    const CUT: u128 = 10;
    const COLOUR: u128 = 11;

    /// A cut takes 60 minutes and costs 30 €, but 45 minutes and 40 € with Boris; colour takes 120 minutes for 80 €.
    fn catalogue() -> Catalogue {
        let offerings = vec![offering(ANNA, CUT, None, None), offering(BORIS, CUT, Some(45), Some(40))];
        Catalogue::new([service(CUT, 60, 30), service(COLOUR, 120, 80)], offerings)
    }

    fn minute(minute: i64) -> DateTime {
        DateTime::from_micros(0) + Duration::minutes(minute)
    }

    fn euros(euros: i64) -> Money {
        Money::new(euros * 100, "EUR")
    }

    fn create(fields: Fields) -> Write {
        let object = "booking.appointment".to_owned();
        Write { object, kind: Kind::Create, id: id(99), before: Fields::new(), changes: fields }
    }

    fn visit(service: u128, master: u128) -> Fields {
        Fields::new().with("service", id(service)).with("master", id(master)).with("starts_at", minute(600))
    }

    /// A change of a cut with Anna, 10:00–11:00 for 30 €, unless said otherwise.
    fn update(stored: Fields, changes: Fields) -> Write {
        let mut before = visit(CUT, ANNA).with("ends_at", minute(660)).with("price", euros(30));
        before.extend(stored);
        Write { kind: Kind::Update, before, ..create(changes) }
    }

    /// What is filled: the minute of the end, and the price in whole units.
    fn filled(write: &Write) -> (Option<i64>, Option<i64>) {
        let fill = decide(write, &catalogue()).unwrap();
        let end = fill.datetime("ends_at").map(|end| (end - minute(0)).whole_minutes());
        (end, fill.money("price").map(|money| money.amount_minor / 100))
    }

    #[test]
    fn what_a_new_appointment_leaves_out_comes_from_the_offering_or_the_service() {
        for (case, fields, expected) in [
            ("the service's", visit(CUT, ANNA), (Some(660), Some(30))),
            ("the offering's", visit(CUT, BORIS), (Some(645), Some(40))),
            ("a given end stays", visit(CUT, BORIS).with("ends_at", minute(700)), (None, Some(40))),
            ("a given price stays", visit(CUT, BORIS).with("price", euros(1)), (Some(645), None)),
            ("all given", visit(CUT, ANNA).with("ends_at", minute(700)).with("price", euros(1)), (None, None)),
        ] {
            assert_eq!(filled(&create(fields)), expected, "{case}");
        }
    }

    #[test]
    fn a_changed_appointment_keeps_what_was_set_by_hand() {
        let new = Fields::new;
        for (case, stored, changes, expected) in [
            ("other fields", new(), new().with("notes", "x"), (None, None)),
            ("moving keeps the length", new(), new().with("starts_at", minute(900)), (Some(960), None)),
            (
                "moving keeps a length set by hand",
                new().with("ends_at", minute(690)),
                new().with("starts_at", minute(900)),
                (Some(990), None),
            ),
            ("another master's terms", new(), new().with("master", id(BORIS)), (Some(645), Some(40))),
            (
                "another master, by hand before",
                new().with("ends_at", minute(690)).with("price", euros(25)),
                new().with("master", id(BORIS)),
                (Some(690), None),
            ),
            ("another service's terms", new(), new().with("service", id(COLOUR)), (Some(720), Some(80))),
            (
                "another service, with end and price",
                new(),
                new().with("service", id(COLOUR)).with("ends_at", minute(700)).with("price", euros(1)),
                (None, None),
            ),
            ("a cleared end is the usual one", new(), new().with("ends_at", Value::Null), (Some(660), None)),
        ] {
            assert_eq!(filled(&update(stored, changes)), expected, "{case}");
        }
    }

    #[test]
    fn only_rows_that_need_them_ask_for_terms() {
        let given = visit(CUT, ANNA).with("ends_at", minute(660)).with("price", euros(30));
        assert!(!needs_terms(&create(given)));
        assert!(!needs_terms(&update(Fields::new(), Fields::new().with("starts_at", minute(900)))));
        assert!(needs_terms(&update(Fields::new(), Fields::new().with("master", id(BORIS)))));
    }

    #[test]
    fn a_service_that_nobody_knows_is_refused() {
        let failure = decide(&create(visit(12, ANNA)), &catalogue()).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.field.as_deref()), ("no_such_record", Some("service")));
    }
}
