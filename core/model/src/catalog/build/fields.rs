//! Fields and settings: types, defaults and what may stand beside them.

use std::collections::BTreeMap;

use super::{CatalogIssue, Issues, check_label, key, label_or_name};
use crate::{
    catalog::PluginSource,
    decl::{FieldDecl, Manifest, SettingDecl},
    field::{Field, FieldType, OnDelete, OnPurge},
    json::{neutral_locale, value_from_json, value_from_toml},
    name::Name,
    nearest, normal,
    object::SYSTEM_FIELDS,
    value::Value,
};

/// All field types by their names in manifests.
const TYPES: [&str; 16] = [
    "text",
    "long_text",
    "integer",
    "decimal",
    "money",
    "bool",
    "date",
    "datetime",
    "duration",
    "choice",
    "phone",
    "email",
    "url",
    "json",
    "ref",
    "tags",
];
/// Types that a setting cannot have, because they need more than a name.
const NOT_FOR_SETTINGS: [&str; 2] = ["choice", "ref"];
/// Names that mean something else in an expression.
const EXPRESSION_WORDS: [&str; 6] = ["now", "settings", "true", "false", "null", "in"];
/// The most codes of a choice, and the longest, in characters.
const CODES_MAX: usize = 200;
const CODE_CHARS_MAX: usize = 100;
/// Digits after the point: when the manifest does not say, and at most.
const SCALE_DEFAULT: u8 = 2;
const SCALE_MAX: u8 = 9;

/// The field that a manifest declares, under `key`; references are checked later.
pub(super) fn field(
    name: &Name,
    decl: &FieldDecl,
    field_key: String,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<Field> {
    check_name(name.as_str(), path, issues);
    check_label(&decl.label, &format!("{path}.label"), issues);
    let kind = field_type(decl, path, issues);
    check_attributes(decl, path, issues);
    let kind = kind?;
    // Whoever calls or writes is looked up by every phone and e-mail field there is.
    let is_looked_up = matches!(kind, FieldType::Phone | FieldType::Email);
    let mut field = Field {
        key: field_key,
        kind,
        required: decl.required,
        default: Value::Null,
        unique: decl.unique,
        indexed: decl.indexed || is_looked_up,
        searchable: decl.searchable,
        on_purge: decl.on_purge,
        label: label_or_name(&decl.label, name.as_str()),
    };
    if let Some(default) = decl.default.as_ref().filter(|_| decl.kind != "ref") {
        field.default = default_value(&field, default, &format!("{path}.default"), issues);
    }
    Some(field)
}

/// The plugin's settings: the business's values over the defaults.
pub(super) fn settings(source: &PluginSource, issues: &mut Issues<'_>) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for (name, decl) in &source.manifest.settings {
        let path = format!("settings.{name}");
        let Some(field) = setting_field(name, decl, &path, issues) else { continue };
        let own = source.settings.get(name.as_str()).filter(|json| !json.is_null());
        let value = match own {
            Some(json) => setting_value(&field, json, &path, issues),
            None => field.default.clone(),
        };
        values.insert(name.to_string(), value);
    }
    values
}

