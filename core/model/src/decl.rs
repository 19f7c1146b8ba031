//! What a manifest says, as serde reads it: objects, extensions, hooks, timers, routes.
//!
//! Only shapes are checked here. Whether names refer to anything is
//! [`crate::catalog`]'s business; line numbers and mends are the manifest crate's.

mod changes;
mod derived;
mod rules;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use changes::{ChangeDecl, DropDecl, OnError, RenameDecl, RetypeDecl};
pub use derived::{LedgerDecl, RollupDecl, SequenceDecl};

use crate::{
    change::ChangeKind,
    field::{OnDelete, OnPurge},
    name::{Name, ObjectName, PluginId},
};

pub use rules::{CapacityDecl, CheckDecl, ExcludeDecl, HoldDecl, Nulls, TransitionDecl, UniqueDecl, WaitingDecl};

/// What people see, by language code: `{ en = "Contact", ru = "Контакт" }`.
pub type Label = BTreeMap<String, String>;

/// The text for people who read a language (`ru`, `pt-BR`): in that language, or else in its main form, in English,
/// or in whichever there is.
#[must_use]
pub fn text_in<'a>(label: &'a Label, language: &str) -> Option<&'a str> {
    let main = language.split('-').next().unwrap_or(language);
    let found = [language, main, "en"].into_iter().find_map(|code| label.get(code));
    found.or_else(|| label.values().next()).map(String::as_str)
}

/// A whole manifest; the core's own objects are one too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's id; prefixes all that it owns.
    pub id: PluginId,
    /// Its version.
    pub version: semver::Version,
    /// The versions of the plugin contract that it works with; `"0.1"` means `^0.1`.
    pub api: semver::VersionReq,
    /// What people see.
    #[serde(default)]
    pub label: Label,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: Label,
    /// Plugins that must be there first.
    #[serde(default)]
    pub requires: IndexMap<PluginId, semver::VersionReq>,
    /// What it asks for.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Settings of the business, by name.
    #[serde(default)]
    pub settings: IndexMap<Name, SettingDecl>,
    /// Objects that it owns, by their name without the plugin's.
    #[serde(default)]
    pub object: IndexMap<Name, ObjectDecl>,
    /// Fields that it adds to others' objects.
    #[serde(default)]
    pub extend: IndexMap<ObjectName, ExtendDecl>,
    /// Code in the write transaction.
    #[serde(default)]
    pub hook: Vec<HookDecl>,
    /// Code told after commit.
    #[serde(default)]
    pub event: Vec<EventDecl>,
    /// Durable wake-ups.
    #[serde(default)]
    pub timer: Vec<TimerDecl>,
    /// Named commands.
    #[serde(default)]
    pub action: Vec<ActionDecl>,
    /// HTTP under `/p/{id}`.
    #[serde(default)]
    pub route: Vec<RouteDecl>,
    /// What becomes of stored data where declarations have changed otherwise than by adding, by version.
    #[serde(default)]
    pub change: Vec<ChangeDecl>,
    /// Whether the component handles its own install and upgrade.
    #[serde(default)]
    pub lifecycle: bool,
}

/// What a plugin asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Object or `plugin.*` → `all`, or a list such as `read,create`.
    #[serde(default)]
    pub records: IndexMap<String, String>,
    /// Objects on which the plugin acts by its own right, whoever calls: for public routes.
    #[serde(default)]
    pub own_rights: Vec<String>,
    /// May send messages to contacts.
    #[serde(default)]
    pub messages: bool,
}

/// A setting of the business.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingDecl {
    /// A field type: `integer`, `text`, `bool`, `duration`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value until the business sets another.
    #[serde(default)]
    pub default: Option<toml::Value>,
    /// What people see.
    #[serde(default)]
    pub label: Label,
}

/// An object.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectDecl {
    /// What people see.
    #[serde(default)]
    pub label: Label,
    /// The last part of its URL; the name with an `s` if absent.
    #[serde(default)]
    pub plural: Option<Name>,
    /// The field that names a record to people; `name` or `title` if absent and there is one.
    #[serde(default)]
    pub title: Option<Name>,
    /// Its fields, in order.
    pub fields: IndexMap<Name, FieldDecl>,
    /// What must hold for every record.
    #[serde(default)]
    pub check: Vec<CheckDecl>,
    /// No two live records overlap.
    #[serde(default)]
    pub exclude: Vec<ExcludeDecl>,
    /// There is room for only so many live records.
    #[serde(default)]
    pub capacity: Vec<CapacityDecl>,
    /// A code that a record has only for a while.
    #[serde(default)]
    pub hold: Option<HoldDecl>,
    /// No two records have the same values.
    #[serde(default)]
    pub unique: Vec<UniqueDecl>,
    /// Which values of a choice may follow which.
    #[serde(default)]
    pub transitions: IndexMap<Name, Vec<TransitionDecl>>,
    /// Its records are entries of accounts.
    #[serde(default)]
    pub ledger: Option<LedgerDecl>,
}

