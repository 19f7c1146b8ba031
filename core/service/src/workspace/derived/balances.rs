//! Balances against the entries that they come to.
//!
//! All entries are read once, in pages, and summed in memory; of ledgers with very many accounts only so many balances at
//! a time, and the entries once more for the next. What seems wrong is looked at again with the balance locked.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use pergola_model::{Catalog, FieldType, Object, Query, Record, Value, expr::Type, object::Ledger};
use serde_json::json;

use super::{BATCH, DerivedReport, Discrepancy, Walk};
use crate::{
    error::Error,
    guest::compile_filter,
    ports::{
        counters::{Balance, BalanceKey},
        plugins::{Budget, Limits},
        store::StoreError,
    },
    unit::{Unit, booked, lock_name},
    workspace::Workspace,
};

/// Balances that are summed at once.
const SUMS_MAX: usize = 100_000;

/// What entries come to, by the balance that they change.
type Sums = BTreeMap<BalanceKey, i128>;

/// The first so many balances from a key on.
struct Portion {
    from: Bound<BalanceKey>,
    max: usize,
    sums: Sums,
    /// Where the next portion begins.
    end: Option<BalanceKey>,
}

impl Portion {
    fn new(from: Bound<BalanceKey>, max: usize) -> Self {
        Self { from, max, sums: Sums::new(), end: None }
    }

    fn add(&mut self, key: BalanceKey, amount: i128) {
        let is_before = matches!(&self.from, Bound::Included(from) if key < *from);
        if is_before || self.end.as_ref().is_some_and(|end| key >= *end) {
            return;
        }
        *self.sums.entry(key).or_default() += amount;
        if self.sums.len() > self.max {
            // What was summed of it so far is not needed: it is counted anew with the next portion.
            self.end = self.sums.pop_last().map(|(key, _)| key);
        }
    }
}

impl Workspace {
    /// Compares every balance with its entries and, with `fix`, mends what differs.
    pub(super) async fn check_balances(
        &self,
        catalog: &Catalog,
        fix: bool,
        report: &mut DerivedReport,
    ) -> Result<(), Error> {
        for object in catalog.objects.values() {
            let Some(ledger) = &object.derived.ledger else { continue };
            let (mut from, mut seen) = (Bound::Unbounded, None);
            loop {
                let Portion { sums, end, .. } = self.sum_entries(catalog, object, ledger, from).await?;
                report.checked += u64::try_from(sums.len()).unwrap_or(u64::MAX);
                for key in self.suspects(object, sums, &mut seen, end.as_ref()).await? {
                    self.look_at_balance(object, key, fix, report).await?;
                }
                let Some(end) = end else { break };
                from = Bound::Included(end);
            }
        }
        Ok(())
    }

    async fn sum_entries(
        &self,
        catalog: &Catalog,
        object: &Object,
        ledger: &Ledger,
        from: Bound<BalanceKey>,
    ) -> Result<Portion, Error> {
        let mut portion = Portion::new(from, SUMS_MAX);
        let mut walk = Walk::of(object);
        walk.query.fields = Some(fields(ledger));
        while let Some(entries) = walk.next(self, catalog).await? {
            // One without an amount is told of as a record that lacks a value.
            let booked = entries.iter().filter_map(|entry| booked(object, ledger, entry).ok());
            booked.for_each(|(key, amount)| portion.add(key, amount));
        }
        Ok(portion)
    }

