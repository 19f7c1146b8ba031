//! The till: entries, balances, transfers and rollups.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{BALANCES, Breaches, Rule, State, text};

pub(super) fn check(state: &State, breaches: &mut Breaches) {
    let entries = state.all("till/entries");
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for entry in entries {
        let (sum, count) = sums.entry(text(entry, "purse")).or_default();
        *sum += amount(entry);
        *count += 1;
    }
    let balances: BTreeMap<&str, i64> =
        state.all(BALANCES).iter().map(|one| (text(one, "account"), one["balance"].as_i64().unwrap())).collect();
    for purse in state.all("till/purses") {
        let id = text(purse, "id");
        let (sum, count) = sums.get(id).copied().unwrap_or_default();
        let balance = balances.get(id).copied().unwrap_or_default();
        breaches.unless(balance == sum, Rule::Balance, || format!("{balance} for entries of {sum}: {purse}"));
        breaches.unless(sum >= 0, Rule::Floor, || format!("{sum}: {purse}"));
        let rollups = (purse["total"].as_i64().unwrap(), purse["entries"].as_i64().unwrap());
        breaches.unless(rollups == (sum, count), Rule::Rollup, || format!("{:?} in {purse}", (sum, count)));
    }
    transfers(entries, state.all("till/moves"), breaches);
}

/// Each move is two entries, the one what the other is not; and there are no others.
fn transfers(entries: &[Json], moves: &[Json], breaches: &mut Breaches) {
    let mut halves: BTreeMap<&str, Vec<(&str, i64)>> = BTreeMap::new();
    for entry in entries {
        if let Some(transfer) = entry["transfer"].as_str() {
            halves.entry(transfer).or_default().push((text(entry, "purse"), amount(entry)));
        }
    }
    for one in moves {
        let amount = amount(one);
        let mut expected = vec![(text(one, "source"), -amount), (text(one, "target"), amount)];
        let mut found = halves.remove(text(one, "id")).unwrap_or_default();
        expected.sort_unstable();
        found.sort_unstable();
        breaches.unless(found == expected, Rule::Transfer, || format!("{found:?} for {one}"));
    }
    for (transfer, found) in halves {
        breaches.add(Rule::Transfer, format!("{found:?} for {transfer}, which is no move"));
    }
}

fn amount(record: &Json) -> i64 {
    record["amount"].as_i64().unwrap()
}
