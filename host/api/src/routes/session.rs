//! Signing in.

pub(super) mod create;
