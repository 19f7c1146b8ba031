//! A clock that stands still until the test moves it, and ids that count.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use pergola_model::Id;
use pergola_service::ports::{Clock, Ids};
use uuid::Builder;

/// A clock that the test sets.
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// A clock that shows an instant.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// What it shows.
    #[must_use]
    pub fn now_at(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.now_at()
    }
}

/// Version 7 UUIDs that differ only in their time and a counter.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self, now: Timestamp) -> Id {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let mut bytes = [0_u8; 10];
        // The counter stands first, so that ids made at one instant sort in the order of their making.
        for (target, source) in bytes.iter_mut().skip(1).zip(count.to_be_bytes()) {
            *target = source;
        }
        Id(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }
}
