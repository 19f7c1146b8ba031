//! Records and values on their way out, written straight to where they go: pages and exports have many of them.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct},
};

use crate::{field::Field, object::Object, record::Record, value::Value};

/// A record as [`super::record_to_json`] shows it, to be serialized.
#[derive(Debug, Clone, Copy)]
pub struct RecordJson<'a> {
    /// What it is of.
    pub object: &'a Object,
    /// The record.
    pub record: &'a Record,
}

impl Serialize for RecordJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { object, record } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &Text(&record.id))?;
        map.serialize_entry("version", &record.version)?;
        map.serialize_entry("created_at", &Text(&record.created_at))?;
        map.serialize_entry("updated_at", &Text(&record.updated_at))?;
        for (index, field) in object.fields.values().enumerate() {
            match field.extension() {
                None => map.serialize_entry(&field.key, &ValueJson(record.fields.get(&field.key)))?,
                // All that a plugin added stands where its first field does.
                Some((plugin, _)) if added_by(object, plugin).next().is_some_and(|(first, _)| first == index) => {
                    map.serialize_entry(plugin, &Added { of: *self, plugin })?;
                }
                Some(_) => {}
            }
        }
        map.end()
    }
}

/// The fields that a plugin added, with their places among all.
fn added_by<'o>(object: &'o Object, plugin: &str) -> impl Iterator<Item = (usize, &'o Field)> {
    let is_of = move |field: &Field| field.extension().is_some_and(|(owner, _)| owner == plugin);
    object.fields.values().enumerate().filter(move |(_, field)| is_of(field))
}

/// What one plugin added to a record.
struct Added<'a> {
    of: RecordJson<'a>,
    plugin: &'a str,
}

impl Serialize for Added<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (_, field) in added_by(self.of.object, self.plugin) {
            if let Some((_, name)) = field.extension() {
                map.serialize_entry(name, &ValueJson(self.of.record.fields.get(&field.key)))?;
            }
        }
        map.end()
    }
}

/// A value as [`super::value_to_json`] shows it.
pub(super) struct ValueJson<'a>(pub(super) &'a Value);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Decimal(number) => serializer.collect_str(number),
            Value::Money(money) => {
                let mut json = serializer.serialize_struct("Money", 2)?;
                json.serialize_field("amount_minor", &money.amount_minor)?;
                json.serialize_field("currency", &money.currency)?;
                json.end()
            }
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Date(day) => serializer.collect_str(day),
            Value::DateTime(at) => serializer.collect_str(at),
            Value::Duration(length) => serializer.collect_str(length),
            Value::Ref(id) => serializer.collect_str(id),
            Value::Tags(tags) => tags.serialize(serializer),
            Value::Json(json) => json.serialize(serializer),
        }
    }
}

/// Anything by its text.
struct Text<'a, T>(&'a T);

impl<T: std::fmt::Display> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}
