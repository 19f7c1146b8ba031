//! Ledgers: entries are never changed, balances follow them in the same transaction, transfers come to zero.

use std::collections::{BTreeMap, BTreeSet};

use pergola_model::{
    FieldIssue, Object, Query, Record, Value,
    expr::Type,
    object::{Ledger, key_text},
    rollup::{from_steps, steps},
};

use super::Unit;
use crate::{
    error::Error,
    guest::compile_filter,
    mutants::Rule,
    ports::counters::{Balance, BalanceKey},
};

/// What an entry adds to a transfer.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The transfer's own value, and what it is counted in.
    transfer: String,
    key: BalanceKey,
    amount: i128,
}

/// Passes unless the object's records are entries: those are never changed or deleted.
pub(super) fn check_not_an_entry(object: &Object) -> Result<(), Error> {
    if object.derived.ledger.is_none() {
        return Ok(());
    }
    let message =
        format!("{} are entries of a ledger and stay as they are; to reverse one, create another", object.plural);
    Err(Error::Conflict { code: "append_only", message, issues: vec![] })
}

/// Passes when every transfer among these parts comes to zero in each unit.
pub(super) fn check_balanced(parts: &[Part]) -> Result<(), Error> {
    let mut sums: BTreeMap<(&str, &str, &str, &str), i128> = BTreeMap::new();
    for part in parts {
        let key =
            (part.key.object.as_str(), part.transfer.as_str(), part.key.unit.as_str(), part.key.currency.as_str());
        *sums.entry(key).or_default() += part.amount;
    }
    match sums.into_iter().find(|(_, sum)| *sum != 0) {
        None => Ok(()),
        Some(((object, transfer, ..), sum)) => {
            let message = format!("the entries of {object} in transfer {transfer} must come to 0 and come to {sum}");
            Err(Error::Conflict { code: "unbalanced", message, issues: vec![] })
        }
    }
}

impl Unit {
    /// Passes when the transfers that these entries name are new, or begun in this unit of work.
    pub(super) async fn check_transfers(&mut self, object: &Object, entries: &[Record]) -> Result<(), Error> {
        let Some(key) = object.derived.ledger.as_ref().and_then(|ledger| ledger.transfer.as_ref()) else {
            return Ok(());
        };
        let begun: BTreeSet<String> = self
            .pending
            .parts()
            .iter()
            .filter(|part| part.key.object == object.name)
            .map(|part| part.transfer.clone())
            .collect();
        let named: BTreeMap<String, &Value> = entries
            .iter()
            .map(|entry| entry.fields.get(key))
            .filter(|value| !value.is_null())
            .map(|value| (key_text(value), value))
            .filter(|(text, _)| !begun.contains(text))
            .collect();
        let names: Vec<String> = named.keys().map(|text| format!("transfer:{}:{text}", object.name)).collect();
        self.tx.lock(&names).await?;
        let catalog = std::sync::Arc::clone(&self.catalog);
        for (text, value) in named {
            let filter = compile_filter(&catalog, object, &format!("{key} == p0"), &[Type::of_value(value)])?;
            let query = Query::of(object.name.clone()).filtered(filter, vec![value.clone()], self.now).limited(1);
            if !self.tx.list(&catalog, &query).await?.records.is_empty() {
                let message = format!("transfer {text} was written already and cannot be added to; take a new one");
                let issues = vec![FieldIssue::new(key, "append_only", "take a new transfer")];
                return Err(Error::Conflict { code: "append_only", message, issues });
            }
        }
        Ok(())
    }

    /// Adds new entries to their balances. Whoever changes one of them meanwhile waits for the end of this transaction.
    pub(super) async fn book(&mut self, object: &Object, entries: &[Record]) -> Result<(), Error> {
        let Some(ledger) = &object.derived.ledger else { return Ok(()) };
        let mut sums: BTreeMap<BalanceKey, i128> = BTreeMap::new();
        for entry in entries {
            let (key, amount) = booked(object, ledger, entry)?;
            if let Some(transfer) =
                ledger.transfer.as_ref().map(|key| entry.fields.get(key)).filter(|one| !one.is_null())
            {
                self.pending.part(Part { transfer: key_text(transfer), key: key.clone(), amount });
            }
            *sums.entry(key).or_default() += amount;
        }
        self.change_balances(object, ledger, sums).await
    }

