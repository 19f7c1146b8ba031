//! What goes in and out: spreadsheets imported, records exported, messages delivered.
//!
//! [`import()`] brings a client base from a spreadsheet into a workspace, through the one write path.
//! [`Export`] takes records out of it as a file, of which the import reads the tables back.
//! [`sink`] takes messages out of it, to a file or by mail.
//! [`archive`] is a backup as one file, in which no flipped byte goes unseen.
//!
//! Invariants: no sqlx, axum, wasmtime, environment or system clock.

pub mod archive;
mod export;
mod guard;
mod import;
pub mod sink;

pub use export::{Export, ExportError, ExportFormat, ExportOptions};
pub use import::{
    Content, Difference, ImportError, ImportOptions, ImportSummary, OnMatch, Problem, Progress, Source, import,
};

/// The heading of the column with a reference's id, beside the one with the other record's title.
pub(crate) fn reference_id_heading(key: &str) -> String {
    format!("{key}.id")
}
