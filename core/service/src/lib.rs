//! The unit of work, hook order, timers, events and messages; declares the ports that the host fills.
//!
//! Reading order: [`ports`] is what the host gives; [`workspace`] is the front door; `unit` is the one
//! way in which records change; `guest` is what plugins' code may ask for; [`lookup`] finds who has an address, [`balances`] what the entries of ledgers come to; [`worker`] is what happens after commit.
//!
//! Invariants: no sqlx, axum, wasmtime, environment, files or system clock.

pub mod balances;
mod derived;
pub mod error;
pub mod guest;
pub mod lookup;
pub mod mutants;
pub mod ports;
pub mod rights;
mod unit;
pub mod worker;
pub mod workspace;

pub use error::Error;
pub use worker::Worker;
pub use workspace::{ApplyMode, Workspace};
