//! What a request and all calls nested in it may use.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// How much a request may use. Numbers are in docs/limits.md.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Computing time of guests.
    pub cpu: Duration,
    /// Time on the clock.
    pub wall: Duration,
    /// Host calls.
    pub host_calls: i64,
    /// Rows read or written by guests.
    pub rows: i64,
    /// Log lines.
    pub log_lines: i64,
    /// Nested calls.
    pub depth: u32,
    /// Memory of one guest, in bytes.
    pub memory_bytes: usize,
}

impl Limits {
    /// Inside a write transaction.
    #[must_use]
    pub fn hook() -> Self {
        Self {
            cpu: Duration::from_millis(50),
            wall: Duration::from_secs(2),
            host_calls: 100,
            rows: 10_000,
            log_lines: 64,
            depth: 16,
            memory_bytes: 64 << 20,
        }
    }

    /// Inside a write transaction of many rows, an import's for instance: a little more for each row.
    #[must_use]
    pub fn batch(rows: usize) -> Self {
        let base = Self::hook();
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        Self {
            cpu: base.cpu + Duration::from_millis(1) * rows,
            wall: base.wall + Duration::from_millis(10) * rows,
            host_calls: base.host_calls + 4 * i64::from(rows),
            rows: base.rows + 10 * i64::from(rows),
            ..base
        }
    }

    /// After commit: events, timers, actions, routes.
    #[must_use]
    pub fn background() -> Self {
        Self { cpu: Duration::from_secs(5), wall: Duration::from_secs(30), host_calls: 1_000, ..Self::hook() }
    }
}

/// What the root request may still use.
#[derive(Debug)]
pub struct Budget {
    /// Where it began.
    pub limits: Limits,
    deadline: OnceLock<Instant>,
    cpu_us: AtomicI64,
    host_calls: AtomicI64,
    rows: AtomicI64,
    log_lines: AtomicI64,
}

impl Budget {
    /// A full budget.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            cpu_us: AtomicI64::new(i64::try_from(limits.cpu.as_micros()).unwrap_or(i64::MAX)),
            host_calls: AtomicI64::new(limits.host_calls),
            rows: AtomicI64::new(limits.rows),
            log_lines: AtomicI64::new(limits.log_lines),
            deadline: OnceLock::new(),
            limits,
        })
    }

    /// When the time on the clock is over, for this call and all nested in it: it runs from the
    /// first call on, for which `now` is the present instant.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Instant {
        *self.deadline.get_or_init(|| now.checked_add(self.limits.wall).unwrap_or(now))
    }

    /// Takes computing time; false when that is used up.
    pub fn take_cpu(&self, time: Duration) -> bool {
        take(&self.cpu_us, i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
    }

    /// Takes one host call; false when they are used up.
    pub fn take_host_call(&self) -> bool {
        take(&self.host_calls, 1)
    }

    /// Takes rows; false when they are used up.
    pub fn take_rows(&self, rows: usize) -> bool {
        take(&self.rows, i64::try_from(rows).unwrap_or(i64::MAX))
    }

    /// Takes one log line; false when they are used up.
    pub fn take_log_line(&self) -> bool {
        take(&self.log_lines, 1)
    }
}

fn take(counter: &AtomicI64, amount: i64) -> bool {
    counter.fetch_sub(amount, Ordering::Relaxed) >= amount
}
