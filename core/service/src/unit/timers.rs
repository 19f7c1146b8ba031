//! Relative timers: set, moved and cleared with the record that they follow.

use jiff::Timestamp;
use pergola_model::{Object, Record, Value, expr::Env, object::Timer};

use super::{Unit, rules::not_computable};
use crate::{error::Error, ports::store::TimerKey};

impl Unit {
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
            if old == new {
                continue;
            }
            let Some(id) = now.or(before).map(|record| record.id) else { continue };
            let key = TimerKey {
                plugin: timer.plugin.clone(),
                object: object.name.clone(),
                action: timer.action.clone(),
                record: id,
            };
            match new.filter(|at| *at > self.now) {
                Some(at) => self.pending.timer(key, Some(at)),
                None if old.is_some() => self.pending.timer(key, None),
                None => {}
            }
        }
        Ok(())
    }

    async fn due_at(&mut self, object: &Object, timer: &Timer, record: &Record) -> Result<Option<Timestamp>, Error> {
        let expressions: Vec<_> = timer.condition.iter().chain([&timer.at]).collect();
        let related = self.related(object, record, &expressions).await?;
        let env = Env { record, related: &related, now: self.now, parameters: &[] };
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
