//! `hold`: a code that a record has only for a while.
//!
//! An expired hold takes no time and no room from that very instant: the conditions of `exclude` and `capacity` look at
//! the clock. The timer that gives the record its next code only tidies up. Who comes after the end, before the timer
//! or not, still gets what was held if nobody else took it: their claim is checked like a new one.

use pergola_model::{Actor, Change, FieldIssue, Fields, Id, Object, ObjectName, Record, Value, object::Hold};

use super::{Planned, Unit};
use crate::{
    error::Error,
    mutants::Rule,
    ports::plugins::{Budget, Limits},
    rights::Rights,
    workspace::Workspace,
};

impl Unit {
    /// Sets when holds end that begin now, and refuses ends that are over.
    pub(in crate::unit) fn begin_holds(&self, object: &Object, planned: &mut [Planned]) -> Result<(), Error> {
        let Some(hold) = object.hold.as_ref().filter(|_| !self.workspace.is_off(Rule::Hold)) else { return Ok(()) };
        for one in planned {
            let Some(after) = one.after.as_mut().filter(|after| hold.is_held(&after.fields)) else { continue };
            let held_before = one.before.as_ref().filter(|before| hold.is_held(&before.fields));
            let until_before = one.before.as_ref().map_or(&Value::Null, |before| before.fields.get(&hold.until));
            let is_told = after.fields.get(&hold.until) != until_before;
            if held_before.is_some() && !is_told {
                continue;
            }
            if !is_told || after.fields.get(&hold.until).is_null() {
                let until = self.now.checked_add(hold.length).unwrap_or(jiff::Timestamp::MAX);
                after.fields.set(hold.until.clone(), until);
            } else if hold.is_over(&after.fields, self.now) {
                if !self.restoring.contains_key(&after.id) {
                    return Err(Error::invalid(&hold.until, "out_of_range", "a hold ends in the future"));
                }
                // It comes back from the bin after its time.
                after.fields.set(hold.field.clone(), hold.then.as_str());
            }
        }
        Ok(())
    }

    /// Whether the record's hold was over before this write.
    pub(in crate::unit) fn is_late(&self, object: &Object, before: &Record) -> bool {
        object.hold.as_ref().is_some_and(|hold| hold.is_over(&before.fields, self.now))
    }
}

impl Workspace {
    /// Gives a record whose hold is over its next code, by the one write path; others are left alone.
    pub(crate) async fn end_hold(&self, object: &ObjectName, id: Id) -> Result<(), Error> {
        let object = object.clone();
        self.detached(move |workspace| {
            let object = object.clone();
            async move { workspace.end_hold_once(&object, id).await }
        })
        .await
    }

    async fn end_hold_once(&self, object: &ObjectName, id: Id) -> Result<(), Error> {
        let _open = self.0.gate.read().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::hook())).await?;
        let Some(object) = unit.catalog.object(object).cloned() else { return Ok(()) };
        let Some(record) = unit.tx.find(&object, id).await? else { return Ok(()) };
        let Some(change) = end_of(&object, &record, unit.now) else { return Ok(()) };
        unit.apply(&Rights::of(&Actor::System), vec![change], 0).await?;
        unit.commit().await
    }
}

fn end_of(object: &Object, record: &Record, now: jiff::Timestamp) -> Option<Change> {
    let Hold { field, then, .. } = object.hold.as_ref().filter(|hold| hold.is_over(&record.fields, now))?;
    let change = Change::update(object.name.clone(), record.id, Fields::new().with(field.clone(), then.as_str()));
    Some(Change { if_version: Some(record.version), ..change })
}

/// Somebody else took what was held.
pub(super) fn hold_over(object: &Object) -> Error {
    let message = format!("the hold of this {} is over and its place was taken; take another one", object.name);
    let field = object.hold.as_ref().map(|hold| hold.until.clone()).unwrap_or_default();
    Error::Conflict { code: "hold_over", issues: vec![FieldIssue::new(field, "hold_over", message.clone())], message }
}
