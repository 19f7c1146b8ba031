//! Values, fields, records and failures between the model and the contract, in both directions.
//!
//! What comes from a guest is checked here; what the model holds and the contract cannot carry
//! is told, never rounded.

use jiff::{SignedDuration, Timestamp, civil};
use pergola_model::{Fields, Id, Money, ObjectName, Record, Value};
use pergola_service::ports::plugins::Failure;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::bindings::pergola::plugin::types as wit;

/// Digits after the point that the contract's decimals may have.
const SCALE_MAX: u32 = 9;
const DAY_SECONDS: i64 = 24 * 60 * 60;
const EPOCH: civil::Date = civil::date(1970, 1, 1);
/// Long enough for any word a program branches on.
const CODE_BYTES_MAX: usize = 64;

/// Something that does not fit the contract, in a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(crate) String);

impl Unfit {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    fn in_field(self, name: &str) -> Self {
        Self(format!("field {name:?}: {self}"))
    }
}

pub(crate) fn id_to_guest(id: Id) -> wit::Id {
    id.0.as_u64_pair()
}

pub(crate) fn id_from_guest((high, low): wit::Id) -> Result<Id, Unfit> {
    if (high, low) == (0, 0) {
        return Err(Unfit::new("the id 0 names no record"));
    }
    Ok(Id(Uuid::from_u64_pair(high, low)))
}

pub(crate) fn days_of(date: civil::Date) -> Result<i32, Unfit> {
    let days = date.duration_since(EPOCH).as_secs().div_euclid(DAY_SECONDS);
    i32::try_from(days).map_err(|_| Unfit::new("a date out of range"))
}

pub(crate) fn date_of(days: i32) -> Result<civil::Date, Unfit> {
    EPOCH
        .checked_add(SignedDuration::from_secs(i64::from(days) * DAY_SECONDS))
        .map_err(|_| Unfit::new(format!("day {days} is out of range")))
}

pub(crate) fn instant_of(microseconds: i64) -> Result<Timestamp, Unfit> {
    Timestamp::from_microsecond(microseconds).map_err(|_| Unfit::new(format!("instant {microseconds} is out of range")))
}

pub(crate) fn microseconds_of(duration: SignedDuration) -> Result<i64, Unfit> {
    i64::try_from(duration.as_micros()).map_err(|_| Unfit::new("a duration out of range"))
}

/// Units and scale of a decimal that the contract can carry.
pub(crate) fn units_of(decimal: Decimal) -> Result<(i64, u8), Unfit> {
    let fitting = if decimal.scale() > SCALE_MAX { decimal.normalize() } else { decimal };
    let scale = u8::try_from(fitting.scale()).ok().filter(|scale| u32::from(*scale) <= SCALE_MAX);
    match (i64::try_from(fitting.mantissa()), scale) {
        (Ok(units), Some(scale)) => Ok((units, scale)),
        _ => Err(Unfit::new(format!("the decimal {decimal} has more digits than the contract carries"))),
    }
}

pub(crate) fn value_to_guest(value: Value) -> Result<wit::Value, Unfit> {
    Ok(match value {
        Value::Null => wit::Value::Null,
        Value::Text(text) => wit::Value::Text(text),
        Value::Integer(number) => wit::Value::Integer(number),
        Value::Decimal(decimal) => {
            let (units, scale) = units_of(decimal)?;
            wit::Value::Decimal(wit::Decimal { units, scale })
        }
        Value::Money(money) => {
            wit::Value::Money(wit::Money { amount_minor: money.amount_minor, currency: money.currency })
        }
        Value::Bool(flag) => wit::Value::Boolean(flag),
        Value::Date(date) => wit::Value::Date(days_of(date)?),
        Value::DateTime(at) => wit::Value::Datetime(at.as_microsecond()),
        Value::Duration(duration) => wit::Value::Duration(microseconds_of(duration)?),
        Value::Ref(id) => wit::Value::Reference(id_to_guest(id)),
        Value::Tags(tags) => wit::Value::Tags(tags),
        Value::Json(json) => wit::Value::Json(json.to_string()),
    })
}

