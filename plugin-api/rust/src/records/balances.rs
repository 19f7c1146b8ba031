//! What the entries of a ledger come to.

use crate::bindings::pergola::plugin::records;
use crate::{Failure, FromValue, Value};

/// Balances of a ledger to ask for. In a hook they have what the transaction has written so far.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// fn points(contact: Id) -> Result<i64, Failure> {
///     Ok(Balances::of("club.entry").account(contact.to_string()).unit::<i64>("bonus")?.unwrap_or(0))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balances {
    object: String,
    account: Option<String>,
}

/// What the entries of an account and a unit come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The account, as text: a reference by its id.
    pub account: String,
    /// The unit, as text; empty in a ledger without units.
    pub unit: String,
    /// An integer, a decimal or money, as the ledger's amounts.
    pub amount: Value,
}

impl Balances {
    /// All balances of the object whose records are the entries.
    pub fn of(object: impl Into<String>) -> Self {
        Self { object: object.into(), account: None }
    }

    /// Those of one account: a reference by its id, a choice by its code, an integer by its digits.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// All of them, in the order of account, unit and currency, asked from the host page by page.
    ///
    /// # Errors
    /// The host's: `not_found` where the object is no ledger, `forbidden` where its entries may not be read.
    pub fn all(self) -> Result<Vec<Balance>, Failure> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let query = records::BalanceQuery {
                object: self.object.clone(),
                account: self.account.clone(),
                limit: 1_000,
                after,
            };
            let page = records::balances(&query).map_err(Failure::from_wit)?;
            found.extend(page.balances.into_iter().map(Balance::from_wit));
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// The balance in one unit, or none without entries; the unit is empty in a ledger without units. Where the
    /// amounts are money, of several currencies the first by its code.
    ///
    /// # Errors
    /// As [`Balances::all`], and where the amount is of another kind.
    pub fn unit<T: FromValue>(self, unit: &str) -> Result<Option<T>, Failure> {
        let found = self.all()?.into_iter().find(|balance| balance.unit == unit);
        found.map(|balance| T::from_value(&balance.amount)).transpose()
    }
}

impl Balance {
    fn from_wit(balance: records::Balance) -> Self {
        Self { account: balance.account, unit: balance.unit, amount: Value::from_wit(balance.amount) }
    }
}
