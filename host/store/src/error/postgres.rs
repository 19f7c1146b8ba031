//! PostgreSQL's errors, by SQLSTATE and by the name of the broken constraint.
//!
//! Source: <https://www.postgresql.org/docs/15/errcodes-appendix.html>

use std::io::ErrorKind;

use pergola_model::Object;
use pergola_service::ports::store::StoreError;
use sqlx::postgres::PgDatabaseError;

use super::{ANSWER_KEY, ANSWERS, Gravity};
use crate::{dialect::id_constraint, sql::identifier};

/// The port's error for a connection that broke, or that could not be made.
///
/// Only PostgreSQL has such connections; SQLite's thread has [`sqlx::Error::WorkerCrashed`].
pub(super) fn from_connection(error: &sqlx::Error) -> Option<StoreError> {
    match error {
        // The server had its time already; another attempt would cost as much again.
        sqlx::Error::Io(cause) if cause.kind() == ErrorKind::TimedOut => {
            tracing::warn!(error = %cause, "a connection to the database is given up");
            Some(StoreError::Busy)
        }
        sqlx::Error::Io(cause) => {
            tracing::warn!(error = %cause, "the connection to the database broke");
            Some(StoreError::Interrupted)
        }
        _ => None,
    }
}

/// The port's error, if it has one for that.
pub(super) fn from_failure(failure: &PgDatabaseError, object: Option<&Object>) -> Option<StoreError> {
    Some(match failure.code() {
        "23505" => StoreError::Taken { constraint: constraint(failure.constraint().unwrap_or_default(), object) },
        "23503" => StoreError::Reference,
        "23502" if failure.table() == Some(ANSWERS) => StoreError::Taken { constraint: ANSWER_KEY.to_owned() },
        // Serialization failure, deadlock, lock not available in time.
        "40001" | "40P01" | "55P03" => StoreError::Interrupted,
        // Arithmetic left 64 bits, or the calendar.
        "22003" | "22008" => StoreError::Range(
            "a number or a day leaves its range: leave out the records for which it does, or calculate less".to_owned(),
        ),
        // A disk, or a quota of it.
        "53100" => StoreError::Full,
        // The statement's time is over, or there is no memory or no connection left.
        "57014" | "53200" | "53300" => StoreError::Busy,
        // The server stops, or starts just now, or ended a connection that did nothing for long.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => StoreError::Interrupted,
        code if code.starts_with("08") || is_stale_plan(failure) => StoreError::Interrupted,
        _ => return None,
    })
}

/// The connection has a statement prepared whose columns have another type since an upgrade.
fn is_stale_plan(failure: &PgDatabaseError) -> bool {
    failure.code() == "0A000" && failure.message().starts_with("cached plan")
}

/// Any error aborts the transaction; one of the classes for trouble beyond the statement ends it, for then the
/// unit of work is to begin anew.
pub(super) fn gravity(failure: &PgDatabaseError) -> Gravity {
    match failure.code() {
        "57P01" | "57P02" | "57P03" | "25P03" | "57P05" => Gravity::Connection,
        code if code.starts_with("08") || is_stale_plan(failure) => Gravity::Connection,
        "40001" | "40P01" | "55P03" | "57014" => Gravity::Transaction,
        code if code.starts_with("53") => Gravity::Transaction,
        _ => Gravity::Rollback,
    }
}

/// An index has the name of its rule, cut to what PostgreSQL takes; that of the ids is the table's own.
fn constraint(name: &str, object: Option<&Object>) -> String {
    let Some(object) = object else { return name.to_owned() };
    let rule = object.uniques.iter().find(|unique| identifier(&unique.name) == name);
    match rule {
        Some(rule) => rule.name.clone(),
        None if name == identifier(&id_constraint(object.name.as_str())) => format!("{}.id", object.name),
        None => name.to_owned(),
    }
}
