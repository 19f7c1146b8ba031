//! Days, periods and wall clocks.
//!
//! A zone's offsets are the ones it has from 1980 to 2060; instants before and after are taken with the
//! first and the last of these. So the store can write them into a statement, and memory gives the same.

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

use super::{
    Node, NodeKind, Type,
    error::Fault,
    evaluate,
    fit::{Operand, coerce, literal_node},
};
use crate::value::Value;

/// The years, from the first of January to the first of January, in which a zone's changes count.
pub const ZONE_YEARS: (i16, i16) = (1980, 2060);

/// The bounds of [`ZONE_YEARS`] in seconds since 1970, UTC; a test holds that they are.
const ZONE_SECONDS: (i64, i64) = (315_532_800, 2_840_140_800);

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayPart {
    /// `getFullYear`
    FullYear,
    /// `getMonth`, 0 to 11.
    Month,
    /// `getDate`, 1 to 31.
    Date,
    /// `getDayOfWeek`, 0 for Sunday to 6.
    DayOfWeek,
}

/// A part of a wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockPart {
    /// `getHours`, 0 to 23.
    Hours,
    /// `getMinutes`, 0 to 59.
    Minutes,
}

/// A period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From Monday.
    Week,
    /// From the 1st.
    Month,
    /// From January, April, July, October.
    Quarter,
    /// From January.
    Year,
}

/// A zone's offset from UTC, in seconds, before its first change and from each change (in microseconds) on.
#[must_use]
pub fn offsets(zone: &TimeZone) -> (i32, Vec<(i64, i32)>) {
    let (from, until) = bounds();
    let first = zone.to_offset(from).seconds();
    let mut changes: Vec<(i64, i32)> = Vec::new();
    for change in zone.following(from).take_while(|change| change.timestamp() <= until) {
        let offset = change.offset().seconds();
        if changes.last().map_or(first, |(_, last)| *last) != offset {
            changes.push((change.timestamp().as_microsecond(), offset));
        }
    }
    (first, changes)
}

fn bounds() -> (Timestamp, Timestamp) {
    let second = |second| Timestamp::from_second(second).unwrap_or_default();
    (second(ZONE_SECONDS.0), second(ZONE_SECONDS.1))
}

fn local(at: Timestamp, zone: &TimeZone) -> jiff::civil::DateTime {
    let (from, until) = bounds();
    zone.to_offset(at.clamp(from, until)).to_datetime(at)
}

/// The day of an instant; absent if that is.
pub(super) fn local_day(at: &Value, zone: &TimeZone) -> Value {
    at.as_datetime().map_or(Value::Null, |at| Value::Date(local(at, zone).date()))
}

/// A part of a day; absent if that is.
pub(super) fn day_part(part: DayPart, day: &Value) -> Value {
    let Value::Date(day) = day else { return Value::Null };
    Value::Integer(match part {
        DayPart::FullYear => day.year().into(),
        DayPart::Month => i64::from(day.month()).saturating_sub(1),
        DayPart::Date => day.day().into(),
        DayPart::DayOfWeek => day.weekday().to_sunday_zero_offset().into(),
    })
}

/// A part of the wall clock; absent if the instant is.
pub(super) fn clock_part(part: ClockPart, at: &Value, zone: &TimeZone) -> Value {
    let Some(at) = at.as_datetime() else { return Value::Null };
    let clock = local(at, zone);
    Value::Integer(match part {
        ClockPart::Hours => clock.hour().into(),
        ClockPart::Minutes => clock.minute().into(),
    })
}

/// The first day of the period; absent if the day is.
pub(super) fn first_day(period: Period, day: &Value) -> Value {
    let Value::Date(day) = day else { return Value::Null };
    let first = match period {
        Period::Week => day.checked_sub(Span::new().days(day.weekday().to_monday_zero_offset())).ok(),
        Period::Month => Some(day.first_of_month()),
        Period::Quarter => {
            let month = day.month().saturating_sub(1) / 3 * 3;
            Date::new(day.year(), month.saturating_add(1), 1).ok()
        }
        Period::Year => Some(day.first_of_year()),
    };
    first.map_or(Value::Null, Value::Date)
}

/// The period that a function is called after.
pub(super) fn period(function: &str) -> Option<Period> {
    Some(match function {
        "week" => Period::Week,
        "month" => Period::Month,
        "quarter" => Period::Quarter,
        "year" => Period::Year,
        _ => return None,
    })
}

/// `date(x)` of an instant or a day.
pub(super) fn date<'a>(part: Operand<'a>, zone: &TimeZone) -> Result<Operand<'a>, Fault> {
    let at = part.at;
    let part = if matches!(part.constant(), Some(Value::Text(_))) { coerce(part, &Type::Date)? } else { part };
    match part.node.ty {
        Type::Date => Ok(Operand::new(part.node, at)),
        Type::DateTime => {
            let node = match part.constant() {
                Some(constant) => literal_node(local_day(constant, zone), Type::Date),
                None => Node { kind: NodeKind::LocalDay(Box::new(part.node), zone.clone()), ty: Type::Date },
            };
            Ok(Operand::new(node, at))
        }
        ty => Err(Fault::new(at, format!("a date or a datetime must stand here, but this is a value of type {ty}"))),
    }
}

