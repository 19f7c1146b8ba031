//! Ratings: whose visit and whose work it was. What they come to for each master is counted by the host.

use std::collections::{BTreeMap, BTreeSet};

use pergola_plugin::prelude::*;

use crate::rows_by_id;

/// Before a rating is written: one to five stars; contact and master are the appointment's.
pub(crate) fn fill(writes: &[Write]) -> Result<Vec<Verdict>, Failure> {
    let appointments: BTreeSet<Id> = writes.iter().filter_map(appointment_needed).collect();
    let rows = rows_by_id("booking.appointment", &appointments, &["contact", "master"])?;
    let visits: BTreeMap<Id, Fields> = rows.into_iter().map(|row| (row.id, row.fields)).collect();
    Ok(writes.iter().map(|write| decide(write, &visits).into()).collect())
}

/// The appointment to look at: whoever writes contact or master gets those of the appointment.
fn appointment_needed(write: &Write) -> Option<Id> {
    let is_touched = ["appointment", "contact", "master"].into_iter().any(|field| write.changes(field));
    write.read::<Option<Id>>("appointment").ok().flatten().filter(|_| is_touched)
}

fn decide(write: &Write, visits: &BTreeMap<Id, Fields>) -> Result<Fields, Failure> {
    if let Some(stars) = write.changes.integer("stars") {
        check_stars(stars)?;
    }
    let Some(appointment) = appointment_needed(write) else { return Ok(Fields::new()) };
    let visit = visits
        .get(&appointment)
        .ok_or_else(|| Failure::refused("no_such_record", "There is no such appointment.").field("appointment"))?;
    let of_visit = |field: &str| visit.get(field).cloned().unwrap_or_default();
    Ok(Fields::new().with("contact", of_visit("contact")).with("master", of_visit("master")))
}

/// Passes one to five stars.
pub(crate) fn check_stars(stars: i64) -> Result<(), Failure> {
    if (1..=5).contains(&stars) {
        return Ok(());
    }
    Err(Failure::refused("out_of_range", "Give 1 to 5 stars.").field("stars"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: Id = Id::from_u128(1);
    const BORIS: Id = Id::from_u128(2);
    const VISIT: Id = Id::from_u128(99);
    const CLIENT: Id = Id::from_u128(5);

    fn rating(master: Id, stars: i64) -> Fields {
        Fields::new().with("master", master).with("stars", stars)
    }

    #[test]
    fn contact_and_master_are_those_of_the_appointment() {
        let visits = [(VISIT, Fields::new().with("contact", CLIENT).with("master", ANNA))].into();
        let decided = |kind, before: Fields, changes: Fields| {
            decide(&Write { object: "salon.rating".to_owned(), kind, id: VISIT, before, changes }, &visits)
        };
        let ours = Fields::new().with("contact", CLIENT).with("master", ANNA);
        let given = rating(BORIS, 5).with("appointment", VISIT);
        assert_eq!(decided(Kind::Create, Fields::new(), given.clone()).unwrap(), ours);
        assert_eq!(decided(Kind::Update, given.clone(), Fields::new().with("master", BORIS)).unwrap(), ours);
        assert_eq!(decided(Kind::Update, given.clone(), Fields::new().with("stars", 4)).unwrap(), Fields::new());
        for stars in [0, 6, -1] {
            let failure = decided(Kind::Update, given.clone(), Fields::new().with("stars", stars)).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.field.as_deref()), ("out_of_range", Some("stars")));
        }
        let failure = decided(Kind::Create, Fields::new(), Fields::new().with("appointment", ANNA)).unwrap_err();
        assert_eq!(failure.code, "no_such_record");
    }
}
