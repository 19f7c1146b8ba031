//! The time, and the workspace's wall clock.

use crate::bindings::pergola::plugin::clock;
use crate::{Date, DateTime};

/// What the workspace's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wall {
    /// The day.
    pub date: Date,
    /// Minutes since midnight on the clock: 0–1439.
    pub minutes: u16,
    /// 1 (Monday) to 7 (Sunday).
    pub weekday: u8,
}

/// The time; the same throughout one call.
#[must_use]
pub fn now() -> DateTime {
    DateTime::from_micros(clock::now())
}

/// The day on the workspace's clock.
#[must_use]
pub fn today() -> Date {
    wall(now()).date
}

/// What the workspace's clock shows at an instant.
#[must_use]
pub fn wall(at: DateTime) -> Wall {
    let clock::Wall { date, minutes, weekday } = clock::to_wall(at.micros());
    Wall { date: Date::from_days(date), minutes, weekday }
}

/// The instant at which the workspace's clock shows that many minutes after midnight of `date`.
///
/// `minutes` may be 1440 or more, for the next days. Where the clock is put forward, the time after
/// the gap; where it is put back, the earlier of the two.
#[must_use]
pub fn at(date: Date, minutes: u32) -> DateTime {
    DateTime::from_micros(clock::from_wall(date.days(), minutes))
}