/// `month(x)` and its sisters.
pub(super) fn first_of<'a>(period: Period, part: Operand<'a>, zone: &TimeZone) -> Result<Operand<'a>, Fault> {
    let day = date(part, zone)?;
    let at = day.at;
    let node = match day.constant() {
        Some(constant) => literal_node(first_day(period, constant), Type::Date),
        None => Node { kind: NodeKind::Period(period, Box::new(day.node)), ty: Type::Date },
    };
    Ok(Operand::new(node, at))
}

/// `x.getMonth()` and its sisters; none if there is no such method.
pub(super) fn part<'a>(
    method: &str,
    part: Operand<'a>,
    zone: Option<&TimeZone>,
    workspace: &TimeZone,
) -> Option<Result<Operand<'a>, Fault>> {
    let day = match method {
        "getFullYear" => DayPart::FullYear,
        "getMonth" => DayPart::Month,
        "getDate" => DayPart::Date,
        "getDayOfWeek" => DayPart::DayOfWeek,
        "getHours" => return Some(of_clock(ClockPart::Hours, part, zone.unwrap_or(workspace))),
        "getMinutes" => return Some(of_clock(ClockPart::Minutes, part, zone.unwrap_or(workspace))),
        _ => return None,
    };
    if part.node.ty == Type::Date && zone.is_some() {
        return Some(Err(Fault::new(part.at, "a date has no zone; leave the zone out")));
    }
    Some(date(part, zone.unwrap_or(workspace)).map(|of| of_day(day, of)))
}

fn of_day<'a>(part: DayPart, day: Operand<'a>) -> Operand<'a> {
    let at = day.at;
    let node = match day.constant() {
        Some(constant) => literal_node(day_part(part, constant), Type::Integer),
        None => Node { kind: NodeKind::DayPart(part, Box::new(day.node)), ty: Type::Integer },
    };
    Operand::new(node, at)
}

fn of_clock<'a>(part: ClockPart, instant: Operand<'a>, zone: &TimeZone) -> Result<Operand<'a>, Fault> {
    let at = instant.at;
    let instant = coerce(instant, &Type::DateTime)?;
    if instant.node.ty != Type::DateTime {
        return Err(Fault::new(at, format!("only a datetime has a time of day, but this is {}", instant.node.ty)));
    }
    let node = match instant.constant() {
        Some(constant) => literal_node(clock_part(part, constant, zone), Type::Integer),
        None => Node { kind: NodeKind::ClockPart(part, Box::new(instant.node), zone.clone()), ty: Type::Integer },
    };
    Ok(Operand::new(node, at))
}

/// `size(text)`
pub(super) fn size<'a>(text: Operand<'a>) -> Result<Operand<'a>, Fault> {
    let at = text.at;
    let text = coerce(text, &Type::Text)?;
    if text.node.ty != Type::Text {
        return Err(Fault::new(at, format!("size() counts the characters of a text, but this is {}", text.node.ty)));
    }
    let node = match text.constant() {
        Some(constant) => literal_node(evaluate::size(constant), Type::Integer),
        None => Node { kind: NodeKind::Size(Box::new(text.node)), ty: Type::Integer },
    };
    Ok(Operand::new(node, at))
}

/// A zone by its name in the IANA database.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("there is no zone {name:?}; write one like 'Europe/Moscow' or 'UTC'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_the_zones_are_the_years_that_are_told() {
        let year = |second| Timestamp::from_second(second).unwrap().to_string();
        assert_eq!(year(ZONE_SECONDS.0), format!("{}-01-01T00:00:00Z", ZONE_YEARS.0));
        assert_eq!(year(ZONE_SECONDS.1), format!("{}-01-01T00:00:00Z", ZONE_YEARS.1));
    }

    #[test]
    fn the_offsets_of_a_zone_are_those_that_its_clocks_show() {
        for name in ["UTC", "Europe/Moscow", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            let zone = zone(name).unwrap();
            let (first, changes) = offsets(&zone);
            for second in (0..4_000_000_000_i64).step_by(1_234_567) {
                let at = Timestamp::from_second(second).unwrap();
                let change = changes.iter().rev().find(|(from, _)| *from <= at.as_microsecond());
                let offset = change.map_or(first, |(_, offset)| *offset);
                let shown = local(at, &zone).to_zoned(TimeZone::UTC).unwrap().timestamp();
                assert_eq!(shown.as_second() - second, i64::from(offset), "{name} at {at}");
            }
        }
    }
}
