//! From a value of one type to one of another.

use rust_decimal::Decimal;

use crate::{
    field::{Field, FieldType},
    json::{value_from_json, value_to_json},
    normal::{minor_digits, normalise},
    record::FieldIssue,
    value::{Locale, Value},
};

/// Whether values of one type can become values of another, at least some.
#[must_use]
pub fn can_convert(from: &FieldType, to: &FieldType) -> bool {
    let is_number = |kind: &FieldType| matches!(kind, FieldType::Integer | FieldType::Decimal { .. });
    let is_read =
        |kind: &FieldType| is_number(kind) || matches!(kind, FieldType::Bool | FieldType::Date | FieldType::DateTime);
    match (from, to) {
        (_, FieldType::Text | FieldType::LongText) => true,
        (from, to) if is_text(from) => is_text(to) || is_read(to),
        (from, to) if is_number(from) => is_number(to) || is_text(to),
        (FieldType::Bool, FieldType::Choice { .. }) => true,
        _ => false,
    }
}

/// Whether each value of one type is one of the other as it stands, so that nobody need be told.
#[must_use]
pub fn is_widening(from: &FieldType, to: &FieldType) -> bool {
    match (from, to) {
        (FieldType::Ref { to: from, .. }, FieldType::Ref { to, .. }) => from == to,
        // Codes come and go; the engine checks them at the next write.
        (FieldType::Choice { .. }, FieldType::Choice { .. }) => true,
        (FieldType::LongText, FieldType::Text) => false,
        (from, FieldType::Text | FieldType::LongText) => is_text(from),
        (from, to) => from == to,
    }
}

fn is_text(kind: &FieldType) -> bool {
    matches!(
        kind,
        FieldType::Text
            | FieldType::LongText
            | FieldType::Choice { .. }
            | FieldType::Phone
            | FieldType::Email
            | FieldType::Url
    )
}

/// The value as one of the field's type.
///
/// # Errors
/// When it does not fit.
pub fn convert(value: &Value, to: &Field, locale: &Locale) -> Result<Value, FieldIssue> {
    let misfit =
        |what: &str| FieldIssue::new(to.key.as_str(), "wrong_type", format!("{what} is no {}", to.kind.name()));
    let converted = match (&to.kind, value) {
        (_, Value::Null) => Value::Null,
        (FieldType::Integer, Value::Decimal(number)) => match i64::try_from(*number) {
            Ok(whole) if number.fract().is_zero() => Value::Integer(whole),
            _ => return Err(misfit(&number.to_string())),
        },
        // What is beyond the scale would be cut.
        (FieldType::Decimal { .. }, Value::Decimal(number)) => Value::Decimal(number.normalize()),
        (FieldType::Decimal { .. }, Value::Integer(number)) => Value::Decimal(Decimal::from(*number)),
        (FieldType::Integer, Value::Text(text)) => match text.trim().parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => return Err(misfit(&format!("{text:?}"))),
        },
        (FieldType::Bool, Value::Text(text)) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" => Value::Bool(true),
            "false" | "no" | "0" => Value::Bool(false),
            _ => return Err(misfit(&format!("{text:?}"))),
        },
        (FieldType::Decimal { .. } | FieldType::Date | FieldType::DateTime, Value::Text(text)) => {
            value_from_json(to, &serde_json::Value::String(text.clone()), locale)?
        }
        (kind, value) if is_text(kind) => Value::Text(text_of(value)),
        (_, value) => value.clone(),
    };
    normalise(to, converted, locale)
}

/// A value as people would write it.
fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Tags(tags) => tags.join(", "),
        Value::Money(money) => {
            let amount = Decimal::try_new(money.amount_minor, minor_digits(&money.currency));
            amount.map_or_else(|_| money.amount_minor.to_string(), |amount| format!("{amount} {}", money.currency))
        }
        value => match value_to_json(value) {
            serde_json::Value::String(text) => text,
            json => json.to_string(),
        },
    }
}
