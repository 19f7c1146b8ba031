//! What a manifest says of values that nobody writes: rollups, formulas, sequence numbers, balances.

use serde::{Deserialize, Serialize};

use crate::name::{Name, ObjectName};

/// What the records that refer to this one come to: `{ of = "booking.appointment", via = "contact", count = true }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupDecl {
    /// The object whose records are counted.
    pub of: ObjectName,
    /// Its field that refers to this object.
    pub via: String,
    /// How many there are.
    #[serde(default)]
    pub count: bool,
    /// The field whose values are added up.
    #[serde(default)]
    pub sum: Option<String>,
    /// The field whose mean is taken.
    #[serde(default)]
    pub avg: Option<String>,
    /// The field whose least value is taken.
    #[serde(default)]
    pub min: Option<String>,
    /// The field whose greatest value is taken.
    #[serde(default)]
    pub max: Option<String>,
    /// The date or datetime field whose earliest value is taken.
    #[serde(default)]
    pub first: Option<String>,
    /// The date or datetime field whose latest value is taken.
    #[serde(default)]
    pub last: Option<String>,
    /// CEL over the counted record's own fields; those for which it is false do not count.
    #[serde(default)]
    pub when: Option<String>,
}

/// Numbers without gaps: `{ per = "till", start = 1 }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceDecl {
    /// Each value of this field has numbers of its own; one row of numbers for all records if absent.
    #[serde(default)]
    pub per: Option<Name>,
    /// The first number.
    #[serde(default = "one")]
    pub start: i64,
}

fn one() -> i64 {
    1
}

/// Records are entries of accounts: `{ account = "contact", amount = "points", floor = 0 }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerDecl {
    /// The field that tells whose balance an entry changes.
    pub account: Name,
    /// The field that is added to the balance: `integer`, `decimal` or `money`.
    pub amount: Name,
    /// The field that tells what is counted: a programme, a currency, a product. One unit if absent.
    #[serde(default)]
    pub unit: Option<Name>,
    /// The least balance, in whole units of the amount (minor units of money); none if absent.
    #[serde(default)]
    pub floor: Option<i64>,
    /// The field whose entries of one unit of work come to zero.
    #[serde(default)]
    pub transfer: Option<Name>,
}
