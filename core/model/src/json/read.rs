//! From JSON to a value of a field's type.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil};
use rust_decimal::Decimal;
use serde_json::{Number, Value as Json};

use crate::{
    field::FieldType,
    normal::{Wrong, excerpt, minor_digits},
    value::{Locale, Money, Value},
};

/// Digits that a 64-bit float keeps for sure; with more, a JSON number may not be what was written.
const FLOAT_DIGITS: usize = 15;

/// The value that the JSON stands for.
pub(super) fn read(kind: &FieldType, json: &Json, locale: &Locale) -> Result<Value, Wrong> {
    match (kind, json) {
        (FieldType::Json, json) => Ok(if json.is_null() { Value::Null } else { Value::Json(json.clone()) }),
        (_, Json::Null) => Ok(Value::Null),
        (
            FieldType::Text
            | FieldType::LongText
            | FieldType::Choice { .. }
            | FieldType::Phone
            | FieldType::Email
            | FieldType::Url,
            Json::String(text),
        ) => Ok(Value::Text(text.clone())),
        (FieldType::Integer, Json::Number(number)) => integer(number),
        (FieldType::Decimal { .. }, Json::Number(number)) => number_to_decimal(number).map(Value::Decimal),
        (FieldType::Money, Json::Number(number)) => {
            major_units(number_to_decimal(number)?, &locale.currency).map(Value::Money)
        }
        (FieldType::Money, Json::Object(_)) => money_object(json),
        (FieldType::Bool, Json::Bool(flag)) => Ok(Value::Bool(*flag)),
        (FieldType::Tags, Json::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map(Value::Tags)
            .ok_or_else(|| Wrong::wrong_type(kind, "a list with something else")),
        (_, Json::String(text)) => from_text(kind, text.trim(), locale),
        (kind, other) => Err(Wrong::wrong_type(kind, json_kind(other))),
    }
}

/// Types whose wire form is a text of their own format; empty text is no value.
fn from_text(kind: &FieldType, text: &str, locale: &Locale) -> Result<Value, Wrong> {
    let refuse = |code, format: &str| Wrong::new(code, format!("\"{}\" is not {format}", excerpt(text)));
    let read = match kind {
        FieldType::Decimal { .. }
        | FieldType::Money
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Duration
        | FieldType::Ref { .. }
            if text.is_empty() =>
        {
            Some(Value::Null)
        }
        FieldType::Decimal { .. } => {
            let number = decimal(text).ok_or_else(|| refuse("not_a_decimal", "a decimal; write it like \"12.50\""))?;
            Some(Value::Decimal(number))
        }
        FieldType::Money => Some(Value::Money(money_text(text, locale)?)),
        FieldType::Date => {
            let day = date(text).ok_or_else(|| refuse("not_a_date", "a date; write it like \"2026-03-31\""))?;
            Some(Value::Date(day))
        }
        FieldType::DateTime => {
            let format = "a time; write it like \"2026-03-31T10:00:00Z\", or with an offset such as +03:00";
            Some(Value::DateTime(datetime(text, locale).ok_or_else(|| refuse("not_a_datetime", format))?))
        }
        FieldType::Duration => {
            let format = "a length of time; write it like \"PT1H30M\" or \"90m\"";
            Some(Value::Duration(duration(text).ok_or_else(|| refuse("not_a_duration", format))?))
        }
        FieldType::Ref { to, .. } => {
            let format = format!("the id of a record of {to}; write it like \"01890a5d-ac96-774b-bcce-b302099a8057\"");
            Some(Value::Ref(text.parse().map_err(|_| refuse("not_an_id", &format))?))
        }
        _ => None,
    };
    read.ok_or_else(|| Wrong::wrong_type(kind, "text"))
}

fn integer(number: &Number) -> Result<Value, Wrong> {
    if let Some(whole) = number.as_i64() {
        return Ok(Value::Integer(whole));
    }
    if number.is_u64() {
        return Err(Wrong::new("out_of_range", format!("{number} is larger than {}", i64::MAX)));
    }
    Err(Wrong::new("wrong_type", format!("expected a whole number, found {number}")))
}

/// The number as it was written, or a refusal if the parser may have rounded it.
fn number_to_decimal(number: &Number) -> Result<Decimal, Wrong> {
    let text = number.to_string();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if number.is_f64() && digits.trim_start_matches('0').len() > FLOAT_DIGITS {
        let message = format!("a JSON number keeps {FLOAT_DIGITS} digits: send this one as text, in quotes");
        return Err(Wrong::new("too_precise", message));
    }
    decimal(&text).ok_or_else(|| Wrong::new("out_of_range", format!("{number} is out of the range of decimals")))
}

/// A decimal exactly as written; an exponent is allowed.
fn decimal(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) || text.contains('_') {
        return None;
    }
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { Decimal::from_str_exact(text).ok() }
}

fn date(text: &str) -> Option<civil::Date> {
    let shaped = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if shaped { text.parse().ok() } else { None }
}

fn datetime(text: &str, locale: &Locale) -> Option<Timestamp> {
    // A year of four digits first: the parsers know more formats than are promised here.
    if !text.bytes().take(4).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse::<Timestamp>().ok().or_else(|| {
        let wall_clock = text.parse::<civil::DateTime>().ok()?;
        Some(wall_clock.to_zoned(locale.zone.clone()).ok()?.timestamp())
    })
}

fn duration(text: &str) -> Option<SignedDuration> {
    text.parse::<SignedDuration>().ok().or_else(|| {
        // Days and weeks of 24 hours; months and years have no fixed length and are refused.
        text.parse::<Span>().ok()?.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
    })
}

fn money_object(json: &Json) -> Result<Value, Wrong> {
    let format = "expected money such as {\"amount_minor\": 150000, \"currency\": \"EUR\"}";
    serde_json::from_value::<Money>(json.clone())
        .map(Value::Money)
        .map_err(|error| Wrong::new("not_money", format!("{format}: {error}")))
}

/// `15.50`, `15.50 EUR` or `EUR 15.50`.
fn money_text(text: &str, locale: &Locale) -> Result<Money, Wrong> {
    let is_currency = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (amount, currency) = match text.split_once(char::is_whitespace).map(|(a, b)| (a.trim(), b.trim())) {
        Some((amount, currency)) if is_currency(currency) => (amount, currency.to_ascii_uppercase()),
        Some((currency, amount)) if is_currency(currency) => (amount, currency.to_ascii_uppercase()),
        _ => (text, locale.currency.clone()),
    };
    let amount = decimal(amount).ok_or_else(|| {
        Wrong::new("not_money", format!("\"{}\" is not an amount; write it like \"15.50 EUR\"", excerpt(text)))
    })?;
    major_units(amount, &currency)
}

fn major_units(amount: Decimal, currency: &str) -> Result<Money, Wrong> {
    if currency.is_empty() {
        return Err(Wrong::new("not_money", format!("{amount} has no currency; write it like \"{amount} EUR\"")));
    }
    let digits = minor_digits(currency);
    let amount = amount.normalize();
    let Some(missing) = digits.checked_sub(amount.scale()) else {
        let message =
            format!("{amount} {currency} is finer than the currency's smallest unit: {digits} digits after the point");
        return Err(Wrong::new("too_precise", message));
    };
    10_i128
        .checked_pow(missing)
        .and_then(|factor| amount.mantissa().checked_mul(factor))
        .and_then(|minor| i64::try_from(minor).ok())
        .map(|amount_minor| Money { amount_minor, currency: currency.to_owned() })
        .ok_or_else(|| Wrong::new("out_of_range", format!("{amount} {currency} is too large an amount")))
}

fn json_kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
