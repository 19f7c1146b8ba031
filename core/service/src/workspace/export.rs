//! Taking all records of an object along: one consistent state of them, and a line in the audit before the first.

use std::sync::Arc;

use pergola_model::{Actor, Catalog, Fields, Id, Object, Operation, Page, Query, Record};

use super::Workspace;
use crate::{
    error::Error,
    ports::store::{AuditEntry, AuditKind, Reader},
    rights::Rights,
};

/// One state of the data, as long as it is held.
///
/// It takes one of the store's few readers, so whoever holds it must read on or let go.
pub struct Snapshot {
    reader: Box<dyn Reader>,
    catalog: Arc<Catalog>,
    count: u64,
}

impl Workspace {
    /// Opens a state of the data for an export of what the query asks (its limit and cursor do not count), and
    /// notes in the audit who takes what along. What was noted is durable before the first record can be read.
    ///
    /// `what` tells the audit more, as JSON: format, filter, fields.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but owners, or the store's.
    pub async fn export(&self, actor: &Actor, query: &Query, what: serde_json::Value) -> Result<Snapshot, Error> {
        let rights = Rights::of(actor);
        rights.check(Operation::Export, &query.object, &Fields::new())?;
        let catalog = self.catalog();
        let mut reader = self.0.store.read().await?;
        let count = reader.count(&catalog, query).await?;
        let mut changes = what;
        if let serde_json::Value::Object(members) = &mut changes {
            members.insert("records".to_owned(), count.into());
        }
        let now = self.0.clock.now();
        let entry = AuditEntry {
            at: now,
            actor: actor.label(),
            plugin: None,
            kind: AuditKind::Export,
            object: query.object.clone(),
            record: self.0.ids.next(now),
            changes,
        };
        let mut tx = self.0.store.write().await?;
        tx.append_audit(&[entry]).await?;
        tx.commit().await?;
        Ok(Snapshot { reader, catalog, count })
    }
}

impl Snapshot {
    /// How many records match the query with which it was opened.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What the workspace knew how to hold when the state was taken.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// One page.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&mut self, query: &Query) -> Result<Page, Error> {
        Ok(self.reader.list(&self.catalog, query).await?)
    }

    /// The records that exist among these ids (at most 1,000), in no particular order.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_many(&mut self, object: &Object, ids: &[Id]) -> Result<Vec<Record>, Error> {
        Ok(self.reader.find_many(object, ids).await?)
    }
}
