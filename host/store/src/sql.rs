//! The text of a statement and the values bound to it, built together.
//!
//! All dynamic SQL of this crate is built on this type: names are quoted here, values are always bound. A placeholder is
//! `?` and a system table has its bare name; the connection that runs the statement makes of it what its database wants.

use std::borrow::Cow;

use pergola_model::Id;
use sha2::{Digest as _, Sha256};

/// The most values that one statement can bind: SQLite's limit, which is half of PostgreSQL's.
///
/// Source: <https://www.sqlite.org/limits.html>, `SQLITE_MAX_VARIABLE_NUMBER`.
pub(crate) const BINDS_MAX: usize = 32_766;

/// The type of a value on its way into a statement. PostgreSQL wants to know it even where there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Flags.
    Bool,
    /// Whole numbers, scaled decimals, microseconds.
    Integer,
    /// Only for comparison with a number beyond 64 bits.
    Real,
    /// Texts, dates, JSON.
    Text,
    /// Hashes and bodies.
    Bytes,
    /// Ids.
    Id,
}

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    /// No value where one of that kind could be.
    Null(Kind),
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Integer`].
    Integer(i64),
    /// See [`Kind::Real`].
    Real(f64),
    /// See [`Kind::Text`].
    Text(String),
    /// See [`Kind::Bytes`].
    Bytes(Vec<u8>),
    /// See [`Kind::Id`].
    Id(Id),
}

impl Bind {
    /// What kind of value it is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Null(kind) => *kind,
            Self::Bool(_) => Kind::Bool,
            Self::Integer(_) => Kind::Integer,
            Self::Real(_) => Kind::Real,
            Self::Text(_) => Kind::Text,
            Self::Bytes(_) => Kind::Bytes,
            Self::Id(_) => Kind::Id,
        }
    }

    /// Whether there is no value.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }
}

/// What becomes a [`Bind`] of a kind that is known without the value.
pub(crate) trait Bindable: Into<Bind> {
    /// The kind.
    const KIND: Kind;
}

/// Makes a type bindable.
macro_rules! bindable {
    ($($type:ty => $kind:ident($value:ident: $make:expr)),+ $(,)?) => {$(
        impl From<$type> for Bind {
            fn from($value: $type) -> Self {
                Self::$kind($make)
            }
        }

        impl Bindable for $type {
            const KIND: Kind = Kind::$kind;
        }
    )+};
}

bindable! {
    bool => Bool(flag: flag),
    i64 => Integer(number: number),
    jiff::Timestamp => Integer(at: at.as_microsecond()),
    &str => Text(text: text.to_owned()),
    String => Text(text: text),
    &[u8] => Bytes(bytes: bytes.to_owned()),
    Id => Id(id: id),
}

impl<T: Bindable> From<Option<T>> for Bind {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::KIND), Into::into)
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

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text and the values.
    pub(crate) fn into_parts(self) -> (String, Vec<Bind>) {
        (self.text, self.binds)
    }
}

/// The longest name that PostgreSQL keeps whole.
const NAME_BYTES_MAX: usize = 63;

/// A name as the databases have it: a long one is cut and told apart by its hash.
pub(crate) fn identifier(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX {
        return Cow::Borrowed(name);
    }
    // Names are ASCII, by their patterns.
    let begin = name.get(..46).unwrap_or_default();
    Cow::Owned(format!("{begin}~{:016x}", hash(name)))
}

/// 64 bits of a text that stay the same for ever.
pub(crate) fn hash(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    digest.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// A name in quotes. Names match `[a-z0-9_.$]+` already; doubling keeps a mistake elsewhere from becoming an injection.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", identifier(name).replace('"', "\"\""))
}
