//! Lists of records, page by page.

use std::collections::VecDeque;

use crate::bindings::pergola::plugin::records;
use crate::{Failure, Fields, Id, Typed, Value, packed};

/// A list of records to ask for.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// fn starts(master: Id, from: DateTime, to: DateTime) -> Result<Vec<DateTime>, Failure> {
///     Query::of("booking.appointment")
///         .filter("master == p0 && starts_at >= p1 && starts_at < p2")
///         .param(master)
///         .param(from)
///         .param(to)
///         .sort("starts_at")
///         .fields(["starts_at"])
///         .rows()
///         .map(|row| row?.fields.read("starts_at"))
///         .collect()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    object: String,
    filter: String,
    parameters: Vec<Value>,
    sort: String,
    fields: Vec<String>,
    page_size: u32,
    after: Option<String>,
}

impl Query {
    /// All records of an object, in order of creation.
    pub fn of(object: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            filter: String::new(),
            parameters: Vec::new(),
            sort: String::new(),
            fields: Vec::new(),
            page_size: 0,
            after: None,
        }
    }

    /// Takes only records for which this CEL expression is true. `p0`, `p1`, … stand for the parameters.
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

    /// Sorts by these fields: `-created_at,name`; a minus sorts downwards.
    #[must_use]
    pub fn sort(mut self, sort: impl Into<String>) -> Self {
        self.sort = sort.into();
        self
    }

    /// Asks for these fields only, which is quicker than all.
    #[must_use]
    pub fn fields<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.fields = names.into_iter().map(Into::into).collect();
        self
    }

    /// Rows that the host sends at a time: 1–1000. It is no limit of the list; use `.rows().take(n)`.
    #[must_use]
    pub const fn page_size(mut self, rows: u32) -> Self {
        self.page_size = rows;
        self
    }

    /// Starts after a cursor: [`Page::next`] of an earlier page.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.after = Some(cursor.into());
        self
    }

    /// All rows, asked from the host page by page as the iterator gets there; it ends after a failure.
    #[must_use]
    pub fn rows(self) -> Rows {
        Rows { query: Some(self), ready: VecDeque::new() }
    }

    /// All rows in a list.
    ///
    /// # Errors
    /// As [`Query::page`].
    pub fn all(self) -> Result<Vec<Row>, Failure> {
        self.rows().collect()
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Query::page`].
    pub fn first(self) -> Result<Option<Row>, Failure> {
        self.page_size(1).rows().next().transpose()
    }

    /// One page.
    ///
    /// # Errors
    /// The host's, such as a filter that it does not understand; `damaged_page` if the answer cannot be decoded.
    pub fn page(&self) -> Result<Page, Failure> {
        let asked = records::Query {
            object: self.object.clone(),
            filter: self.filter.clone(),
            parameters: self.parameters.iter().cloned().map(Value::into_wit).collect(),
            sort: self.sort.clone(),
            fields: self.fields.clone(),
            limit: self.page_size,
            after: self.after.clone(),
        };
        records::list_page(&asked).map_err(Failure::from_wit).and_then(Page::from_wit)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Where the next page starts; none after the last.
    pub next: Option<String>,
}

impl Page {
    fn from_wit(page: records::Page) -> Result<Self, Failure> {
        let records::Page { ids, columns, cells, next } = page;
        let decoded = packed::decode(&cells, columns.len(), ids.len())?;
        let fields = packed::rows(&columns, decoded, ids.len());
        let rows = ids.into_iter().zip(fields).map(|(id, fields)| Row { id: Id::from_wit(id), fields });
        Ok(Self { rows: rows.collect(), next })
    }
}

/// One row of a list: a record's id and the fields that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The record's id.
    pub id: Id,
    /// Its fields; those without a value are left out.
    pub fields: Fields,
}

impl Row {
    /// Reads the fields into a typed struct.
    ///
    /// # Errors
    /// As [`Typed::from_fields`].
    pub fn read<T: Typed>(&self) -> Result<T, Failure> {
        T::from_fields(&self.fields)
    }
}

/// All rows of a query; see [`Query::rows`].
#[derive(Debug)]
pub struct Rows {
    /// What to ask for next; none after the last page.
    query: Option<Query>,
    ready: VecDeque<Row>,
}

impl Iterator for Rows {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(Ok(row));
            }
            let query = self.query.take()?;
            match query.page() {
                Ok(page) => {
                    self.ready = page.rows.into();
                    self.query = page.next.map(|cursor| query.after(cursor));
                }
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_rows_without_empty_fields() {
        let columns = [vec![Value::from("Ann"), Value::Null], vec![Value::from(1), Value::from(2)]];
        let cells = packed::encode(&[(packed::Kind::Text, &columns[0]), (packed::Kind::Integer, &columns[1])]).unwrap();
        let page = records::Page {
            ids: vec![(0, 1), (0, 2)],
            columns: vec!["name".to_owned(), "visits".to_owned()],
            cells,
            next: None,
        };
        let page = Page::from_wit(page).unwrap();
        assert_eq!(page.rows[0].fields, Fields::new().with("name", "Ann").with("visits", 1));
        assert_eq!(page.rows[1], Row { id: Id::from_u128(2), fields: Fields::new().with("visits", 2) });
    }

    #[test]
    fn a_damaged_page_is_a_failure() {
        let page = records::Page { ids: vec![(0, 1)], columns: vec!["name".to_owned()], cells: vec![1], next: None };
        assert_eq!(Page::from_wit(page).unwrap_err().code, "damaged_page");
    }
}
