//! Fields and their values, by name.

use serde::de::DeserializeOwned;

use crate::bindings::pergola::plugin::types;
use crate::{Date, DateTime, Decimal, Duration, Failure, FromValue, Id, Money, Value};

/// Fields and their values, each name once, in the order in which they were set.
///
/// In a change: an absent field stays as it is, one with [`Value::Null`] is cleared.
/// Another plugin's fields on an object are named `plugin.field`.
///
/// # Examples
/// ```
/// use pergola_plugin::prelude::*;
///
/// let fields = Fields::new().with("name", "Ann").with("visits", 3);
/// assert_eq!(fields.text("name"), Some("Ann"));
/// assert_eq!(fields.read::<i64>("visits")?, 3);
/// assert_eq!(fields.read::<Option<Date>>("birthday")?, None);
///
/// let failure = fields.read::<Date>("birthday").unwrap_err();
/// assert_eq!((failure.code.as_str(), failure.field.as_deref()), ("missing_value", Some("birthday")));
/// # Ok::<(), Failure>(())
/// ```
// A list, not a map: records have few fields, and it crosses to the host as a list.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    list: Vec<(String, Value)>,
}

impl Fields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// These fields, and `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets `name` to `value`; `None` sets it to [`Value::Null`].
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.list.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.list.push((name, value)),
        }
    }

    /// Sets `name` if there is a value, else leaves it out.
    pub fn set_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Clears the field: a change with these fields removes its value.
    pub fn clear(&mut self, name: impl Into<String>) {
        self.set(name, Value::Null);
    }

    /// Takes the field out, so that a change with these fields leaves it as it is.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.list.iter().position(|(known, _)| known == name)?;
        Some(self.list.remove(place).1)
    }

    /// Sets all fields of `other`.
    pub fn extend(&mut self, other: Self) {
        for (name, value) in other.list {
            self.set(name, value);
        }
    }

    /// The value, if the field is here; it may be [`Value::Null`].
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Whether the field is here, be it with a value or cleared.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Reads the field as a type that must fit; as `Option<T>`, it may have no value.
    ///
    /// # Errors
    /// - `missing_value`: no value, and `T` is no `Option`.
    /// - `wrong_kind`: a value of another kind.
    pub fn read<T: FromValue>(&self, name: &str) -> Result<T, Failure> {
        T::from_value(self.get(name).unwrap_or(&Value::Null)).map_err(|failure| failure.field(name))
    }

    /// Reads a `json` field as a type of the plugin's own; none if it has no value.
    ///
    /// # Errors
    /// - `wrong_kind`: the field is not `json`.
    /// - `invalid_input`: the JSON has another shape.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.read::<Option<String>>(name)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| Failure::invalid_input(error.to_string()).field(name))
    }

    /// The text of a text, long text, choice, phone, e-mail, url or json field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text) | Value::Json(text)) => Some(text),
            _ => None,
        }
    }

    /// The tags; empty if there are none.
    #[must_use]
    pub fn tags(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Value::Tags(tags)) => tags,
            _ => &[],
        }
    }

    /// The amount of money, if the field has one.
    #[must_use]
    pub fn money(&self, name: &str) -> Option<&Money> {
        match self.get(name) {
            Some(Value::Money(money)) => Some(money),
            _ => None,
        }
    }

    /// The names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.list.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether no field is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn from_wit(fields: Vec<types::Field>) -> Self {
        // The host sends each name once, so this need not look for doubles.
        let list = fields.into_iter().map(|field| (field.name, Value::from_wit(field.value))).collect();
        Self { list }
    }

    pub(crate) fn into_wit(self) -> Vec<types::Field> {
        self.list.into_iter().map(|(name, value)| types::Field { name, value: value.into_wit() }).collect()
    }

    /// The fields of one row; `names` are different from one another.
    pub(crate) fn from_row(names: &[String], values: Vec<Value>) -> Self {
        Self { list: names.iter().cloned().zip(values).filter(|(_, value)| !value.is_null()).collect() }
    }
}

macro_rules! copied_getters {
    ($($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty;)*) => {
        impl Fields {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self, name: &str) -> Option<$type> {
                match self.get(name) {
                    Some(Value::$variant(value)) => Some(*value),
                    _ => None,
                }
            }
        )*}
    };
}

copied_getters! {
    /// The whole number, if the field has one.
    integer, Integer, i64;
    /// The decimal, if the field has one.
    decimal, Decimal, Decimal;
    /// The truth value, if the field has one.
    bool, Bool, bool;
    /// The day, if the field has one.
    date, Date, Date;
    /// The instant, if the field has one.
    datetime, DateTime, DateTime;
    /// The length of time, if the field has one.
    duration, Duration, Duration;
    /// The id of the record referred to, if the field has one.
    reference, Ref, Id;
}

impl PartialEq for Fields {
    /// Compares names and values, in whatever order they are.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for Fields {}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut all = Self::new();
        for (name, value) in fields {
            all.set(name, value);
        }
        all
    }
}

impl IntoIterator for Fields {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_twice_keeps_the_last_value_and_one_name() {
        let mut fields = Fields::new().with("a", 1).with("a", 2).with("b", Option::<i64>::None);
        assert_eq!((fields.len(), fields.integer("a"), fields.get("b")), (2, Some(2), Some(&Value::Null)));
        fields.extend([("b", 3)].into_iter().collect());
        assert_eq!(fields.remove("b"), Some(Value::Integer(3)));
        assert!(!fields.contains("b"));
    }

    #[test]
    fn equality_does_not_depend_on_order() {
        assert_eq!(Fields::new().with("a", 1).with("b", 2), Fields::new().with("b", 2).with("a", 1));
        assert_ne!(Fields::new().with("a", 1), Fields::new().with("a", 2));
    }
}