/// Checks the values that a business wants to give to a plugin's settings.
///
/// Stricter than [`crate::Catalog::build`], which passes over values whose setting an upgrade has dropped.
///
/// # Errors
/// A setting that the plugin does not have, or a value that does not fit its type.
pub fn check_settings(
    manifest: &Manifest,
    values: &BTreeMap<String, serde_json::Value>,
) -> Result<(), Vec<CatalogIssue>> {
    let mut found = Vec::new();
    let mut issues = Issues { plugin: &manifest.id, all: &mut found };
    for (name, json) in values {
        let path = format!("settings.{}", key(name));
        match manifest.settings.get_key_value(name.as_str()) {
            Some((name, decl)) => {
                if let Some(field) = setting_field(name, decl, &path, &mut issues) {
                    setting_value(&field, json, &path, &mut issues);
                }
            }
            None => {
                let hint = nearest::hint(name, manifest.settings.keys().map(Name::as_str));
                issues.add(path, format!("{} has no setting of this name.{hint}", manifest.id));
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

fn setting_field(name: &Name, decl: &SettingDecl, path: &str, issues: &mut Issues<'_>) -> Option<Field> {
    if NOT_FOR_SETTINGS.contains(&decl.kind.as_str()) {
        issues.add(format!("{path}.type"), format!("a setting cannot be a {}: use text", decl.kind));
        return None;
    }
    let kind = simple_type(&decl.kind, path, issues)?;
    let mut field = Field {
        key: name.to_string(),
        kind,
        required: false,
        default: Value::Null,
        unique: false,
        indexed: false,
        searchable: false,
        on_purge: None,
        label: label_or_name(&decl.label, name.as_str()),
    };
    if let Some(default) = &decl.default {
        field.default = default_value(&field, default, &format!("{path}.default"), issues);
    }
    Some(field)
}

fn setting_value(field: &Field, json: &serde_json::Value, path: &str, issues: &mut Issues<'_>) -> Value {
    let locale = neutral_locale();
    value_from_json(field, json, &locale).and_then(|value| normal::normalise(field, value, &locale)).unwrap_or_else(
        |issue| {
            issues.add(path, issue.message);
            field.default.clone()
        },
    )
}

fn default_value(field: &Field, default: &toml::Value, path: &str, issues: &mut Issues<'_>) -> Value {
    value_from_toml(field, default).and_then(|value| normal::normalise(field, value, &neutral_locale())).unwrap_or_else(
        |issue| {
            issues.add(path, issue.message);
            Value::Null
        },
    )
}

fn check_name(name: &str, path: &str, issues: &mut Issues<'_>) {
    if SYSTEM_FIELDS.contains(&name) {
        issues.add(path, format!("every record has {name} already: choose another name"));
    }
    let is_parameter =
        name.strip_prefix('p').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    if is_parameter || EXPRESSION_WORDS.contains(&name) {
        issues.add(path, format!("{name} means something else in expressions: choose another name"));
    }
}

fn simple_type(name: &str, path: &str, issues: &mut Issues<'_>) -> Option<FieldType> {
    Some(match name {
        "text" => FieldType::Text,
        "long_text" => FieldType::LongText,
        "integer" => FieldType::Integer,
        "decimal" => FieldType::Decimal { scale: SCALE_DEFAULT },
        "money" => FieldType::Money,
        "bool" => FieldType::Bool,
        "date" => FieldType::Date,
        "datetime" => FieldType::DateTime,
        "duration" => FieldType::Duration,
        "phone" => FieldType::Phone,
        "email" => FieldType::Email,
        "url" => FieldType::Url,
        "json" => FieldType::Json,
        "tags" => FieldType::Tags,
        _ => {
            let hint = nearest::hint(name, TYPES);
            issues.add(
                format!("{path}.type"),
                format!("there is no type \"{name}\"; the types are {}.{hint}", TYPES.join(", ")),
            );
            return None;
        }
    })
}

fn field_type(decl: &FieldDecl, path: &str, issues: &mut Issues<'_>) -> Option<FieldType> {
    match decl.kind.as_str() {
        "choice" => {
            let Some(of) = &decl.of else {
                issues.add(path, "a choice needs its codes: add of = [\"first\", \"second\"]");
                return None;
            };
            check_codes(of, &format!("{path}.of"), issues);
            Some(FieldType::Choice { of: of.clone() })
        }
        "ref" => {
            let Some(to) = &decl.to else {
                issues.add(path, "a ref needs the object that it refers to: add to = \"contact\" or another");
                return None;
            };
            let on_delete = decl.on_delete.unwrap_or_default();
            if on_delete == OnDelete::Clear && decl.required {
                let message = "a required ref cannot be cleared: use \"restrict\" or \"cascade\", or take required out";
                issues.add(format!("{path}.on_delete"), message);
            }
            if decl.on_purge == Some(OnPurge::Clear) && decl.required {
                issues
                    .add(format!("{path}.on_purge"), "a required ref cannot be cleared: take required or on_purge out");
            }
            Some(FieldType::Ref { to: to.clone(), on_delete })
        }
        "decimal" => {
            let scale = decl.scale.unwrap_or(SCALE_DEFAULT);
            if scale > SCALE_MAX {
                issues.add(format!("{path}.scale"), format!("at most {SCALE_MAX} digits after the point fit"));
                return None;
            }
            Some(FieldType::Decimal { scale })
        }
        other => simple_type(other, path, issues),
    }
}

fn check_codes(of: &[String], path: &str, issues: &mut Issues<'_>) {
    if of.is_empty() || of.len() > CODES_MAX {
        issues.add(path, format!("a choice has between 1 and {CODES_MAX} codes"));
    }
    for (place, code) in of.iter().enumerate() {
        let is_plain = !code.is_empty()
            && code.trim() == code
            && code.chars().count() <= CODE_CHARS_MAX
            && !code.chars().any(char::is_control)
            && code != "*";
        if !is_plain {
            let message = format!("{code:?} cannot be a code: use a short word without spaces around it");
            issues.add(format!("{path}[{place}]"), message);
        }
        let lower = code.to_lowercase();
        if of.iter().take(place).any(|earlier| earlier.to_lowercase() == lower) {
            issues.add(format!("{path}[{place}]"), format!("the code \"{code}\" is there twice: take one out"));
        }
    }
}

/// What stands beside the type must have a meaning for it.
fn check_attributes(decl: &FieldDecl, path: &str, issues: &mut Issues<'_>) {
    let kind = decl.kind.as_str();
    let is_text = matches!(kind, "text" | "long_text" | "phone" | "email" | "url");
    let is_small = !matches!(kind, "long_text" | "json" | "tags");
    let rules = [
        ("of", decl.of.is_some(), kind == "choice", "only a choice has codes: take it out, or make the type choice"),
        ("to", decl.to.is_some(), kind == "ref", "only a ref leads to an object: take it out, or make the type ref"),
        ("on_delete", decl.on_delete.is_some(), kind == "ref", "only a ref has on_delete: take it out"),
        ("on_purge", decl.on_purge.is_some(), kind == "ref", "only a ref has on_purge: take it out"),
        ("scale", decl.scale.is_some(), kind == "decimal", "only a decimal has a scale: take it out"),
        ("default", decl.default.is_some(), kind != "ref", "a ref cannot have a default: set it in a hook"),
        ("unique", decl.unique, is_small && kind != "bool", "a field of this type cannot be unique: take it out"),
        ("indexed", decl.indexed, is_small, "a field of this type cannot have an index: take it out"),
        (
            "searchable",
            decl.searchable,
            is_text,
            "only text, phones, e-mail and web addresses are searched: take it out",
        ),
    ];
    for (name, is_there, fits, message) in rules {
        if is_there && !fits && TYPES.contains(&kind) {
            issues.add(format!("{path}.{name}"), message);
        }
    }
    if decl.unique && decl.default.is_some() {
        issues.add(format!("{path}.default"), "a unique field cannot have a default: its second record would fail");
    }
}
