//! One change to one record.

use crate::bindings::pergola::plugin::records;
use crate::{Fields, Id, Typed};

/// One change to one record, for [`apply`](super::apply).
///
/// # Examples
/// ```
/// use pergola_plugin::prelude::*;
///
/// let contact = Id::from_u128(7);
/// let change = Change::update("contact", contact, Fields::new().with("name", "Ann")).if_version(3);
/// assert_eq!(change.id, Some(contact));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `create`, `update` or `delete`.
    pub kind: &'static str,
    /// The object's full name.
    pub object: String,
    /// The record; for `create` an id from [`new_id`](super::new_id), or none for a new one.
    pub id: Option<Id>,
    /// Fail with `stale` unless the record is at this version.
    pub if_version: Option<i64>,
    /// Changed fields only.
    pub fields: Fields,
}

impl Change {
    /// Creates a record.
    pub fn create(object: impl Into<String>, fields: Fields) -> Self {
        Self { kind: "create", object: object.into(), id: None, if_version: None, fields }
    }

    /// Creates a record from a typed struct.
    pub fn create_typed<T: Typed>(record: T) -> Self {
        Self::create(T::OBJECT, record.into_fields())
    }

    /// Updates a record: only the fields given change.
    pub fn update(object: impl Into<String>, id: Id, fields: Fields) -> Self {
        Self { kind: "update", object: object.into(), id: Some(id), if_version: None, fields }
    }

    /// Deletes a record.
    pub fn delete(object: impl Into<String>, id: Id) -> Self {
        Self { kind: "delete", object: object.into(), id: Some(id), if_version: None, fields: Fields::new() }
    }

    /// Creates the record with this id, so that others of the same `apply` can refer to it.
    #[must_use]
    pub const fn with_id(mut self, id: Id) -> Self {
        self.id = Some(id);
        self
    }

    /// Fails with `stale` unless the record is at this version.
    #[must_use]
    pub const fn if_version(mut self, version: i64) -> Self {
        self.if_version = Some(version);
        self
    }

    pub(super) fn into_wit(self) -> records::Change {
        let Self { kind, object, id, if_version, fields } = self;
        let (kind, id) = (kind.to_owned(), id.map(Id::to_wit));
        records::Change { kind, object, id, if_version, fields: fields.into_wit() }
    }
}
