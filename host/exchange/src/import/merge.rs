//! What a row adds to a record that is known already, and what it replaces where that is wanted.

use pergola_model::{Field, FieldType, Fields, Object, Value, json};

use super::fold::squeeze;

/// What a row says about a record.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Merged {
    /// Fields that become filled, tags and lines that are added.
    pub(crate) changes: Fields,
    /// Values that the record keeps although the row says otherwise, for people.
    pub(crate) conflicts: Vec<String>,
}

impl Merged {
    /// Whether the row tells nothing new.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.conflicts.is_empty()
    }
}

/// Compares what a record has with what a row says.
pub(crate) fn merge(object: &Object, known: &Fields, given: &Fields) -> Merged {
    let mut merged = Merged::default();
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let Some(field) = object.field(key) else {
            continue;
        };
        let before = known.get(key);
        let mut after = Fields::new().with(key, before.clone());
        if !fill(&mut after, field, value.clone()) {
            let (kept, said) = (shown(before), shown(value));
            merged.conflicts.push(format!("{key} stays \"{kept}\", the file says \"{said}\""));
        } else if after.get(key) != before {
            merged.changes.merge(after);
        }
    }
    merged
}

/// Compares likewise, where the row's values replace the record's; to the field `added_to` they are added all the same.
pub(crate) fn overwrite(object: &Object, known: &Fields, given: &Fields, added_to: Option<&str>) -> Merged {
    let mut merged = Merged::default();
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        if Some(key) == added_to {
            let added = merge(object, known, &Fields::new().with(key, value.clone()));
            merged.changes.merge(added.changes);
        } else if known.get(key) != value {
            merged.changes.set(key, value.clone());
        }
    }
    merged
}

/// Adds a value to a field: fills an empty one, joins tags and lines. False when the field keeps another value.
pub(crate) fn fill(fields: &mut Fields, field: &Field, value: Value) -> bool {
    let joined = match (fields.get(&field.key), value) {
        (_, Value::Null) => return true,
        (Value::Null, value) => value,
        (Value::Tags(tags), Value::Tags(more)) => {
            let new = more.into_iter().filter(|tag| !tags.contains(tag));
            Value::Tags(tags.iter().cloned().chain(new).collect())
        }
        (Value::Text(text), Value::Text(more)) if field.kind == FieldType::LongText => {
            Value::Text(with_lines(text, &more))
        }
        (Value::Text(text), Value::Text(other)) => {
            return *text == other || (field.kind == FieldType::Text && squeeze(text) == squeeze(&other));
        }
        (known, value) => return *known == value,
    };
    fields.set(field.key.as_str(), joined);
    true
}

/// The text and the lines of `more` that it lacks.
fn with_lines(text: &str, more: &str) -> String {
    let mut joined = text.to_owned();
    for line in more.lines().filter(|line| !text.lines().any(|known| known.trim() == line.trim())) {
        joined.push('\n');
        joined.push_str(line);
    }
    joined
}

/// The value for people.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Date(day) => day.to_string(),
        other => match json::value_to_json(other) {
            serde_json::Value::String(text) => text,
            json => json.to_string(),
        },
    }
}
