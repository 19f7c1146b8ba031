//! Values of fields, and how Rust types become and come from them.

use crate::bindings::pergola::plugin::types;
use crate::{Date, DateTime, Decimal, Duration, Failure, Id, Money};

/// One field's value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// No value; in a change: clear the field.
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
    /// A day of the calendar.
    Date(Date),
    /// An instant.
    DateTime(DateTime),
    /// A length of time.
    Duration(Duration),
    /// The id of the record referred to.
    Ref(Id),
    /// Tags, in order, without duplicates.
    Tags(Vec<String>),
    /// A JSON text.
    Json(String),
    /// A kind of value that this version of the SDK does not know; can be handed back as it came.
    Other {
        /// What the bytes are.
        kind: String,
        /// The value, encoded as the kind prescribes.
        bytes: Vec<u8>,
    },
}

impl Value {
    /// Whether there is no value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
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
            Self::Other { .. } => "other",
        }
    }

    pub(crate) fn from_wit(value: types::Value) -> Self {
        match value {
            types::Value::Null => Self::Null,
            types::Value::Text(text) => Self::Text(text),
            types::Value::Integer(number) => Self::Integer(number),
            types::Value::Decimal(number) => Self::Decimal(Decimal::new(number.units, number.scale)),
            types::Value::Money(money) => Self::Money(Money::new(money.amount_minor, money.currency)),
            types::Value::Boolean(flag) => Self::Bool(flag),
            types::Value::Date(days) => Self::Date(Date::from_days(days)),
            types::Value::Datetime(micros) => Self::DateTime(DateTime::from_micros(micros)),
            types::Value::Duration(micros) => Self::Duration(Duration::from_micros(micros)),
            types::Value::Reference(id) => Self::Ref(Id::from_wit(id)),
            types::Value::Tags(tags) => Self::Tags(tags),
            types::Value::Json(text) => Self::Json(text),
            types::Value::Ext(types::Extension { kind, bytes }) => Self::Other { kind, bytes },
        }
    }

    pub(crate) fn into_wit(self) -> types::Value {
        match self {
            Self::Null => types::Value::Null,
            Self::Text(text) => types::Value::Text(text),
            Self::Integer(number) => types::Value::Integer(number),
            Self::Decimal(number) => {
                types::Value::Decimal(types::Decimal { units: number.units(), scale: number.scale() })
            }
            Self::Money(Money { amount_minor, currency }) => {
                types::Value::Money(types::Money { amount_minor, currency })
            }
            Self::Bool(flag) => types::Value::Boolean(flag),
            Self::Date(date) => types::Value::Date(date.days()),
            Self::DateTime(at) => types::Value::Datetime(at.micros()),
            Self::Duration(length) => types::Value::Duration(length.micros()),
            Self::Ref(id) => types::Value::Reference(id.to_wit()),
            Self::Tags(tags) => types::Value::Tags(tags),
            Self::Json(text) => types::Value::Json(text),
            Self::Other { kind, bytes } => types::Value::Ext(types::Extension { kind, bytes }),
        }
    }
}

/// A Rust type that reads a field's value; see [`Fields::read`](crate::Fields::read).
///
/// Implemented for the types of all kinds of field, and for `Option` of them.
pub trait FromValue: Sized {
    /// Reads the value; `Null` stands for an absent field too.
    ///
    /// # Errors
    /// - `missing_value`: there is no value, and the type is no `Option`.
    /// - `wrong_kind`: the value is of another kind.
    fn from_value(value: &Value) -> Result<Self, Failure>;
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, Failure> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

/// Why a value of `found` kind could not be read as `wanted`.
fn wrong_kind(wanted: &str, found: &Value) -> Failure {
    if found.is_null() {
        return Failure::refused("missing_value", format!("A value of the kind {wanted} is missing."));
    }
    Failure::refused("wrong_kind", format!("This is of the kind {}, but the kind needed is {wanted}.", found.kind()))
}

macro_rules! value_types {
    ($($variant:ident, $type:ty, $name:literal;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }

        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, Failure> {
                if let Value::$variant(value) = value { Ok(value.clone()) } else { Err(wrong_kind($name, value)) }
            }
        }
    )*};
}

value_types! {
    Integer, i64, "integer";
    Decimal, Decimal, "decimal";
    Money, Money, "money";
    Bool, bool, "bool";
    Date, Date, "date";
    DateTime, DateTime, "datetime";
    Duration, Duration, "duration";
    Ref, Id, "ref";
    Tags, Vec<String>, "tags";
}

impl FromValue for String {
    /// Takes the text of a `json` value too.
    fn from_value(value: &Value) -> Result<Self, Failure> {
        match value {
            Value::Text(text) | Value::Json(text) => Ok(text.clone()),
            other => Err(wrong_kind("text", other)),
        }
    }
}

impl FromValue for Value {
    fn from_value(value: &Value) -> Result<Self, Failure> {
        Ok(value.clone())
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

impl<T: Into<Value>> From<Option<T>> for Value {
    /// `None` is `Null`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_crosses_the_boundary_and_back() {
        let values = [
            Value::Null,
            "a".into(),
            7_i64.into(),
            Decimal::new(125, 1).into(),
            Money::new(-1, "EUR").into(),
            true.into(),
            Date::from_days(-1).into(),
            DateTime::from_micros(i64::MIN).into(),
            Duration::from_micros(i64::MAX).into(),
            Id::from_u128(u128::MAX).into(),
            vec!["vip".to_owned()].into(),
            Value::Json("{}".to_owned()),
            Value::Other { kind: "geo".to_owned(), bytes: vec![1] },
        ];
        for value in values {
            assert_eq!(Value::from_wit(value.clone().into_wit()), value);
        }
    }

    #[test]
    fn reading_another_kind_says_which_was_found() {
        assert_eq!(i64::from_value(&Value::Null).unwrap_err().code, "missing_value");
        assert_eq!(
            i64::from_value(&"7".into()).unwrap_err().message,
            "This is of the kind text, but the kind needed is integer."
        );
        assert_eq!(Option::<i64>::from_value(&Value::Null).unwrap(), None);
    }
}
