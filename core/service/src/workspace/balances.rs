//! Reading balances: what the entries of a ledger come to, by account and unit.

use pergola_model::{Actor, Fields, ObjectName, Operation};

use super::Workspace;
use crate::{
    error::Error,
    ports::counters::{Balance, BalanceKey},
    rights::Rights,
    workspace::no_object,
};

impl Workspace {
    /// Balances of an object's entries in the order of account, unit and currency: of one account, or of all; those
    /// after `after`. Whoever may read the entries may read what they come to.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the object is no ledger, [`Error::Forbidden`], or the store's.
    pub async fn list_balances(
        &self,
        actor: &Actor,
        object: &ObjectName,
        account: Option<&str>,
        after: Option<&BalanceKey>,
        limit: u32,
    ) -> Result<Vec<Balance>, Error> {
        Rights::of(actor).check(Operation::Read, object, &Fields::new())?;
        let catalog = self.catalog();
        let declared = catalog.object(object).ok_or_else(|| no_object(object.as_str()))?;
        if declared.derived.ledger.is_none() {
            return Err(Error::NotFound(format!(
                "records of {object} are no entries of a ledger: there are no balances"
            )));
        }
        Ok(self.0.store.read().await?.list_balances(object, account, after, limit).await?)
    }
}
