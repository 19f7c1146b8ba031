//! One spelling for each value: what every write goes through, wherever it comes from.
//!
//! Whether a value may be absent is not asked here, because a hook may still set it.

mod currency;
mod phone;
mod text;

use jiff::{SignedDuration, Timestamp, civil};
use rust_decimal::{Decimal, RoundingStrategy};

pub use currency::minor_digits;
pub(crate) use text::excerpt;

use crate::{
    field::{Field, FieldType, JSON_BYTES_MAX, LONG_TEXT_CHARS_MAX, TAGS_MAX, TEXT_CHARS_MAX},
    nearest,
    record::FieldIssue,
    value::{Locale, Money, Value},
};

/// The longest tag, in characters.
pub const TAG_CHARS_MAX: usize = 100;
/// The deepest JSON value.
pub const JSON_DEPTH_MAX: usize = 64;
/// How many choices a message names.
const CHOICES_SHOWN: usize = 10;

/// What is wrong with a value, before it is known of which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The issue's code.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

impl Wrong {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The value is of another type.
    pub(crate) fn wrong_type(expected: &FieldType, found: &str) -> Self {
        Self::new("wrong_type", format!("expected {}, found {found}", described(expected)))
    }

    pub(crate) fn of(self, field: &Field) -> FieldIssue {
        FieldIssue::new(&field.key, self.code, self.message)
    }
}

/// The value in its one spelling, or what is wrong with it.
///
/// Text is trimmed, phones become E.164, e-mail addresses lower case, choices their declared code,
/// decimals get the field's scale, instants and lengths of time lose what is finer than a microsecond.
/// Empty text, no tags and JSON's `null` become `Null`. Doing it twice changes nothing more.
///
/// # Errors
/// When the value does not fit the field's type or limits. The issue's `code` is one of `wrong_type`,
/// `too_long`, `too_many`, `control_character`, `not_a_choice`, `not_a_phone`, `not_an_email`,
/// `not_a_url`, `not_money`, `too_precise` and `out_of_range`.
pub fn normalise(field: &Field, value: Value, locale: &Locale) -> Result<Value, FieldIssue> {
    one_spelling(&field.kind, value, locale).map_err(|wrong| wrong.of(field))
}

/// A phone number or an e-mail address in the spelling in which fields of that type are stored, for looking records up
/// by what somebody wrote.
///
/// # Errors
/// `not_a_phone` or `not_an_email`, under the type's name; also for no text at all.
pub fn address(kind: &FieldType, text: &str, locale: &Locale) -> Result<String, FieldIssue> {
    let (name, code, message) = match kind {
        FieldType::Phone => ("phone", "not_a_phone", "a phone number is needed"),
        _ => ("email", "not_an_email", "an e-mail address is needed"),
    };
    match one_spelling(kind, Value::from(text), locale) {
        Ok(Value::Text(address)) => Ok(address),
        Ok(_) => Err(FieldIssue::new(name, code, message)),
        Err(wrong) => Err(FieldIssue::new(name, wrong.code, wrong.message)),
    }
}

/// A computed value in the field's one spelling; a decimal is rounded to the field's scale, half away from zero.
///
/// # Errors
/// As [`normalise`], when it does not fit the field's type or limits.
pub fn computed(field: &Field, value: Value, locale: &Locale) -> Result<Value, FieldIssue> {
    let value = match (&field.kind, value) {
        (FieldType::Decimal { scale }, Value::Decimal(number)) => {
            Value::Decimal(number.round_dp_with_strategy(u32::from(*scale), RoundingStrategy::MidpointAwayFromZero))
        }
        (_, value) => value,
    };
    normalise(field, value, locale)
}

/// The issue of a required field without a value.
#[must_use]
pub fn required(field: &Field) -> FieldIssue {
    FieldIssue::new(&field.key, "required", "a value is needed")
}

