//! Measures what a plugin costs: a warm hook call, loading from kept code, and resident memory.
//!
//! `cargo run --release -p pergola-runtime --example measure [component.wasm]…`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measuring tool"
)]

#[path = "../tests/runtime/samples.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod samples;

use std::{fs, sync::Arc, time::Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{ChangeKind, Fields, Id, Locale, ObjectName, PluginId, decl::Manifest};
use pergola_runtime::{Runtime, RuntimeConfig};
use pergola_service::ports::{
    Ids,
    plugins::{
        Budget, Call, CallContext, Failure, Host, Limits, Pending, PendingBatch, Plugins, Reply, Request, Response,
    },
};
use uuid::Uuid;

struct OneId;

impl Ids for OneId {
    fn next(&self, _: Timestamp) -> Id {
        Id(Uuid::from_u128(1))
    }
}

struct NoHost;

#[async_trait]
impl Host for NoHost {
    async fn ask(&mut self, _: Request) -> Result<Response, Failure> {
        Ok(Response::Record(None))
    }
}

fn main() {
    let components: Vec<(String, Vec<u8>)> = match std::env::args().skip(1).collect::<Vec<_>>() {
        paths if paths.is_empty() => {
            vec![("accepting".to_owned(), samples::hook("", ""))]
        }
        paths => paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect(),
    };
    let cache = tempfile::tempdir().unwrap();
    println!("resident before: {}", resident());
    let runtime = Runtime::new(RuntimeConfig::default(), Arc::new(OneId)).unwrap();
    println!("resident with an engine: {}", resident());
    let digests: Vec<_> = components.iter().map(|(name, bytes)| load(&runtime, name, bytes, cache.path())).collect();
    println!("resident after compiling and loading: {}", resident());
    drop(runtime);
    let runtime = Runtime::new(RuntimeConfig::default(), Arc::new(OneId)).unwrap();
    components.iter().for_each(|(name, bytes)| drop(load(&runtime, name, bytes, cache.path())));
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for ((name, _), digest) in components.iter().zip(&digests) {
        for rows in [1, 100] {
            threads.block_on(measure(&runtime, name, digest, rows));
        }
    }
    println!("resident after the calls: {}", resident());
    threads.block_on(at_once(&runtime, &digests[0]));
    println!("resident after calls at once: {}", resident());
}

fn plugin() -> PluginId {
    PluginId::new("sample").unwrap()
}

fn load(runtime: &Runtime, name: &str, bytes: &[u8], cache: &std::path::Path) -> String {
    let manifest = "id = \"sample\"\nversion = \"1.0.0\"\napi = \"0.1\"\n[capabilities]\nmessages = true\n\
                    records = { \"*\" = \"all\" }";
    let manifest: Manifest = toml::from_str(manifest).unwrap();
    let began = Instant::now();
    let digest = runtime.load(&plugin(), &manifest, bytes, Some(cache)).unwrap();
    println!("loaded {name} ({} kB) in {:?}", bytes.len() / 1000, began.elapsed());
    digest
}

async fn measure(runtime: &Runtime, name: &str, digest: &str, rows: u64) {
    let mut times: Vec<_> = Vec::new();
    for _ in 0..5_000 {
        let (call, context) = (create(rows), context());
        let began = Instant::now();
        match runtime.call(&plugin(), digest, call, &context, &mut NoHost).await {
            Ok(Reply::Verdicts(_)) => {}
            other => panic!("{other:?}"),
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    println!("{name}, {rows} rows: p50 {:?}, p99 {:?}", times[2_500], times[4_950]);
}

async fn at_once(runtime: &Arc<Runtime>, digest: &str) {
    let began = Instant::now();
    let workers: Vec<_> = (0..32)
        .map(|_| {
            let (runtime, digest) = (Arc::clone(runtime), digest.to_owned());
            tokio::spawn(async move {
                for _ in 0..1_000 {
                    drop(runtime.call(&plugin(), &digest, create(1), &context(), &mut NoHost).await.unwrap());
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    println!("32,000 calls by 32 tasks: {:?} a call", began.elapsed() / 32_000);
}

fn context() -> CallContext {
    CallContext {
        now: "2026-01-05T10:00:00Z".parse().unwrap(),
        locale: Arc::new(Locale::default()),
        settings: Arc::default(),
        budget: Budget::new(Limits::hook()),
        depth: 0,
    }
}

fn create(rows: u64) -> Call {
    let fields = || {
        let named =
            Fields::new().with("name", "Анна Ким").with("phone", "+79161234567").with("email", "anna@example.com");
        named.with("birthday", "1990-01-01").with("source", "site").with("note", "prefers mornings").with("visits", 12)
    };
    let row =
        |number: u64| Pending { id: Id(Uuid::from_u128(number.into())), before: Fields::new(), changes: fields() };
    Call::BeforeWrite(PendingBatch {
        object: ObjectName::new("contact").unwrap(),
        kind: ChangeKind::Create,
        rows: (1..=rows).map(row).collect(),
    })
}

/// Resident memory of this process, as Linux tells it.
fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    format!("{} (anonymous {})", line("VmRSS:"), line("RssAnon:"))
}
