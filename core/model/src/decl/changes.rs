//! What a manifest says of stored data when a declaration changes otherwise than by adding.

use serde::{Deserialize, Serialize};

use crate::name::{Name, ObjectName};

/// A declared change: one of `rename`, `retype` and `drop`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeDecl {
    /// The version of the plugin that brings it: an upgrade from an earlier one applies it, once.
    pub version: semver::Version,
    /// A field has another name.
    #[serde(default)]
    pub rename: Option<RenameDecl>,
    /// A field has another type.
    #[serde(default)]
    pub retype: Option<RetypeDecl>,
    /// A field, or a whole object, is no more.
    #[serde(default)]
    pub drop: Option<DropDecl>,
}

/// A field has another name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameDecl {
    /// The object: the plugin's own by its short name, or another's to which the field was added.
    pub object: ObjectName,
    /// The name before.
    pub from: Name,
    /// The name after.
    pub to: Name,
}

/// A field has another type: the one that it is declared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetypeDecl {
    /// The object, as in [`RenameDecl`].
    pub object: ObjectName,
    /// The field.
    pub field: Name,
    /// What becomes of values that do not fit.
    #[serde(default)]
    pub on_error: OnError,
}

/// What becomes of a value that does not fit the new type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The upgrade is refused.
    #[default]
    Refuse,
    /// The value is lost.
    Null,
}

/// A field, or a whole object, is no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropDecl {
    /// The object, as in [`RenameDecl`].
    pub object: ObjectName,
    /// The field; the object itself if absent.
    #[serde(default)]
    pub field: Option<Name>,
}
