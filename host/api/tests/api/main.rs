//! The API over a real store in a temporary folder, with plugins that are played by the test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests; clippy.toml allows it only within functions marked as such, not in their helpers"
)]

mod auth;
mod bin;
mod export;
mod front;
mod lookup;
mod openapi;
mod plugins;
mod problems;
mod records;
mod search;
mod support;
