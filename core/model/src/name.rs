//! Names that come from manifests: of fields, objects and plugins.
//!
//! They end up in SQL, URLs and JSON, so there is one narrow pattern for all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 48;

/// A name that is not `^[a-z][a-z0-9_]{0,47}$`, or an object name with more than one dot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: use lower-case letters, digits and _, a letter first, at most 48")]
pub struct BadName(pub String);

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && text.len() <= NAME_BYTES_MAX
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the pattern.
            ///
            /// # Errors
            /// [`BadName`] with the text, when it does not fit.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(BadName(text)) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }
    };
}

name_type! {
    /// A plain name, for instance of a field or a timer's action.
    Name, is_name
}

name_type! {
    /// A plugin's id. `core` names the objects that Pergola brings itself.
    PluginId, is_name
}

name_type! {
    /// An object's name: `contact` for the core's, `booking.appointment` for a plugin's.
    ObjectName, |text| match text.split_once('.') {
        None => is_name(text) && !text.starts_with("pergola"),
        Some((plugin, name)) => is_name(plugin) && is_name(name) && !plugin.starts_with("pergola"),
    }
}

impl PluginId {
    /// The id under which the core's own declarations stand.
    #[must_use]
    pub fn core() -> Self {
        Self("core".to_owned())
    }

    /// Whether this is the core itself.
    #[must_use]
    pub fn is_core(&self) -> bool {
        self.0 == "core"
    }
}

impl ObjectName {
    /// The name that an object called `name` gets when `plugin` declares it.
    #[must_use]
    pub fn in_plugin(plugin: &PluginId, name: &Name) -> Self {
        if plugin.is_core() { Self(name.0.clone()) } else { Self(format!("{plugin}.{name}")) }
    }

    /// The plugin that owns the object, or none for the core's.
    #[must_use]
    pub fn plugin(&self) -> Option<&str> {
        self.0.split_once('.').map(|(plugin, _)| plugin)
    }

    /// The part after the plugin's name.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.split_once('.').map_or(self.as_str(), |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_pattern_are_refused() {
        for bad in ["", "A", "1a", "a-b", "é", "a b", &"a".repeat(49), "select\"; drop"] {
            assert!(Name::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(Name::new("a".repeat(48)).is_ok());
    }

    #[test]
    fn an_object_name_has_at_most_one_dot_and_stays_out_of_the_system_tables() {
        assert!(ObjectName::new("booking.appointment").is_ok());
        assert!(ObjectName::new("a.b.c").is_err());
        assert!(ObjectName::new("pergola_outbox").is_err());
    }
}
