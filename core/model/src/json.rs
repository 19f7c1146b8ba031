//! Records and values as JSON, and back: the form in which clients, files and plugins' settings have them.
//!
//! What comes in is given its type here; [`crate::normal`] then gives it its one spelling.

mod read;
mod write;

use serde::Serialize;
use serde_json::{Map, Value as Json};

pub use write::RecordJson;
use write::ValueJson;

use crate::{
    field::Field,
    nearest,
    object::{Object, SYSTEM_FIELDS},
    record::{FieldIssue, Fields, Record},
    value::{Locale, Value},
};

/// A record as clients see it.
///
/// Shape: `id`, `version`, `created_at`, `updated_at`, then every declared field, `null` where the
/// record has no value; fields that a plugin added stand in an object under the plugin's id.
#[must_use]
pub fn record_to_json(object: &Object, record: &Record) -> Json {
    to_json(&RecordJson { object, record })
}

/// The fields that a client names; the rest stay as they are, `null` clears.
///
/// # Errors
/// All that is wrong: `unknown_field`, `read_only` for `id` and its sisters, and what
/// [`value_from_json`] refuses.
pub fn fields_from_json(object: &Object, json: &Map<String, Json>, locale: &Locale) -> Result<Fields, Vec<FieldIssue>> {
    let mut fields = Fields::new();
    let mut issues = Vec::new();
    for (key, value) in json {
        let own = object.field(key).filter(|field| field.extension().is_none());
        let nested = if own.is_none() { value.as_object().filter(|_| is_extended_by(object, key)) } else { None };
        match (own, nested) {
            (Some(field), _) => take(field, value, locale, &mut fields, &mut issues),
            (None, Some(added)) => {
                for (name, value) in added {
                    let key = format!("{key}.{name}");
                    match object.field(&key) {
                        Some(field) => take(field, value, locale, &mut fields, &mut issues),
                        None => issues.push(unknown(object, &key)),
                    }
                }
            }
            (None, None) => issues.push(unknown(object, key)),
        }
    }
    if issues.is_empty() { Ok(fields) } else { Err(issues) }
}

/// A value as clients see it.
///
/// Shape: instants as RFC 3339 in UTC with `Z`; dates as `YYYY-MM-DD`; durations as ISO 8601 (`PT1H30M`);
/// decimals as strings, because a number would lose digits on the way; money as
/// `{"amount_minor", "currency"}`; the rest as JSON has it.
#[must_use]
pub fn value_to_json(value: &Value) -> Json {
    to_json(&ValueJson(value))
}

/// Only a map whose keys are no texts could fail.
fn to_json(what: &impl Serialize) -> Json {
    serde_json::to_value(what).unwrap_or_default()
}

/// The value that JSON stands for in this field; not yet normalised.
///
/// Besides what [`value_to_json`] writes, it reads: instants with any offset, or with none (then on the wall clock
/// of `locale.zone`); durations such as `90m`; decimals as numbers; money as a number or decimal string of
/// major units in `locale.currency`, or as `"15.50 EUR"`.
///
/// # Errors
/// When the JSON does not fit the field's type: `wrong_type`, `not_a_date`, `not_a_datetime`, `not_a_duration`,
/// `not_a_decimal`, `not_money`, `not_an_id`, `too_precise` or `out_of_range`.
pub fn value_from_json(field: &Field, json: &Json, locale: &Locale) -> Result<Value, FieldIssue> {
    read::read(&field.kind, json, locale).map_err(|wrong| wrong.of(field))
}

/// The value that a manifest's default stands for; not yet normalised.
///
/// A manifest does not know the workspace's locale: money must name its currency, phones their country.
///
/// # Errors
/// As [`value_from_json`].
pub fn value_from_toml(field: &Field, toml: &toml::Value) -> Result<Value, FieldIssue> {
    value_from_json(field, &toml_to_json(toml), &neutral_locale())
}

/// The locale of manifests: none.
pub(crate) fn neutral_locale() -> Locale {
    Locale { language: String::new(), region: String::new(), currency: String::new(), zone: jiff::tz::TimeZone::UTC }
}

fn toml_to_json(toml: &toml::Value) -> Json {
    match toml {
        toml::Value::String(text) => Json::String(text.clone()),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(at) => Json::String(at.to_string()),
        toml::Value::Array(items) => items.iter().map(toml_to_json).collect(),
        toml::Value::Table(table) => {
            Json::Object(table.iter().map(|(key, value)| (key.clone(), toml_to_json(value))).collect())
        }
    }
}

fn take(field: &Field, json: &Json, locale: &Locale, fields: &mut Fields, issues: &mut Vec<FieldIssue>) {
    match value_from_json(field, json, locale) {
        Ok(value) => {
            fields.set(field.key.as_str(), value);
        }
        Err(issue) => issues.push(issue),
    }
}

fn is_extended_by(object: &Object, plugin: &str) -> bool {
    object.fields.values().filter_map(Field::extension).any(|(extending, _)| extending == plugin)
}

fn unknown(object: &Object, key: &str) -> FieldIssue {
    if SYSTEM_FIELDS.contains(&key) {
        return FieldIssue::new(key, "read_only", "the host sets this field itself: leave it out");
    }
    if is_extended_by(object, key) {
        let message = format!("the fields of the plugin {key} stand in an object: {{\"{key}\": {{…}}}}");
        return FieldIssue::new(key, "wrong_type", message);
    }
    if let Some((plugin, name)) = object.field(key).and_then(Field::extension) {
        let message = format!("write it inside its plugin's object: {{\"{plugin}\": {{\"{name}\": …}}}}");
        return FieldIssue::new(key, "unknown_field", message);
    }
    let hint = nearest::hint(key, object.fields.keys().map(String::as_str));
    FieldIssue::new(key, "unknown_field", format!("{} has no field of this name.{hint}", object.name))
}

#[cfg(test)]
mod tests;
