//! The program as its users have it: started, spoken to, stopped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests; clippy.toml allows it only within functions marked as such, not in their helpers"
)]

mod backup;
mod backup_on_server;
mod bad_requests;
mod demo;
mod doctor;
mod export;
mod faults;
mod full_disk;
mod import;
mod import_killed;
mod plugin;
mod support;
mod tutorial;
mod workspaces;
