//! What is counted besides records: numbers given out, balances of accounts.

use pergola_model::ObjectName;

/// Which numbers: those of a field, for one value of the field that tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SequenceKey {
    /// The object.
    pub object: ObjectName,
    /// The field that has the numbers.
    pub field: String,
    /// The value that tells them apart, as text; empty without one.
    pub per: String,
}

/// Which balance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BalanceKey {
    /// The object whose records are the entries.
    pub object: ObjectName,
    /// Whose, as text.
    pub account: String,
    /// Of what, as text; empty without units.
    pub unit: String,
    /// ISO 4217 code; empty if the amounts are not money.
    pub currency: String,
}

/// A balance, in the smallest steps of its amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Which.
    pub key: BalanceKey,
    /// How much.
    pub amount: i64,
}
