//! What only contacts have.

pub(super) mod timeline;
