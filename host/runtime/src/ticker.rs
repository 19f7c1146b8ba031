//! The one thread that makes running guests give way: it advances the engine's epoch.
//!
//! It rests while no call runs. It starts resting only after a while without calls, because waking
//! a thread costs about as much as a whole hook.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use wasmtime::{Engine, EngineWeak};

/// Ticks without a call before the thread rests.
const IDLE_TICKS_MAX: u32 = 50;

/// The thread's handle; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: thread::Thread,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    resting: AtomicBool,
    ended: AtomicBool,
}

/// Held by a call for as long as its guest may run.
pub(crate) struct Ticking<'a>(&'a Shared);

impl Ticker {
    pub(crate) fn start(engine: &Engine, tick: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.weak(), Arc::clone(&shared));
        let thread =
            thread::Builder::new().name("plugin-ticker".to_owned()).spawn(move || tick_on(&engine, &seen, tick))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Ticks until the answer is dropped.
    pub(crate) fn hold(&self) -> Ticking<'_> {
        // Sequentially consistent on both sides: either the thread sees the call or the call sees it resting.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick_on(engine: &EngineWeak, shared: &Shared, tick: Duration) {
    let mut idle_ticks = 0;
    while !shared.ended.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle_ticks = 0;
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        } else if idle_ticks == IDLE_TICKS_MAX {
            rest(shared);
            idle_ticks = 0;
        } else {
            idle_ticks += 1;
        }
        thread::sleep(tick);
    }
}

fn rest(shared: &Shared) {
    shared.resting.store(true, Ordering::SeqCst);
    while shared.running.load(Ordering::SeqCst) == 0 && !shared.ended.load(Ordering::SeqCst) {
        thread::park();
    }
    shared.resting.store(false, Ordering::SeqCst);
}
