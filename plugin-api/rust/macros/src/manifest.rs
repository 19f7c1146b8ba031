//! What the macro needs of `plugin.toml`. The host checks all of it; here unknown keys are passed over.

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::{Table, Value};

/// A manifest, as far as code is made of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    /// The plugin's id, which prefixes all it owns.
    pub(crate) id: String,
    /// Whether the plugin wants to know of its install.
    #[serde(default)]
    pub(crate) lifecycle: bool,
    #[serde(default)]
    object: Table,
    #[serde(default)]
    extend: Table,
    #[serde(default)]
    hook: Vec<Hook>,
    #[serde(default)]
    event: Vec<IgnoredAny>,
    #[serde(default)]
    timer: Vec<Timer>,
    #[serde(default)]
    action: Vec<IgnoredAny>,
    #[serde(default)]
    route: Vec<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Hook {
    #[serde(default)]
    phase: Phase,
}

#[derive(Debug, Deserialize)]
struct Timer {
    #[serde(default)]
    on: Option<String>,
}

#[derive(Debug, Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Phase {
    #[default]
    Before,
    After,
}

/// An object that the plugin owns, or another's that it adds fields to.
#[derive(Debug)]
pub(crate) struct Object {
    /// As the manifest writes it: `appointment`, `contact`, `booking.appointment`.
    pub(crate) name: String,
    /// Its fields, in order.
    pub(crate) fields: Vec<Field>,
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name, without the plugin's.
    pub(crate) name: String,
    /// Its type, as the manifest writes it: `long_text`.
    pub(crate) kind: String,
    /// Whether it always has a value.
    pub(crate) required: bool,
    /// Whether the host computes it.
    pub(crate) formula: bool,
    /// What a `ref` refers to, or what a `choice` chooses of; for the docs.
    pub(crate) about: Option<String>,
}

impl Manifest {
    /// Reads a manifest's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if !is_name(&manifest.id) {
            return Err(format!("`{}` is no id: write lower case letters, digits and `_`", manifest.id));
        }
        Ok(manifest)
    }

    /// The objects that the plugin owns.
    pub(crate) fn objects(&self) -> Result<Vec<Object>, String> {
        self.object.iter().map(|(name, declared)| Object::parse("object", name, declared)).collect()
    }

    /// The objects that it adds fields to.
    pub(crate) fn extensions(&self) -> Result<Vec<Object>, String> {
        self.extend.iter().map(|(name, declared)| Object::parse("extend", name, declared)).collect()
    }

    pub(crate) fn has_before(&self) -> bool {
        self.hook.iter().any(|hook| hook.phase == Phase::Before)
    }

    pub(crate) fn has_after(&self) -> bool {
        self.hook.iter().any(|hook| hook.phase == Phase::After)
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.event.is_empty()
    }

    pub(crate) fn has_timer(&self) -> bool {
        self.timer.iter().any(|timer| timer.on.is_some())
    }

    pub(crate) fn has_own_timer(&self) -> bool {
        self.timer.iter().any(|timer| timer.on.is_none())
    }

    pub(crate) fn has_action(&self) -> bool {
        !self.action.is_empty()
    }

    pub(crate) fn has_route(&self) -> bool {
        !self.route.is_empty()
    }
}

impl Object {
    fn parse(section: &str, name: &str, declared: &Value) -> Result<Self, String> {
        if !name.split('.').all(is_name) {
            return Err(format!("[{section}.{name}]: write lower case letters, digits and `_`"));
        }
        let mut fields = Vec::new();
        for (field, declaration) in declared.get("fields").and_then(Value::as_table).into_iter().flatten() {
            let parsed = Field::parse(field, declaration);
            fields.push(parsed.map_err(|why| format!("[{section}.{name}], field `{field}`: {why}"))?);
        }
        Ok(Self { name: name.to_owned(), fields })
    }
}

impl Field {
    fn parse(name: &str, declaration: &Value) -> Result<Self, String> {
        if !is_name(name) {
            return Err("write lower case letters, digits and `_`".to_owned());
        }
        let kind = declaration.get("type").and_then(Value::as_str).ok_or("give it a type, such as type = \"text\"")?;
        let choices = declaration.get("of").and_then(Value::as_array).map(|choices| {
            let names: Vec<_> = choices.iter().filter_map(Value::as_str).collect();
            names.join(", ")
        });
        let to = declaration.get("to").and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            required: declaration.get("required").and_then(Value::as_bool).unwrap_or(false),
            formula: ["formula", "rollup", "sequence"].into_iter().any(|key| declaration.get(key).is_some()),
            about: to.or(choices),
        })
    }
}

/// Whether it matches `^[a-z][a-z0-9_]{0,47}$`.
fn is_name(text: &str) -> bool {
    text.len() <= 48
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
