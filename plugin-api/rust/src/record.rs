//! Records, as they are stored and as typed structs.

use crate::bindings::pergola::plugin::types;
use crate::{DateTime, Failure, Fields, Id};

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The object's name: `contact`, `booking.appointment`.
    pub object: String,
    /// Its id.
    pub id: Id,
    /// Grows by one at every change.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime,
    /// When it last changed.
    pub updated_at: DateTime,
    /// Its fields; those without a value are left out.
    pub fields: Fields,
}

impl Record {
    /// Reads the fields into a typed struct.
    ///
    /// # Errors
    /// As [`Fields::read`], with the field that did not fit.
    pub fn read<T: Typed>(&self) -> Result<T, Failure> {
        T::from_fields(&self.fields)
    }

    pub(crate) fn from_wit(record: types::StoredRecord) -> Self {
        let types::StoredRecord { object, id, version, created_at, updated_at, fields } = record;
        Self {
            object,
            id: Id::from_wit(id),
            version,
            created_at: DateTime::from_micros(created_at),
            updated_at: DateTime::from_micros(updated_at),
            fields: Fields::from_wit(fields),
        }
    }
}

/// A struct for an object's fields; [`plugin!`](crate::plugin) writes one for each object in the manifest.
pub trait Typed: Sized {
    /// The object's full name: `booking.appointment`.
    const OBJECT: &'static str;

    /// Reads the fields.
    ///
    /// # Errors
    /// - `missing_value`: a required field has no value; also if a query did not ask for it.
    /// - `wrong_kind`: a field has a value of another kind.
    fn from_fields(fields: &Fields) -> Result<Self, Failure>;

    /// The fields that have a value, for a create or an update. Formulas are left out: the host computes them.
    fn into_fields(self) -> Fields;

    /// Reads a record's fields.
    ///
    /// # Errors
    /// As [`Typed::from_fields`].
    fn from_record(record: &Record) -> Result<Self, Failure> {
        Self::from_fields(&record.fields)
    }
}