pub(crate) fn value_from_guest(value: wit::Value) -> Result<Value, Unfit> {
    Ok(match value {
        wit::Value::Null => Value::Null,
        wit::Value::Text(text) => Value::Text(text),
        wit::Value::Integer(number) => Value::Integer(number),
        wit::Value::Decimal(wit::Decimal { units, scale }) if u32::from(scale) <= SCALE_MAX => {
            Value::Decimal(Decimal::new(units, scale.into()))
        }
        wit::Value::Decimal(decimal) => {
            return Err(Unfit::new(format!("a decimal's scale is 0 to {SCALE_MAX}, not {}", decimal.scale)));
        }
        wit::Value::Money(money) => Value::Money(money_from_guest(money)?),
        wit::Value::Boolean(flag) => Value::Bool(flag),
        wit::Value::Date(days) => Value::Date(date_of(days)?),
        wit::Value::Datetime(at) => Value::DateTime(instant_of(at)?),
        wit::Value::Duration(microseconds) => Value::Duration(SignedDuration::from_micros(microseconds)),
        wit::Value::Reference(id) => Value::Ref(id_from_guest(id)?),
        wit::Value::Tags(tags) => Value::Tags(tags),
        wit::Value::Json(text) => {
            Value::Json(serde_json::from_str(&text).map_err(|error| Unfit::new(format!("no JSON text: {error}")))?)
        }
        wit::Value::Ext(ext) => {
            return Err(Unfit::new(format!("this host knows no value of kind {:?}", shorten(&ext.kind))));
        }
    })
}

fn money_from_guest(money: wit::Money) -> Result<Money, Unfit> {
    if money.currency.len() == 3 && money.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(Money { amount_minor: money.amount_minor, currency: money.currency });
    }
    Err(Unfit::new(format!("{:?} is no currency: three capital letters", shorten(&money.currency))))
}

pub(crate) fn fields_to_guest(fields: Fields) -> Result<Vec<wit::Field>, Unfit> {
    fields
        .into_iter()
        .map(|(name, value)| match value_to_guest(value) {
            Ok(value) => Ok(wit::Field { name, value }),
            Err(unfit) => Err(unfit.in_field(&name)),
        })
        .collect()
}

pub(crate) fn fields_from_guest(fields: Vec<wit::Field>) -> Result<Fields, Unfit> {
    let mut taken = Fields::new();
    for wit::Field { name, value } in fields {
        let value = value_from_guest(value).map_err(|unfit| unfit.in_field(&shorten(&name)))?;
        if taken.names(&name) {
            return Err(Unfit::new(format!("field {:?} is named twice", shorten(&name))));
        }
        taken.set(name, value);
    }
    Ok(taken)
}

pub(crate) fn record_to_guest(object: &ObjectName, record: Record) -> Result<wit::StoredRecord, Unfit> {
    Ok(wit::StoredRecord {
        object: object.as_str().to_owned(),
        id: id_to_guest(record.id),
        version: record.version,
        created_at: record.created_at.as_microsecond(),
        updated_at: record.updated_at.as_microsecond(),
        fields: fields_to_guest(record.fields)?,
    })
}

pub(crate) fn failure_to_guest(failure: Failure) -> wit::Failure {
    wit::Failure {
        code: failure.code,
        message: failure.message,
        field: failure.field,
        detail: failure.detail.map(|detail| detail.to_string()),
    }
}

pub(crate) fn failure_from_guest(failure: wit::Failure) -> Result<Failure, Unfit> {
    if !is_code(&failure.code) {
        return Err(Unfit::new(format!("{:?} is no failure code: use snake_case", shorten(&failure.code))));
    }
    let detail = match failure.detail.as_deref().map(serde_json::from_str::<serde_json::Value>) {
        None => None,
        Some(Ok(detail @ serde_json::Value::Object(_))) => Some(detail),
        Some(_) => return Err(Unfit::new(format!("the detail of failure {:?} is no JSON object", failure.code))),
    };
    Ok(Failure { code: failure.code, message: failure.message, field: failure.field, detail })
}

fn is_code(text: &str) -> bool {
    text.len() <= CODE_BYTES_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What fields weigh on their way to the host, in bytes.
pub(crate) fn fields_bytes(fields: &[wit::Field]) -> usize {
    fields.iter().map(|field| field.name.len() + value_bytes(&field.value)).sum()
}

/// What a failure weighs, in bytes.
pub(crate) fn failure_bytes(failure: &wit::Failure) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    failure.code.len() + failure.message.len() + optional(&failure.field) + optional(&failure.detail)
}

fn value_bytes(value: &wit::Value) -> usize {
    let content = match value {
        wit::Value::Text(text) | wit::Value::Json(text) => text.len(),
        wit::Value::Tags(tags) => tags.iter().map(|tag| tag.len() + size_of::<String>()).sum(),
        wit::Value::Ext(ext) => ext.kind.len() + ext.bytes.len(),
        _ => 0,
    };
    content + size_of::<u64>()
}

/// A guest's text for a message: not longer than a line.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
pub(crate) mod tests;
