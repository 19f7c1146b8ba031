//! Ledgers: which fields an entry needs, and that nothing changes an entry once it is written.

use super::{All, Place, check_key, own_field};
use crate::{
    catalog::build::{CatalogIssue, Draft, Issues, Objects, objects::target},
    decl::LedgerDecl,
    field::{FieldType, OnDelete},
    name::{Name, ObjectName},
    object::{Ledger, Object},
};

impl Place<'_> {
    pub(super) fn ledger(&self, decl: &LedgerDecl, all: &mut All, issues: &mut Issues<'_>) {
        let Some(object) = self.objects.all.get(self.object) else { return };
        let path = &self.path;
        let account = own_field(object, &decl.account, &format!("{path}.account"), issues);
        let amount = own_field(object, &decl.amount, &format!("{path}.amount"), issues);
        let (Some(account), Some(amount)) = (account, amount) else { return };
        for (name, field) in [("account", account), ("amount", amount)] {
            if !field.required {
                let message = format!("every entry has its {name}: add required = true to {}", field.key);
                issues.add(format!("{path}.{name}"), message);
            }
        }
        check_key(account, &format!("{path}.account"), issues);
        if !matches!(amount.kind, FieldType::Integer | FieldType::Decimal { .. } | FieldType::Money) {
            let message =
                format!("{} is {}: an amount is an integer, a decimal or money", amount.key, amount.kind.name());
            issues.add(format!("{path}.amount"), message);
        }
        for (name, key) in [("unit", &decl.unit), ("transfer", &decl.transfer)] {
            let Some(key) = key else { continue };
            let path = format!("{path}.{name}");
            if let Some(field) = own_field(object, key, &path, issues) {
                // A transfer stands in its entries only, so it may have any name.
                if name == "unit" || field.kind != FieldType::Text {
                    check_key(field, &path, issues);
                }
            }
        }
        let Some(derived) = all.get_mut(self.object) else { return };
        derived.ledger = Some(Ledger {
            account: decl.account.to_string(),
            amount: decl.amount.to_string(),
            unit: decl.unit.as_ref().map(Name::to_string),
            floor: decl.floor.map(|floor| in_steps(floor, &amount.kind)),
            transfer: decl.transfer.as_ref().map(Name::to_string),
        });
    }
}

/// A floor in whole units, in the steps in which amounts are counted.
fn in_steps(floor: i64, kind: &FieldType) -> i64 {
    let scale = if let FieldType::Decimal { scale } = kind { u32::from(*scale) } else { 0 };
    floor.saturating_mul(10_i64.saturating_pow(scale))
}

/// Nothing may change what an entry's balance was made of: neither a delete elsewhere nor another rule.
pub(super) fn check_fields(drafts: &[Draft<'_>], objects: &Objects, all: &All, found: &mut Vec<CatalogIssue>) {
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        for name in draft.manifest.object.keys() {
            let name = ObjectName::in_plugin(draft.id(), name);
            let (Some(object), Some(derived)) = (objects.all.get(&name), all.get(&name)) else { continue };
            let path = format!("object.{}", name.short());
            if let Some(ledger) = &derived.ledger {
                check_entry(object, &path, &mut issues);
                for key in [Some(&ledger.account), Some(&ledger.amount), ledger.unit.as_ref(), ledger.transfer.as_ref()]
                {
                    check_written(key, derived, "of a ledger", &path, &mut issues);
                }
            }
            for sequence in &derived.sequences {
                check_written(sequence.per.as_ref(), derived, "that tells numbers apart", &path, &mut issues);
            }
        }
    }
}

fn check_entry(object: &Object, path: &str, issues: &mut Issues<'_>) {
    for field in object.fields.values() {
        let Some((_, on_delete)) = target(&field.kind) else { continue };
        if on_delete != OnDelete::Restrict {
            let message =
                format!("entries are never changed or deleted, so {} cannot be: take on_delete out", field.key);
            issues.add(format!("{path}.fields.{}.on_delete", field.key), message);
        }
    }
}

fn check_written(
    key: Option<&String>,
    derived: &crate::object::Derived,
    what: &str,
    path: &str,
    issues: &mut Issues<'_>,
) {
    if let Some((key, why)) = key.and_then(|key| Some((key, derived.read_only(key)?))) {
        issues
            .add(format!("{path}.fields.{key}"), format!("a field {what} is written with the record, but this {why}"));
    }
}
