//! The real clock and the real ids: the only place that asks the machine for either.

use jiff::Timestamp;
use pergola_model::Id;
use pergola_service::ports::{Clock, Ids};
use uuid::{ContextV7, Uuid};

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's own source")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// UUIDv7 with a counter, so that ids made in one millisecond sort in the order of their making.
#[derive(Default)]
pub(crate) struct UuidIds(std::sync::Mutex<ContextV7>);

impl Ids for UuidIds {
    fn next(&self, now: Timestamp) -> Id {
        let context = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Id(Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos)))
    }
}
