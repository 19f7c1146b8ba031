//! Numbers that make sense: hours within a day, services within a day's length.

use pergola_plugin::prelude::*;

use crate::load::VISIT_MINUTES_MAX;

/// The last minute of a day, which the next day starts at.
const DAY_MINUTES: i64 = 1440;

/// Passes hours whose weekday and minutes are within a day.
pub(crate) fn check_hours(write: &Write) -> Result<(), Failure> {
    within(write, "weekday", 1, 7)?;
    let from = within(write, "from_minute", 0, DAY_MINUTES - 1)?;
    let until = within(write, "until_minute", 1, DAY_MINUTES)?;
    match (from, until) {
        (Some(from), Some(until)) if until <= from => {
            Err(out_of_range("until_minute", "must be after from_minute; work past midnight is a row on the next day"))
        }
        _ => Ok(()),
    }
}

/// Passes services that take a minute at least and a day at most.
pub(crate) fn check_service(write: &Write) -> Result<(), Failure> {
    within(write, "minutes", 1, VISIT_MINUTES_MAX).map(|_| ())
}

/// The number, if there is one; that there must be one is the host's rule.
fn within(write: &Write, field: &str, least: i64, most: i64) -> Result<Option<i64>, Failure> {
    let number: Option<i64> = write.read(field)?;
    match number {
        Some(number) if !(least..=most).contains(&number) => {
            Err(out_of_range(field, &format!("must be from {least} to {most}")))
        }
        number => Ok(number),
    }
}

fn out_of_range(field: &str, what: &str) -> Failure {
    Failure::refused("out_of_range", format!("{field} {what}.")).field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(object: &str, before: Fields, changes: Fields) -> Write {
        let kind = if before.is_empty() { Kind::Create } else { Kind::Update };
        Write { object: object.to_owned(), kind, id: Id::from_u128(1), before, changes }
    }

    fn hours(weekday: i64, from: i64, until: i64) -> Fields {
        Fields::new().with("weekday", weekday).with("from_minute", from).with("until_minute", until)
    }

    #[test]
    fn hours_are_within_a_day() {
        for (weekday, from, until, refused) in [
            (1, 540, 1020, None),
            (7, 0, 1440, None),
            (0, 540, 1020, Some("weekday")),
            (8, 540, 1020, Some("weekday")),
            (1, -1, 1020, Some("from_minute")),
            (1, 1440, 1440, Some("from_minute")),
            (1, 540, 1441, Some("until_minute")),
            (1, 540, 540, Some("until_minute")),
        ] {
            let failure = check_hours(&write("booking.hours", Fields::new(), hours(weekday, from, until))).err();
            assert_eq!(failure.and_then(|failure| failure.field).as_deref(), refused, "{weekday} {from}–{until}");
        }
    }

    #[test]
    fn a_change_of_one_end_is_compared_with_the_other_as_stored() {
        let change = Fields::new().with("until_minute", 500);
        let failure = check_hours(&write("booking.hours", hours(1, 540, 1020), change)).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.field.as_deref()), ("out_of_range", Some("until_minute")));
    }

    #[test]
    fn a_service_takes_up_to_a_day() {
        for (minutes, passes) in [(1, true), (1440, true), (0, false), (1441, false)] {
            let write = write("booking.service", Fields::new(), Fields::new().with("minutes", minutes));
            assert_eq!(check_service(&write).is_ok(), passes, "{minutes}");
        }
    }
}
