//! A cursor as a text that callers pass back unread: URL-safe base64 of compact JSON.
//!
//! It is neither signed nor secret. Whatever is in it, the page that it leads to obeys the same rights
//! and the same filter; so it is enough to check that it is well formed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Cursor, SortKey,
    sort::{SortType, sort_text, sort_type},
};
use crate::{
    object::Object,
    value::{Id, Value},
};

/// The longest cursor, as text.
pub const CURSOR_BYTES_MAX: usize = 48_000;

/// Why a text is not a cursor for this query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not a text that Pergola gave out, or not for these fields.
    #[error("this is not a cursor; pass back `next` of the page before, unchanged")]
    Malformed,
    /// The query has another order than the page before.
    #[error(
        "the cursor belongs to the order {cursor:?}, but the query has {query:?}; keep the order, or start at the first page"
    )]
    OtherSort {
        /// The cursor's order.
        cursor: String,
        /// The query's order.
        query: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(rename = "s")]
    sort: String,
    #[serde(rename = "v")]
    values: Vec<Scalar>,
    #[serde(rename = "i")]
    id: Id,
}

/// A value without its type, which the field tells: texts are texts, dates, decimals, ids; integers are
/// numbers, and microseconds of datetimes and durations.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Null,
    Flag(bool),
    Number(i64),
    Text(String),
}

impl Cursor {
    /// The cursor as a text of letters, digits, `-` and `_`.
    #[must_use]
    pub fn encode(&self) -> String {
        let values = self.values.iter().map(to_scalar).collect();
        let content = Content { sort: self.sort.clone(), values, id: self.id };
        // Texts and numbers always have a JSON form; were it not so, the empty text would be refused by `decode`.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&content).unwrap_or_default())
    }

    /// Reads a cursor for a query of that object in that order.
    ///
    /// # Errors
    /// [`CursorError`], when the text is not a cursor, or is one of another order.
    pub fn decode(text: &str, object: &Object, sort: &[SortKey]) -> Result<Self, CursorError> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(CursorError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        let content: Content = serde_json::from_slice(&bytes).map_err(|_| CursorError::Malformed)?;
        let query = sort_text(sort);
        if content.sort != query {
            return Err(CursorError::OtherSort { cursor: content.sort, query });
        }
        if content.values.len() != sort.len() {
            return Err(CursorError::Malformed);
        }
        let typed = sort.iter().zip(content.values).map(|(key, value)| {
            let ty = sort_type(object, &key.field).map_err(|_| CursorError::Malformed)?;
            from_scalar(value, ty).ok_or(CursorError::Malformed)
        });
        Ok(Self { sort: content.sort, values: typed.collect::<Result<_, _>>()?, id: content.id })
    }
}

fn to_scalar(value: &Value) -> Scalar {
    match value {
        Value::Text(text) => Scalar::Text(text.clone()),
        Value::Integer(number) => Scalar::Number(*number),
        Value::Decimal(number) => Scalar::Text(number.to_string()),
        Value::Bool(flag) => Scalar::Flag(*flag),
        Value::Date(day) => Scalar::Text(day.to_string()),
        Value::DateTime(at) => Scalar::Number(at.as_microsecond()),
        Value::Duration(length) => i64::try_from(length.as_micros()).map_or(Scalar::Null, Scalar::Number),
        Value::Ref(id) => Scalar::Text(id.to_string()),
        // Not sortable, so never in a cursor.
        Value::Null | Value::Money(_) | Value::Tags(_) | Value::Json(_) => Scalar::Null,
    }
}

fn from_scalar(value: Scalar, ty: SortType) -> Option<Value> {
    Some(match (value, ty) {
        (Scalar::Null, _) => Value::Null,
        (Scalar::Flag(flag), SortType::Bool) => Value::Bool(flag),
        (Scalar::Number(number), SortType::Integer) => Value::Integer(number),
        (Scalar::Number(micros), SortType::DateTime) => Value::DateTime(Timestamp::from_microsecond(micros).ok()?),
        (Scalar::Number(micros), SortType::Duration) => Value::Duration(SignedDuration::from_micros(micros)),
        (Scalar::Text(text), SortType::Text) => Value::Text(text),
        (Scalar::Text(text), SortType::Decimal) => Value::Decimal(text.parse().ok()?),
        (Scalar::Text(text), SortType::Date) => Value::Date(text.parse().ok()?),
        (Scalar::Text(text), SortType::Ref) => Value::Ref(text.parse().ok()?),
        _ => return None,
    })
}
