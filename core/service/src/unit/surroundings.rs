//! What an expression about a record reads besides that record: those it leads to, and answers about its children.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use pergola_model::{
    FieldType, Id, Object, Record, Value,
    expr::{ChildRecords, Children, Env, EvalError, Expression},
};

use super::Unit;
use crate::error::Error;

/// What some expressions about one record need to be evaluated.
#[derive(Default)]
pub(super) struct Surroundings<'e> {
    related: BTreeMap<Vec<String>, Record>,
    children: Answers<'e>,
}

/// Questions about children and what the store said, in this transaction.
#[derive(Default)]
struct Answers<'e>(Vec<(&'e Children, Id, Value)>);

impl ChildRecords for Answers<'_> {
    fn answer(&self, asked: &Children, of: Id) -> Result<Value, EvalError> {
        let found = self.0.iter().find(|(known, id, _)| *id == of && std::ptr::eq(*known, asked));
        found.map_or_else(|| ().answer(asked, of), |(_, _, value)| Ok(value.clone()))
    }
}

impl Surroundings<'_> {
    /// What the expressions are evaluated over.
    pub(super) fn env<'a>(&'a self, record: &'a Record, now: Timestamp) -> Env<'a> {
        Env { record, related: &self.related, children: &self.children, now, parameters: &[] }
    }
}

impl Unit {
    /// Reads what the expressions look at around one record.
    pub(super) async fn surroundings<'e>(
        &mut self,
        object: &Object,
        record: &Record,
        expressions: &[&'e Expression],
    ) -> Result<Surroundings<'e>, Error> {
        Ok(self.surroundings_all(object, &[record], expressions).await?.pop().unwrap_or_default())
    }

    /// The same around each of many records: one query for each step of a path, and for each record one for each
    /// question about children.
    pub(super) async fn surroundings_all<'e>(
        &mut self,
        object: &Object,
        records: &[&Record],
        expressions: &[&'e Expression],
    ) -> Result<Vec<Surroundings<'e>>, Error> {
        let mut all: Vec<Surroundings<'e>> = records.iter().map(|_| Surroundings::default()).collect();
        let mut walked: Vec<&[String]> = Vec::new();
        for path in expressions.iter().flat_map(|expression| expression.paths()) {
            if !walked.contains(&path) {
                walked.push(path);
                self.step(object, records, path, &mut all).await?;
            }
        }
        for asked in expressions.iter().flat_map(|expression| expression.children()) {
            for (record, around) in records.iter().zip(&mut all) {
                let of = asked.of.evaluate(&around.env(record, self.now)).ok().and_then(|of| of.as_ref_id());
                let Some(id) = of else { continue };
                let catalog = Arc::clone(&self.catalog);
                let answer = self.tx.ask_children(&catalog, asked, id, self.now).await?;
                around.children.0.push((asked, id, answer));
            }
        }
        Ok(all)
    }

    /// Reads the records at the end of a path whose beginning has been walked.
    async fn step(
        &mut self,
        object: &Object,
        records: &[&Record],
        path: &[String],
        all: &mut [Surroundings<'_>],
    ) -> Result<(), Error> {
        let Some((via, before)) = path.split_last() else { return Ok(()) };
        let target = path.iter().try_fold(object.name.clone(), |object, via| {
            match &self.catalog.object(&object)?.field(via)?.kind {
                FieldType::Ref { to, .. } => Some(to.clone()),
                _ => None,
            }
        });
        let Some(target) = target.and_then(|target| self.catalog.object(&target).cloned()) else { return Ok(()) };
        let next = |record: &Record, around: &Surroundings<'_>| {
            let from = if before.is_empty() { Some(record) } else { around.related.get(before) };
            from.and_then(|from| from.fields.get(via).as_ref_id())
        };
        let ids: BTreeSet<Id> =
            records.iter().zip(all.iter()).filter_map(|(record, around)| next(record, around)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<Id> = ids.into_iter().collect();
        let found = self.tx.find_many(&target, &ids).await?;
        let found: BTreeMap<Id, Record> = found.into_iter().map(|record| (record.id, record)).collect();
        for (record, around) in records.iter().zip(all) {
            if let Some(other) = next(record, around).and_then(|id| found.get(&id)) {
                around.related.insert(path.to_vec(), other.clone());
            }
        }
        Ok(())
    }

    /// Whether an expression holds for the record as it is now.
    pub(super) async fn holds(
        &mut self,
        object: &Object,
        record: &Record,
        expression: &Expression,
    ) -> Result<bool, Error> {
        let around = self.surroundings(object, record, &[expression]).await?;
        expression.holds(&around.env(record, self.now)).map_err(|error| not_computable(expression, &error))
    }
}

pub(super) fn not_computable(expression: &Expression, error: &EvalError) -> Error {
    Error::BadRequest {
        code: "not_computable",
        message: format!("{} cannot be computed for this record: {error}", expression.source()),
    }
}
