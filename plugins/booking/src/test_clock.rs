//! A wall clock and masters for tests: Berlin in 2026, with both changes of the clock.

use pergola_plugin::prelude::*;

use crate::team::{Hours, Master, WallClock};

/// Berlin in 2026: an hour ahead of UTC, two hours from 29 March to 25 October, 01:00 UTC.
pub(crate) struct Berlin;

fn offset(at: DateTime) -> Duration {
    let change = |text: &str| text.parse::<DateTime>().unwrap();
    let summer = change("2026-03-29T01:00:00Z")..change("2026-10-25T01:00:00Z");
    Duration::hours(if summer.contains(&at) { 2 } else { 1 })
}

impl WallClock for Berlin {
    fn date(&self, at: DateTime) -> Date {
        (at + offset(at)).utc_date()
    }

    fn at(&self, date: Date, minutes: u32) -> DateTime {
        let midnight: DateTime = format!("{date}T00:00:00Z").parse().unwrap();
        let wall = midnight + Duration::minutes(i64::from(minutes));
        // The earlier of two; in a gap, the time after it.
        let earlier = wall - Duration::hours(2);
        if offset(earlier) == Duration::hours(2) { earlier } else { wall - Duration::hours(1) }
    }
}

/// `2026-01-05 10:00` on Berlin's clock.
pub(crate) fn at(text: &str) -> DateTime {
    let (date, time) = text.split_once(' ').unwrap();
    let (hours, minutes) = time.split_once(':').unwrap();
    Berlin.at(date.parse().unwrap(), hours.parse::<u32>().unwrap() * 60 + minutes.parse::<u32>().unwrap())
}

/// `Mon 10:00` on Berlin's clock.
pub(crate) fn shown(at: DateTime) -> String {
    let wall = at + offset(at);
    let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::from(wall.utc_date().weekday() - 1)];
    format!("{day} {}", &wall.to_string()[11..16])
}

/// A master without hours.
pub(crate) fn master(number: u128, name: &str) -> Master {
    Master { id: Id::from_u128(number), name: name.to_owned(), hours: Vec::new(), time_off: Vec::new() }
}

/// A master who works 9–17 from Monday to Friday.
pub(crate) fn monday_to_friday(number: u128, name: &str) -> Master {
    let hours = (1..=5).map(|weekday| Hours { weekday, is_break: false, from: 540, until: 1020 }).collect();
    Master { hours, ..master(number, name) }
}

/// A master who works on Sundays between these minutes.
pub(crate) fn weekend_work(from: u32, until: u32) -> Master {
    Master { hours: vec![Hours { weekday: 7, is_break: false, from, until }], ..master(7, "Sunday") }
}
