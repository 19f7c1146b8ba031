//! Timers that fell due.

use pergola_model::{Actor, Catalog};

use super::{Worker, retry_at};
use crate::{
    error::Error,
    ports::{
        plugins::{Call, Due},
        store::StoredTimer,
    },
};

/// Timers in one round.
const ROUND: u32 = 50;

impl Worker {
    pub(super) async fn fire_timers(&self) -> Result<usize, Error> {
        let due = self.workspace.0.store.read().await?.list_due_timers(self.workspace.now(), ROUND).await?;
        let mut outcomes = Vec::with_capacity(due.len());
        let catalog = self.workspace.catalog();
        for timer in due {
            let outcome = self.fire(&catalog, &timer).await;
            outcomes.push((timer, outcome));
        }
        if outcomes.is_empty() {
            return Ok(0);
        }
        let now = self.workspace.now();
        let mut tx = self.workspace.0.store.write().await?;
        for (timer, outcome) in &outcomes {
            match outcome {
                Ok(()) => tx.finish_timer(timer).await?,
                Err(error) => tx.delay_timer(timer, retry_at(now, timer.attempts), error).await?,
            }
        }
        tx.commit().await?;
        Ok(outcomes.len())
    }

    /// Tells the plugin; an error is a line for the row and the log.
    async fn fire(&self, catalog: &Catalog, timer: &StoredTimer) -> Result<(), String> {
        let key = &timer.key;
        if !catalog.has_timer(&key.plugin, &key.object, &key.action) {
            tracing::info!(plugin = %key.plugin, action = %key.action, "a timer of an earlier version of the plugin is dropped");
            return Ok(());
        }
        if key.plugin.is_core() {
            return self.end_hold(timer).await;
        }
        let record =
            self.workspace.find(&Actor::System, &key.object, key.record).await.map_err(|error| error.to_string())?;
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
