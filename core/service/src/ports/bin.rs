//! What the store keeps of deleted records, so that they can come back.

use jiff::Timestamp;
use pergola_model::{Id, ObjectName, PluginId};

/// A record that was deleted, with what its deletion took along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// A `UUIDv7`: deletions sort by time.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// Who: a user's name, `system`, `public`.
    pub actor: String,
    /// The plugin through which they acted.
    pub plugin: Option<PluginId>,
    /// The object of the record that they deleted.
    pub object: ObjectName,
    /// The record that they deleted.
    pub record: Id,
    /// What people call it.
    pub title: String,
    /// How many records went, this one included.
    pub records: i64,
}

/// One thing that a deletion took along.
#[derive(Debug, Clone, PartialEq)]
pub struct BinItem {
    /// Of which deletion.
    pub deletion: Id,
    /// Counts from 0, in the order in which it was done.
    pub place: i64,
    /// The object of the record.
    pub object: ObjectName,
    /// The record.
    pub record: Id,
    /// What became of it.
    pub content: BinContent,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum BinContent {
    /// It was deleted; this is what it was.
    Record(serde_json::Value),
    /// Its reference became empty.
    Reference {
        /// The key of the field.
        field: String,
        /// What stood there.
        to: Id,
    },
}

/// A page of the bin, newest first.
#[derive(Debug, Clone)]
pub struct BinQuery {
    /// Only deletions of records of this object.
    pub object: Option<ObjectName>,
    /// Only deletions before this one.
    pub after: Option<Id>,
    /// How many.
    pub limit: u32,
}
