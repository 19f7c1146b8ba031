//! Rules that a manifest declares and the engine keeps: transitions, exclusion, uniqueness, references.

use std::collections::BTreeMap;

use pergola_model::{
    FieldIssue, FieldType, Fields, Id, Object, Record, Value,
    expr::{Env, EvalError, Expression},
    object::Exclude,
};

use super::Unit;
use crate::{error::Error, ports::store::StoreError};

impl Unit {
    /// The records that a record's references lead to, as far as the expressions look at them.
    pub(super) async fn related(
        &mut self,
        object: &Object,
        record: &Record,
        expressions: &[&Expression],
    ) -> Result<BTreeMap<String, Record>, Error> {
        let mut related = BTreeMap::new();
        for via in expressions.iter().flat_map(|expression| expression.relations()) {
            let (Some(id), Some(field)) = (record.fields.get(via).as_ref_id(), object.field(via)) else { continue };
            let FieldType::Ref { to, .. } = &field.kind else { continue };
            if related.contains_key(via) {
                continue;
            }
            let Some(target) = self.catalog.object(to).cloned() else { continue };
            if let Some(found) = self.tx.find(&target, id).await? {
                related.insert(via.to_owned(), found);
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

    /// Passes when every choice with declared transitions takes a permitted step.
    pub(super) async fn check_transitions(
        &mut self,
        object: &Object,
        before: &Fields,
        after: &Record,
    ) -> Result<(), Error> {
        for rule in &object.transitions {
            let (old, new) = (before.get(&rule.field), after.fields.get(&rule.field));
            let (Some(old_code), Some(new_code)) = (old.as_text(), new.as_text()) else { continue };
            if old_code == new_code {
                continue;
            }
            let mut guarded = None;
            let mut allowed = false;
            for step in rule.steps.iter().filter(|step| step.to == new_code) {
                if step.from.as_deref().is_some_and(|from| from != old_code) {
                    continue;
                }
                match &step.guard {
                    Some(guard) if !self.holds(object, after, guard).await? => {
                        guarded = Some(guard.source().to_owned())
                    }
                    _ => allowed = true,
                }
            }
            if !allowed {
                return Err(no_step(&rule.field, old_code, new_code, guarded.as_deref()));
            }
        }
        Ok(())
    }

    /// Passes when the stored record overlaps no other under the object's rules.
    pub(super) async fn check_overlaps(&mut self, object: &Object, record: &Record) -> Result<(), Error> {
        for rule in &object.excludes {
            let (from, until) = (record.fields.get(&rule.from), record.fields.get(&rule.until));
            let (Value::DateTime(start), Value::DateTime(end)) = (from, until) else { continue };
            if end <= start {
                return Err(Error::invalid(&rule.until, "out_of_range", format!("must be after {}", rule.from)));
            }
            if record.fields.get(&rule.on).is_null() {
                continue;
            }
            if let Some(when) = &rule.when
                && !self.holds(object, record, when).await?
            {
                continue;
            }
            let catalog = std::sync::Arc::clone(&self.catalog);
            if let Some(resource) = record.fields.get(&rule.on).as_ref_id() {
                self.tx.lock(&[format!("{}:{resource}", rule.name)]).await?;
            }
            if let Some(other) = self.tx.find_overlap(&catalog, object, rule, record, self.now).await? {
                return Err(overlap(object, rule, other));
            }
        }
        Ok(())
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

fn overlap(object: &Object, rule: &Exclude, other: Id) -> Error {
    Error::Conflict {
        code: "overlap",
        message: format!("overlaps {} {other} of the same {}; take another time", object.name, rule.on),
        issues: vec![FieldIssue::new(rule.from.clone(), "overlap", "take another time")],
    }
}

fn no_step(field: &str, old: &str, new: &str, guard: Option<&str>) -> Error {
    let message = match guard {
        Some(guard) => format!("{field} may go from {old} to {new} only if {guard}"),
        None => format!("{field} cannot go from {old} to {new}"),
    };
    Error::Conflict { code: "transition", issues: vec![FieldIssue::new(field, "transition", message.clone())], message }
}
