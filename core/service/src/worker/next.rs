//! When there will be something to do in a workspace in which nobody does anything: until then it can be closed.

use std::time::Duration;

use jiff::Timestamp;
use pergola_model::{PluginId, Query, Value};

use crate::{
    error::Error,
    guest::{compile_filter, core_object, parse_sort},
    workspace::{Workspace, no_object},
};

/// A purge whose bytes could not be removed is tried again after so long.
const SCRUB_PAUSE: Duration = Duration::from_secs(3600);
/// Messages that are on their way, put off or left behind ones too.
const UNSENT: &str = "status == 'queued' || status == 'sending'";

impl Workspace {
    /// When the next timer falls due, event is to be told, message leaves or deletion ends its days in the bin, whichever
    /// comes first: now, or in the past, if there is something to do at once; none, if nothing waits.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_work(&self) -> Result<Option<Timestamp>, Error> {
        let now = self.now();
        let mut times = vec![self.next_message(now).await?, self.next_in_bin().await?];
        let catalog = self.catalog();
        let mut plugins: Vec<&PluginId> = catalog.subscriptions.iter().map(|one| &one.plugin).collect();
        plugins.sort();
        plugins.dedup();
        let mut reader = self.0.store.read().await?;
        times.push(reader.next_timer().await?);
        for plugin in plugins {
            if reader.has_events(plugin).await? {
                times.push(Some(reader.subscription(plugin).await?.retry_at.unwrap_or(now)));
            }
        }
        if self.has_unindexed() || !reader.list_purged().await?.is_empty() {
            times.push(Some(now));
        }
        drop(reader);
        if self.is_scrub_due().await? {
            times.push(now.checked_add(SCRUB_PAUSE).ok());
        }
        Ok(times.into_iter().flatten().min())
    }

    async fn next_message(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let (catalog, name) = (self.catalog(), core_object("message")?);
        let object = catalog.object(&name).ok_or_else(|| no_object("message"))?;
        let query = Query {
            filter: Some(compile_filter(&catalog, object, UNSENT, &[])?),
            now,
            // One that was never put off is first.
            sort: parse_sort(object, "retry_at")?,
            limit: 1,
            ..Query::of(name.clone())
        };
        let page = self.0.store.read_once().await?.list(&catalog, &query).await?;
        Ok(page.records.first().map(|record| match record.fields.get("retry_at") {
            Value::DateTime(at) => *at,
            _ => now,
        }))
    }

    async fn next_in_bin(&self) -> Result<Option<Timestamp>, Error> {
        let kept = Duration::from_secs(u64::from(self.bin_keep_days().await?) * 24 * 3600);
        let oldest = self.0.store.read_once().await?.find_oldest_deletion().await?;
        Ok(oldest.map(|at| at.checked_add(kept).unwrap_or(Timestamp::MAX)))
    }
}
