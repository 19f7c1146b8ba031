//! Values of fields, and the locale that tells how people write them here.

use std::fmt;

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifier of a record: a `UUIDv7`, so that ids sort by time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub Uuid);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Id {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units (cents, kopecks); negative for a debt.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
}

/// One field's value. Absent and `Null` are the same thing.
///
/// Units: `DateTime` is UTC at microseconds; `Duration` is held to microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// Text, long text, choice, phone (E.164), e-mail, url.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// An amount of money.
    Money(Money),
    /// True or false.
    Bool(bool),
    /// A day of the calendar, without a zone.
    Date(civil::Date),
    /// An instant.
    DateTime(Timestamp),
    /// A length of time.
    Duration(SignedDuration),
    /// The id of the record referred to.
    Ref(Id),
    /// Tags, in order, without duplicates.
    Tags(Vec<String>),
    /// Any JSON value.
    Json(serde_json::Value),
}

impl Value {
    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The referred record's id, if it is a reference.
    #[must_use]
    pub fn as_ref_id(&self) -> Option<Id> {
        if let Self::Ref(id) = self { Some(*id) } else { None }
    }

    /// The instant, if it is one.
    #[must_use]
    pub fn as_datetime(&self) -> Option<Timestamp> {
        if let Self::DateTime(at) = self { Some(*at) } else { None }
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "text",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Money(_) => "money",
            Self::Bool(_) => "bool",
            Self::Date(_) => "date",
            Self::DateTime(_) => "datetime",
            Self::Duration(_) => "duration",
            Self::Ref(_) => "ref",
            Self::Tags(_) => "tags",
            Self::Json(_) => "json",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Id> for Value {
    fn from(id: Id) -> Self {
        Self::Ref(id)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::DateTime(at)
    }
}

/// How people of one workspace write phones, dates and money, and what they read.
#[derive(Debug, Clone)]
pub struct Locale {
    /// BCP 47 code of the language in which people are told what is wrong, where a manifest knows it: `ru`.
    pub language: String,
    /// ISO 3166 code of the region whose phone numbers need no country code: `RU`.
    pub region: String,
    /// ISO 4217 code of amounts that name no currency.
    pub currency: String,
    /// The zone of the workspace's wall clock.
    pub zone: TimeZone,
}

impl Default for Locale {
    fn default() -> Self {
        Self { language: "en".to_owned(), region: "RU".to_owned(), currency: "RUB".to_owned(), zone: TimeZone::UTC }
    }
}