    /// Takes entries that are purged out of their balances. What they came to is gone with them, whatever the floor.
    pub(super) async fn unbook(&mut self, object: &Object, entries: &[Record]) -> Result<(), Error> {
        let Some(ledger) = &object.derived.ledger else { return Ok(()) };
        let mut sums: BTreeMap<BalanceKey, i128> = BTreeMap::new();
        for entry in entries {
            let (key, amount) = booked(object, ledger, entry)?;
            *sums.entry(key).or_default() -= amount;
        }
        let boundless = Ledger { floor: None, ..ledger.clone() };
        self.change_balances(object, &boundless, sums).await
    }

    async fn change_balances(
        &mut self,
        object: &Object,
        ledger: &Ledger,
        sums: BTreeMap<BalanceKey, i128>,
    ) -> Result<(), Error> {
        let names: Vec<String> = sums.keys().map(lock_name).collect();
        self.tx.lock(&names).await?;
        let keys: Vec<BalanceKey> = sums.keys().cloned().collect();
        let stored = self.tx.find_balances(&keys).await?;
        let stored: BTreeMap<BalanceKey, i64> = stored.into_iter().map(|one| (one.key, one.amount)).collect();
        let mut balances = Vec::with_capacity(sums.len());
        for (key, sum) in sums {
            let before = stored.get(&key).copied().unwrap_or(0);
            let after = i64::try_from(i128::from(before).saturating_add(sum)).map_err(|_| out_of_range(&key))?;
            let is_short = ledger.floor.is_some_and(|floor| after < floor) && sum < 0;
            if is_short && !self.workspace.is_off(Rule::Floor) {
                return Err(insufficient(object, ledger, &key, before, sum));
            }
            balances.push(Balance { key, amount: after });
        }
        Ok(self.tx.put_balances(&balances).await?)
    }

    /// Passes when the transfers of the whole unit of work come to zero.
    pub(super) fn check_transfers_balanced(&self, first: usize) -> Result<(), Error> {
        if self.workspace.is_off(Rule::Transfer) {
            return Ok(());
        }
        check_balanced(self.pending.parts().get(first..).unwrap_or_default())
    }
}

/// The balance that an entry changes, and by how much.
pub(crate) fn booked(object: &Object, ledger: &Ledger, entry: &Record) -> Result<(BalanceKey, i128), Error> {
    let amount = entry.fields.get(&ledger.amount);
    let kind = object.field(&ledger.amount).map(|field| &field.kind);
    let (amount, currency) = kind
        .and_then(|kind| steps(kind, amount))
        .ok_or_else(|| Error::invalid(&ledger.amount, "required", "an entry has an amount"))?;
    let unit = ledger.unit.as_ref().map(|key| key_text(entry.fields.get(key)));
    let key = BalanceKey {
        object: object.name.clone(),
        account: key_text(entry.fields.get(&ledger.account)),
        unit: unit.unwrap_or_default(),
        currency: currency.unwrap_or_default().to_owned(),
    };
    Ok((key, amount))
}

/// The name under which a balance is locked.
pub(crate) fn lock_name(key: &BalanceKey) -> String {
    format!("balance:{}:{}:{}:{}", key.object, key.account, key.unit, key.currency)
}

fn insufficient(object: &Object, ledger: &Ledger, key: &BalanceKey, before: i64, sum: i128) -> Error {
    let shown = |number: i128| {
        let kind = object.field(&ledger.amount).map(|field| &field.kind);
        let currency = (!key.currency.is_empty()).then_some(key.currency.as_str());
        match kind.and_then(|kind| from_steps(kind, number, currency)) {
            Some(Value::Decimal(number)) => number.to_string(),
            Some(Value::Money(money)) => format!("{} {} (minor units)", money.amount_minor, money.currency),
            _ => number.to_string(),
        }
    };
    let message = format!(
        "the balance is {} and {} was asked; it may not go below {}",
        shown(i128::from(before)),
        shown(-sum),
        shown(i128::from(ledger.floor.unwrap_or(0)))
    );
    let issue = FieldIssue::new(&ledger.amount, "insufficient", message.clone());
    Error::Conflict { code: "insufficient", message, issues: vec![issue] }
}

fn out_of_range(key: &BalanceKey) -> Error {
    let message = format!("the balance of {} leaves 64 bits", key.account);
    Error::Conflict { code: "out_of_range", message, issues: vec![] }
}
