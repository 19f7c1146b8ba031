//! One instance of an object, and what can be wrong with one of its fields.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::value::{Id, Value};

/// Fields and their values by key; in a change, `Null` clears.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a field, `Null` when absent.
    #[must_use]
    pub fn get(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }

    /// Whether the field is named at all, be it by `Null`.
    #[must_use]
    pub fn names(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets a field and gives what was there.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// The same, for building in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    /// Takes a field out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// All named fields, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// All named fields, by key, to be changed in place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.0.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    /// How many fields are named.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets all fields of `other`.
    pub fn merge(&mut self, other: Fields) {
        self.0.extend(other.0);
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, Value)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Fields {
    type Item = (String, Value);
    type IntoIter = std::collections::btree_map::IntoIter<String, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One instance of an object. Fields without a value are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its identifier.
    pub id: Id,
    /// 1 at creation, one more at every change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its fields.
    pub fields: Fields,
}

/// What is wrong with one field of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldIssue {
    /// The field's key.
    pub field: String,
    /// Stable, for programs: `required`, `unknown_field`, `wrong_type`, `not_a_phone`, …
    pub code: String,
    /// For people: what to do.
    pub message: String,
}

impl FieldIssue {
    /// An issue with a field.
    pub fn new(field: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into() }
    }
}
