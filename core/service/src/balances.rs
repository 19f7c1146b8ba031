//! What the entries of a ledger come to, by account and unit, page by page.

use pergola_model::{Actor, Catalog, FieldType, Fields, Object, ObjectName, Operation, Value, rollup::from_steps};
use serde_json::json;

use crate::{
    error::Error,
    ports::{
        counters::{Balance, BalanceKey},
        store::Reader,
    },
    rights::Rights,
    workspace::{Workspace, no_object},
};

/// Which balances to list.
#[derive(Debug, Clone)]
pub struct BalanceQuery {
    /// The object whose records are the entries.
    pub object: ObjectName,
    /// Of one account, as text; none lists all.
    pub account: Option<String>,
    /// Those after the page that gave this cursor.
    pub after: Option<String>,
    /// Balances in the page.
    pub limit: u32,
}

/// A page of balances, in the order of account, unit and currency.
#[derive(Debug, Clone, PartialEq)]
pub struct BalancePage {
    /// The balances.
    pub balances: Vec<AccountBalance>,
    /// Where the next page starts; none after the last.
    pub next: Option<String>,
}

/// What the entries of an account and a unit come to.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountBalance {
    /// The account, as text.
    pub account: String,
    /// The unit, as text; empty in a ledger without units.
    pub unit: String,
    /// In the type of the ledger's amounts.
    pub amount: Value,
}

impl Workspace {
    /// One page of the balances of an object's entries. Whoever may read the entries may read what they come to.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the object is no ledger, [`Error::Forbidden`], `bad_cursor`, or the store's.
    pub async fn list_balances(&self, actor: &Actor, query: &BalanceQuery) -> Result<BalancePage, Error> {
        self.balances_with(&Rights::of(actor), query).await
    }

    pub(crate) async fn balances_with(&self, rights: &Rights, query: &BalanceQuery) -> Result<BalancePage, Error> {
        list(self.0.store.read().await?.as_mut(), &self.catalog(), rights, query).await
    }
}

/// The same on any connection.
pub(crate) async fn list(
    reader: &mut dyn Reader,
    catalog: &Catalog,
    rights: &Rights,
    query: &BalanceQuery,
) -> Result<BalancePage, Error> {
    let name = &query.object;
    rights.check(Operation::Read, name, &Fields::new())?;
    let object = catalog.object(name).ok_or_else(|| no_object(name.as_str()))?;
    if object.derived.ledger.is_none() {
        return Err(Error::NotFound(format!("records of {name} are no entries of a ledger: there are no balances")));
    }
    let after = query.after.as_deref().map(|text| read_cursor(name, text)).transpose()?;
    // One more tells whether there is a next page.
    let more = query.limit.saturating_add(1);
    let mut found = reader.list_balances(name, query.account.as_deref(), after.as_ref(), more).await?;
    let rows = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let has_next = found.len() > rows;
    found.truncate(rows);
    let next = found.last().filter(|_| has_next).map(|last| cursor(&last.key));
    Ok(BalancePage { balances: found.into_iter().map(|balance| shown(object, balance)).collect(), next })
}

fn shown(object: &Object, Balance { key, amount }: Balance) -> AccountBalance {
    let ledger = object.derived.ledger.as_ref();
    let kind = ledger.and_then(|ledger| object.field(&ledger.amount)).map_or(&FieldType::Integer, |field| &field.kind);
    let currency = (!key.currency.is_empty()).then_some(key.currency.as_str());
    let amount = from_steps(kind, i128::from(amount), currency).unwrap_or(Value::Null);
    AccountBalance { account: key.account, unit: key.unit, amount }
}

fn cursor(key: &BalanceKey) -> String {
    json!([key.account, key.unit, key.currency]).to_string()
}

fn read_cursor(object: &ObjectName, text: &str) -> Result<BalanceKey, Error> {
    let (account, unit, currency) = serde_json::from_str(text).map_err(|_| Error::BadRequest {
        code: "bad_cursor",
        message: "after is the next of an earlier answer, and not this".to_owned(),
    })?;
    Ok(BalanceKey { object: object.clone(), account, unit, currency })
}
