//! Dates and times as people and spreadsheets write them.

use calamine::{ExcelDateTime, ExcelDateTimeType};
use jiff::civil::{Date, DateTime, Time};

use crate::import::{
    fold::{ascii_digit, squeeze},
    read::{Cell, civil_of},
    survey::DateOrder,
    words::WORDS,
};

/// Serial numbers that are taken for dates: 1927 to 2064.
const SERIALS: std::ops::RangeInclusive<f64> = 10_000.0..=60_000.0;
/// The longest text that may be a date.
const DATE_BYTES_MAX: usize = 100;

/// Which century two digits of a year mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pivot {
    /// The last year that they may mean.
    pub(super) last_year: i16,
}

impl Pivot {
    fn year(self, two_digits: i16) -> i16 {
        let century = self.last_year.saturating_sub(self.last_year.rem_euclid(100));
        let year = century.saturating_add(two_digits);
        if year > self.last_year { year.saturating_sub(100) } else { year }
    }
}

/// The order of day and month that a date proves: `12/31/1990` puts the month first.
pub(crate) fn proven_order(text: &str) -> Option<DateOrder> {
    let text = text.trim();
    if text.len() > DATE_BYTES_MAX || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).take(3);
    let (first, second, third) = (numbers.next()?, numbers.next()?, numbers.next()?);
    if first.len() > 2 || second.len() > 2 || !matches!(third.len(), 2 | 4) {
        return None;
    }
    let in_months = 1..=12;
    match (first.parse::<u8>().ok()?, second.parse::<u8>().ok()?) {
        (13..=31, second) if in_months.contains(&second) => Some(DateOrder::DayFirst),
        (first, 13..=31) if in_months.contains(&first) => Some(DateOrder::MonthFirst),
        _ => None,
    }
}

/// A day; a time of the day besides is passed over.
pub(super) fn date(cell: &Cell, order: DateOrder, pivot: &Pivot) -> Result<Date, String> {
    Ok(date_time(cell, order, pivot)?.date())
}

/// A day and a time of the day, midnight if none is written.
pub(super) fn date_time(cell: &Cell, order: DateOrder, pivot: &Pivot) -> Result<DateTime, String> {
    match cell {
        Cell::Date(at, _) => Ok(*at),
        Cell::Number(serial) => from_serial(*serial).ok_or_else(|| not_a_date(&serial.to_string())),
        other => {
            let text: String = other.text().chars().map(ascii_digit).collect();
            from_text(&text, order, pivot)
        }
    }
}

fn not_a_date(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    format!("\"{shown}\" is not a date; write it like 31.12.1990 or 1990-12-31")
}

/// The day of an Excel serial number; 1900 was no leap year, but Excel counts as if.
fn from_serial(serial: f64) -> Option<DateTime> {
    let excel = ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false);
    SERIALS.contains(&serial).then(|| civil_of(&excel)).flatten()
}

fn from_text(text: &str, order: DateOrder, pivot: &Pivot) -> Result<DateTime, String> {
    if text.len() > DATE_BYTES_MAX {
        return Err(not_a_date(text));
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return Ok(at);
    }
    if let Some(at) = text.parse::<f64>().ok().and_then(from_serial) {
        return Ok(at);
    }
    let (day, time) = split_time(text).ok_or_else(|| not_a_date(text))?;
    let date = match numbers_of(day) {
        Some(numbers) => from_numbers(&numbers, text, order, pivot)?,
        None => from_words(day, pivot).ok_or_else(|| not_a_date(text))?,
    };
    Ok(date.to_datetime(time))
}

