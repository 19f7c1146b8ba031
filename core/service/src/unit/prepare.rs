//! Before a write: defaults, normalising, and what every record must have.

use pergola_model::{FieldIssue, Fields, Locale, Object, nearest, normal, object::SYSTEM_FIELDS};

use crate::error::Error;

/// The fields as they will be stored; issues with all of them at once.
pub(super) fn normalise(object: &Object, fields: Fields, locale: &Locale) -> Result<Fields, Error> {
    let mut issues = Vec::new();
    let mut normal = Fields::new();
    for (key, value) in fields {
        match object.field(&key) {
            None => issues.push(unknown(object, &key)),
            Some(_) if object.derived.read_only(&key).is_some() => issues.push(read_only(object, &key)),
            Some(field) => match normal::normalise(field, value, locale) {
                Ok(value) => {
                    normal.set(key, value);
                }
                Err(issue) => issues.push(issue),
            },
        }
    }
    if issues.is_empty() { Ok(normal) } else { Err(Error::Invalid(issues)) }
}

fn read_only(object: &Object, key: &str) -> FieldIssue {
    let why = object.derived.read_only(key).unwrap_or_default();
    FieldIssue::new(key, "read_only", format!("{key} {why}; leave it out"))
}

fn unknown(object: &Object, key: &str) -> FieldIssue {
    if SYSTEM_FIELDS.contains(&key) {
        return FieldIssue::new(key, "read_only", format!("{key} is set by Pergola; leave it out"));
    }
    let hint = nearest::hint(key, object.fields.keys().map(String::as_str));
    FieldIssue::new(key, "unknown_field", format!("{} has no field of this name.{hint}", object.name))
}

/// Defaults for the fields that a new record does not name.
pub(super) fn fill_defaults(object: &Object, fields: &mut Fields) {
    for (key, field) in &object.fields {
        if !field.default.is_null() && !fields.names(key) {
            fields.set(key.clone(), field.default.clone());
        }
    }
}

/// Passes when every required field has a value.
pub(super) fn check_required(object: &Object, fields: &Fields) -> Result<(), Error> {
    let issues: Vec<FieldIssue> = object
        .fields
        .values()
        .filter(|field| field.required && fields.get(&field.key).is_null())
        .map(normal::required)
        .collect();
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

/// Takes out fields without a value: absent and null are the same in a record.
pub(super) fn without_nulls(fields: Fields) -> Fields {
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// Keys whose value `after` has otherwise than `before`.
pub(super) fn changed_keys(before: &Fields, changes: &Fields) -> Vec<String> {
    changes.iter().filter(|(key, value)| before.get(key) != *value).map(|(key, _)| key.to_owned()).collect()
}

/// Keys of fields that one record has otherwise than the other; those that became empty are among them.
pub(super) fn differing_keys(before: &Fields, after: &Fields) -> Vec<String> {
    let emptied = before.iter().filter(|(key, value)| !value.is_null() && !after.names(key));
    emptied.map(|(key, _)| key.to_owned()).chain(changed_keys(before, after)).collect()
}