    /// Keys before the end whose stored balance is not their sum; `seen` is the last stored one that was looked at.
    async fn suspects(
        &self,
        object: &Object,
        mut sums: Sums,
        seen: &mut Option<BalanceKey>,
        end: Option<&BalanceKey>,
    ) -> Result<Vec<BalanceKey>, Error> {
        let mut suspects = Vec::new();
        'pages: loop {
            let mut reader = self.0.store.read().await?;
            let page = reader.list_balances(&object.name, None, seen.as_ref(), BATCH).await?;
            if page.is_empty() {
                break;
            }
            for balance in page {
                if end.is_some_and(|end| balance.key >= *end) {
                    break 'pages;
                }
                *seen = Some(balance.key.clone());
                if sums.remove(&balance.key).unwrap_or_default() != i128::from(balance.amount) {
                    suspects.push(balance.key);
                }
            }
        }
        suspects.extend(sums.into_iter().filter(|(_, sum)| *sum != 0).map(|(key, _)| key));
        Ok(suspects)
    }

    async fn look_at_balance(
        &self,
        object: &Arc<Object>,
        key: BalanceKey,
        fix: bool,
        report: &mut DerivedReport,
    ) -> Result<(), Error> {
        let (object, wanted) = (Arc::clone(object), key.clone());
        let found = self
            .detached(move |workspace| {
                let (object, key) = (Arc::clone(&object), wanted.clone());
                async move { workspace.look_at_balance_once(&object, &key, fix).await }
            })
            .await?;
        let Some((stored, expected)) = found else { return Ok(()) };
        report.mended += u64::from(fix);
        let currency = if key.currency.is_empty() { String::new() } else { format!(" in {}", key.currency) };
        report.add(Discrepancy {
            place: format!("balance of {} {} {}{currency}", key.object, key.account, key.unit).trim_end().to_owned(),
            object: key.object,
            stored: json!(stored),
            expected: json!(expected),
        });
        Ok(())
    }

    /// What is stored and what it should be, in the smallest steps, if they differ.
    async fn look_at_balance_once(
        &self,
        object: &Object,
        key: &BalanceKey,
        fix: bool,
    ) -> Result<Option<(i64, i64)>, Error> {
        let Some(ledger) = &object.derived.ledger else { return Ok(None) };
        let _open = self.0.gate.read().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        unit.tx.lock(&[lock_name(key)]).await?;
        let expected = unit.sum_of(object, ledger, key).await?;
        let stored = unit.tx.find_balances(std::slice::from_ref(key)).await?.first().map_or(0, |one| one.amount);
        if stored == expected {
            return Ok(None);
        }
        if fix {
            unit.tx.put_balances(&[Balance { key: key.clone(), amount: expected }]).await?;
            unit.commit().await?;
        }
        Ok(Some((stored, expected)))
    }
}

impl Unit {
    /// What the entries of one balance come to.
    async fn sum_of(&mut self, object: &Object, ledger: &Ledger, key: &BalanceKey) -> Result<i64, Error> {
        let kind = object.field(&ledger.account).map(|field| &field.kind);
        let account = match kind {
            Some(FieldType::Ref { .. }) => key.account.parse().map(Value::Ref).ok(),
            Some(FieldType::Integer) => key.account.parse().map(Value::Integer).ok(),
            _ => Some(Value::Text(key.account.clone())),
        };
        // No entry can have an account that is no value.
        let Some(account) = account else { return Ok(0) };
        let catalog = Arc::clone(&self.catalog);
        let text = format!("{} == p0", ledger.account);
        let filter = compile_filter(&catalog, object, &text, &[Type::of_value(&account)])?;
        let mut query = Query::of(object.name.clone()).filtered(filter, vec![account], self.now).limited(BATCH);
        query.fields = Some(fields(ledger));
        let mut sum = 0_i128;
        loop {
            let page = self.tx.list(&catalog, &query).await?;
            let of_key = |entry: &Record| {
                let (of, amount) = booked(object, ledger, entry).ok()?;
                (of == *key).then_some(amount)
            };
            sum += page.records.iter().filter_map(of_key).sum::<i128>();
            query.after = page.next;
            if query.after.is_none() {
                let message = format!("the entries of {} leave 64 bits", key.account);
                return i64::try_from(sum).map_err(|_| StoreError::Range(message).into());
            }
        }
    }
}

/// What is read of an entry.
fn fields(ledger: &Ledger) -> Vec<String> {
    [Some(&ledger.account), Some(&ledger.amount), ledger.unit.as_ref()].into_iter().flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u32) -> BalanceKey {
        let object = "club.entry".parse().unwrap();
        BalanceKey { object, account: format!("{number:03}"), unit: String::new(), currency: String::new() }
    }

    proptest! {
        /// However few are summed at once, and in whatever order the entries come.
        #[test]
        fn portions_together_have_every_sum_once(
            entries in prop::collection::vec((0_u32..40, -9_i128..9), 0..200),
            max in 1_usize..50,
        ) {
            let mut expected = Sums::new();
            entries.iter().for_each(|(number, amount)| *expected.entry(key(*number)).or_default() += amount);
            let (mut found, mut from) = (Vec::new(), Bound::Unbounded);
            loop {
                let mut portion = Portion::new(from, max);
                entries.iter().for_each(|(number, amount)| portion.add(key(*number), *amount));
                prop_assert!(portion.sums.len() <= max);
                found.extend(portion.sums);
                let Some(end) = portion.end else { break };
                from = Bound::Included(end);
            }
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
