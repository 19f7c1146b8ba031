//! `exclude`: no two live records that share a resource overlap in time.
//!
//! Looked at after the batch is written, so that records of one batch count for each other and may change places.
//! The resources' names are held from before the look until the commit, so that two units at once cannot both find room.

use std::{collections::BTreeSet, sync::Arc};

use pergola_model::{FieldIssue, Id, Object, Record, Value, json, object::Exclude};

use super::{Touched, Unit, hold::hold_over};
use crate::{error::Error, mutants::Rule, ports::store::Overlap, unit::surroundings::not_computable};

impl Unit {
    /// Passes when none of the stored records overlaps another under the object's rules.
    pub(super) async fn check_overlaps(&mut self, object: &Object, touched: &[Touched<'_>]) -> Result<(), Error> {
        if self.workspace.is_off(Rule::Exclude) {
            return Ok(());
        }
        let mut claims = Vec::new();
        let mut names = BTreeSet::new();
        for rule in &object.excludes {
            let records = self.claiming(object, rule, touched).await?;
            names.extend(records.iter().flat_map(|record| resource_names(rule, record)));
            let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
            claims.push((rule, ids));
        }
        if names.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = names.into_iter().collect();
        self.tx.lock(&names).await?;
        let catalog = Arc::clone(&self.catalog);
        for (rule, ids) in claims.iter().filter(|(_, ids)| !ids.is_empty()) {
            if let Some(found) = self.tx.find_overlap(&catalog, object, rule, ids, self.now).await? {
                let is_late = touched.iter().any(|one| one.is_late && one.record.id == found.record);
                return Err(if is_late { hold_over(object) } else { overlap(object, rule, found) });
            }
        }
        Ok(())
    }

    /// The records that take time under the rule and may take another than before.
    async fn claiming<'a>(
        &mut self,
        object: &Object,
        rule: &Exclude,
        touched: &[Touched<'a>],
    ) -> Result<Vec<&'a Record>, Error> {
        let reads = rule.when.as_ref().map(|when| when.reads()).unwrap_or_default();
        let mut records = Vec::new();
        for one in touched {
            let own = rule.on.iter().map(|on| on.field.as_str()).chain([rule.from.as_str(), rule.until.as_str()]);
            let keys = own.chain(reads.fields.iter().map(String::as_str));
            if reads.only_own_fields() && !one.touches(keys) {
                continue;
            }
            if takes_time(rule, one.record)? {
                records.push(one.record);
            }
        }
        let Some(when) = &rule.when else { return Ok(records) };
        let around = self.surroundings_all(object, &records, &[when]).await?;
        let mut live = Vec::with_capacity(records.len());
        for (record, around) in records.into_iter().zip(&around) {
            if when.holds(&around.env(record, self.now)).map_err(|error| not_computable(when, &error))? {
                live.push(record);
            }
        }
        Ok(live)
    }
}

/// Whether the record has a resource and an interval; one that ends before it starts is refused.
fn takes_time(rule: &Exclude, record: &Record) -> Result<bool, Error> {
    let is_forward = match (record.fields.get(&rule.from), record.fields.get(&rule.until)) {
        (Value::DateTime(start), Value::DateTime(end)) => start < end,
        (Value::Date(start), Value::Date(end)) => start < end,
        _ => return Ok(false),
    };
    if !is_forward {
        return Err(Error::invalid(&rule.until, "out_of_range", format!("must be after {}", rule.from)));
    }
    Ok(rule.on.iter().any(|on| !record.fields.get(&on.field).is_null()))
}

fn resource_names<'a>(rule: &'a Exclude, record: &'a Record) -> impl Iterator<Item = String> + 'a {
    let values = rule.on.iter().map(|on| record.fields.get(&on.field)).filter(|value| !value.is_null());
    values.map(|value| format!("{}:{}", rule.name, json::value_to_json(value)))
}

fn overlap(object: &Object, rule: &Exclude, found: Overlap) -> Error {
    let on: Vec<&str> = rule.on.iter().map(|on| on.field.as_str()).collect();
    Error::Conflict {
        code: "overlap",
        message: format!("overlaps {} {} of the same {}; take another time", object.name, found.other, on.join(" or ")),
        issues: vec![FieldIssue::new(rule.from.clone(), "overlap", "take another time")],
    }
}
