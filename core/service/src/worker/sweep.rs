//! Work that comes up so slowly that a look now and then is enough.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// When there was last nothing to do, and how long that is good for.
pub(super) struct Sweep {
    pause: Duration,
    done_at: Mutex<Option<Timestamp>>,
}

impl Sweep {
    /// Due at once, and then after each pause.
    pub(super) fn every(pause: Duration) -> Self {
        Self { pause, done_at: Mutex::default() }
    }

    /// Whether it is time for a look.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let done_at = *self.done_at.lock().unwrap_or_else(PoisonError::into_inner);
        done_at.is_none_or(|at| now >= at.checked_add(self.pause).unwrap_or(at))
    }

    /// There is nothing left to do for now.
    pub(super) fn note(&self, now: Timestamp) {
        *self.done_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}
