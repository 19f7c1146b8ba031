//! An order as text: `-created_at,name`.

use super::SORT_KEYS_MAX;
use crate::{
    field::FieldType,
    nearest,
    object::{Object, SYSTEM_FIELDS},
};

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// A field's key, or a system field.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

impl SortKey {
    /// The key as text: `-created_at`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.field)
    }
}

/// Why a text is not an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SortError {
    /// No such field.
    #[error("{object} has no field {field:?} to sort by.{hint}")]
    UnknownField {
        /// The object's name.
        object: String,
        /// The name that was asked for.
        field: String,
        /// ` Did you mean "name"?`, or empty.
        hint: String,
    },
    /// The field's values have no order.
    #[error("{field:?} cannot be sorted by, because it is {kind}")]
    NotSortable {
        /// The field's key.
        field: String,
        /// What it is, and why that has no order.
        kind: &'static str,
    },
    /// The same field twice.
    #[error("{0:?} is named twice in the order; leave one out")]
    Twice(String),
    /// A comma without a field.
    #[error("the order {0:?} has an empty key; write fields with commas between, like -created_at,name")]
    EmptyKey(String),
    /// Too many keys.
    #[error("the order has more than {SORT_KEYS_MAX} keys; leave the last ones out")]
    TooManyKeys,
}

/// What the values of a sort key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortType {
    Text,
    Integer,
    Decimal,
    Bool,
    Date,
    DateTime,
    Duration,
    Ref,
}

/// Reads an order such as `-created_at,name`; an empty text is no keys.
///
/// # Errors
/// [`SortError`], when a key is not a field of the object, has no order or comes twice, or there are too many.
pub fn parse_sort(text: &str, object: &Object) -> Result<Vec<SortKey>, SortError> {
    let mut keys: Vec<SortKey> = Vec::new();
    if text.trim().is_empty() {
        return Ok(keys);
    }
    for part in text.split(',') {
        let part = part.trim();
        let (field, descending) = part.strip_prefix('-').map_or((part, false), |field| (field, true));
        if field.is_empty() {
            return Err(SortError::EmptyKey(text.to_owned()));
        }
        sort_type(object, field)?;
        if keys.iter().any(|key| key.field == field) {
            return Err(SortError::Twice(field.to_owned()));
        }
        if keys.len() >= SORT_KEYS_MAX {
            return Err(SortError::TooManyKeys);
        }
        keys.push(SortKey { field: field.to_owned(), descending });
    }
    Ok(keys)
}

/// The order as text, as [`parse_sort`] reads it.
#[must_use]
pub fn sort_text(keys: &[SortKey]) -> String {
    keys.iter().map(SortKey::text).collect::<Vec<_>>().join(",")
}

pub(super) fn sort_type(object: &Object, field: &str) -> Result<SortType, SortError> {
    match field {
        "id" => return Ok(SortType::Ref),
        "version" => return Ok(SortType::Integer),
        "created_at" | "updated_at" => return Ok(SortType::DateTime),
        _ => {}
    }
    let Some(found) = object.field(field) else {
        let known = object.fields.keys().map(String::as_str).chain(SYSTEM_FIELDS);
        let hint = nearest::hint(field, known);
        return Err(SortError::UnknownField { object: object.name.to_string(), field: field.to_owned(), hint });
    };
    let kind = match found.kind {
        FieldType::Text | FieldType::Choice { .. } | FieldType::Phone | FieldType::Email | FieldType::Url => {
            return Ok(SortType::Text);
        }
        FieldType::Integer => return Ok(SortType::Integer),
        FieldType::Decimal { .. } => return Ok(SortType::Decimal),
        FieldType::Bool => return Ok(SortType::Bool),
        FieldType::Date => return Ok(SortType::Date),
        FieldType::DateTime => return Ok(SortType::DateTime),
        FieldType::Duration => return Ok(SortType::Duration),
        FieldType::Ref { .. } => return Ok(SortType::Ref),
        FieldType::Money => "money, and amounts in different currencies have no order",
        FieldType::LongText => "long text; sort by a short one",
        FieldType::Tags => "tags, which have no order",
        FieldType::Json => "JSON, which has no order",
    };
    Err(SortError::NotSortable { field: field.to_owned(), kind })
}
