//! Timers that plugins set themselves, and how many a plugin may have.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use pergola_model::{PluginId, name::Name};

use super::Workspace;
use crate::{
    error::Error,
    ports::{
        plugins::{Budget, Limits},
        store::{OwnTimer, StoredTimer, TimerKey, Transaction},
    },
    unit::Unit,
};

/// The most timers that a plugin has set itself and that wait, unless somebody says otherwise.
pub const OWN_TIMERS_MAX: u32 = 100_000;

/// How many timers each plugin may still set before they are counted again.
///
/// Counting walks over all of them, so it is done once in a while: what fires or is cancelled meanwhile makes room that
/// is seen at the next counting. What several servers write at the same moment is not counted together.
pub(crate) struct OwnTimerQuota {
    most: u32,
    left: BTreeMap<PluginId, u32>,
}

impl OwnTimerQuota {
    pub(crate) fn new() -> Mutex<Self> {
        Mutex::new(Self { most: OWN_TIMERS_MAX, left: BTreeMap::new() })
    }

    fn take(&mut self, plugin: &PluginId) -> bool {
        let left = self.left.get_mut(plugin).filter(|left| **left > 0);
        left.map(|left| *left = left.saturating_sub(1)).is_some()
    }
}

impl Workspace {
    /// Lets each plugin have so many own timers waiting, instead of [`OWN_TIMERS_MAX`].
    pub fn limit_own_timers(&self, most: u32) {
        *self.quota() = OwnTimerQuota { most, left: BTreeMap::new() };
    }

    fn quota(&self) -> std::sync::MutexGuard<'_, OwnTimerQuota> {
        self.0.own_timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes when the plugin may set one more timer, or moves one that it has.
    pub(crate) async fn check_own_timers(&self, tx: &mut dyn Transaction, timer: &OwnTimer) -> Result<(), Error> {
        if self.quota().take(&timer.plugin) {
            return Ok(());
        }
        let most = self.quota().most;
        let count = tx.count_own_timers(&timer.plugin, most).await?;
        if count < most {
            self.quota().left.insert(timer.plugin.clone(), most.saturating_sub(count).saturating_sub(1));
            return Ok(());
        }
        if tx.find_timer(&timer.key()).await?.is_some() {
            return Ok(());
        }
        let message = format!(
            "plugin {} has {count} timers of its own waiting, and may not have more: cancel those that are not needed, \
             or let timers follow a field of a record",
            timer.plugin
        );
        Err(Error::Conflict { code: "too_many_timers", message, issues: vec![] })
    }

    pub(crate) async fn set_own_timer(&self, timer: OwnTimer) -> Result<(), Error> {
        self.detached(move |workspace| {
            let timer = timer.clone();
            async move {
                let _open = workspace.0.gate.read().await;
                let mut unit = Unit::begin(&workspace, Budget::new(Limits::hook())).await?;
                unit.set_own_timer(timer).await?;
                unit.commit().await
            }
        })
        .await
    }

    pub(crate) async fn cancel_own_timer(&self, key: TimerKey) -> Result<bool, Error> {
        self.detached(move |workspace| {
            let key = key.clone();
            async move {
                let _open = workspace.0.gate.read().await;
                let mut unit = Unit::begin(&workspace, Budget::new(Limits::hook())).await?;
                let was_set = unit.cancel_own_timer(key).await?;
                unit.commit().await?;
                Ok(was_set)
            }
        })
        .await
    }

    pub(crate) async fn find_timer(&self, key: &TimerKey) -> Result<Option<StoredTimer>, Error> {
        Ok(self.0.store.read_once().await?.find_timer(key).await?)
    }

    pub(crate) async fn list_own_timers(
        &self,
        plugin: &PluginId,
        action: &Name,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, Error> {
        Ok(self.0.store.read_once().await?.list_own_timers(plugin, action, after, limit).await?)
    }
}
