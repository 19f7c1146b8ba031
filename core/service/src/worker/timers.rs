//! Timers that fell due.

use std::collections::BTreeMap;

use pergola_model::{Catalog, Id, ObjectName, Record};

use super::{Worker, retry_at};
use crate::{
    error::Error,
    ports::{
        plugins::{Call, Due},
        store::StoredTimer,
    },
};

/// Timers claimed in one round.
const ROUND: u32 = 500;
/// Timers whose records are read at once, just before they are told.
const PORTION: usize = 50;

impl Worker {
    pub(super) async fn fire_timers(&self) -> Result<usize, Error> {
        let lease = self.new_lease();
        if self.next_due().await?.is_none_or(|at| at > lease.now) {
            return Ok(0);
        }
        let mut tx = self.workspace.0.store.write().await?;
        let claimed = tx.claim_timers(lease.now, lease.until, ROUND).await?;
        tx.commit().await?;
        let catalog = self.workspace.catalog();
        let (mut fired, mut failed) = (Vec::new(), Vec::new());
        for portion in claimed.chunks(PORTION) {
            // What is left over comes back when the lease ends.
            if self.workspace.now() > lease.begins_until {
                break;
            }
            let records = self.records_of(&catalog, portion).await?;
            for timer in portion {
                let record = records.get(&timer.key.record).cloned();
                match self.fire(&catalog, timer, record).await {
                    Ok(()) => fired.push(timer.clone()),
                    Err(error) => failed.push((timer, error)),
                }
            }
        }
        let done = fired.len() + failed.len();
        if done > 0 {
            let now = self.workspace.now();
            let mut tx = self.workspace.0.store.write().await?;
            tx.finish_timers(&fired).await?;
            for (timer, error) in failed {
                tx.delay_timer(timer, retry_at(now, timer.attempts), &error).await?;
            }
            tx.commit().await?;
        }
        Ok(done)
    }

    /// The records that these timers follow, as they are now.
    async fn records_of(&self, catalog: &Catalog, timers: &[StoredTimer]) -> Result<BTreeMap<Id, Record>, Error> {
        let mut ids: BTreeMap<&ObjectName, Vec<Id>> = BTreeMap::new();
        for StoredTimer { key, .. } in timers {
            ids.entry(&key.object).or_default().push(key.record);
        }
        let mut records = BTreeMap::new();
        for (object, ids) in ids {
            let Some(object) = catalog.object(object) else { continue };
            let found = self.workspace.0.store.read_once().await?.find_many(object, &ids).await?;
            records.extend(found.into_iter().map(|record| (record.id, record)));
        }
        Ok(records)
    }

    /// Tells the plugin; an error is a line for the row and the log.
    async fn fire(&self, catalog: &Catalog, timer: &StoredTimer, record: Option<Record>) -> Result<(), String> {
        let key = &timer.key;
        if !catalog.has_timer(&key.plugin, &key.object, &key.action) {
            tracing::info!(plugin = %key.plugin, action = %key.action, "a timer of an earlier version of the plugin is dropped");
            return Ok(());
        }
        if key.plugin.is_core() {
            return self.end_hold(timer).await;
        }
        let Some(target) = record else { return Ok(()) };
        let due = Due {
            action: key.action.to_string(),
            key: format!("{}:{}:{}:{}", key.object, key.record, key.action, timer.due_at.as_microsecond()),
            at: timer.due_at,
            object: key.object.clone(),
            target,
        };
        let told = self.call(catalog, &key.plugin, Call::Timer(due)).await;
        told.map(|_| ()).map_err(|error| {
            tracing::warn!(plugin = %key.plugin, action = %key.action, attempts = timer.attempts + 1, %error, "a timer failed and is put off");
            error.to_string()
        })
    }

    /// The engine's own timer: nobody is told, the record gets its next code.
    async fn end_hold(&self, timer: &StoredTimer) -> Result<(), String> {
        let StoredTimer { key, attempts, .. } = timer;
        self.workspace.end_hold(&key.object, key.record).await.map_err(|error| {
            tracing::warn!(object = %key.object, record = %key.record, attempts = attempts + 1, %error, "a hold could not be ended and is tried again");
            error.to_string()
        })
    }
}