/// Fields added to another's object.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendDecl {
    /// The added fields, in order.
    pub fields: IndexMap<Name, FieldDecl>,
    /// No two records have the same values; names are those of added fields, and then of the object's own.
    #[serde(default)]
    pub unique: Vec<UniqueDecl>,
}

/// A field.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDecl {
    /// `text`, `long_text`, `integer`, `decimal`, `money`, `bool`, `date`, `datetime`, `duration`,
    /// `choice`, `phone`, `email`, `url`, `json`, `ref`, `tags`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What people see.
    #[serde(default)]
    pub label: Label,
    /// Must have a value.
    #[serde(default)]
    pub required: bool,
    /// The value of a new record that names none.
    #[serde(default)]
    pub default: Option<toml::Value>,
    /// No two records have the same value.
    #[serde(default)]
    pub unique: bool,
    /// Has an index; phones and e-mail addresses have one without asking.
    #[serde(default)]
    pub indexed: bool,
    /// Is found by search.
    #[serde(default)]
    pub searchable: bool,
    /// For `choice`: the codes.
    #[serde(default)]
    pub of: Option<Vec<String>>,
    /// For `ref`: the object.
    #[serde(default)]
    pub to: Option<ObjectName>,
    /// For `ref`: `restrict` (if absent), `clear` or `cascade`.
    #[serde(default)]
    pub on_delete: Option<OnDelete>,
    /// For `ref`: `clear` or `delete`; `clear` if absent and `on_delete` is that, else `delete`.
    #[serde(default)]
    pub on_purge: Option<OnPurge>,
    /// For `decimal`: digits after the point, 0–9; 2 if absent.
    #[serde(default)]
    pub scale: Option<u8>,
    /// What the records that refer to this one come to; nobody writes it.
    #[serde(default)]
    pub rollup: Option<RollupDecl>,
    /// CEL over the record's own fields; nobody writes it.
    #[serde(default)]
    pub formula: Option<String>,
    /// CEL, also through relations: the value of a new record that names none.
    #[serde(default)]
    pub initial: Option<String>,
    /// Numbers without gaps, given at creation; nobody writes it.
    #[serde(default)]
    pub sequence: Option<SequenceDecl>,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the write: may change or refuse it.
    #[default]
    Before,
    /// After the write, in its transaction.
    After,
}

/// What happens to the write when the hook itself fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The write is rolled back.
    #[default]
    Reject,
    /// The write goes on without the hook.
    Skip,
}

/// Code in the write transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookDecl {
    /// The object.
    pub on: ObjectName,
    /// `create`, `update`, `delete`.
    pub when: Vec<ChangeKind>,
    /// Before or after the write.
    #[serde(default)]
    pub phase: Phase,
    /// What becomes of the write when the hook fails.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// Code told after commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDecl {
    /// The object.
    pub on: ObjectName,
    /// `create`, `update`, `delete`.
    pub when: Vec<ChangeKind>,
}

/// A durable wake-up: one that follows a record, or, without an object, one that the plugin sets itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimerDecl {
    /// The object.
    #[serde(default)]
    pub on: Option<ObjectName>,
    /// CEL that gives a datetime; null means no timer.
    #[serde(default)]
    pub at: Option<String>,
    /// CEL; no timer while it is false.
    #[serde(default, rename = "if")]
    pub condition: Option<String>,
    /// What the plugin is told; with the object it names the timer.
    pub action: Name,
}

/// A named command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionDecl {
    /// Its name.
    pub id: Name,
    /// What people see.
    #[serde(default)]
    pub label: Label,
    /// JSON Schema of the input.
    #[serde(default)]
    pub input: Option<toml::Value>,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAuth {
    /// Somebody with a token.
    #[default]
    User,
    /// Anybody.
    Public,
}

/// HTTP under `/p/{plugin}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteDecl {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// `/slots`: literal segments.
    pub path: String,
    /// Who may call.
    #[serde(default)]
    pub auth: RouteAuth,
    /// What it does, for the OpenAPI document.
    #[serde(default)]
    pub label: Label,
}
