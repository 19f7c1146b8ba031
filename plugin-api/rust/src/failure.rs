//! Why something was refused or could not be done.

use std::fmt;

use serde::Serialize;

use crate::bindings::pergola::plugin::types;

/// Why something was refused or could not be done; the error of every handler and host call.
///
/// Programs read `code`; people read `message`, which says what to do.
///
/// # Examples
/// ```
/// use pergola_plugin::prelude::*;
///
/// let failure = Failure::refused("slot_taken", "Choose another time; this one has just been taken.")
///     .field("starts_at")
///     .detail(json!({ "alternatives": ["10:30", "11:00"] }));
/// assert_eq!(failure.code, "slot_taken");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable, lower case with `_`, for programs: `slot_taken`.
    pub code: String,
    /// For people: what to do.
    pub message: String,
    /// The field that it concerns.
    pub field: Option<String>,
    /// A JSON object with more for programs.
    pub detail: Option<String>,
}

impl Failure {
    /// A refusal with the plugin's own code.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None, detail: None }
    }

    /// Something that does not exist, or may not be seen; a route answers it as 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::refused("not_found", message)
    }

    /// Somebody else was first; a route answers it as 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::refused("conflict", message)
    }

    /// Input that cannot be read; a route answers it as 422.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::refused("invalid_input", message)
    }

    /// Names the field that it concerns, so that a form can mark it.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds a JSON object for programs. A value that has no JSON form is left out.
    #[must_use]
    pub fn detail(mut self, detail: impl Serialize) -> Self {
        self.detail = serde_json::to_string(&detail).ok();
        self
    }

    pub(crate) fn from_wit(failure: types::Failure) -> Self {
        let types::Failure { code, message, field, detail } = failure;
        Self { code, message, field, detail }
    }

    pub(crate) fn into_wit(self) -> types::Failure {
        let Self { code, message, field, detail } = self;
        types::Failure { code, message, field, detail }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Failure {}
