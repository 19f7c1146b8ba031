//! Finds records by many values of one field at once.

use std::collections::{BTreeMap, HashMap};

use pergola_model::{
    Object, ObjectName, Query, Record, Value,
    expr::{ExprError, Expression, Scope, Type},
    json,
};
use pergola_service::Error;

use crate::import::base::Base;

/// Values in one filter: an expression has at most 500 nodes.
const VALUES_MAX: usize = 200;
/// Records in a page.
const PAGE: u32 = 500;
/// Pages that are read, so that a field with one value in all records does not bring them all.
const PAGES_MAX: usize = 20;

/// Filters that were compiled before: `phone in [p0, p1, …]`, always with the same number of parameters.
#[derive(Default)]
pub(super) struct Lookup {
    filters: HashMap<(ObjectName, String), Expression>,
}

impl Lookup {
    /// The records with one of the values in the field, or in `id`, the oldest first.
    pub(super) async fn list<B: Base>(
        &mut self,
        base: &B,
        object: &Object,
        field: &str,
        values: impl Iterator<Item = Value>,
    ) -> Result<Vec<Record>, Error> {
        let filled = values.filter(|value| !value.is_null());
        let distinct: BTreeMap<String, Value> = filled.map(|value| (spelled(&value), value)).collect();
        let distinct: Vec<Value> = distinct.into_values().collect();
        let mut records = Vec::new();
        if distinct.is_empty() {
            return Ok(records);
        }
        let filter = self
            .filter(base, object, field)
            .map_err(|error| Error::BadRequest { code: "bad_filter", message: error.to_string() })?;
        for chunk in distinct.chunks(VALUES_MAX) {
            let last = chunk.last().cloned().unwrap_or_default();
            let padding = std::iter::repeat_n(last, VALUES_MAX.saturating_sub(chunk.len()));
            let mut query = Query {
                object: object.name.clone(),
                filter: Some(filter.clone()),
                parameters: chunk.iter().cloned().chain(padding).collect(),
                now: base.now(),
                sort: Vec::new(),
                fields: None,
                limit: PAGE,
                after: None,
            };
            for _ in 0..PAGES_MAX {
                let page = base.list(&query).await?;
                records.extend(page.records);
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
        }
        Ok(records)
    }

    fn filter<B: Base>(&mut self, base: &B, object: &Object, field: &str) -> Result<Expression, ExprError> {
        let key = (object.name.clone(), field.to_owned());
        if let Some(filter) = self.filters.get(&key) {
            return Ok(filter.clone());
        }
        let names: Vec<String> = (0..VALUES_MAX).map(|number| format!("p{number}")).collect();
        let source = format!("{field} in [{}]", names.join(","));
        let catalog = base.catalog();
        let scope = Scope {
            object,
            objects: catalog.as_ref(),
            settings: &BTreeMap::new(),
            parameters: &vec![object.field(field).map_or(Type::Id, |field| Type::of_field(&field.kind)); VALUES_MAX],
            zone: &catalog.zone,
        };
        let filter = Expression::compile(&source, &scope, &Type::Bool)?;
        self.filters.insert(key, filter.clone());
        Ok(filter)
    }
}

/// One text for one value of a field, for comparing.
pub(super) fn spelled(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => json::value_to_json(other).to_string(),
    }
}
