//! Values that the engine gives to a record of its own: first values, and formulas over its other fields.

use std::collections::BTreeMap;

use pergola_model::{Fields, Id, Object, Record};

use super::Unit;
use crate::{derived, error::Error};

impl Unit {
    /// First values for the fields that a new record does not name; they may look through its relations.
    pub(super) async fn set_initials(&mut self, object: &Object, id: Id, fields: Fields) -> Result<Fields, Error> {
        if object.derived.initials.iter().all(|initial| fields.names(&initial.key)) {
            return Ok(fields);
        }
        let mut record = Record { id, version: 1, created_at: self.now, updated_at: self.now, fields };
        for initial in &object.derived.initials {
            if record.fields.names(&initial.key) {
                continue;
            }
            let around = self.surroundings(object, &record, &[&initial.value]).await?;
            let value = derived::value_of(object, initial, &around.env(&record, self.now), &self.locale)?;
            if !value.is_null() {
                record.fields.set(initial.key.as_str(), value);
            }
        }
        Ok(record.fields)
    }

    /// What a new record is given: nothing counts for it yet, and its formulas.
    pub(super) fn derive_new(&self, object: &Object, record: &mut Record) -> Result<(), Error> {
        for rollup in &object.derived.rollups {
            derived::put(&mut record.fields, &rollup.key, rollup.of_none());
        }
        derived::compute(object, record, &self.locale).map(|_| ())
    }

    /// The record's formulas after a change; the keys of those that changed join the others.
    pub(super) fn derive(&self, object: &Object, record: &mut Record, changed: &mut Vec<String>) -> Result<(), Error> {
        changed.extend(derived::compute(object, record, &self.locale)?);
        Ok(())
    }
}

/// What was stored, for those who look at a record before and after a change.
pub(super) fn as_it_was(before: &Fields, now: &Record) -> Record {
    Record { fields: before.clone(), ..now.clone() }
}

/// Fields by the ids of records.
pub(super) type FieldsById = BTreeMap<Id, Fields>;
