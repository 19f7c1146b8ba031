//! Changes of the stored tables.

use std::sync::Arc;

use async_trait::async_trait;
use pergola_model::{Id, Object, Value, upgrade::Conversion};

use super::StoreError;

/// One step of a schema change, for showing and for [`SchemaChanges::apply_schema`].
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

/// Records that are to be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToConvert {
    /// Records that were not looked at so far, in the order of their ids.
    Next(Vec<Id>),
    /// Records that were written since they were looked at; none if all is done.
    Again(Vec<Id>),
}

impl ToConvert {
    /// The records.
    #[must_use]
    pub fn ids(&self) -> &[Id] {
        match self {
            Self::Next(ids) | Self::Again(ids) => ids,
        }
    }
}

/// The converted values of a record, in the order of the conversion's fields.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvertedRow {
    /// The record.
    pub record: Id,
    /// The values.
    pub values: Vec<Value>,
}

/// Changes the stored tables, within a transaction.
#[async_trait]
pub trait SchemaChanges: Send {
    /// Applies planned steps.
    async fn apply_schema(&mut self, steps: &[SchemaStep]) -> Result<(), StoreError>;

    /// Begins to convert fields of an object, or goes on with what was begun: their new values have a place beside the
    /// old ones, and records that are written from now on are noted.
    async fn begin_conversion(&mut self, conversion: &Conversion) -> Result<(), StoreError>;

    /// Records that are yet to be converted, at most so many: those not looked at so far, then those written since.
    async fn list_to_convert(&mut self, object: &Object, limit: u32) -> Result<ToConvert, StoreError>;

    /// Keeps converted values of these records, which [`Self::list_to_convert`] gave and the caller has loaded by
    /// [`super::Transaction::find_for_change`].
    async fn put_converted(
        &mut self,
        conversion: &Conversion,
        which: &ToConvert,
        rows: &[ConvertedRow],
    ) -> Result<(), StoreError>;

    /// Gives up what [`Self::begin_conversion`] began; the old values are as they were.
    async fn abandon_conversion(&mut self, conversion: &Conversion) -> Result<(), StoreError>;

    /// Nobody else writes records of the object until the end of the transaction.
    async fn hold_table(&mut self, object: &Object) -> Result<(), StoreError>;

    /// Clears a portion of what upgrades have dropped, where dropping it at once would take long; whether there may be
    /// more.
    async fn clear_dropped(&mut self) -> Result<bool, StoreError>;

    /// Takes out columns that were cleared and are too large to be taken out beside other writers.
    async fn drop_cleared(&mut self) -> Result<(), StoreError>;
}
