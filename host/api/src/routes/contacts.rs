//! What only contacts have.

pub(super) mod purge;
pub(super) mod timeline;
