//! What the service needs of the host: a store, plugins, a clock, ids, a way out for messages.
//!
//! The service calls these traits; the host crates implement them; tests fake them.

pub mod bin;
pub mod counters;
pub mod imports;
pub mod plugins;
pub mod purge;
pub mod search;
pub mod sink;
pub mod store;

use jiff::Timestamp;
use pergola_model::Id;

/// Tells the time. Called for every unit of work; must not block.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, UTC, at microseconds.
    fn now(&self) -> Timestamp;
}

/// Makes identifiers. Called for every new record; must not block.
pub trait Ids: Send + Sync + 'static {
    /// A new UUIDv7 for a record created at `now`.
    fn next(&self, now: Timestamp) -> Id;
}
