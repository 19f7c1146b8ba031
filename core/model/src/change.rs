//! What somebody wants changed: one record created, updated or deleted.

use serde::{Deserialize, Serialize};

use crate::{name::ObjectName, record::Fields, value::Id};

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A new record.
    Create,
    /// Fields of a record.
    Update,
    /// The end of a record.
    Delete,
}

impl ChangeKind {
    /// The name in manifests, the audit and the plugin contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One change to one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it does.
    pub kind: ChangeKind,
    /// To a record of which object.
    pub object: ObjectName,
    /// Which record; for a create, none takes a new id.
    pub id: Option<Id>,
    /// Fail unless the record is at this version.
    pub if_version: Option<i64>,
    /// The changed fields; empty for a delete.
    pub fields: Fields,
}

impl Change {
    /// A new record.
    #[must_use]
    pub fn create(object: ObjectName, fields: Fields) -> Self {
        Self { kind: ChangeKind::Create, object, id: None, if_version: None, fields }
    }

    /// Fields of a record.
    #[must_use]
    pub fn update(object: ObjectName, id: Id, fields: Fields) -> Self {
        Self { kind: ChangeKind::Update, object, id: Some(id), if_version: None, fields }
    }

    /// The end of a record.
    #[must_use]
    pub fn delete(object: ObjectName, id: Id) -> Self {
        Self { kind: ChangeKind::Delete, object, id: Some(id), if_version: None, fields: Fields::new() }
    }
}