/// Separates `14:30`, `2:30 pm` from the day before it.
fn split_time(text: &str) -> Option<(&str, Time)> {
    let Some(colon) = text.find(':') else {
        return Some((text, Time::midnight()));
    };
    let before = text.get(..colon)?;
    let hour_at = before.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |place| place.saturating_add(1));
    let (day, clock) = text.split_at_checked(hour_at)?;
    let clock = clock.trim().to_lowercase();
    let (clock, half) = match clock.strip_suffix("pm").or_else(|| clock.strip_suffix("p.m.")) {
        Some(clock) => (clock.trim(), Some(12)),
        None => match clock.strip_suffix("am").or_else(|| clock.strip_suffix("a.m.")) {
            Some(clock) => (clock.trim(), Some(0)),
            None => (clock.as_str(), None),
        },
    };
    let mut parts = clock.split(':');
    let hour: i8 = parts.next()?.parse().ok()?;
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour.rem_euclid(12).checked_add(half)?,
        Some(_) => return None,
        None => hour,
    };
    let minute = parts.next()?.parse().ok()?;
    // Fractions of a second are passed over.
    let second = parts.next().and_then(|part| part.split('.').next()).unwrap_or("0").parse().ok()?;
    Some((day.trim_end_matches([',', ' ', 'T']), Time::new(hour, minute, second, 0).ok()?))
}

/// The three numbers of a date without words, as written.
fn numbers_of(day: &str) -> Option<Vec<&str>> {
    let day = day.trim().trim_end_matches(['.', 'г', ' ']);
    let is_separator = |c: char| matches!(c, '.' | '/' | '-' | '–' | ' ' | '\u{a0}' | ',');
    if !day.chars().all(|c| c.is_ascii_digit() || is_separator(c)) {
        return None;
    }
    if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(vec![day.get(..4)?, day.get(4..6)?, day.get(6..)?]);
    }
    Some(day.split(is_separator).filter(|part| !part.is_empty()).collect())
}

fn from_numbers(numbers: &[&str], text: &str, order: DateOrder, pivot: &Pivot) -> Result<Date, String> {
    let [first, second, third] = numbers else {
        let missing = if numbers.len() == 2 { "has no year" } else { "is not a date" };
        return Err(format!("\"{text}\" {missing}; write it like 31.12.1990 or 1990-12-31"));
    };
    let small = |part: &str| part.parse::<i8>().ok().filter(|_| part.len() <= 2);
    let found = if first.len() == 4 {
        day_of(first.parse().ok(), small(second), small(third))
    } else {
        let year = year_of(third, pivot);
        let day_first = day_of(year, small(second), small(first));
        let month_first = day_of(year, small(first), small(second));
        match (order, day_first, month_first) {
            (DateOrder::Unclear, Some(one), Some(other)) if one != other => {
                return Err(format!(
                    "\"{text}\" may be {one} or {other}, and the column has both orders; write it as {one}"
                ));
            }
            (DateOrder::MonthFirst, day_first, month_first) => month_first.or(day_first),
            (_, day_first, month_first) => day_first.or(month_first),
        }
    };
    found.ok_or_else(|| not_a_date(text))
}

fn year_of(part: &str, pivot: &Pivot) -> Option<i16> {
    let year: i16 = part.parse().ok()?;
    match part.len() {
        4 => Some(year),
        1 | 2 => Some(pivot.year(year)),
        _ => None,
    }
}

fn day_of(year: Option<i16>, month: Option<i8>, day: Option<i8>) -> Option<Date> {
    Date::new(year?, month?, day?).ok()
}

/// `31 декабря 1990 г.`, `Dec 31, 1990`, `31-Dec-90`.
fn from_words(text: &str, pivot: &Pivot) -> Option<Date> {
    let mut month = None;
    let mut numbers: Vec<&str> = Vec::new();
    for token in tokens(text) {
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            numbers.push(token);
            continue;
        }
        let word = squeeze(token);
        match WORDS.month(&word) {
            Some(number) if month.is_none() => month = Some(number),
            _ if word.is_empty() || WORDS.is_date_filler(&word) => {}
            _ => return None,
        }
    }
    let [first, second] = numbers.as_slice() else {
        return None;
    };
    let (day, year) = if first.len() == 4 { (second, first) } else { (first, second) };
    day_of(year_of(year, pivot), month, day.parse().ok())
}

/// Runs of digits and runs of other letters.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_separator = |c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '\'');
    text.split(is_separator).filter(|part| !part.is_empty()).flat_map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (digits, letters) = part.split_at(end);
        [digits, letters].into_iter().filter(|token| !token.is_empty())
    })
}
