//! Events told to plugins, in order of commit, at least once.

use std::sync::Arc;

use pergola_model::{Catalog, PluginId};

use super::{Worker, retry_at};
use crate::{
    error::Error,
    ports::{
        plugins::{Call, Happened},
        store::{StoredEvent, SubscriptionState},
    },
};

/// Events told in one call.
const BATCH: u32 = 100;

impl Worker {
    pub(super) async fn tell_events(&self) -> Result<usize, Error> {
        let catalog = self.workspace.catalog();
        let mut plugins: Vec<PluginId> = catalog.subscriptions.iter().map(|one| one.plugin.clone()).collect();
        plugins.sort();
        plugins.dedup();
        let mut told = 0;
        for plugin in &plugins {
            told += self.tell(&catalog, plugin).await?;
        }
        if told > 0 {
            let mut tx = self.workspace.0.store.write().await?;
            tx.trim_events(&plugins).await?;
            tx.commit().await?;
        }
        Ok(told)
    }

    /// Tells one plugin the next events; a failed batch is put off and told again.
    async fn tell(&self, catalog: &Arc<Catalog>, plugin: &PluginId) -> Result<usize, Error> {
        let lease = self.new_lease();
        let state = {
            let mut reader = self.workspace.0.store.read().await?;
            let state = reader.subscription(plugin).await?;
            if state.retry_at.is_some_and(|at| at > lease.now) || !reader.has_events(plugin).await? {
                return Ok(0);
            }
            state
        };
        let mut tx = self.workspace.0.store.write().await?;
        let events = tx.claim_events(plugin, lease.now, lease.until, BATCH).await?;
        let Some(last) = events.last().map(|event| event.sequence) else { return Ok(0) };
        // Another process may have told some since the look.
        let state = SubscriptionState { sequence: tx.subscription(plugin).await?.sequence, ..state };
        tx.commit().await?;
        let wanted: Vec<Happened> =
            events.into_iter().filter(|event| wants(catalog, plugin, event)).map(happened).collect();
        let outcome = if wanted.is_empty() {
            Ok(())
        } else {
            self.call(catalog, plugin, Call::Events(wanted.clone())).await.map(|_| ())
        };
        let next = match outcome {
            Ok(()) => SubscriptionState { sequence: last, attempts: 0, retry_at: None },
            Err(error) => {
                tracing::warn!(%plugin, attempts = state.attempts + 1, %error, "a plugin could not take its events; they are told again");
                let retry_at = Some(retry_at(self.workspace.now(), state.attempts));
                SubscriptionState { attempts: state.attempts + 1, retry_at, ..state }
            }
        };
        let mut tx = self.workspace.0.store.write().await?;
        tx.finish_events(plugin, lease.until, &next).await?;
        tx.commit().await?;
        Ok(wanted.len().max(1))
    }
}

fn wants(catalog: &Catalog, plugin: &PluginId, stored: &StoredEvent) -> bool {
    let event = &stored.event;
    catalog
        .subscriptions
        .iter()
        .any(|one| one.plugin == *plugin && one.object == event.object && one.kinds.contains(&event.kind))
}

fn happened(stored: StoredEvent) -> Happened {
    let event = stored.event;
    Happened {
        key: format!("event:{}", stored.sequence),
        object: event.object,
        kind: event.kind,
        record: event.record,
        changed: event.changed,
        at: event.at,
    }
}
