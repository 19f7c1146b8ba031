//! The text of a statement and the values bound to it, built together.
//!
//! All dynamic SQL of this crate is built on this type: names are quoted here, values are always bound.

use sqlx::{
    Arguments as _, AssertSqlSafe, Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

/// The most values that one statement can bind.
///
/// Source: <https://www.sqlite.org/limits.html>, `SQLITE_MAX_VARIABLE_NUMBER`.
pub(crate) const BINDS_MAX: usize = 32_766;

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    /// No value.
    Null,
    /// Whole numbers, flags, scaled decimals, microseconds.
    Integer(i64),
    /// Only for comparison with a number beyond 64 bits.
    Real(f64),
    /// Texts, dates, JSON.
    Text(String),
    /// Ids and hashes.
    Blob(Vec<u8>),
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Bind {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Bind {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_owned())
    }
}

impl From<pergola_model::Id> for Bind {
    fn from(id: pergola_model::Id) -> Self {
        Self::Blob(id.0.as_bytes().to_vec())
    }
}

impl From<jiff::Timestamp> for Bind {
    fn from(at: jiff::Timestamp) -> Self {
        Self::Integer(at.as_microsecond())
    }
}

impl<T: Into<Bind>> From<Option<T>> for Bind {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement, or a part of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sql {
    text: String,
    binds: Vec<Bind>,
}

impl Sql {
    /// A statement that begins so.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), binds: Vec::new() }
    }

    /// Adds text that comes from this crate, never from a caller.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a name in quotes.
    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        self.text.push_str(&quote(name));
        self
    }

    /// Adds a placeholder and its value.
    pub(crate) fn bind(&mut self, value: impl Into<Bind>) -> &mut Self {
        self.text.push('?');
        self.value(value)
    }

    /// Adds a value whose placeholder is in the text already.
    pub(crate) fn value(&mut self, value: impl Into<Bind>) -> &mut Self {
        self.binds.push(value.into());
        self
    }

    /// Adds another part.
    pub(crate) fn append(&mut self, part: Sql) -> &mut Self {
        self.text.push_str(&part.text);
        self.binds.extend(part.binds);
        self
    }

    /// The same statement after another one.
    pub(crate) fn after(mut self, first: &str) -> Self {
        self.text.insert_str(0, first);
        self
    }

    /// Ready for sqlx.
    pub(crate) fn into_query(self) -> Result<Prepared, sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.binds.len(), 0);
        for bind in self.binds {
            match bind {
                Bind::Null => arguments.add(None::<i64>),
                Bind::Integer(number) => arguments.add(number),
                Bind::Real(number) => arguments.add(number),
                Bind::Text(text) => arguments.add(text),
                Bind::Blob(bytes) => arguments.add(bytes),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(self.text), arguments))
    }
}

/// A name in quotes. Names match `[a-z0-9_.$]+` already; doubling keeps a mistake elsewhere from becoming an injection.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A statement as sqlx takes it.
pub(crate) type Prepared = Query<'static, Sqlite, SqliteArguments>;

/// A row as sqlx gives it.
pub(crate) type Row = SqliteRow;
