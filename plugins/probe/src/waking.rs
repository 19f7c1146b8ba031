//! Timers of the plugin's own: set, moved, cancelled, and what is left when one is fired.

use pergola_plugin::prelude::*;
use serde::Deserialize;

/// How long a new visit may stay open before it is looked at.
const STAY: Duration = Duration::minutes(60);

/// A timer.
#[derive(Deserialize)]
pub(crate) struct Timer {
    #[serde(default = "ring")]
    action: String,
    name: String,
    #[serde(default)]
    at: Option<DateTime>,
    #[serde(default)]
    payload: String,
}

/// Which timers to list.
#[derive(Deserialize)]
pub(crate) struct Waiting {
    #[serde(default = "ring")]
    action: String,
    after: Option<String>,
    #[serde(default)]
    limit: u32,
}

fn ring() -> String {
    "ring".to_owned()
}

/// Sets a timer; without a time it is due at once.
pub(crate) fn set(asked: &Timer) -> Result<Json, Failure> {
    let at = asked.at.unwrap_or_else(clock::now);
    timers::set(&asked.action, &asked.name, at, &asked.payload)?;
    shown(&asked.action, &asked.name)
}

/// Cancels a timer.
pub(crate) fn cancel(asked: &Timer) -> Result<Json, Failure> {
    timers::cancel(&asked.action, &asked.name).map(|was_set| json!({ "was_set": was_set }))
}

/// The names of timers that wait.
pub(crate) fn waiting(asked: &Waiting) -> Result<Json, Failure> {
    let found = timers::list(&asked.action, asked.after.as_deref(), asked.limit)?;
    Ok(found.into_iter().map(|timer| timer.name).collect())
}

fn shown(action: &str, name: &str) -> Result<Json, Failure> {
    let Some(timer) = timers::get(action, name)? else { return Ok(Json::Null) };
    Ok(json!({ "at": timer.at, "payload": timer.payload, "attempts": timer.attempts }))
}

/// Looks at a visit later, in the transaction that writes it.
pub(crate) fn stay(visit: &Written) -> Result<(), Failure> {
    let name = visit.now.id.to_string();
    timers::set("stay", &name, clock::now() + STAY, "")?;
    // In the same transaction it is there already.
    if timers::get("stay", &name)?.is_none() {
        return Err(Failure::refused("lost", "A timer that was set is not there."));
    }
    Ok(())
}

/// `ring` leaves a record, fails for the payload `fail`, and sets itself again for `again`; `stay` closes its visit.
pub(crate) fn fired(due: &OwnDue) -> Result<(), Failure> {
    match (due.action.as_str(), due.payload.as_str()) {
        ("stay", _) => {
            let visit: Id = due.name.parse()?;
            let closed = Fields::new().with("status", "closed");
            match records::update("probe.visit", visit, closed) {
                Err(failure) if failure.code != "not_found" => Err(failure),
                _ => Ok(()),
            }
        }
        (_, "nothing") => Ok(()),
        (_, "fail") => Err(Failure::refused("failed", "This timer fails as long as it is asked to.")),
        (action, payload) => {
            let fields = Fields::new().with("name", due.name.as_str()).with("key", due.key.as_str()).with("at", due.at);
            records::create("probe.ring", fields.with("payload", payload))?;
            match payload {
                "again" => timers::set(action, &due.name, due.at + STAY, "again"),
                _ => Ok(()),
            }
        }
    }
}