pub(crate) fn one_spelling(kind: &FieldType, value: Value, locale: &Locale) -> Result<Value, Wrong> {
    match (kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (FieldType::Text, Value::Text(given)) => text::line(given, TEXT_CHARS_MAX).map(text_or_null),
        (FieldType::LongText, Value::Text(given)) => text::lines(given, LONG_TEXT_CHARS_MAX).map(text_or_null),
        (FieldType::Choice { of }, Value::Text(given)) => choice(of, &text::line(given, TEXT_CHARS_MAX)?),
        (FieldType::Phone, Value::Text(given)) => {
            let given = text::line(given, TEXT_CHARS_MAX)?;
            if given.is_empty() { Ok(Value::Null) } else { phone::normalise(&given, locale).map(Value::Text) }
        }
        (FieldType::Email, Value::Text(given)) => text::email(&text::line(given, TEXT_CHARS_MAX)?).map(text_or_null),
        (FieldType::Url, Value::Text(given)) => text::url(text::line(given, TEXT_CHARS_MAX)?).map(text_or_null),
        (FieldType::Integer, Value::Integer(number)) => Ok(Value::Integer(number)),
        (FieldType::Decimal { scale }, Value::Decimal(number)) => decimal(number, *scale),
        (FieldType::Decimal { scale }, Value::Integer(number)) => decimal(number.into(), *scale),
        (FieldType::Money, Value::Money(amount)) => money(amount),
        (FieldType::Bool, Value::Bool(flag)) => Ok(Value::Bool(flag)),
        (FieldType::Date, Value::Date(day)) => date(day),
        (FieldType::DateTime, Value::DateTime(at)) => datetime(at),
        (FieldType::Duration, Value::Duration(length)) => duration(length),
        (FieldType::Ref { .. }, Value::Ref(id)) => Ok(Value::Ref(id)),
        (FieldType::Tags, Value::Tags(given)) => tags(given),
        (FieldType::Json, Value::Json(given)) => json(given),
        (kind, other) => Err(Wrong::wrong_type(kind, other.kind())),
    }
}

fn text_or_null(text: String) -> Value {
    if text.is_empty() { Value::Null } else { Value::Text(text) }
}

fn choice(of: &[String], given: &str) -> Result<Value, Wrong> {
    if given.is_empty() {
        return Ok(Value::Null);
    }
    let lower = given.to_lowercase();
    let exact = of.iter().find(|code| *code == given);
    if let Some(code) = exact.or_else(|| of.iter().find(|code| code.to_lowercase() == lower)) {
        return Ok(Value::Text(code.clone()));
    }
    let shown: Vec<&str> = of.iter().take(CHOICES_SHOWN).map(String::as_str).collect();
    let more = if of.len() > CHOICES_SHOWN { ", …" } else { "" };
    let hint = nearest::hint(given, of.iter().map(String::as_str));
    let message = format!("\"{}\" is none of {}{more}.{hint}", text::excerpt(given), shown.join(", "));
    Err(Wrong::new("not_a_choice", message))
}

fn decimal(number: Decimal, scale: u8) -> Result<Value, Wrong> {
    let number = number.normalize();
    let scale = u32::from(scale);
    let Some(missing) = scale.checked_sub(number.scale()) else {
        let message = format!("{number} has more than {scale} digits after the point: round it first");
        return Err(Wrong::new("too_precise", message));
    };
    // Both databases hold decimals as 64-bit units of the scale.
    10_i128
        .checked_pow(missing)
        .and_then(|factor| number.mantissa().checked_mul(factor))
        .and_then(|units| i64::try_from(units).ok())
        .and_then(|units| Decimal::try_from_i128_with_scale(units.into(), scale).ok())
        .map(Value::Decimal)
        .ok_or_else(|| {
            Wrong::new("out_of_range", format!("{number} is too large: 18 digits fit, {scale} of them after the point"))
        })
}

fn money(mut amount: Money) -> Result<Value, Wrong> {
    let currency = amount.currency.trim().to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let shown = text::excerpt(&amount.currency);
        let message = format!("\"{shown}\" is not a currency: use the three letters of ISO 4217, such as EUR");
        return Err(Wrong::new("not_money", message));
    }
    amount.currency = currency;
    Ok(Value::Money(amount))
}

