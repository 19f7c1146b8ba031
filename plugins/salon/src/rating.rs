//! Ratings: whose visit and whose work it was, and what they come to for each master.

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

/// After ratings were written: the masters' sums follow.
pub(crate) fn keep(written: &[Written]) -> Result<(), Failure> {
    for (master, difference) in differences(written) {
        let Some(resource) = records::get("booking.resource", master)? else { continue };
        let fields = difference.applied(&resource.fields);
        // Should somebody else rate the same master at once, one of the two is told to try again.
        records::apply([Change::update("booking.resource", master, fields).if_version(resource.version)])?;
    }
    Ok(())
}

/// What a batch adds to a master's ratings, or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Difference {
    stars: i64,
    ratings: i64,
}

fn differences(written: &[Written]) -> BTreeMap<Id, Difference> {
    let mut all: BTreeMap<Id, Difference> = BTreeMap::new();
    let mut add = |fields: &Fields, sign: i64| {
        if let (Some(master), Some(stars)) = (fields.reference("master"), fields.integer("stars")) {
            let difference = all.entry(master).or_default();
            difference.stars += sign * stars;
            difference.ratings += sign;
        }
    };
    for one in written {
        add(&one.before, -1);
        if one.kind != Kind::Delete {
            add(&one.now.fields, 1);
        }
    }
    all.retain(|_, difference| *difference != Difference::default());
    all
}

impl Difference {
    /// The master's fields with it.
    fn applied(self, resource: &Fields) -> Fields {
        let stars = (resource.integer("salon.stars").unwrap_or(0) + self.stars).max(0);
        let ratings = (resource.integer("salon.ratings").unwrap_or(0) + self.ratings).max(0);
        let fields = Fields::new().with("salon.stars", stars).with("salon.ratings", ratings);
        fields.with("salon.rating", mean(stars, ratings))
    }
}

/// The mean with two digits behind the point, rounded half up; none without ratings.
fn mean(stars: i64, ratings: i64) -> Option<Decimal> {
    let hundredths = (200 * stars + ratings).checked_div(2 * ratings)?;
    Some(Decimal::new(hundredths, 2))
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

    fn written(kind: Kind, before: Fields, now: Fields) -> Written {
        let at = DateTime::from_micros(0);
        let object = "salon.rating".to_owned();
        let now = Record { object, id: VISIT, version: 1, created_at: at, updated_at: at, fields: now };
        Written { kind, before, now, changed: Vec::new() }
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

    #[test]
    fn a_masters_sums_follow_every_kind_of_write() {
        let new = Fields::new;
        let difference = |stars, ratings| Difference { stars, ratings };
        for (kind, before, now, expected) in [
            (Kind::Create, new(), rating(ANNA, 5), vec![(ANNA, difference(5, 1))]),
            (Kind::Update, rating(ANNA, 5), rating(ANNA, 3), vec![(ANNA, difference(-2, 0))]),
            (Kind::Update, rating(ANNA, 5), rating(ANNA, 5).with("comment", "x"), vec![]),
            (
                Kind::Update,
                rating(ANNA, 5),
                rating(BORIS, 4),
                vec![(ANNA, difference(-5, -1)), (BORIS, difference(4, 1))],
            ),
            (Kind::Delete, rating(ANNA, 5), rating(ANNA, 5), vec![(ANNA, difference(-5, -1))]),
        ] {
            assert_eq!(differences(&[written(kind, before, now)]), expected.into_iter().collect());
        }
        let batch = [written(Kind::Create, new(), rating(ANNA, 5)), written(Kind::Create, new(), rating(ANNA, 2))];
        assert_eq!(differences(&batch), [(ANNA, difference(7, 2))].into());
    }

    #[test]
    fn the_mean_has_two_digits() {
        for (stars, ratings, expected) in
            [(5, 1, "5.00"), (14, 3, "4.67"), (13, 3, "4.33"), (9, 2, "4.50"), (37, 8, "4.63")]
        {
            assert_eq!(mean(stars, ratings).unwrap().to_string(), expected);
        }
        let resource = Fields::new().with("salon.stars", 5).with("salon.ratings", 1);
        let emptied = Difference { stars: -5, ratings: -1 }.applied(&resource);
        assert_eq!((emptied.get("salon.rating"), emptied.integer("salon.ratings")), (Some(&Value::Null), Some(0)));
    }
}
