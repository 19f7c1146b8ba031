//! What an upgrade of a plugin does to stored data: the changes that its manifest declares, from the installed version on.
//!
//! Adding needs no declaration and is not told here. Whatever else differs between the two versions must be declared, so
//! that no data get out of reach because somebody mistyped a name.

mod convert;
mod follow;
mod moved;

use std::sync::Arc;

use crate::{
    catalog::{Catalog, CatalogIssue},
    decl::{Manifest, OnError},
    field::{Field, FieldType},
    object::Object,
};

pub use convert::{can_convert, convert, is_widening};
pub use moved::{Moved, moved};

/// What becomes of stored data.
#[derive(Debug, Clone, Default)]
pub struct Upgrade {
    /// Fields that are renamed, get another type or are dropped.
    pub fields: Vec<FieldChange>,
    /// Objects that are dropped, as they were.
    pub dropped: Vec<Arc<Object>>,
}

/// What becomes of one field.
#[derive(Debug, Clone)]
pub struct FieldChange {
    /// Its object, as it was.
    pub object: Arc<Object>,
    /// The field, as it was.
    pub before: Field,
    /// What it becomes.
    pub fate: Fate,
}

/// What a field becomes.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It has another name.
    Renamed(Field),
    /// It has another type, and perhaps another name.
    Retyped(Field, OnError),
    /// It is no more.
    Dropped,
}

impl Upgrade {
    /// What the new version of a plugin declares to change, against the catalog of before and the one of after.
    ///
    /// # Errors
    /// What is not declared, with the step to write; and steps that do not fit.
    pub fn plan(
        installed: &Manifest,
        before: &Catalog,
        upgraded: &Manifest,
        after: &Catalog,
    ) -> Result<Self, Vec<CatalogIssue>> {
        follow::follow(installed, before, upgraded, after)
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.dropped.is_empty()
    }

    /// The fields whose values are converted, by object.
    #[must_use]
    pub fn conversions(&self) -> Vec<Conversion> {
        let mut all: Vec<Conversion> = Vec::new();
        for change in &self.fields {
            let Fate::Retyped(to, on_error) = &change.fate else { continue };
            let converted = Converted { from: change.before.clone(), to: to.clone(), on_error: *on_error };
            match all.iter_mut().find(|one| one.object.name == change.object.name) {
                Some(conversion) => conversion.fields.push(converted),
                None => all.push(Conversion { object: Arc::clone(&change.object), fields: vec![converted] }),
            }
        }
        all
    }
}

/// Fields of one object whose values are converted.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The object, as it was.
    pub object: Arc<Object>,
    /// The fields.
    pub fields: Vec<Converted>,
}

/// A field whose values are converted.
#[derive(Debug, Clone)]
pub struct Converted {
    /// As it was.
    pub from: Field,
    /// As it will be.
    pub to: Field,
    /// What becomes of values that do not fit.
    pub on_error: OnError,
}

/// A type in words.
fn described(kind: &FieldType) -> String {
    match kind {
        FieldType::Decimal { scale } => format!("decimal with {scale} digits"),
        FieldType::Ref { to, .. } => format!("ref to {to}"),
        kind => kind.name().to_owned(),
    }
}

#[cfg(test)]
mod tests;
