//! Durable wake-ups, as they are stored: those that follow a record, and those that a plugin sets itself.

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{Id, ObjectName, PluginId, name::Name};

use super::StoreError;

/// What a timer is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerKey {
    /// Who is told.
    pub plugin: PluginId,
    /// What the plugin is told.
    pub action: Name,
    /// What the timer is of.
    pub of: TimerOf,
}

/// What a timer is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerOf {
    /// It follows a record.
    Record(ObjectName, Id),
    /// The plugin set it itself, under this name.
    Own(String),
}

impl TimerKey {
    /// The record that it follows.
    #[must_use]
    pub fn record(&self) -> Option<(&ObjectName, Id)> {
        match &self.of {
            TimerOf::Record(object, record) => Some((object, *record)),
            TimerOf::Own(_) => None,
        }
    }
}

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTimer {
    /// What it is known by.
    pub key: TimerKey,
    /// When it is due.
    pub due_at: Timestamp,
    /// Failed attempts so far.
    pub attempts: i64,
    /// What the plugin left for itself; empty for a timer that follows a record.
    pub payload: String,
    /// How often it was set: what was fired is told by it from what was set meanwhile.
    pub revision: i64,
}

/// A timer that a plugin sets itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTimer {
    /// Whose.
    pub plugin: PluginId,
    /// What the plugin is told.
    pub action: Name,
    /// The name that it has for the plugin.
    pub name: String,
    /// When it is due.
    pub at: Timestamp,
    /// What the plugin leaves for itself.
    pub payload: String,
}

impl OwnTimer {
    /// What it is known by.
    #[must_use]
    pub fn key(&self) -> TimerKey {
        TimerKey { plugin: self.plugin.clone(), action: self.action.clone(), of: TimerOf::Own(self.name.clone()) }
    }
}

/// Reads timers.
#[async_trait]
pub trait TimerReader: Send {
    /// All timers after a key, by key.
    async fn list_timers(&mut self, after: Option<&TimerKey>, limit: u32) -> Result<Vec<StoredTimer>, StoreError>;

    /// When the next timer falls due, is to be retried, or comes back from a process that claimed it.
    async fn next_timer(&mut self) -> Result<Option<Timestamp>, StoreError>;

    /// The timer of that key.
    async fn find_timer(&mut self, key: &TimerKey) -> Result<Option<StoredTimer>, StoreError>;

    /// A plugin's own timers of an action, by name, those after a name.
    async fn list_own_timers(
        &mut self,
        plugin: &PluginId,
        action: &Name,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, StoreError>;

    /// How many own timers a plugin has, counted up to `most`.
    async fn count_own_timers(&mut self, plugin: &PluginId, most: u32) -> Result<u32, StoreError>;
}

/// Sets, clears and claims timers.
#[async_trait]
pub trait TimerWriter: TimerReader {
    /// Sets timers that follow records, each replacing the one of the same key; a changed due time resets its attempts.
    async fn set_timers(&mut self, timers: &[TimerKey], due_at: &[Timestamp]) -> Result<(), StoreError>;

    /// Sets a plugin's own timer, or moves the one of that name; its attempts start anew.
    async fn set_own_timer(&mut self, timer: &OwnTimer) -> Result<(), StoreError>;

    /// Removes timers that exist among these; how many did.
    async fn clear_timers(&mut self, timers: &[TimerKey]) -> Result<u64, StoreError>;

    /// Timers due at or before `now`, not waiting for a retry and claimed by nobody, earliest first. They are the
    /// caller's until that time: whoever has not finished or delayed a timer by then has lost it to the next claim.
    async fn claim_timers(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, StoreError>;

    /// Removes timers that were fired, unless they were set anew meanwhile.
    async fn finish_timers(&mut self, timers: &[StoredTimer]) -> Result<(), StoreError>;

    /// Notes a failed attempt, unless the timer was set anew meanwhile.
    async fn delay_timer(&mut self, timer: &StoredTimer, retry_at: Timestamp, error: &str) -> Result<(), StoreError>;
}
