//! Computed values outside of any write: what a formula gives, what counted records come to.

use std::collections::BTreeMap;

use pergola_model::{
    Catalog, Fields, Id, Locale, Object, Record, Value,
    expr::Env,
    normal,
    object::{Computed, Rollup},
    rollup::{Outcome, Tally},
};

use crate::{error::Error, ports::store::Reader};

/// Parents whose children are counted in one statement.
const PARENTS_MAX: usize = 500;

/// Computes the formulas of a record in place; answers the keys of those whose value is another one now.
pub(crate) fn compute(object: &Object, record: &mut Record, locale: &Locale) -> Result<Vec<String>, Error> {
    let mut changed = Vec::new();
    for formula in &object.derived.formulas {
        let related = BTreeMap::new();
        // A formula looks at nothing but the record, so the time does not matter.
        let env = Env { record, related: &related, children: &(), now: record.updated_at, parameters: &[] };
        let value = value_of(object, formula, &env, locale)?;
        if record.fields.get(&formula.key) != &value {
            changed.push(formula.key.clone());
            put(&mut record.fields, &formula.key, value);
        }
    }
    Ok(changed)
}

/// What a computed field comes to, as it is stored.
pub(crate) fn value_of(object: &Object, computed: &Computed, env: &Env<'_>, locale: &Locale) -> Result<Value, Error> {
    let key = &computed.key;
    let value = computed.value.evaluate(env).map_err(|error| {
        let message = format!("{} cannot be computed: {error}", computed.value.source());
        Error::invalid(key, "not_computable", message)
    })?;
    let field = object.field(key).ok_or_else(|| Error::Internal(format!("{} has no {key}", object.name).into()))?;
    normal::computed(field, value, locale).map_err(|issue| Error::Invalid(vec![issue]))
}

/// Sets a field of a record, in which absent and null are the same.
pub(crate) fn put(fields: &mut Fields, key: &str, value: Value) {
    if value.is_null() {
        fields.remove(key);
    } else {
        fields.set(key, value);
    }
}

/// For whom a record counts under a rollup, and with which value; none if it does not.
pub(crate) fn counts_for(rollup: &Rollup, record: &Record) -> Result<Option<(Id, Value)>, Error> {
    let Some(parent) = record.fields.get(&rollup.via).as_ref_id() else { return Ok(None) };
    if let Some(when) = &rollup.when {
        let related = BTreeMap::new();
        let env = Env { record, related: &related, children: &(), now: record.updated_at, parameters: &[] };
        let holds = when.holds(&env).map_err(|error| {
            let message = format!("{} cannot be computed: {error}", when.source());
            Error::invalid(&rollup.via, "not_computable", message)
        })?;
        if !holds {
            return Ok(None);
        }
    }
    let value = match &rollup.source {
        Some((key, _)) => record.fields.get(key).clone(),
        None => Value::Bool(true),
    };
    Ok((!value.is_null()).then_some((parent, value)))
}

/// What these rollups come to for these records of one object, counted anew: all of them for each.
pub(crate) async fn count_anew(
    reader: &mut dyn Reader,
    catalog: &Catalog,
    rollups: &[&Rollup],
    parents: &[Id],
) -> Result<BTreeMap<Id, Fields>, Error> {
    let mut counted: BTreeMap<Id, Fields> = parents.iter().map(|id| (*id, Fields::new())).collect();
    let mut rest: Vec<&Rollup> = rollups.to_vec();
    while let Some(first) = rest.first().copied() {
        let alike = |one: &&Rollup| one.of == first.of && one.via == first.via;
        let (group, others): (Vec<&Rollup>, Vec<&Rollup>) = rest.into_iter().partition(alike);
        rest = others;
        for ids in parents.chunks(PARENTS_MAX) {
            let tallies = reader.tally(catalog, &group, ids).await?;
            let none = vec![Tally::default(); group.len()];
            for id in ids {
                let Some(fields) = counted.get_mut(id) else { continue };
                for (rollup, tally) in group.iter().zip(tallies.get(id).unwrap_or(&none)) {
                    fields.set(rollup.key.as_str(), value_or_error(rollup, rollup.of_tally(tally))?);
                }
            }
        }
    }
    Ok(counted)
}

/// The value of an outcome that cannot ask for another count.
pub(crate) fn value_or_error(rollup: &Rollup, outcome: Outcome) -> Result<Value, Error> {
    match outcome {
        Outcome::Value(value) => Ok(value),
        Outcome::CountAnew | Outcome::OutOfRange => {
            let message = format!("{} of the counted {} leaves 64 bits", rollup.key, rollup.of);
            Err(Error::Conflict { code: "out_of_range", message, issues: vec![] })
        }
    }
}
