//! Timers: those that follow a record are set, moved and cleared with it, and those that a plugin sets itself with the
//! unit of work in which it does.

use jiff::Timestamp;
use pergola_model::{Object, Record, Value, object::Timer};

use super::{Unit, surroundings::not_computable};
use crate::{
    error::Error,
    ports::store::{OwnTimer, TimerKey, TimerOf},
};

impl Unit {
    /// Sets a plugin's own timer, or moves the one of that name. One whose time is past is due at once.
    pub(crate) async fn set_own_timer(&mut self, timer: OwnTimer) -> Result<(), Error> {
        let workspace = self.workspace.clone();
        workspace.check_own_timers(self.tx.as_mut(), &timer).await?;
        self.tx.set_own_timer(&timer).await?;
        self.pending.wake();
        Ok(())
    }

    /// Clears a plugin's own timer; whether it was set.
    pub(crate) async fn cancel_own_timer(&mut self, key: TimerKey) -> Result<bool, Error> {
        Ok(self.tx.clear_timers(&[key]).await? > 0)
    }

    /// Brings the record's timers in line with its fields.
    ///
    /// A timer whose due time does not change is left alone, even when it is past and waits to be
    /// fired. One that would be due in the past is not set: a wake-up is for the future.
    pub(super) async fn follow(
        &mut self,
        object: &Object,
        before: Option<&Record>,
        now: Option<&Record>,
    ) -> Result<(), Error> {
        for timer in &object.timers {
            let old = match before {
                Some(record) => self.due_at(object, timer, record).await?,
                None => None,
            };
            let new = match now {
                Some(record) => self.due_at(object, timer, record).await?,
                None => None,
            };
            // What other records say may have changed since the timer was set, so it is set again, or cleared.
            let looks_around = looks_around(timer);
            let is_past = new.is_some_and(|at| at <= self.now);
            if old == new && (is_past || !looks_around) {
                continue;
            }
            let Some(id) = now.or(before).map(|record| record.id) else { continue };
            let key = TimerKey {
                plugin: timer.plugin.clone(),
                action: timer.action.clone(),
                of: TimerOf::Record(object.name.clone(), id),
            };
            match new.filter(|at| *at > self.now) {
                Some(at) => self.pending.timer(key, Some(at)),
                None if old.is_some() || (looks_around && before.is_some()) => self.pending.timer(key, None),
                None => {}
            }
        }
        Ok(())
    }

    /// Timers that the record should have and has not, or at another time; with `fix` they are set with the unit.
    /// One that is due already waits to be fired.
    pub(crate) async fn missing_timers(
        &mut self,
        object: &Object,
        record: &Record,
        fix: bool,
    ) -> Result<Vec<String>, Error> {
        let mut missing = Vec::new();
        for timer in &object.timers {
            // What cannot be computed is told of as a rule that the record breaks.
            let due = match self.due_at(object, timer, record).await {
                Ok(due) => due.filter(|at| *at > self.now),
                Err(error) if error.is_about_the_record() => continue,
                Err(error) => return Err(error),
            };
            let Some(due) = due else { continue };
            let key = TimerKey {
                plugin: timer.plugin.clone(),
                action: timer.action.clone(),
                of: TimerOf::Record(object.name.clone(), record.id),
            };
            let stored = self.tx.find_timer(&key).await?;
            if stored.is_some_and(|stored| stored.due_at == due || stored.due_at <= self.now) {
                continue;
            }
            missing.push(format!("{} of {} for {} {}", timer.action, timer.plugin, object.name, record.id));
            if fix {
                self.pending.timer(key, Some(due));
            }
        }
        Ok(missing)
    }

    async fn due_at(&mut self, object: &Object, timer: &Timer, record: &Record) -> Result<Option<Timestamp>, Error> {
        let expressions: Vec<_> = timer.condition.iter().chain([&timer.at]).collect();
        let around = self.surroundings(object, record, &expressions).await?;
        let env = around.env(record, self.now);
        if let Some(condition) = &timer.condition
            && !condition.holds(&env).map_err(|error| not_computable(condition, &error))?
        {
            return Ok(None);
        }
        match timer.at.evaluate(&env).map_err(|error| not_computable(&timer.at, &error))? {
            Value::DateTime(at) => Ok(Some(at)),
            _ => Ok(None),
        }
    }
}

fn looks_around(timer: &Timer) -> bool {
    timer.condition.iter().chain([&timer.at]).any(|one| !one.paths().is_empty() || !one.children().is_empty())
}
