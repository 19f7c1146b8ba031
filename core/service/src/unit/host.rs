//! The host of a hook: everything that its code asks for happens inside the hook's own transaction.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{
    Catalog, Change, Fields, Id, ObjectName, Operation, Page, PluginId, Query, Record,
    name::Name,
    query::aggregate::{Aggregate, Table},
};

use super::Unit;
use crate::{
    balances::{self, BalancePage, BalanceQuery},
    error::Error,
    guest::{self, Access},
    lookup::{self, Address, Holder},
    ports::{
        plugins::{Failure, Host, Request, Response},
        store::{OwnTimer, StoredTimer, TimerKey},
    },
    rights::Rights,
    workspace::{RecordOf, no_object},
};

/// Answers a hook's requests from its unit of work.
pub(super) struct TransactionHost<'a> {
    pub(super) unit: &'a mut Unit,
    pub(super) rights: Rights,
    /// How deep the writes that the hook asks for are nested.
    pub(super) depth: u32,
}

#[async_trait]
impl Host for TransactionHost<'_> {
    async fn ask(&mut self, request: Request) -> Result<Response, Failure> {
        let rights = self.rights.clone();
        guest::answer(self, &rights, request).await
    }
}

#[async_trait]
impl Access for TransactionHost<'_> {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.unit.catalog)
    }

    fn now(&self) -> Timestamp {
        self.unit.now
    }

    async fn find(&mut self, rights: &Rights, object: &ObjectName, id: Id) -> Result<Option<Record>, Error> {
        rights.check(Operation::Read, object, &Fields::new())?;
        let object = self.unit.catalog.object(object).cloned().ok_or_else(|| no_object(object.as_str()))?;
        Ok(self.unit.tx.find(&object, id).await?)
    }

    async fn list(&mut self, rights: &Rights, query: &Query) -> Result<Page, Error> {
        let catalog = Arc::clone(&self.unit.catalog);
        rights.check_reads(&catalog, &query.object, query.filter.iter())?;
        Ok(self.unit.tx.list(&catalog, query).await?)
    }

    async fn aggregate(&mut self, rights: &Rights, asked: &Aggregate) -> Result<Table, Error> {
        let catalog = Arc::clone(&self.unit.catalog);
        rights.check_reads(&catalog, &asked.object, asked.expressions())?;
        Ok(self.unit.tx.aggregate(&catalog, asked).await?)
    }

    async fn balances(&mut self, rights: &Rights, query: &BalanceQuery) -> Result<BalancePage, Error> {
        let catalog = Arc::clone(&self.unit.catalog);
        balances::list(self.unit.tx.as_mut(), &catalog, rights, query).await
    }

    async fn lookup(&mut self, rights: &Rights, number: &str) -> Result<Vec<Holder>, Error> {
        let address = Address::phone(number, &self.unit.locale)?;
        let catalog = Arc::clone(&self.unit.catalog);
        lookup::lookup(self.unit.tx.as_mut(), &catalog, rights, &address, self.unit.now).await
    }

    async fn apply(&mut self, rights: &Rights, changes: Vec<Change>) -> Result<Vec<RecordOf>, Error> {
        self.unit.apply_nested(rights, changes, self.depth).await
    }

    async fn set_timer(&mut self, timer: OwnTimer) -> Result<(), Error> {
        self.unit.set_own_timer(timer).await
    }

    async fn cancel_timer(&mut self, key: TimerKey) -> Result<bool, Error> {
        self.unit.cancel_own_timer(key).await
    }

    async fn find_timer(&mut self, key: &TimerKey) -> Result<Option<StoredTimer>, Error> {
        Ok(self.unit.tx.find_timer(key).await?)
    }

    async fn list_timers(
        &mut self,
        plugin: &PluginId,
        action: &Name,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, Error> {
        Ok(self.unit.tx.list_own_timers(plugin, action, after, limit).await?)
    }
}
