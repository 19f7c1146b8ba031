//! Timers among very many: `cargo bench --workspace --bench bench -- timers`.
//!
//! A number after that says how many wait (a million if not). They are written through the store; then a server starts
//! on them, some more fall due while it runs, and others were due before it started. What is fired is the plugin `probe`:
//! it creates a record, or does nothing.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use pergola_model::{Actor, Id, PluginId, Query};
use pergola_runtime::{Runtime, RuntimeConfig};
use pergola_service::{
    Worker, Workspace,
    ports::{
        Clock, Ids,
        store::{OwnTimer, Store, TimerKey, TimerOf},
    },
    workspace::{Package, Ports},
};
use pergola_store::{Options, PostgresOptions, PostgresStore, SqliteStore};
use pergola_testkit::{Backend, CountedIds, Outbox};
use tokio::sync::watch;

/// Timers in one transaction of the loader.
const BATCH: usize = 10_000;
/// Those that fall due while the server runs: so many a second, for so long.
const DUE_PER_SECOND: u32 = 500;
const DUE_SECONDS: u32 = 20;
/// Those that were due before.
const OVERDUE: usize = 30_000;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "lateness is told by a real clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

pub(crate) async fn measure() {
    let count: usize = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let component = probe();
    for name in ["SQLite", "PostgreSQL"] {
        let folder = tempfile::tempdir().unwrap();
        let backend = match name {
            "SQLite" => Backend::Sqlite,
            _ => Backend::Postgres(crate::cluster().new_url()),
        };
        let place = Place { folder: folder.path(), backend, component: &component };
        place.measure(name, count).await;
    }
}

fn probe() -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/probe");
    pergola_build::build_plugin(&dir, &mut |_| {}).unwrap().component
}

/// Where the data are, and what is installed on them.
struct Place<'a> {
    folder: &'a Path,
    backend: Backend,
    component: &'a [u8],
}

/// A server without its HTTP.
struct Server {
    workspace: Workspace,
    worker: Arc<Worker>,
}

impl Place<'_> {
    async fn store(&self) -> Arc<dyn Store> {
        match &self.backend {
            Backend::Sqlite => SqliteStore::open(&self.folder.join("bench.db"), Options::default()).await.unwrap(),
            Backend::Postgres(url) => PostgresStore::open(url, "bench", PostgresOptions::default()).await.unwrap(),
        }
    }

    /// Starts as a server does: opens, loads the component from the cache, and looks at what is due.
    async fn start(&self) -> Server {
        let ids: Arc<dyn Ids> = Arc::new(CountedIds::default());
        let runtime = Runtime::new(RuntimeConfig::default(), Arc::clone(&ids)).unwrap();
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/probe/plugin.toml"));
        let manifest_text = text.unwrap();
        let manifest = Arc::new(pergola_manifest::check(&manifest_text, "plugin.toml", &[]).unwrap());
        let cache = self.folder.join("cache");
        let digest = runtime.load(&manifest.id, &manifest, self.component, Some(&cache)).unwrap();
        let ports = Ports { store: self.store().await, plugins: runtime as _, clock: Arc::new(SystemClock), ids };
        let workspace = Workspace::open(ports).await.unwrap();
        if workspace.catalog().plugins.get("probe").is_none() {
            workspace.install(Package { manifest, manifest_text, digest }).await.unwrap();
        }
        let worker = Arc::new(Worker::new(workspace.clone(), Arc::new(Outbox::default())));
        Server { workspace, worker }
    }

    async fn measure(&self, name: &str, count: usize) {
        drop(self.start().await);
        let store = self.store().await;
        let began = Instant::now();
        fill(store.as_ref(), count).await;
        eprintln!("{name}: {count} timers written in {:.1} s", began.elapsed().as_secs_f64());
        drop(store);

        let began = Instant::now();
        let server = self.start().await;
        server.worker.run_once().await.unwrap();
        let started = began.elapsed();
        println!("| {name}, {count} timers wait: start | | {} ms | | < 1,000 ms |", started.as_millis());

        let store = self.store().await;
        let [p50, p99] = server.lateness(store.as_ref()).await;
        println!(
            "| {name}: lateness of {DUE_PER_SECOND} a second, p50, p99 | | {p50} ms, {p99} ms | | p99 < 1,000 ms |"
        );
        for (payload, what) in [("nothing", "does nothing"), ("ring", "creates a record")] {
            let rate = server.catch_up(store.as_ref(), payload).await;
            println!("| {name}: {OVERDUE} overdue, the handler {what} | | {rate:.0}/s | | ≥ 3,000/s |");
        }
    }
}

