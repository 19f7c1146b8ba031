//! What every store must do, against the port alone.

pub(crate) mod bin;
pub(crate) mod conversion;
pub(crate) mod counters;
pub(crate) mod pages;
pub(crate) mod purge;
pub(crate) mod records;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod system;
pub(crate) mod timers;
pub(crate) mod units;
