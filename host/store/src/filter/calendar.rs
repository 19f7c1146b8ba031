//! Days, periods and wall clocks, in integers: neither database is asked about zones.
//!
//! An instant becomes a local one by the offsets that memory takes too, written into the statement; a day is its
//! number since 1970 or its text.

use jiff::tz::TimeZone;
use pergola_model::expr::{ClockPart, DayPart, Node, NodeKind, Period, offsets};
use pergola_service::ports::store::StoreError;

use super::Filter;
use crate::{error::unexpected, sql::Sql};

/// The microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Days in 12,000 years of the calendar, which is more than there are instants before 1970: with them added, numbers are
/// not negative, so that division rounds down on both databases.
const DAYS_SHIFT: i64 = 4_382_910;

impl Filter<'_> {
    /// The same for every record, so that it is calculated once.
    fn fixed(&self, node: &Node) -> Result<Option<Sql>, StoreError> {
        let Some(value) = node.fixed(self.now, self.parameters) else { return Ok(None) };
        let value = value.map_err(|error| StoreError::Range(error.0))?;
        let mut sql = Sql::default();
        self.constant(&value, &mut sql)?;
        Ok(Some(sql))
    }

    /// A day as text.
    pub(super) fn day(&mut self, node: &Node) -> Result<Sql, StoreError> {
        if let Some(fixed) = self.fixed(node)? {
            return Ok(fixed);
        }
        match &node.kind {
            NodeKind::Period(period, day) => self.first_day(*period, day),
            NodeKind::LocalDay(..) | NodeKind::Add(..) | NodeKind::Subtract(..) => {
                let number = self.day_number(node)?;
                Ok(self.layouts.dialect().day_text(number))
            }
            _ => self.part(node),
        }
    }

    /// A day as its number since 1970.
    fn day_number(&mut self, node: &Node) -> Result<Sql, StoreError> {
        let mut sql = Sql::new("(");
        match &node.kind {
            NodeKind::LocalDay(at, zone) if !node.is_fixed() => {
                let local = self.local(at, zone)?;
                sql.append(self.layouts.dialect().divide(local, DAY)).push(&format!(" - {DAYS_SHIFT})"));
            }
            NodeKind::Add(day, by) | NodeKind::Subtract(day, by) if !node.is_fixed() => {
                let is_sum = matches!(node.kind, NodeKind::Add(..));
                sql.append(self.day_number(day)?).push(if is_sum { " + " } else { " - " });
                let mut length = Sql::new("(");
                length.append(self.part(by)?).push(")");
                sql.append(self.layouts.dialect().divide(length, DAY)).push(")");
            }
            _ => {
                let text = self.day(node)?;
                return Ok(self.layouts.dialect().day_number(text));
            }
        }
        Ok(sql)
    }

    /// `a - b` of two days, in microseconds.
    pub(super) fn days_between(&mut self, a: &Node, b: &Node) -> Result<Sql, StoreError> {
        let mut sql = Sql::new("((");
        sql.append(self.day_number(a)?).push(" - ").append(self.day_number(b)?).push(&format!(") * {DAY})"));
        Ok(sql)
    }

    /// A part of a day.
    pub(super) fn day_part(&mut self, part: DayPart, day: &Node) -> Result<Sql, StoreError> {
        let (start, length, less) = match part {
            DayPart::FullYear => (1, 4, 0),
            DayPart::Month => (6, 2, 1),
            DayPart::Date => (9, 2, 0),
            // The first of January 1970 was a Thursday.
            DayPart::DayOfWeek => {
                let mut sql = Sql::new("((");
                sql.append(self.day_number(day)?).push(" % 7 + 11) % 7)");
                return Ok(sql);
            }
        };
        let mut sql = Sql::new("(CAST(substr(");
        sql.append(self.day(day)?).push(&format!(", {start}, {length}) AS BIGINT) - {less})"));
        Ok(sql)
    }

    fn first_day(&mut self, period: Period, day: &Node) -> Result<Sql, StoreError> {
        if period == Period::Week {
            let number = self.day_number(day)?;
            let mut monday = Sql::new("(");
            monday.append(number.clone()).push(" - (").append(number).push(" % 7 + 10) % 7)");
            return Ok(self.layouts.dialect().day_text(monday));
        }
        let day = self.day(day)?;
        let mut sql = Sql::new("(substr(");
        sql.append(day.clone());
        match period {
            Period::Month => sql.push(", 1, 8) || '01')"),
            Period::Quarter => {
                sql.push(", 1, 5) || CASE");
                for (month, first) in [("04", "01"), ("07", "04"), ("10", "07")] {
                    sql.push(" WHEN substr(").append(day.clone());
                    sql.push(&format!(", 6, 2) < '{month}' THEN '{first}-01'"));
                }
                sql.push(" ELSE '10-01' END)")
            }
            _ => sql.push(", 1, 5) || '01-01')"),
        };
        Ok(sql)
    }

    /// A part of the wall clock.
    pub(super) fn clock_part(&mut self, part: ClockPart, at: &Node, zone: &TimeZone) -> Result<Sql, StoreError> {
        let (unit, most) = match part {
            ClockPart::Hours => (3_600_000_000_i64, 24),
            ClockPart::Minutes => (60_000_000, 60),
        };
        let mut sql = Sql::new("(");
        let local = self.local(at, zone)?;
        sql.append(self.layouts.dialect().divide(local, unit)).push(&format!(" % {most})"));
        Ok(sql)
    }

    /// Local microseconds since 12,000 years before 1970.
    fn local(&mut self, at: &Node, zone: &TimeZone) -> Result<Sql, StoreError> {
        let at = self.part(at)?;
        let (first, changes) = offsets(zone);
        let shift = DAYS_SHIFT.checked_mul(DAY).ok_or_else(|| unexpected("12,000 years fit in 64 bits"))?;
        let mut sql = Sql::new("(");
        sql.append(at.clone()).push(&format!(" + {shift} + ")).append(offset(&at, first, &changes)).push(")");
        Ok(sql)
    }
}

/// The offset at an instant, in microseconds: by halves, so that it takes few comparisons.
fn offset(at: &Sql, first: i32, changes: &[(i64, i32)]) -> Sql {
    let middle = changes.len() / 2;
    let Some(((from, second), later)) = changes.get(middle..).and_then(<[_]>::split_first) else {
        return Sql::new(format!("({})", i64::from(first).saturating_mul(1_000_000)));
    };
    let earlier = changes.get(..middle).unwrap_or_default();
    let mut sql = Sql::new("CASE WHEN ");
    sql.append(at.clone()).push(&format!(" < {from} THEN ")).append(offset(at, first, earlier));
    sql.push(" ELSE ").append(offset(at, *second, later)).push(" END");
    sql
}
