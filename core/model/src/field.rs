//! A field of an object, checked and ready for use.

use crate::{decl::Label, name::ObjectName, value::Value};

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// One line of text, at most [`TEXT_CHARS_MAX`] characters.
    Text,
    /// Text of many lines, at most [`LONG_TEXT_CHARS_MAX`] characters.
    LongText,
    /// A whole number of 64 bits.
    Integer,
    /// An exact decimal with this many digits after the point (0–9).
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// An amount of money.
    Money,
    /// True or false.
    Bool,
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// A length of time.
    Duration,
    /// One of the declared codes.
    Choice {
        /// The codes, in the order in which people see them.
        of: Vec<String>,
    },
    /// A phone number, held as E.164.
    Phone,
    /// An e-mail address, held in lower case.
    Email,
    /// A web address with its scheme.
    Url,
    /// Any JSON value, at most [`JSON_BYTES_MAX`] as text.
    Json,
    /// Another record.
    Ref {
        /// The object referred to.
        to: ObjectName,
        /// What becomes of this record when the other is deleted.
        on_delete: OnDelete,
    },
    /// Tags, at most [`TAGS_MAX`].
    Tags,
}

/// The longest text, in characters.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// The longest long text, in characters.
pub const LONG_TEXT_CHARS_MAX: usize = 100_000;
/// The largest JSON value, in bytes of text.
pub const JSON_BYTES_MAX: usize = 100_000;
/// The most tags on one record.
pub const TAGS_MAX: usize = 100;

/// What becomes of a record when the one it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The other cannot be deleted.
    #[default]
    Restrict,
    /// The reference becomes empty.
    Clear,
    /// This record is deleted with it.
    Cascade,
}

/// What becomes of a record when the one it refers to is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPurge {
    /// It stays, without the reference: a receipt without the person.
    Clear,
    /// It is purged too.
    Delete,
}

/// A field of an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// The key in records, filters and columns: `name`, or `salon.preferred_master` for an extension.
    pub key: String,
    /// What it holds.
    pub kind: FieldType,
    /// Must have a value in every record.
    pub required: bool,
    /// The value of a new record that names none.
    pub default: Value,
    /// No two records of the object have the same value.
    pub unique: bool,
    /// Has an index; phones and e-mail addresses always have, because callers are looked up by them.
    pub indexed: bool,
    /// Is found by search.
    pub searchable: bool,
    /// For a reference: what becomes of the record when the other is purged, if not what `on_delete` says.
    pub on_purge: Option<OnPurge>,
    /// What people see, per language.
    pub label: Label,
}

impl Field {
    /// The extending plugin and the name under it, or none for the object's own fields.
    #[must_use]
    pub fn extension(&self) -> Option<(&str, &str)> {
        self.key.split_once('.')
    }
}

impl FieldType {
    /// The type's name in manifests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::LongText => "long_text",
            Self::Integer => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Money => "money",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Duration => "duration",
            Self::Choice { .. } => "choice",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Url => "url",
            Self::Json => "json",
            Self::Ref { .. } => "ref",
            Self::Tags => "tags",
        }
    }
}
