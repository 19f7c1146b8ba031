//! Why the service did not do what was asked; every variant has a stable code.

use pergola_model::{FieldIssue, catalog::CatalogIssue};

use crate::ports::{
    plugins::{CallError, Failure},
    store::StoreError,
};

/// Why the service did not do what was asked. Nothing was written, unless it is [`Error::InDoubt`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such record, object or plugin.
    #[error("{0}")]
    NotFound(String),
    /// The actor, or the plugin through which they act, may not.
    #[error("{0}")]
    Forbidden(String),
    /// Fields that cannot be taken as they are.
    #[error("{}", summary(.0))]
    Invalid(Vec<FieldIssue>),
    /// The request itself makes no sense: a filter, a sort, a cursor.
    #[error("{message}")]
    BadRequest {
        /// Stable: `bad_filter`, `bad_sort`, `bad_cursor`, `too_many_changes`.
        code: &'static str,
        /// What is wrong, where, and what to write instead.
        message: String,
    },
    /// The request is fine, but not with the data as they are.
    #[error("{message}")]
    Conflict {
        /// Stable: `stale`, `taken`, `overlap`, `full`, `hold_over`, `in_use`, `transition`, `idempotency_key_reused`.
        code: &'static str,
        /// What to do.
        message: String,
        /// The fields that it concerns.
        issues: Vec<FieldIssue>,
    },
    /// A plugin said no.
    #[error("{}", .0.message)]
    Refused(Box<RefusedBy>),
    /// A plugin broke or used too much.
    #[error(transparent)]
    Plugin(Box<CallError>),
    /// Manifests that do not fit together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Manifest(Vec<CatalogIssue>),
    /// Too much at once: try again.
    #[error("too many writes at once; try again in a second")]
    Busy,
    /// The database ended it for another's sake, or went away; nothing was written. A unit of work is tried again before
    /// anybody is told so.
    #[error("the database was interrupted; try again in a second")]
    Interrupted,
    /// The database went away while it committed; whether something was written cannot be said.
    #[error(
        "the database was lost while it wrote: repeat it with the same Idempotency-Key, or look whether it was written"
    )]
    InDoubt,
    /// No space; reads go on.
    #[error("the disk is full: nothing was written; reading goes on")]
    Full,
    /// What should not happen; the cause is for the log.
    #[error("something went wrong inside Pergola")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A plugin's refusal.
#[derive(Debug)]
pub struct RefusedBy {
    /// Which plugin.
    pub plugin: String,
    /// Stable, the plugin's own.
    pub code: String,
    /// What to do, in the plugin's words.
    pub message: String,
    /// The field that it concerns.
    pub issues: Vec<FieldIssue>,
    /// More for programs.
    pub detail: Option<serde_json::Value>,
}

fn summary(issues: &[FieldIssue]) -> String {
    issues.iter().map(|issue| format!("{}: {}", issue.field, issue.message)).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// Stable, for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid(_) => "invalid",
            Self::BadRequest { code, .. } | Self::Conflict { code, .. } => code,
            Self::Refused(refused) => &refused.code,
            Self::Plugin(error) => match **error {
                CallError::Unavailable { .. } => "plugin_unavailable",
                CallError::Limit { .. } => "plugin_limit",
                CallError::Refused { .. } | CallError::Trap { .. } => "plugin_failed",
            },
            Self::Manifest(_) => "bad_manifest",
            Self::Busy | Self::Interrupted => "busy",
            Self::InDoubt => "in_doubt",
            Self::Full => "disk_full",
            Self::Internal(_) => "internal",
        }
    }

    /// What is wrong with which fields; may be empty.
    #[must_use]
    pub fn issues(&self) -> &[FieldIssue] {
        match self {
            Self::Invalid(issues) | Self::Conflict { issues, .. } => issues,
            Self::Refused(refused) => &refused.issues,
            _ => &[],
        }
    }

    /// Whether another record of the same batch might fare better: the record's own fault.
    #[must_use]
    pub fn is_about_the_record(&self) -> bool {
        matches!(
            self,
            Self::NotFound(_) | Self::Forbidden(_) | Self::Invalid(_) | Self::Conflict { .. } | Self::Refused(_)
        )
    }

    /// An issue with one field.
    #[must_use]
    pub fn invalid(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldIssue::new(field, code, message)])
    }

    /// The same in the words of the plugin contract.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        let issues = self.issues();
        let field = issues.first().map(|issue| issue.field.clone());
        let detail = match &self {
            Self::Refused(refused) => refused.detail.clone(),
            _ if !issues.is_empty() => Some(serde_json::json!({ "errors": issues })),
            _ => None,
        };
        Failure { code: self.code().to_owned(), message: self.to_string(), field, detail }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Interrupted => Self::Interrupted,
            StoreError::InDoubt => Self::InDoubt,
            StoreError::Full => Self::Full,
            StoreError::Stale => Self::stale(),
            StoreError::Taken { ref constraint } => Self::Conflict {
                code: "taken",
                message: format!("another record has the same value ({constraint})"),
                issues: vec![],
            },
            StoreError::Reference => Self::Conflict {
                code: "reference",
                message: "a reference leads to no record, or the record is still referred to".to_owned(),
                issues: vec![],
            },
            StoreError::Schema(message) => Self::BadRequest { code: "schema", message },
            StoreError::Range(message) => Self::BadRequest { code: "out_of_range", message },
            StoreError::Backend(_) => Self::Internal(Box::new(error)),
        }
    }
}

impl Error {
    /// Somebody else was faster.
    #[must_use]
    pub fn stale() -> Self {
        Self::Conflict {
            code: "stale",
            message: "the record was changed meanwhile; read it again and repeat the change".to_owned(),
            issues: vec![],
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { plugin, failure } => {
                let issues = failure
                    .field
                    .iter()
                    .map(|field| FieldIssue::new(field.clone(), failure.code.clone(), failure.message.clone()))
                    .collect();
                Self::Refused(Box::new(RefusedBy {
                    plugin: plugin.to_string(),
                    code: failure.code,
                    message: failure.message,
                    issues,
                    detail: failure.detail,
                }))
            }
            other => Self::Plugin(Box::new(other)),
        }
    }
}
