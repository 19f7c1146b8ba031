//! Filters that were checked before: the same few come with every look at a list, and checking one takes as long as reading
//! a record.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::Catalog;
use crate::{
    expr::{ExprError, Expression, Scope, Type},
    object::Object,
};

/// Filters kept; beyond that all are forgotten, and those in use come back.
const KEPT_MAX: usize = 256;

/// Checked filters of one catalog, and so of one state of the declarations.
#[derive(Debug, Default)]
pub struct Filters(Mutex<HashMap<String, Expression>>);

impl Catalog {
    /// Checks a condition on the object's records; the text has `p0`, `p1` … for values of these types.
    ///
    /// # Errors
    /// As [`Expression::compile`].
    pub fn filter(&self, object: &Object, text: &str, parameters: &[Type]) -> Result<Expression, ExprError> {
        let key = format!("{} {parameters:?} {text}", object.name);
        if let Some(known) = self.filters.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let settings = std::collections::BTreeMap::new();
        let scope = Scope { object, objects: self, settings: &settings, parameters, zone: &self.zone };
        let filter = Expression::compile(text, &scope, &Type::Bool)?;
        let mut kept = self.filters.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, filter.clone());
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_kept_by_its_text_and_types_and_only_so_many_are() {
        let catalog = Catalog::build(&[]).unwrap();
        let contact = catalog.find_object("contact").unwrap();
        let first = catalog.filter(contact, "name == 'Anna'", &[]).unwrap();
        assert_eq!(catalog.filter(contact, "name == 'Anna'", &[]), Ok(first));
        assert!(catalog.filter(contact, "name == p0", &[Type::Text]).is_ok());
        assert!(catalog.filter(contact, "name == p0", &[]).is_err(), "the same text without its value");
        for number in 0..=KEPT_MAX {
            catalog.filter(contact, &format!("name == '{number}'"), &[]).unwrap();
        }
        assert!(catalog.filters.0.lock().unwrap().len() <= KEPT_MAX);
    }
}
