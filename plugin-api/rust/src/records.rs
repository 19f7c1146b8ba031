//! Reading and writing records, within the plugin's grants and the acting user's rights.
//!
//! In a hook, calls run inside the hook's own transaction. Elsewhere each call is its own:
//! [`apply`] is one unit of work, all or nothing.

mod aggregate;
mod balances;
mod change;
mod query;

pub use aggregate::{Aggregate, Table};
pub use balances::{Balance, Balances};
pub use change::Change;
pub use query::{Page, Query, Row, Rows};

use crate::bindings::pergola::plugin::records;
use crate::{Failure, Fields, Id, Record, Typed};

/// A new id, for records of one [`apply`] that refer to one another.
#[must_use]
pub fn new_id() -> Id {
    Id::from_wit(records::new_id())
}

/// The record, or none if it does not exist or may not be seen.
///
/// # Errors
/// The host's, such as `forbidden` where the manifest does not ask for the object.
pub fn get(object: &str, id: Id) -> Result<Option<Record>, Failure> {
    let found = records::get(object, id.to_wit()).map_err(Failure::from_wit)?;
    Ok(found.map(Record::from_wit))
}

/// The record as a typed struct, or none if it does not exist or may not be seen.
///
/// # Errors
/// As [`get`] and [`Typed::from_fields`].
pub fn find<T: Typed>(id: Id) -> Result<Option<T>, Failure> {
    get(T::OBJECT, id)?.map(|record| record.read()).transpose()
}

/// One page of the records that match; [`Query::rows`] walks all pages.
///
/// # Errors
/// The host's, such as a filter that it does not understand.
pub fn query(query: &Query) -> Result<Page, Failure> {
    query.page()
}

/// Applies the changes in order, all or nothing, through the same hooks and rules as everybody's writes.
///
/// Gives the records as they are afterwards, one for each change; a deleted one as it was.
/// At most 1,000 changes.
///
/// # Errors
/// Whatever refused a change: a rule, a hook, a right.
pub fn apply(changes: impl IntoIterator<Item = Change>) -> Result<Vec<Record>, Failure> {
    let changes: Vec<_> = changes.into_iter().map(Change::into_wit).collect();
    let written = records::apply(&changes).map_err(Failure::from_wit)?;
    Ok(written.into_iter().map(Record::from_wit).collect())
}

/// Creates one record.
///
/// # Errors
/// As [`apply`].
pub fn create(object: &str, fields: Fields) -> Result<Record, Failure> {
    apply_one(Change::create(object, fields))
}

/// Updates one record with the fields that change.
///
/// # Errors
/// As [`apply`].
pub fn update(object: &str, id: Id, fields: Fields) -> Result<Record, Failure> {
    apply_one(Change::update(object, id, fields))
}

/// Deletes one record and gives it as it was.
///
/// # Errors
/// As [`apply`].
pub fn delete(object: &str, id: Id) -> Result<Record, Failure> {
    apply_one(Change::delete(object, id))
}

fn apply_one(change: Change) -> Result<Record, Failure> {
    let mut written = apply([change])?;
    written.pop().ok_or_else(|| Failure::refused("host_error", "The host did not answer the record; look at its log."))
}
