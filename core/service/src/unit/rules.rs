//! Rules that a manifest declares and the engine keeps on every write, a file for each; here what they share.

mod capacity;
mod check;
mod exclude;
mod hold;
mod transitions;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use pergola_model::{
    FieldIssue, FieldType, Id, Object, Record,
    expr::{Env, EvalError, Expression},
};

pub(super) use capacity::Freed;

use super::Unit;
use crate::{error::Error, ports::store::StoreError};

/// The records that one record's references lead to, by referring field.
type Related = BTreeMap<String, Record>;

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

    /// The records that a record's references lead to, as far as the expressions look at them.
    pub(super) async fn related(
        &mut self,
        object: &Object,
        record: &Record,
        expressions: &[&Expression],
    ) -> Result<Related, Error> {
        Ok(self.related_all(object, &[record], expressions).await?.pop().unwrap_or_default())
    }

    /// The same for each of many records, with one query for each reference.
    pub(super) async fn related_all(
        &mut self,
        object: &Object,
        records: &[&Record],
        expressions: &[&Expression],
    ) -> Result<Vec<Related>, Error> {
        let mut related = vec![Related::new(); records.len()];
        let vias: BTreeSet<&str> = expressions.iter().flat_map(|expression| expression.relations()).collect();
        for via in vias {
            let Some(FieldType::Ref { to, .. }) = object.field(via).map(|field| &field.kind) else { continue };
            let Some(target) = self.catalog.object(to).cloned() else { continue };
            let ids: BTreeSet<Id> = records.iter().filter_map(|record| record.fields.get(via).as_ref_id()).collect();
            let ids: Vec<Id> = ids.into_iter().collect();
            if ids.is_empty() {
                continue;
            }
            let found = self.tx.find_many(&target, &ids).await?;
            let found: BTreeMap<Id, Record> = found.into_iter().map(|record| (record.id, record)).collect();
            for (record, related) in records.iter().zip(&mut related) {
                let other = record.fields.get(via).as_ref_id().and_then(|id| found.get(&id));
                if let Some(other) = other {
                    related.insert(via.to_owned(), other.clone());
                }
            }
        }
        Ok(related)
    }

    /// Whether an expression holds for the record as it is now.
    pub(super) async fn holds(
        &mut self,
        object: &Object,
        record: &Record,
        expression: &Expression,
    ) -> Result<bool, Error> {
        let related = self.related(object, record, &[expression]).await?;
        let env = Env { record, related: &related, now: self.now, parameters: &[] };
        expression.holds(&env).map_err(|error| not_computable(expression, &error))
    }

    /// Puts the names of fields to what the store says without them.
    pub(super) async fn explain(&mut self, object: &Object, records: &[Record], error: StoreError) -> Error {
        match error {
            StoreError::Taken { constraint } => taken(object, &constraint),
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

pub(super) fn not_computable(expression: &Expression, error: &EvalError) -> Error {
    Error::BadRequest {
        code: "not_computable",
        message: format!("{} cannot be computed for this record: {error}", expression.source()),
    }
}

fn taken(object: &Object, constraint: &str) -> Error {
    let fields = object.uniques.iter().find(|unique| unique.name == constraint).map(|unique| unique.fields.as_slice());
    let fields = fields.unwrap_or_default();
    Error::Conflict {
        code: "taken",
        message: format!("another {} has the same {}", object.name, fields.join(" and ")),
        issues: fields
            .iter()
            .map(|field| FieldIssue::new(field.clone(), "taken", "take a value that no other record has"))
            .collect(),
    }
}
