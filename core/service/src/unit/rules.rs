//! Rules that a manifest declares and the engine keeps on every write, a file for each; here what they share.

mod capacity;
mod check;
mod exclude;
mod hold;
mod transitions;
mod waiting;

use std::collections::BTreeSet;

use pergola_model::{FieldIssue, FieldType, Object, Record};

pub(super) use capacity::Freed;

use super::Unit;
use crate::{error::Error, ports::store::StoreError};

/// A record as it was written, and what of it is new.
pub(super) struct Touched<'a> {
    pub(super) record: &'a Record,
    /// The fields whose value changed; none for a new record, of which all is.
    pub(super) changed: Option<&'a [String]>,
    /// Whether it was a hold whose time is over: its claim is a new one.
    pub(super) is_late: bool,
}

/// What a batch will do to one record: from nothing on create, to nothing on delete.
pub(super) struct Planned {
    pub(super) before: Option<Record>,
    pub(super) after: Option<Record>,
}

impl Planned {
    /// Whether one of these fields changes.
    fn touches(&self, keys: &BTreeSet<String>) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => keys.iter().any(|key| before.fields.get(key) != after.fields.get(key)),
            _ => true,
        }
    }
}

impl Touched<'_> {
    /// Whether any of these fields is new.
    fn touches<'k>(&self, mut keys: impl Iterator<Item = &'k str>) -> bool {
        self.changed.is_none_or(|changed| keys.any(|key| changed.iter().any(|one| one == key)))
    }
}

impl Unit {
    /// Passes when the records keep the object's rules, as far as they are about what is written.
    pub(super) async fn check_written(&mut self, object: &Object, touched: &[Touched<'_>]) -> Result<(), Error> {
        self.check_rules(object, touched).await?;
        self.check_overlaps(object, touched).await
    }

    /// Puts the names of fields to what the store says without them.
    pub(super) async fn explain(&mut self, object: &Object, records: &[Record], error: StoreError) -> Error {
        match error {
            StoreError::Taken { constraint } => taken(object, constraint),
            // What a stored key is made of.
            StoreError::Range(message) => {
                let rule = object.uniques.iter().find(|rule| rule.key.is_some());
                let field = rule.and_then(|rule| rule.fields.first()).map_or("", String::as_str);
                Error::invalid(field, "not_computable", message)
            }
            StoreError::Reference => match self.missing_references(object, records).await {
                Ok(issues) if !issues.is_empty() => Error::Invalid(issues),
                Ok(_) => StoreError::Reference.into(),
                Err(error) => error,
            },
            other => other.into(),
        }
    }

    async fn missing_references(&mut self, object: &Object, records: &[Record]) -> Result<Vec<FieldIssue>, Error> {
        let mut issues = Vec::new();
        for field in object.fields.values() {
            let FieldType::Ref { to, .. } = &field.kind else { continue };
            let Some(target) = self.catalog.object(to).cloned() else { continue };
            for id in records.iter().filter_map(|record| record.fields.get(&field.key).as_ref_id()) {
                if self.tx.find(&target, id).await?.is_none() {
                    issues.push(FieldIssue::new(field.key.clone(), "no_such_record", format!("there is no {to} {id}")));
                }
            }
        }
        Ok(issues)
    }
}

fn taken(object: &Object, constraint: String) -> Error {
    let Some(unique) = object.uniques.iter().find(|unique| unique.name == constraint) else {
        // Of something else that was written in the same step.
        return StoreError::Taken { constraint }.into();
    };
    let fields = &unique.fields;
    Error::Conflict {
        code: "taken",
        message: format!("another {} has the same {}", object.name, fields.join(" and ")),
        issues: fields
            .iter()
            .map(|field| FieldIssue::new(field.clone(), "taken", "take a value that no other record has"))
            .collect(),
    }
}
