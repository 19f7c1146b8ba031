//! The system's own rows: tables, wake-ups, places in the outbox, messages on their way, answers, purges.

use std::time::Duration;

use jiff::Timestamp;
use pergola_model::{Actor, Query, upgrade::Upgrade};

use super::{Finding, Severity};
use crate::{
    error::Error,
    guest::{compile_filter, core_object},
    ports::store::{StoreError, TimerKey, TimerOf},
    workspace::{Workspace, no_object},
};

/// Failed attempts after which it is no passing trouble.
const ATTEMPTS: i64 = 5;
/// After this time a message is not on its way any more, and a server would have done what is due.
const LONG: Duration = Duration::from_secs(3600);
/// Timers in one read.
const PAGE: u32 = 500;

impl Workspace {
    /// The stored tables against the declared ones.
    pub(super) async fn examine_schema(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let mut missing = Finding::mendable(
            "schema",
            Severity::Damage,
            "tables, columns or indexes that are declared and not there",
            "makes them",
        );
        let mut misfit = Finding::new(
            "schema_misfit",
            Severity::Damage,
            "what is stored cannot become what is declared",
            "install the version of the plugin that made it, or mend the records that break the rule",
        );
        match self.0.store.plan(&self.catalog(), &Upgrade::default()).await {
            Ok(steps) if steps.is_empty() => {}
            Ok(steps) => {
                steps.iter().for_each(|step| missing.add(|| step.summary.clone()));
                if fix {
                    let mut tx = self.0.store.write().await?;
                    // A first statement that reads, so that a connection which knows older tables looks again.
                    tx.list_plugins().await?;
                    match tx.apply_schema(&steps).await {
                        Ok(()) => {
                            tx.commit().await?;
                            missing.mended = true;
                        }
                        Err(StoreError::Schema(why)) => misfit.add(|| why),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Err(StoreError::Schema(why)) => misfit.add(|| why),
            Err(error) => return Err(error.into()),
        }
        Ok([missing, misfit].into_iter().filter_map(Finding::if_any).collect())
    }

    /// Wake-ups that no declaration knows, or that follow a record that is gone; and those that fail again and again.
    pub(super) async fn examine_timers(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let mut lost = Finding::mendable(
            "timer",
            Severity::Damage,
            "timers that no plugin declares, or whose record is gone",
            "drops them; they would do nothing",
        );
        let mut failing = Finding::new(
            "timer_failing",
            Severity::Notice,
            "timers that fail again and again",
            "look into the log for the reason, and upgrade the plugin",
        );
        let mut waiting = Finding::new(
            "timer_waiting",
            Severity::Notice,
            "timers that are due for more than an hour, and that nobody fires",
            "start a server; it fires them at once",
        );
        let long_ago = self.now().checked_sub(LONG).unwrap_or(Timestamp::MIN);
        let catalog = self.catalog();
        let mut drop: Vec<TimerKey> = Vec::new();
        let mut after: Option<TimerKey> = None;
        loop {
            let timers = self.0.store.read().await?.list_timers(after.as_ref(), PAGE).await?;
            let Some(last) = timers.last() else { break };
            after = Some(last.key.clone());
            for timer in timers {
                let key = &timer.key;
                let (place, is_known) = match &key.of {
                    TimerOf::Record(object, record) => {
                        let is_known = key.plugin.is_core() || catalog.has_timer(&key.plugin, object, &key.action);
                        let found = self.find(&Actor::System, object, *record).await;
                        let is_gone = matches!(found, Ok(None) | Err(Error::NotFound(_)));
                        (format!("for {object} {record}"), is_known && !is_gone)
                    }
                    TimerOf::Own(name) => (format!("named {name}"), catalog.has_own_timer(&key.plugin, &key.action)),
                };
                let place = || format!("{} of {} {place}", key.action, key.plugin);
                if !is_known {
                    lost.add(place);
                    drop.push(timer.key);
                } else if timer.attempts >= ATTEMPTS {
                    failing.add(place);
                } else if timer.attempts == 0 && timer.due_at < long_ago {
                    waiting.add(place);
                }
            }
        }
        if fix && !drop.is_empty() {
            let mut tx = self.0.store.write().await?;
            tx.clear_timers(&drop).await?;
            tx.commit().await?;
            lost.mended = true;
        }
        Ok([lost, failing, waiting].into_iter().filter_map(Finding::if_any).collect())
    }

    /// Plugins that cannot take their events.
    pub(super) async fn examine_outbox(&self) -> Result<Vec<Finding>, Error> {
        let mut stuck = Finding::new(
            "outbox",
            Severity::Notice,
            "plugins that fail on the same events again and again",
            "look into the log for the reason, and upgrade the plugin; the events wait",
        );
        let mut waiting = Finding::new(
            "outbox_waiting",
            Severity::Notice,
            "plugins whose events nobody tells, although the claim or the pause is over for an hour",
            "start a server; it tells them at once",
        );
        let long_ago = self.now().checked_sub(LONG).unwrap_or(Timestamp::MIN);
        for plugin in self.catalog().plugins.keys() {
            let mut reader = self.0.store.read().await?;
            let state = reader.subscription(plugin).await?;
            if let Some(until) = state.retry_at.filter(|at| *at < long_ago)
                && reader.has_events(plugin).await?
            {
                waiting.add(|| format!("{plugin}, since {until}"));
            }
            if state.attempts >= ATTEMPTS {
                stuck.add(|| format!("{plugin}, {} attempts at event {}", state.attempts, state.sequence + 1));
            }
        }
        Ok([stuck, waiting].into_iter().filter_map(Finding::if_any).collect())
    }

    /// Messages that began to leave and never came to an end.
    pub(super) async fn examine_messages(&self) -> Result<Option<Finding>, Error> {
        let mut stuck = Finding::new(
            "message",
            Severity::Notice,
            "messages that began to leave long ago",
            "start a server, which asks the way out whether they left; or set their status to failed",
        );
        let catalog = self.catalog();
        let name = core_object("message")?;
        let object = catalog.object(&name).ok_or_else(|| no_object("message"))?;
        let mut query = Query {
            object: name.clone(),
            filter: Some(compile_filter(&catalog, object, "status == 'sending'", &[])?),
            parameters: vec![],
            now: self.now(),
            sort: vec![],
            fields: None,
            limit: PAGE,
            after: None,
        };
        let long_ago = self.now().checked_sub(LONG).unwrap_or(Timestamp::MIN);
        loop {
            let page = self.list(&Actor::System, &query).await?;
            for message in page.records.iter().filter(|message| message.updated_at < long_ago) {
                stuck.add(|| format!("message {}", message.id));
            }
            query.after = page.next;
            if query.after.is_none() {
                return Ok(stuck.if_any());
            }
        }
    }

    /// Answers under idempotency keys that nobody may repeat any more.
    pub(super) async fn examine_answers(&self, fix: bool) -> Result<Option<Finding>, Error> {
        let mut expired = Finding::mendable(
            "answer",
            Severity::Notice,
            "answers that have expired",
            "drops them; a running server would too",
        );
        let now = self.now();
        expired.count = self.0.store.read().await?.count_expired_answers(now).await?;
        if fix && expired.count > 0 {
            while self.drop_expired_answers().await? > 0 {}
            expired.mended = true;
        }
        Ok(expired.if_any())
    }

    /// Purges that were cut off.
    pub(super) async fn examine_purges(&self, fix: bool) -> Result<Option<Finding>, Error> {
        let mut unfinished = Finding::mendable(
            "purge",
            Severity::Damage,
            "purged records of which traces may be left",
            "removes the traces, as a server would within the hour",
        );
        for id in self.0.store.read().await?.list_purged().await? {
            unfinished.add(|| id.to_string());
        }
        if fix && unfinished.count > 0 {
            self.forget_purged().await?;
            unfinished.mended = true;
        }
        if !self.is_scrub_due().await? {
            return Ok(unfinished.if_any());
        }
        unfinished.add(|| "bytes in the database's files".to_owned());
        if fix {
            unfinished.mended = self.scrub_if_due().await?;
        }
        Ok(unfinished.if_any())
    }
}
