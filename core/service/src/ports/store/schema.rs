//! Changes of the stored tables.

use std::sync::Arc;

use pergola_model::Object;

/// One step of a schema change, for showing and for [`super::Transaction::apply_schema`].
#[derive(Debug, Clone)]
pub struct SchemaStep {
    /// For people: `add column salon.preferred_master to contact`.
    pub summary: String,
    /// What is to be done.
    pub work: SchemaWork,
}

/// What a step of a schema change does.
#[derive(Debug, Clone)]
pub enum SchemaWork {
    /// Statements for the database that planned them.
    Sql(String),
    /// Gives every record of an object its key under a unique rule of that name.
    Keys(Arc<Object>, String),
    /// Statements that make a unique rule of that name, if no two records of the object break it.
    Unique(Arc<Object>, String, String),
}
