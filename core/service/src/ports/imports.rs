//! What the store keeps of imports: how far each is, and what it wrote, so that it can go on and be taken back.

use jiff::Timestamp;
use pergola_model::{Id, ObjectName};

/// A file whose rows were brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImport {
    /// A `UUIDv7`: imports sort by time.
    pub id: Id,
    /// What the rows became.
    pub object: ObjectName,
    /// The file's name, for people.
    pub file: String,
    /// SHA-256 of the file.
    pub digest: Vec<u8>,
    /// How the file was read, as JSON: the same file read otherwise is another import.
    pub settings: String,
    /// Who: the name in the audit.
    pub actor: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How far it is.
    pub state: ImportState,
    /// The number of the last row that was dealt with.
    pub last_line: i64,
    /// How many entries it has.
    pub entries: i64,
    /// What became of the rows so far; the importer's own.
    pub tally: serde_json::Value,
    /// Grows with every write of this row, so that two processes cannot go on with one import.
    pub revision: i64,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Under way, or stopped before its end.
    Running,
    /// All rows were dealt with.
    Done,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

impl ImportState {
    /// The name in the store and for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Undoing, Self::Undone].into_iter().find(|state| state.as_str() == text)
    }
}

/// One record that an import wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportEntry {
    /// Counts from 1, in the order of writing.
    pub place: i64,
    /// The number of the row; 0 for what a plugin's hook made besides.
    pub line: i64,
    /// The record's object.
    pub object: ObjectName,
    /// The record.
    pub record: Id,
    /// What was done.
    pub wrote: Wrote,
}

/// What an import did to a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Wrote {
    /// Created it.
    Created {
        /// Its version after the import's last write.
        version: i64,
    },
    /// Changed fields of it.
    Updated {
        /// `{field: [before, after]}`.
        changes: serde_json::Value,
    },
}

/// What became of an entry when its import was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryOutcome {
    /// It was taken back.
    Undone,
    /// It stays, because somebody has changed the record since, or refers to it.
    Kept,
}

impl EntryOutcome {
    /// The name in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undone => "undone",
            Self::Kept => "kept",
        }
    }
}
