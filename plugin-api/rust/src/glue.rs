//! What the code that `plugin!` writes calls: conversions between the contract's types and the SDK's.
//!
//! Public because that code is in the plugin's crate; not for authors, and it may change at any time.

use crate::bindings::pergola::plugin::types;
use crate::{DateTime, Due, Event, Failure, Fields, Id, Kind, OwnDue, Record, Verdict, Write, Written};

/// Prepares an instance; called at the start of every handler.
pub fn start() {
    #[cfg(all(target_family = "wasm", feature = "panic-log"))]
    std::panic::set_hook(Box::new(|info| crate::log::error(info.to_string())));
}

/// From the SDK's failure to the contract's.
#[must_use]
pub fn failure(failure: Failure) -> types::Failure {
    failure.into_wit()
}

/// One row of a batch of writes.
///
/// # Errors
/// `unsupported` for an unknown kind.
pub fn write(
    object: &str,
    kind: &str,
    id: types::Id,
    before: Vec<types::Field>,
    changes: Vec<types::Field>,
) -> Result<Write, types::Failure> {
    Ok(Write {
        object: object.to_owned(),
        kind: Kind::from_wit(kind).map_err(Failure::into_wit)?,
        id: Id::from_wit(id),
        before: Fields::from_wit(before),
        changes: Fields::from_wit(changes),
    })
}

/// The parts of a verdict.
#[must_use]
pub fn verdict(verdict: Verdict) -> (Vec<types::Field>, Option<types::Failure>) {
    (verdict.changes.into_wit(), verdict.refusal.map(Failure::into_wit))
}

/// One row of a batch of written records.
///
/// # Errors
/// `unsupported` for an unknown kind.
pub fn written(
    kind: &str,
    before: Vec<types::Field>,
    now: types::StoredRecord,
    changed: Vec<String>,
) -> Result<Written, types::Failure> {
    let kind = Kind::from_wit(kind).map_err(Failure::into_wit)?;
    Ok(Written { kind, before: Fields::from_wit(before), now: Record::from_wit(now), changed })
}

/// One change that was committed.
///
/// # Errors
/// `unsupported` for an unknown kind.
pub fn event(
    key: String,
    object: String,
    kind: &str,
    id: types::Id,
    changed: Vec<String>,
    at: i64,
) -> Result<Event, types::Failure> {
    let kind = Kind::from_wit(kind).map_err(Failure::into_wit)?;
    Ok(Event { key, object, kind, id: Id::from_wit(id), changed, at: DateTime::from_micros(at) })
}

/// A timer that fell due.
#[must_use]
pub fn due(action: String, key: String, at: i64, target: types::StoredRecord) -> Due {
    Due { action, key, at: DateTime::from_micros(at), target: Record::from_wit(target) }
}

/// A timer that the plugin set itself and that fell due.
#[must_use]
pub fn own_due(action: String, name: String, key: String, at: i64, payload: String) -> OwnDue {
    OwnDue { action, name, key, at: DateTime::from_micros(at), payload }
}
