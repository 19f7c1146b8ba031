//! The plugin's settings in this workspace, as the manifest declares them under `[settings]`.

use crate::bindings::pergola::plugin::settings;
use crate::{Decimal, Duration, Failure, Fields, FromValue, Money, Value};

/// The setting's value or its default; none if it is not declared or has neither.
#[must_use]
pub fn get(name: &str) -> Option<Value> {
    settings::get(name).map(Value::from_wit).filter(|value| !value.is_null())
}

/// Reads a setting as a type that must fit; as `Option<T>`, it may have no value.
///
/// # Errors
/// As [`Fields::read`].
pub fn read<T: FromValue>(name: &str) -> Result<T, Failure> {
    Fields::new().with(name, get(name)).read(name)
}

macro_rules! typed_getters {
    ($($(#[$doc:meta])* $name:ident, $type:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(name: &str) -> Option<$type> {
            FromValue::from_value(&get(name)?).ok()
        }
    )*};
}

typed_getters! {
    /// The text or choice, if the setting is one and has a value.
    text, String;
    /// The whole number, if the setting is one and has a value.
    integer, i64;
    /// The decimal, if the setting is one and has a value.
    decimal, Decimal;
    /// The truth value, if the setting is one and has a value.
    bool, bool;
    /// The amount of money, if the setting is one and has a value.
    money, Money;
    /// The length of time, if the setting is one and has a value.
    duration, Duration;
}
