//! Timers that the plugin sets itself: to an instant, under a name of its own, with a payload that it gets back.
//!
//! Each is of an `action` that the manifest names in a `[[timer]]` without `on` and `at`; [`OnOwnTimer`](crate::OnOwnTimer)
//! is told when one falls due. In a hook, setting and cancelling are part of the hook's own transaction; elsewhere each
//! call is its own. What follows a field of a record is better left to a `[[timer]]` with `on`, which moves with it.

use crate::bindings::pergola::plugin::timers;
use crate::{DateTime, Failure};

/// A timer that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub at: DateTime,
    /// What was left with it.
    pub payload: String,
    /// How often it has failed since it was set.
    pub attempts: u32,
}

impl Pending {
    fn from_wit(timer: timers::Pending) -> Self {
        let timers::Pending { name, at, payload, attempts } = timer;
        Self { name, at: DateTime::from_micros(at), payload, attempts }
    }
}

/// Sets a timer, or moves the one of that name to another time and payload. A time that is past is due at once.
///
/// # Errors
/// `not_found` for an action that the manifest does not name, `invalid` for a name beyond 200 bytes or a payload beyond
/// 16 KiB, `too_many_timers` when too many wait.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// /// Looks at a payment again in ten minutes, unless its provider tells of it before.
/// fn look_again(payment: Id) -> Result<(), Failure> {
///     timers::set("look_at_payment", &payment.to_string(), clock::now() + Duration::minutes(10), "")
/// }
/// ```
pub fn set(action: &str, name: &str, at: DateTime, payload: &str) -> Result<(), Failure> {
    timers::set(action, name, at.micros(), payload).map_err(Failure::from_wit)
}

/// Cancels a timer; false if it was not set, or has been fired.
///
/// # Errors
/// `not_found` for an action that the manifest does not name.
pub fn cancel(action: &str, name: &str) -> Result<bool, Failure> {
    timers::cancel(action, name).map_err(Failure::from_wit)
}

/// The timer of that name, while it waits.
///
/// # Errors
/// `not_found` for an action that the manifest does not name.
pub fn get(action: &str, name: &str) -> Result<Option<Pending>, Failure> {
    Ok(timers::get(action, name).map_err(Failure::from_wit)?.map(Pending::from_wit))
}

/// The action's timers that wait, by name, those after the name `after`: at most `limit`, which is 1–1000.
///
/// # Errors
/// `not_found` for an action that the manifest does not name.
pub fn list(action: &str, after: Option<&str>, limit: u32) -> Result<Vec<Pending>, Failure> {
    let found = timers::list_page(action, after, limit).map_err(Failure::from_wit)?;
    Ok(found.into_iter().map(Pending::from_wit).collect())
}
