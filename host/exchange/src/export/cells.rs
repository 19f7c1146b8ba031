//! Values as text, each in a form that the import reads back as the same value.

use jiff::{Timestamp, tz::TimeZone};
use pergola_model::{Money, Value, normal::minor_digits};
use rust_decimal::Decimal;

/// What separates tags; one that has one of these itself makes the list JSON.
const TAG_SEPARATORS: [char; 3] = [',', ';', '\n'];

/// The value as text. Instants are in UTC; see [`instant`].
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Money(amount) => money(amount),
        Value::Bool(flag) => flag.to_string(),
        Value::Date(day) => day.to_string(),
        Value::DateTime(at) => at.to_string(),
        Value::Duration(length) => length.to_string(),
        Value::Ref(id) => id.to_string(),
        Value::Tags(given) => tags(given),
        Value::Json(json) => json.to_string(),
    }
}

/// On the wall clock of the zone, with its offset: `2026-03-31T13:00:00+03:00`.
pub(super) fn instant(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// `1234.50 RUB`: the point and the code leave no doubt.
fn money(amount: &Money) -> String {
    format!("{} {}", major_units(amount), amount.currency)
}

/// The amount in roubles, not kopecks.
pub(super) fn major_units(amount: &Money) -> Decimal {
    Decimal::from_i128_with_scale(amount.amount_minor.into(), minor_digits(&amount.currency))
}

fn tags(tags: &[String]) -> String {
    let is_plain = |tag: &String| !tag.contains(TAG_SEPARATORS) && !tag.starts_with('[');
    if tags.iter().all(is_plain) {
        return tags.join(", ");
    }
    serde_json::Value::from(tags.to_vec()).to_string()
}