impl Server {
    /// Lets timers fall due at even distances; the median and the 99th percentile of how late their records are, in ms.
    async fn lateness(&self, store: &dyn Store) -> [i64; 2] {
        let total = DUE_PER_SECOND * DUE_SECONDS;
        let first = SystemClock.now().checked_add(SignedDuration::from_secs(3)).unwrap();
        let at = |number: u32| {
            let offset = Duration::from_secs(u64::from(DUE_SECONDS)) * number / total;
            first.checked_add(offset).unwrap()
        };
        set(store, "late", "ring", (0..total).map(at)).await;
        let (stop, stopped) = watch::channel(false);
        let worker = Arc::clone(&self.worker);
        let running = tokio::spawn(async move { worker.run(stopped).await });
        tokio::time::sleep(Duration::from_secs(u64::from(DUE_SECONDS) + 3)).await;
        wait_until_none_is_due(store).await;
        stop.send(true).unwrap();
        running.await.unwrap();
        let mut late = self.rings().await;
        assert_eq!(late.len(), total as usize, "each was fired, and once");
        late.sort_unstable();
        let of = |percent: usize| late[(late.len() - 1) * percent / 100];
        [of(50), of(99)]
    }

    /// How late each record was created, in ms.
    async fn rings(&self) -> Vec<i64> {
        let mut query = Query::of("probe.ring".parse().unwrap()).limited(500);
        let mut late = Vec::new();
        loop {
            let page = self.workspace.list(&Actor::System, &query).await.unwrap();
            for ring in page.records {
                let pergola_model::Value::DateTime(at) = ring.fields.get("at") else { panic!("{ring:?}") };
                late.push((ring.created_at.as_microsecond() - at.as_microsecond()) / 1_000);
            }
            query.after = page.next;
            if query.after.is_none() {
                return late;
            }
        }
    }

    /// Fires what was due long ago; how many a second.
    async fn catch_up(&self, store: &dyn Store, payload: &str) -> f64 {
        let long_ago = SystemClock.now().checked_sub(SignedDuration::from_hours(1)).unwrap();
        let at = |number: usize| long_ago.checked_add(SignedDuration::from_millis(number as i64)).unwrap();
        set(store, payload, payload, (0..OVERDUE).map(at)).await;
        let began = Instant::now();
        let mut fired = 0;
        while fired < OVERDUE {
            let round = self.worker.run_once().await.unwrap();
            assert!(round.timers > 0, "{fired} of {OVERDUE} were fired");
            fired += round.timers;
        }
        OVERDUE as f64 / began.elapsed().as_secs_f64()
    }
}

/// Timers that follow records, due over the next year, starting in an hour.
async fn fill(store: &dyn Store, count: usize) {
    let ids = CountedIds::default();
    let start = SystemClock.now().checked_add(SignedDuration::from_hours(1)).unwrap();
    let year_us = 365 * 86_400 * 1_000_000_i64;
    let step = year_us / i64::try_from(count.max(1)).unwrap();
    let key = |id: Id| TimerKey {
        plugin: "probe".parse().unwrap(),
        action: "ring".parse().unwrap(),
        of: TimerOf::Record("probe.visit".parse().unwrap(), id),
    };
    for first in (0..count).step_by(BATCH) {
        let places = first..(first + BATCH).min(count);
        let keys: Vec<TimerKey> = places.clone().map(|_| key(ids.next(start))).collect();
        // In no order that their keys would have.
        let shuffled = |place: usize| i64::try_from(place * 7_919 % count).unwrap();
        let at: Vec<Timestamp> = places
            .map(|place| start.checked_add(SignedDuration::from_micros(step * shuffled(place))).unwrap())
            .collect();
        let mut tx = store.write().await.unwrap();
        tx.set_timers(&keys, &at).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Timers of the plugin's own.
async fn set(store: &dyn Store, prefix: &str, payload: &str, at: impl Iterator<Item = Timestamp>) {
    let plugin: PluginId = "probe".parse().unwrap();
    let mut tx = store.write().await.unwrap();
    for (number, at) in at.enumerate() {
        let (action, name) = ("ring".parse().unwrap(), format!("{prefix} {number}"));
        let timer = OwnTimer { plugin: plugin.clone(), action, name, at, payload: payload.to_owned() };
        tx.set_own_timer(&timer).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn wait_until_none_is_due(store: &dyn Store) {
    loop {
        let next = store.read().await.unwrap().next_timer().await.unwrap();
        if next.is_none_or(|at| at > SystemClock.now().checked_add(SignedDuration::from_mins(10)).unwrap()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
