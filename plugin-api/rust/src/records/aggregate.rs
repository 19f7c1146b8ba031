//! Records counted, summed and averaged by groups, without listing them.

use crate::bindings::pergola::plugin::records;
use crate::{Failure, Fields, FromValue, Value, packed};

/// A question about groups of records. In a hook it counts what the transaction has written so far.
///
/// Groups and measures are expressions of `docs/expressions.md`.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// /// What each master earned since an instant, the best first.
/// fn revenue(since: DateTime) -> Result<Vec<(Id, i64, Option<Money>)>, Failure> {
///     let table = Aggregate::of("booking.appointment")
///         .filter("status == 'done' && starts_at >= p0")
///         .param(since)
///         .group("master")
///         .measure("count")
///         .measure("sum(price)")
///         .sort("-count")
///         .ask()?;
///     table.rows.iter().map(|row| Ok((row.read("master")?, row.read("count")?, row.read("sum(price)")?))).collect()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    object: String,
    filter: String,
    parameters: Vec<Value>,
    groups: Vec<String>,
    measures: Vec<String>,
    sort: String,
    limit: u32,
}

/// The answer: a row for each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its columns are named as groups and measures were asked for; those without a value are left out.
    pub rows: Vec<Fields>,
    /// Whether there are more groups than rows.
    pub more: bool,
}

impl Aggregate {
    /// All records of an object, as one group.
    pub fn of(object: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            filter: String::new(),
            parameters: Vec::new(),
            groups: Vec::new(),
            measures: Vec::new(),
            sort: String::new(),
            limit: 0,
        }
    }

    /// Takes only records for which this CEL expression is true. `p0`, `p1`, … stand for the parameters, here and in
    /// groups and measures.
    ///
    /// Pass values as parameters, never inside the text: text from people would become part of the expression.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Adds the next parameter: the first is `p0`.
    #[must_use]
    pub fn param(mut self, value: impl Into<Value>) -> Self {
        self.parameters.push(value.into());
        self
    }

    /// Makes groups by this expression too: `master`, `month(starts_at)`. At most 5.
    #[must_use]
    pub fn group(mut self, expression: impl Into<String>) -> Self {
        self.groups.push(expression.into());
        self
    }

    /// Asks this of each group: `count`, `count(status == 'done')`, `sum(price)`, `avg(price)`, `min(starts_at)`,
    /// `max(starts_at)`, `distinct(contact)`. At most 20.
    #[must_use]
    pub fn measure(mut self, measure: impl Into<String>) -> Self {
        self.measures.push(measure.into());
        self
    }

    /// Sorts by these columns: `-sum(price),master`; a minus sorts downwards. Otherwise by the groups.
    #[must_use]
    pub fn sort(mut self, sort: impl Into<String>) -> Self {
        self.sort = sort.into();
        self
    }

    /// Rows of the answer: 1–1000, 100 if not said; [`Table::more`] tells whether there are others.
    #[must_use]
    pub const fn limit(mut self, rows: u32) -> Self {
        self.limit = rows;
        self
    }

    /// Asks.
    ///
    /// # Errors
    /// The host's: `bad_filter`, `bad_group`, `bad_measure`, `out_of_range`, …; `damaged_page` if the answer cannot be
    /// decoded.
    pub fn ask(self) -> Result<Table, Failure> {
        let question = records::Question {
            object: self.object,
            filter: self.filter,
            parameters: self.parameters.into_iter().map(Value::into_wit).collect(),
            groups: self.groups.join(","),
            measures: self.measures.join(","),
            sort: self.sort,
            limit: self.limit,
        };
        records::aggregate(&question).map_err(Failure::from_wit).and_then(Table::from_wit)
    }

    /// How many records there are.
    ///
    /// # Errors
    /// As [`Aggregate::ask`].
    pub fn count(self) -> Result<i64, Failure> {
        self.one("count")
    }

    /// One measure of all records together: `.one::<Option<Money>>("sum(price)")`.
    ///
    /// # Errors
    /// As [`Aggregate::ask`] and [`Fields::read`].
    pub fn one<T: FromValue>(mut self, measure: &str) -> Result<T, Failure> {
        self.groups.clear();
        self.measures = vec![measure.to_owned()];
        self.sort.clear();
        let table = self.ask()?;
        table.rows.first().cloned().unwrap_or_default().read(measure)
    }
}

impl Table {
    fn from_wit(table: records::Table) -> Result<Self, Failure> {
        let records::Table { columns, rows, cells, more } = table;
        let count = usize::try_from(rows).unwrap_or(usize::MAX);
        let decoded = packed::decode(&cells, columns.len(), count)?;
        Ok(Self { rows: packed::rows(&columns, decoded, count).collect(), more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_becomes_rows_named_as_they_were_asked_for() {
        let columns = [vec![Value::from("done"), Value::Null], vec![Value::from(3), Value::from(1)]];
        let cells = packed::encode(&[(packed::Kind::Text, &columns[0]), (packed::Kind::Integer, &columns[1])]).unwrap();
        let columns = vec!["status".to_owned(), "count".to_owned()];
        let table = Table::from_wit(records::Table { columns, rows: 2, cells, more: true }).unwrap();
        assert_eq!(table.rows, [Fields::new().with("status", "done").with("count", 3), Fields::new().with("count", 1)]);
        assert!(table.more);
    }

    #[test]
    fn a_damaged_table_is_a_failure() {
        let table = records::Table { columns: vec!["count".to_owned()], rows: 9, cells: vec![1], more: false };
        assert_eq!(Table::from_wit(table).unwrap_err().code, "damaged_page");
    }
}