fn date(day: civil::Date) -> Result<Value, Wrong> {
    if day.year() < 1 {
        return Err(Wrong::new("out_of_range", "the year must be between 1 and 9999"));
    }
    Ok(Value::Date(day))
}

fn datetime(at: Timestamp) -> Result<Value, Wrong> {
    // The first instant of year 1; the last of year 9999 is where `Timestamp` itself ends.
    const FIRST_SECOND: i64 = -62_135_596_800;
    let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
    if at.as_second() < FIRST_SECOND {
        return Err(Wrong::new("out_of_range", "the year must be between 1 and 9999"));
    }
    Ok(Value::DateTime(at))
}

fn duration(length: SignedDuration) -> Result<Value, Wrong> {
    let micros = i64::try_from(length.as_micros())
        .map_err(|_| Wrong::new("out_of_range", "the duration is longer than 292,000 years"))?;
    Ok(Value::Duration(SignedDuration::from_micros(micros)))
}

fn tags(given: Vec<String>) -> Result<Value, Wrong> {
    let mut tags: Vec<String> = Vec::with_capacity(given.len().min(TAGS_MAX));
    for tag in given {
        let tag = text::line(tag, TAG_CHARS_MAX)?;
        if tag.is_empty() || tags.contains(&tag) {
            continue;
        }
        if tags.len() == TAGS_MAX {
            return Err(Wrong::new("too_many", format!("at most {TAGS_MAX} tags fit on one record")));
        }
        tags.push(tag);
    }
    Ok(if tags.is_empty() { Value::Null } else { Value::Tags(tags) })
}

fn json(given: serde_json::Value) -> Result<Value, Wrong> {
    if given.is_null() {
        return Ok(Value::Null);
    }
    check_json(&given, JSON_DEPTH_MAX)?;
    let length = serde_json::to_string(&given).map(|text| text.len()).unwrap_or(usize::MAX);
    if length > JSON_BYTES_MAX {
        let message = format!("at most {JSON_BYTES_MAX} bytes of JSON fit, these are {length}");
        return Err(Wrong::new("too_long", message));
    }
    Ok(Value::Json(given))
}

/// PostgreSQL's `jsonb` has no NUL in texts, so no record has; SQLite's JSON functions bound the depth.
fn check_json(json: &serde_json::Value, depth_left: usize) -> Result<(), Wrong> {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return Err(Wrong::new("out_of_range", format!("the JSON is nested more than {JSON_DEPTH_MAX} deep")));
    };
    let check_text = |text: &str| match text.contains('\0') {
        true => Err(Wrong::new("control_character", "a text in the JSON has a NUL character: take it out")),
        false => Ok(()),
    };
    match json {
        serde_json::Value::String(text) => check_text(text),
        serde_json::Value::Array(items) => items.iter().try_for_each(|item| check_json(item, depth_left)),
        serde_json::Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            check_text(key)?;
            check_json(value, depth_left)
        }),
        _ => Ok(()),
    }
}

/// What a value of the type looks like, for messages.
pub(crate) fn described(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Text => "text",
        FieldType::LongText => "text of any number of lines",
        FieldType::Integer => "a whole number such as 42",
        FieldType::Decimal { .. } => "a decimal such as \"12.50\"",
        FieldType::Money => "money such as {\"amount_minor\": 150000, \"currency\": \"EUR\"}",
        FieldType::Bool => "true or false",
        FieldType::Date => "a date such as \"2026-03-31\"",
        FieldType::DateTime => "a time such as \"2026-03-31T10:00:00Z\"",
        FieldType::Duration => "a length of time such as \"PT1H30M\"",
        FieldType::Choice { .. } => "one of the choices as text",
        FieldType::Phone => "a phone number as text",
        FieldType::Email => "an e-mail address as text",
        FieldType::Url => "a web address as text",
        FieldType::Json => "JSON",
        FieldType::Ref { .. } => "a record's id as text",
        FieldType::Tags => "a list of tags such as [\"vip\"]",
    }
}

#[cfg(test)]
pub(crate) mod tests;
