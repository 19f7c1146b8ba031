//! `clock`: the request's time, and the workspace's wall clock.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::clock,
    guest::Guest,
    limits::Stop,
    values::{Unfit, date_of, days_of, instant_of},
};

impl clock::Host for Guest {
    fn now(&mut self) -> Result<i64> {
        Ok(self.context.now.as_microsecond())
    }

    fn to_wall(&mut self, instant: i64) -> Result<clock::Wall> {
        Ok(instant_of(instant).and_then(|at| wall_of(at, &self.context.locale.zone)).map_err(Stop::from)?)
    }

    fn from_wall(&mut self, date: i32, minutes: u32) -> Result<i64> {
        let at = date_of(date).and_then(|date| instant_at(date, minutes, &self.context.locale.zone));
        Ok(at.map_err(Stop::from)?.as_microsecond())
    }
}

fn wall_of(at: Timestamp, zone: &TimeZone) -> Result<clock::Wall, Unfit> {
    let wall = zone.to_datetime(at);
    let out_of_range = |_| Unfit::new("a wall clock out of range");
    Ok(clock::Wall {
        date: days_of(wall.date())?,
        minutes: u16::try_from(i16::from(wall.hour()) * 60 + i16::from(wall.minute())).map_err(out_of_range)?,
        weekday: u8::try_from(wall.weekday().to_monday_one_offset()).map_err(out_of_range)?,
    })
}

/// In a gap the time after it, in a fold the earlier one: what jiff calls compatible.
fn instant_at(date: civil::Date, minutes: u32, zone: &TimeZone) -> Result<Timestamp, Unfit> {
    date.to_datetime(civil::Time::midnight())
        .checked_add(SignedDuration::from_mins(minutes.into()))
        .and_then(|wall| zone.to_timestamp(wall))
        .map_err(|_| Unfit::new(format!("{minutes} minutes after the midnight of {date} are out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    #[test]
    fn a_gap_gives_the_time_after_it_and_a_fold_the_earlier_one() {
        let at = |date, minutes| instant_at(date, minutes, &berlin()).unwrap().to_string();
        assert_eq!(at(civil::date(2026, 3, 29), 2 * 60 + 30), "2026-03-29T01:30:00Z");
        assert_eq!(at(civil::date(2026, 10, 25), 2 * 60 + 30), "2026-10-25T00:30:00Z");
        assert_eq!(at(civil::date(2026, 10, 24), 26 * 60 + 30), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn a_wall_clock_shows_the_zone() {
        let wall = wall_of("2026-07-05T22:30:59Z".parse().unwrap(), &berlin()).unwrap();
        assert_eq!((wall.date, wall.minutes, wall.weekday), (days_of(civil::date(2026, 7, 6)).unwrap(), 30, 1));
    }
}
