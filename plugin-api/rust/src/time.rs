//! Days, instants and lengths of time. The wall clock is the host's: see [`clock`](crate::clock).

use std::fmt;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use crate::Failure;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A day of the calendar, without a zone.
///
/// Written `2026-03-08`, in text and in JSON.
///
/// # Examples
/// ```
/// use pergola_plugin::Date;
///
/// let date: Date = "2026-02-28".parse()?;
/// assert_eq!(date.plus_days(1).to_string(), "2026-03-01");
/// assert_eq!((date.year(), date.month(), date.day(), date.weekday()), (2026, 2, 28, 6));
/// assert!("2026-02-30".parse::<Date>().is_err());
/// # Ok::<(), pergola_plugin::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    days: i32,
}

impl Date {
    /// The day that many days after 1970-01-01.
    #[must_use]
    pub const fn from_days(days: i32) -> Self {
        Self { days }
    }

    /// The day of a year, month (1–12) and day (1–31), if there is one. Years are 1–9999.
    #[must_use]
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Option<Self> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let date = Self { days: days_from_civil(year, i32::from(month), i32::from(day)) };
        (date.day() == day).then_some(date)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days(self) -> i32 {
        self.days
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i32 {
        civil_from_days(self.days).0
    }

    /// The month: 1–12.
    #[must_use]
    pub fn month(self) -> u8 {
        civil_from_days(self.days).1
    }

    /// The day of the month: 1–31.
    #[must_use]
    pub fn day(self) -> u8 {
        civil_from_days(self.days).2
    }

    /// 1 (Monday) to 7 (Sunday).
    #[must_use]
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        u8::try_from((i64::from(self.days) + 3).rem_euclid(7) + 1).unwrap_or(1)
    }

    /// The day that many days later, or earlier; stops at the ends of the range.
    #[must_use]
    pub const fn plus_days(self, days: i32) -> Self {
        Self { days: self.days.saturating_add(days) }
    }
}

/// Howard Hinnant's `days_from_civil`: <https://howardhinnant.github.io/date_algorithms.html>.
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Its inverse; in i64, so that no day overflows.
fn civil_from_days(days: i32) -> (i32, u8, u8) {
    let days = i64::from(days) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (i32::try_from(year).unwrap_or(0), u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.days);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Date {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let read = || {
            let mut parts = text.splitn(3, '-');
            let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
            Self::from_ymd(i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
        };
        read().ok_or_else(|| Failure::refused("invalid_date", "This is not a date; write it like 2026-03-08."))
    }
}

/// Reads exactly `count` decimal digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// An instant, in UTC microseconds.
///
/// Written as RFC 3339, in text and in JSON: `2026-03-08T09:30:00Z`.
///
/// # Examples
/// ```
/// use pergola_plugin::{DateTime, Duration};
///
/// let start: DateTime = "2026-03-08T12:30:00+03:00".parse()?;
/// assert_eq!((start + Duration::minutes(45)).to_string(), "2026-03-08T10:15:00Z");
/// assert_eq!(start - Duration::hours(1) - start, -Duration::hours(1));
/// # Ok::<(), pergola_plugin::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime {
    micros: i64,
}

impl DateTime {
    /// The instant that many microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// The day in UTC. For the day on the business's own clock see [`clock::wall`](crate::clock::wall).
    #[must_use]
    pub fn utc_date(self) -> Date {
        Date::from_days(i32::try_from(self.micros.div_euclid(MICROS_PER_DAY)).unwrap_or(0))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_day = self.micros.rem_euclid(MICROS_PER_DAY);
        let (seconds, fraction) = (in_day / MICROS_PER_SECOND, in_day % MICROS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}", self.utc_date())?;
        if fraction != 0 {
            write!(f, ".{fraction:06}")?;
        }
        f.write_str("Z")
    }
}

impl FromStr for DateTime {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        read_rfc3339(text).ok_or_else(|| {
            Failure::refused(
                "invalid_datetime",
                "This is not a time; write it like 2026-03-08T09:30:00Z or with +03:00 in place of Z.",
            )
        })
    }
}

fn read_rfc3339(text: &str) -> Option<DateTime> {
    let date: Date = text.get(..10)?.parse().ok()?;
    if !matches!(text.get(10..11)?, "T" | "t" | " ") {
        return None;
    }
    let rest = text.get(11..)?;
    let zone_start = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = (rest.get(..zone_start)?, rest.get(zone_start..)?);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = whole.splitn(3, ':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Microseconds are the first six digits; what is finer is dropped.
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let seconds = i64::from(date.days()) * 86_400 + hour * 3600 + minute * 60 + second - zone_seconds(zone)?;
    Some(DateTime { micros: seconds.checked_mul(MICROS_PER_SECOND)?.checked_add(micros)? })
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let seconds = hours * 3600 + minutes * 60;
    (hours <= 23 && minutes <= 59).then_some(if zone.starts_with('-') { -seconds } else { seconds })
}

/// A length of time, in microseconds; may be negative.
///
/// Written in ISO 8601 with hours as the largest unit, in text and in JSON: `PT1H30M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Duration {
    micros: i64,
}

