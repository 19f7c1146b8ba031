//! What is asked of records: a filter, an order, a page.

pub mod aggregate;
mod cursor;
mod sort;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use cursor::{CURSOR_BYTES_MAX, CursorError};
pub use sort::{SortError, SortKey, parse_sort, sort_text};

use crate::{
    expr::Expression,
    name::ObjectName,
    record::Record,
    value::{Id, Value},
};

/// Rows in a page when the caller does not say.
pub const LIMIT_DEFAULT: u32 = 50;
/// The most rows in a page over REST.
pub const LIMIT_MAX: u32 = 500;
/// The most sort keys.
pub const SORT_KEYS_MAX: usize = 5;

/// What is asked of one object's records.
#[derive(Debug, Clone)]
pub struct Query {
    /// Whose records.
    pub object: ObjectName,
    /// Which; all if absent. Compiled for `object` with result type bool.
    pub filter: Option<Expression>,
    /// Values of the filter's `p0`, `p1`, ….
    pub parameters: Vec<Value>,
    /// What `now` means in the filter.
    pub now: Timestamp,
    /// The order; ties are broken by id. Empty sorts by id, that is by creation.
    pub sort: Vec<SortKey>,
    /// Only these fields are read; all if absent.
    pub fields: Option<Vec<String>>,
    /// Rows in a page.
    pub limit: u32,
    /// Where the page starts.
    pub after: Option<Cursor>,
}

impl Query {
    /// The first page of all records, oldest first.
    #[must_use]
    pub fn of(object: ObjectName) -> Self {
        Self {
            object,
            filter: None,
            parameters: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
            sort: Vec::new(),
            fields: None,
            limit: LIMIT_DEFAULT,
            after: None,
        }
    }

    /// Only records for which the filter holds, with the values of its parameters and what `now` means in it.
    #[must_use]
    pub fn filtered(mut self, filter: Expression, parameters: Vec<Value>, now: Timestamp) -> Self {
        self.filter = Some(filter);
        self.parameters = parameters;
        self.now = now;
        self
    }

    /// In that order.
    #[must_use]
    pub fn sorted(mut self, keys: Vec<SortKey>) -> Self {
        self.sort = keys;
        self
    }

    /// At most so many rows.
    #[must_use]
    pub fn limited(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// The page that starts there, or the first.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }
}

/// Rows and the way on.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The rows, in order.
    pub records: Vec<Record>,
    /// Where the next page starts; none after the last.
    pub next: Option<Cursor>,
}

/// The place after a row in an order: the row's sort values and id.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// The order that it belongs to, as text: `-created_at,name`.
    pub sort: String,
    /// The row's values of the sort keys.
    pub values: Vec<Value>,
    /// The row's id.
    pub id: Id,
}
