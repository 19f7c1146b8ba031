//! What the engine computes for an object's records, checked and ready for use.

use crate::{expr::Expression, field::FieldType, name::ObjectName, value::Value};

/// Everything of an object that nobody writes by hand.
#[derive(Debug, Clone, Default)]
pub struct Derived {
    /// What referring records come to.
    pub rollups: Vec<Rollup>,
    /// Values computed from the record's own, each after those that it reads.
    pub formulas: Vec<Computed>,
    /// Values of new records that name none, each after those that it reads.
    pub initials: Vec<Computed>,
    /// Numbers without gaps.
    pub sequences: Vec<Sequence>,
    /// Balances kept from the records.
    pub ledger: Option<Ledger>,
    /// Rollups of other objects (or this one) that count this object's records.
    pub feeds: Vec<Feed>,
}

/// A field computed by an expression.
#[derive(Debug, Clone)]
pub struct Computed {
    /// The field.
    pub key: String,
    /// Gives its value.
    pub value: Expression,
}

/// A field that holds what the records that refer to this one come to.
#[derive(Debug, Clone)]
pub struct Rollup {
    /// The field.
    pub key: String,
    /// Its type.
    pub kind: FieldType,
    /// The counted object.
    pub of: ObjectName,
    /// Its field that refers here.
    pub via: String,
    /// What is made of the counted records.
    pub what: Aggregate,
    /// The counted record's field, and its type; none for a count.
    pub source: Option<(String, FieldType)>,
    /// Over a counted record; those for which it is false do not count.
    pub when: Option<Expression>,
}

/// What a rollup makes of the counted records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// The sum of a field.
    Sum,
    /// The mean of a field.
    Avg,
    /// The least value, or the earliest.
    Min,
    /// The greatest value, or the latest.
    Max,
}

/// A rollup, from the side of the records that it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The object that has the rollup.
    pub object: ObjectName,
    /// The rollup's field.
    pub key: String,
}

/// A field with numbers without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The field.
    pub key: String,
    /// Each value of this field has numbers of its own.
    pub per: Option<String>,
    /// The first number.
    pub start: i64,
}

/// How an object's records change balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Whose balance.
    pub account: String,
    /// What is added to it.
    pub amount: String,
    /// What is counted.
    pub unit: Option<String>,
    /// The least balance, in the steps in which amounts are counted: units, minor units, or 10^-scale.
    pub floor: Option<i64>,
    /// The field whose entries of one unit of work come to zero.
    pub transfer: Option<String>,
}

impl Derived {
    /// The rollup in that field.
    #[must_use]
    pub fn rollup(&self, key: &str) -> Option<&Rollup> {
        self.rollups.iter().find(|one| one.key == key)
    }

    /// Why callers may not write the field; none if they may.
    #[must_use]
    pub fn read_only(&self, key: &str) -> Option<&'static str> {
        if self.rollups.iter().any(|one| one.key == key) {
            return Some("is counted from other records");
        }
        if self.formulas.iter().any(|one| one.key == key) {
            return Some("is computed from other fields");
        }
        self.sequences.iter().any(|one| one.key == key).then_some("is a number that Pergola gives")
    }

    /// Whether any field is computed from stored values, so that it can be compared with them.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !self.rollups.is_empty() || !self.formulas.is_empty()
    }

    /// What the computed fields are declared as, by field: when the text changes, stored values are stale.
    #[must_use]
    pub fn declarations(&self) -> Vec<(String, String)> {
        let rollups = self.rollups.iter().map(|one| (one.key.clone(), one.declaration()));
        let formulas = self.formulas.iter().map(|one| (one.key.clone(), format!("formula {}", one.value.source())));
        rollups.chain(formulas).collect()
    }
}

/// A value as text, where records are told apart by it: accounts, units, transfers, rows of numbers.
#[must_use]
pub fn key_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Ref(id) => id.to_string(),
        _ => String::new(),
    }
}

impl Rollup {
    fn declaration(&self) -> String {
        let source = self.source.as_ref().map_or("", |(key, _)| key);
        let when = self.when.as_ref().map_or("", Expression::source);
        format!("{} {:?} {source} of {} via {} when {when}", self.kind.name(), self.what, self.of, self.via)
    }
}