impl Duration {
    /// That many microseconds.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// That many seconds.
    #[must_use]
    pub const fn seconds(seconds: i64) -> Self {
        Self { micros: seconds.saturating_mul(MICROS_PER_SECOND) }
    }

    /// That many minutes.
    #[must_use]
    pub const fn minutes(minutes: i64) -> Self {
        Self { micros: minutes.saturating_mul(60 * MICROS_PER_SECOND) }
    }

    /// That many hours.
    #[must_use]
    pub const fn hours(hours: i64) -> Self {
        Self { micros: hours.saturating_mul(3600 * MICROS_PER_SECOND) }
    }

    /// That many times 24 hours; calendar days are [`Date::plus_days`].
    #[must_use]
    pub const fn days(days: i64) -> Self {
        Self { micros: days.saturating_mul(MICROS_PER_DAY) }
    }

    /// Microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// Whole minutes, rounded toward zero.
    #[must_use]
    pub const fn whole_minutes(self) -> i64 {
        self.micros / (60 * MICROS_PER_SECOND)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.micros.unsigned_abs();
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        f.write_str(if self.micros < 0 { "-PT" } else { "PT" })?;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            write!(f, "{hours}H")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}M")?;
        }
        if fraction > 0 {
            write!(f, "{seconds}.{fraction:06}S")
        } else if seconds > 0 || micros == 0 {
            write!(f, "{seconds}S")
        } else {
            Ok(())
        }
    }
}

impl FromStr for Duration {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        read_duration(text)
            .ok_or_else(|| Failure::refused("invalid_duration", "This is not a length of time; write it like PT1H30M."))
    }
}

/// Reads days, hours, minutes and whole or fractional seconds, in that order or not.
fn read_duration(text: &str) -> Option<Duration> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut rest = text.strip_prefix('P')?;
    let (mut in_time, mut parts, mut total) = (false, 0, 0_i64);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T').filter(|_| !in_time) {
            (in_time, rest) = (true, after);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = match (in_time, rest.get(end..=end)?) {
            (false, "D") => MICROS_PER_DAY,
            (true, "H") => 3600 * MICROS_PER_SECOND,
            (true, "M") => 60 * MICROS_PER_SECOND,
            (true, "S") => MICROS_PER_SECOND,
            _ => return None,
        };
        let (whole, fraction) = rest.get(..end)?.split_once('.').unwrap_or((rest.get(..end)?, ""));
        total = total.checked_add(whole.parse::<i64>().ok()?.checked_mul(unit)?)?;
        if !fraction.is_empty() {
            let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok().filter(|_| unit == MICROS_PER_SECOND)?;
            total = total.checked_add(micros)?;
        }
        (parts, rest) = (parts + 1, rest.get(end + 1..)?);
    }
    (parts > 0).then_some(Duration { micros: sign * total })
}

impl Add<Duration> for DateTime {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self { micros: self.micros.saturating_add(length.micros) }
    }
}

impl Sub<Duration> for DateTime {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        Self { micros: self.micros.saturating_sub(length.micros) }
    }
}

impl Sub for DateTime {
    type Output = Duration;
    fn sub(self, other: Self) -> Duration {
        Duration { micros: self.micros.saturating_sub(other.micros) }
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { micros: self.micros.saturating_add(other.micros) }
    }
}

impl Neg for Duration {
    type Output = Self;
    fn neg(self) -> Self {
        Self { micros: self.micros.saturating_neg() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_day_reads_back(days in -719_162_i32..2_932_896) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.to_string().parse::<Date>().unwrap(), date);
        }

        #[test]
        fn every_instant_reads_back(micros in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
            let at = DateTime::from_micros(micros);
            prop_assert_eq!(at.to_string().parse::<DateTime>().unwrap(), at);
        }

        #[test]
        fn every_length_reads_back(micros in -i64::MAX..i64::MAX) {
            let length = Duration::from_micros(micros);
            prop_assert_eq!(length.to_string().parse::<Duration>().unwrap(), length);
        }

        #[test]
        fn garbage_never_panics(text in ".{0,40}", days in any::<i32>(), micros in any::<i64>()) {
            let _total = (text.parse::<Date>(), text.parse::<DateTime>(), text.parse::<Duration>());
            let _total = (Date::from_days(days).to_string(), Date::from_days(days).weekday(), DateTime::from_micros(micros).to_string());
        }
    }

    #[test]
    fn times_outside_the_clock_are_refused() {
        for text in [
            "2026-03-08",
            "2026-03-08T24:00:00Z",
            "2026-03-08T10:00Z",
            "2026-03-08T10:00:00",
            "2026-03-08T10:00:00+3:00",
        ] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
        for text in ["P", "PT", "1H", "PT1D", "P1H", "PT1.5H", "PT-1S"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
