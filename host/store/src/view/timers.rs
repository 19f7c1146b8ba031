//! Timers, over a connection that was lent.

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{PluginId, name::Name};
use pergola_service::ports::store::{OwnTimer, StoreError, StoredTimer, TimerKey, TimerReader, TimerWriter};

use super::{Source, Unit, View};
use crate::timers;

#[async_trait]
impl<S: Source> TimerReader for View<S> {
    async fn list_timers(&mut self, after: Option<&TimerKey>, limit: u32) -> Result<Vec<StoredTimer>, StoreError> {
        timers::list(self.0.session().await?, after, limit).await
    }

    async fn next_timer(&mut self) -> Result<Option<Timestamp>, StoreError> {
        timers::next(self.0.session().await?).await
    }

    async fn find_timer(&mut self, key: &TimerKey) -> Result<Option<StoredTimer>, StoreError> {
        timers::find(self.0.session().await?, key).await
    }

    async fn list_own_timers(
        &mut self,
        plugin: &PluginId,
        action: &Name,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, StoreError> {
        timers::list_own(self.0.session().await?, plugin, action, after, limit).await
    }

    async fn count_own_timers(&mut self, plugin: &PluginId, most: u32) -> Result<u32, StoreError> {
        timers::count_own(self.0.session().await?, plugin, most).await
    }
}

#[async_trait]
impl TimerWriter for View<Unit> {
    async fn set_timers(&mut self, timers: &[TimerKey], due_at: &[Timestamp]) -> Result<(), StoreError> {
        timers::set(self.0.session().await?, timers, due_at).await
    }

    async fn set_own_timer(&mut self, timer: &OwnTimer) -> Result<(), StoreError> {
        timers::set_own(self.0.session().await?, timer).await
    }

    async fn clear_timers(&mut self, timers: &[TimerKey]) -> Result<u64, StoreError> {
        timers::clear(self.0.session().await?, timers).await
    }

    async fn claim_timers(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, StoreError> {
        timers::claim(self.0.session().await?, now, until, limit).await
    }

    async fn finish_timers(&mut self, timers: &[StoredTimer]) -> Result<(), StoreError> {
        timers::finish(self.0.session().await?, timers).await
    }

    async fn delay_timer(&mut self, timer: &StoredTimer, retry_at: Timestamp, error: &str) -> Result<(), StoreError> {
        timers::delay(self.0.session().await?, timer, retry_at, error).await
    }
}
