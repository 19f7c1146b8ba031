//! What search asks of a store: entries kept with records, and candidates for what was searched.

use pergola_model::{
    Id, ObjectName,
    search::{Entry, Term},
};

/// The entry of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// The record's object.
    pub object: ObjectName,
    /// The record.
    pub record: Id,
    /// What is found of it.
    pub entry: Entry,
}

/// What is searched for.
#[derive(Debug, Clone)]
pub struct IndexQuery {
    /// A record has to fulfil each of these.
    pub terms: Vec<Term>,
    /// Records of these objects.
    pub objects: Vec<ObjectName>,
    /// The most rows.
    pub limit: u32,
}

/// How far an object is indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// The object.
    pub object: ObjectName,
    /// What its entries are made of; see [`pergola_model::search::fingerprint`].
    pub fingerprint: String,
    /// Whether every record is indexed so.
    pub done: bool,
    /// The last record that is, while not all are.
    pub after: Option<Id>,
}
