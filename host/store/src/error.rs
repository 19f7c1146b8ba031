//! From the databases' errors to the port's.

mod postgres;
mod sqlite;

use pergola_model::Object;
use pergola_service::ports::store::StoreError;
use sqlx::postgres::PgDatabaseError;

/// Answers under idempotency keys: a second one for a key fails by a hash that is null (`accounts`).
const ANSWERS: &str = "pergola_answer";
const ANSWER_KEY: &str = "pergola_answer.key";

/// A failure that is not the database's, in its own words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unexpected(String);

/// Something that the store cannot do or did not expect to find.
pub(crate) fn unexpected(message: impl Into<String>) -> StoreError {
    StoreError::Backend(Box::new(Unexpected(message.into())))
}

/// The port's error; a broken unique rule is named if it is one of `object`.
pub(crate) fn from_sqlx(error: sqlx::Error, object: Option<&Object>) -> StoreError {
    let known = match error.as_database_error() {
        None => postgres::from_connection(&error),
        Some(failure) => match failure.try_downcast_ref::<PgDatabaseError>() {
            Some(failure) => postgres::from_failure(failure, object),
            None => sqlite::from_failure(failure, object),
        },
    };
    known.unwrap_or_else(|| StoreError::Backend(Box::new(error)))
}

/// What an error ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// The statement alone, and the database has undone it.
    Statement,
    /// The statement, once somebody rolls back to before it.
    Rollback,
    /// The transaction.
    Transaction,
    /// The connection.
    Connection,
}

impl Gravity {
    /// Of this error. Whatever is not the database's own answer (a crashed worker, say) ends everything.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error.as_database_error() {
            None => Self::Connection,
            Some(failure) => match failure.try_downcast_ref::<PgDatabaseError>() {
                Some(failure) => postgres::gravity(failure),
                None => sqlite::gravity(failure),
            },
        }
    }
}

/// The same error for another caller of the same group.
pub(crate) fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Taken { constraint } => StoreError::Taken { constraint: constraint.clone() },
        StoreError::Reference => StoreError::Reference,
        StoreError::Stale => StoreError::Stale,
        StoreError::Full => StoreError::Full,
        StoreError::Busy => StoreError::Busy,
        StoreError::Interrupted => StoreError::Interrupted,
        StoreError::InDoubt => StoreError::InDoubt,
        StoreError::Schema(message) => StoreError::Schema(message.clone()),
        StoreError::Range(message) => StoreError::Range(message.clone()),
        StoreError::Backend(source) => unexpected(source.to_string()),
    }
}
