//! SQLite's errors, by result code.

use pergola_model::{Object, object::Unique};
use pergola_service::ports::store::StoreError;
use sqlx::error::DatabaseError;

use super::{ANSWER_KEY, ANSWERS, Gravity};
use crate::{key, sql::identifier};

/// How SQLite begins the message of a broken unique rule; the columns follow.
const UNIQUE_FAILED: &str = "UNIQUE constraint failed: ";

// Primary result codes: https://www.sqlite.org/rescode.html
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_NOMEM: i32 = 7;
const SQLITE_INTERRUPT: i32 = 9;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
// Extended result codes.
const SQLITE_IOERR_WRITE: i32 = 778;
const SQLITE_CONSTRAINT_FOREIGNKEY: i32 = 787;
const SQLITE_CONSTRAINT_NOTNULL: i32 = 1299;
const SQLITE_CONSTRAINT_PRIMARYKEY: i32 = 1555;
const SQLITE_CONSTRAINT_UNIQUE: i32 = 2067;

/// The port's error, if it has one for that.
pub(super) fn from_failure(failure: &dyn DatabaseError, object: Option<&Object>) -> Option<StoreError> {
    let code = code(failure);
    Some(match (code, code & 0xff) {
        (SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY, _) => {
            StoreError::Taken { constraint: constraint(failure.message(), object) }
        }
        (SQLITE_CONSTRAINT_FOREIGNKEY, _) => StoreError::Reference,
        (SQLITE_CONSTRAINT_NOTNULL, _) if failure.message().contains(ANSWERS) => {
            StoreError::Taken { constraint: ANSWER_KEY.to_owned() }
        }
        // A quota or a limit on the file's size: SQLite calls FULL only what the system calls so.
        (SQLITE_IOERR_WRITE, _) | (_, SQLITE_FULL) => StoreError::Full,
        // A reader's statement is interrupted when it runs too long: another day it may be quicker.
        (_, SQLITE_BUSY | SQLITE_LOCKED | SQLITE_INTERRUPT) => StoreError::Busy,
        _ => return None,
    })
}

/// SQLite may roll the whole transaction back by itself.
///
/// Source: <https://www.sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction".
pub(super) fn gravity(failure: &dyn DatabaseError) -> Gravity {
    match code(failure) & 0xff {
        SQLITE_FULL | SQLITE_IOERR | SQLITE_NOMEM | SQLITE_BUSY | SQLITE_INTERRUPT | SQLITE_CORRUPT => {
            Gravity::Transaction
        }
        _ => Gravity::Statement,
    }
}

fn code(failure: &dyn DatabaseError) -> i32 {
    failure.code().and_then(|code| code.parse().ok()).unwrap_or_default()
}

/// SQLite names the columns of a broken rule (`contact.phone, contact.name`), not its index.
fn constraint(message: &str, object: Option<&Object>) -> String {
    let columns = message.strip_prefix(UNIQUE_FAILED).unwrap_or(message);
    let Some(object) = object else { return columns.to_owned() };
    let qualified = |column: &String| format!("{}.{}", identifier(object.name.as_str()), identifier(column));
    let told = |rule: &Unique| key::columns(rule).iter().map(qualified).collect::<Vec<_>>().join(", ");
    object
        .uniques
        .iter()
        .find(|unique| told(unique) == columns)
        .map_or_else(|| columns.to_owned(), |unique| unique.name.clone())
}
