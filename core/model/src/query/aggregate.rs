//! What is asked of groups of records: how many, what sum, what average.
//!
//! Groups and measures are expressions: `status`, `master.name`, `month(starts_at)`, `starts_at.getHours()`;
//! `count`, `count(status == 'done')`, `sum(price)`, `avg(price)`, `min(starts_at)`, `max(starts_at)`, `distinct(contact)`.

mod read;
mod table;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use read::{AggregateError, AggregateText};
pub use table::{RangeError, Table, Tally};

use crate::{
    expr::{Expression, Node},
    name::ObjectName,
    value::Value,
};

/// The most measures.
pub const MEASURES_MAX: usize = 20;
/// The most parts of a group.
pub const GROUPS_BY_MAX: usize = 5;
/// The most groups that a question may fall into, before the limit.
pub const GROUPS_MAX: u32 = 10_000;
/// Rows of an answer when the caller does not say, and the most.
pub const ROWS: (u32, u32) = (100, 1_000);

/// A question about groups of one object's records.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Whose records.
    pub object: ObjectName,
    /// Which; all if absent.
    pub filter: Option<Expression>,
    /// Values of `p0`, `p1`, … in all expressions.
    pub parameters: Vec<Value>,
    /// What `now` means in them.
    pub now: Timestamp,
    /// What makes a group; without any all records are one, even if there are none.
    pub groups: Vec<Expression>,
    /// What is asked of each group; at least one.
    pub measures: Vec<Measure>,
    /// The order; after it by the groups' values.
    pub sort: Vec<SortColumn>,
    /// Rows of the answer.
    pub limit: u32,
}

/// One question about each group.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// As it was written: the name of its column.
    pub name: String,
    /// What is asked.
    pub kind: MeasureKind,
}

/// What is asked of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasureKind {
    /// How many records.
    Count,
    /// For how many a condition holds.
    CountIf(Expression),
    /// The sum of the values that are there; zero without any, but of money nothing.
    Sum(Expression),
    /// Their average, rounded half away from zero: of money to minor units, of durations to microseconds, of
    /// numbers to four digits more than they have, nine at most, as far as 64 bits hold them.
    Avg(Expression),
    /// The least.
    Min(Expression),
    /// The greatest.
    Max(Expression),
    /// How many different ones.
    Distinct(Expression),
}

/// A column that orders the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// Its place: groups first, then measures.
    pub column: usize,
    /// Largest first, absent last.
    pub descending: bool,
}

impl Aggregate {
    /// The names of the columns: groups first, then measures, as they were written.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let groups = self.groups.iter().map(Expression::source);
        groups.chain(self.measures.iter().map(|measure| measure.name.as_str()))
    }

    /// All expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let measured = self.measures.iter().filter_map(|measure| measure.kind.of());
        self.filter.iter().chain(&self.groups).chain(measured)
    }
}

impl MeasureKind {
    /// What it looks at.
    #[must_use]
    pub fn of(&self) -> Option<&Expression> {
        match self {
            Self::Count => None,
            Self::CountIf(of) | Self::Sum(of) | Self::Avg(of) | Self::Min(of) | Self::Max(of) | Self::Distinct(of) => {
                Some(of)
            }
        }
    }

    /// The tree of what it looks at.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        self.of().map(Expression::root)
    }
}
