//! What goes in and out: spreadsheets imported, messages delivered.
//!
//! [`import()`] brings a client base from a spreadsheet into a workspace, through the one write path.
//! [`sink`] takes messages out of it, to a file or by mail.
//! [`archive`] is a backup as one file, in which no flipped byte goes unseen.
//!
//! Invariants: no sqlx, axum, wasmtime, environment or system clock.

pub mod archive;
mod import;
pub mod sink;

pub use import::{Content, ImportError, ImportOptions, ImportSummary, Problem, Progress, Source, import};
