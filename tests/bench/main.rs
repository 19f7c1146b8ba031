//! Benchmarks, run by hand: `cargo bench -p pergola-tests`, or a part of them: `… --bench bench -- hook`
//! (`rates`, `hook`, `program`; `million` and `timers` only by name).
//!
//! Rates are ratios against a bare axum + sqlx handler on the same disk in the same run, so that they mean
//! the same on another machine. The last table is in docs/performance.md.

mod bare;
mod client;
mod million;
mod program;
mod timers;

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use pergola_api::ApiState;
use pergola_cluster::Cluster;
use pergola_service::ports::store::StoredToken;
use pergola_testkit::{Backend, TestHost};
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{Load, Outcome};

/// How long each measurement runs, and how often the two sides take turns.
const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;
const CONNECTIONS: usize = 8;
/// A page of contacts that have one of four sources.
const LIST: &str = "/api/v1/contacts?limit=50&filter=source%20%3D%3D%20%27web%27";
/// Contacts that are there before anything is measured.
const ROWS: usize = 10_000;

fn main() {
    // `cargo test --benches` and the like pass flags that ask for less.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let wanted = |what: &str| only.as_deref().is_none_or(|only| only == what);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("| what | bare | Pergola | figure | wanted |\n|---|---|---|---|---|");
        if wanted("rates") {
            rates().await;
        }
        if wanted("hook") {
            hook().await;
        }
        if wanted("program") {
            program::measure().await;
        }
        // Minutes of loading, so only when it is asked for by name.
        if only.as_deref() == Some("million") {
            million::measure().await;
        }
        if only.as_deref() == Some("timers") {
            timers::measure().await;
        }
    });
}

/// PostgreSQL as people run it: what is answered is on the disk.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_durable().unwrap())
}

/// A served workspace and its owner's token.
struct Served {
    host: TestHost,
    address: std::net::SocketAddr,
    token: String,
}

async fn serve() -> Served {
    serve_on(Backend::Sqlite).await
}

async fn serve_on(backend: Backend) -> Served {
    let host = TestHost::start_on(backend).await.unwrap();
    let (token, sha256) = pergola_api::new_token().unwrap();
    let stored = StoredToken { sha256, name: "bench".to_owned(), role: pergola_model::Role::Owner, expires_at: None };
    host.workspace.insert_token(&stored).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = pergola_api::router(ApiState::new(host.workspace.clone()));
    tokio::spawn(pergola_api::serve(listener, router, std::future::pending()));
    Served { host, address, token }
}

fn contact(number: u64) -> String {
    let source = ["web", "street", "friends", "ads"][(number % 4) as usize];
    json!({"name": format!("Client {number}"), "phone": format!("+7912{number:07}"), "email": format!("c{number}@example.com"), "source": source}).to_string()
}

/// Creates, reads and lists against the bare handler, on both databases or the one that is named.
async fn rates() {
    let named = std::env::args().nth(2).filter(|argument| !argument.starts_with('-'));
    let wanted = |what: &str| named.as_deref().is_none_or(|named| named == what);
    if wanted("sqlite") {
        let folder = tempfile::tempdir().unwrap();
        let bare = bare::serve(&folder.path().join("bare.db"), ROWS).await;
        rates_on("SQLite", bare, serve().await, 0.6).await;
    }
    if wanted("postgres") {
        let url = cluster().new_url();
        let bare = bare::serve_on_postgres(&url, ROWS).await;
        rates_on("PostgreSQL", bare, serve_on(Backend::Postgres(url)).await, 0.5).await;
    }
}

async fn rates_on(database: &str, bare: SocketAddr, served: Served, wanted: f64) {
    fill(&served, ROWS).await;
    let token = Some(served.token.as_str());
    let full = served.address;
    let mut creates = Vec::new();
    for _ in 0..ROUNDS {
        let bare = Load::post(bare, "/contacts", None, contact).run(CONNECTIONS, ROUND).await;
        let full = Load::post(full, "/api/v1/contacts", token, contact).keyed().run(CONNECTIONS, ROUND).await;
        creates.push((bare, full));
    }
    tell_rates(&format!("{database}: create, durable, idempotent"), &creates, wanted);
    let bare_id = bare::create_one(bare, &contact(0)).await;
    let full_id = served.host.create("contact", &json!({"name": "Reader", "source": "web"})).await.unwrap();
    let full_path = format!("/api/v1/contacts/{}", full_id["id"].as_str().unwrap());
    let bare_path = format!("/contacts/{bare_id}");
    reads(&format!("{database}: read by id"), (bare, &bare_path), (full, &full_path), token, 0.7).await;
    let what = format!("{database}: list of 50 by an indexed field");
    reads(&what, (bare, "/contacts?source=web"), (full, LIST), token, 0.8).await;
}

/// Both sides in turns.
async fn reads(what: &str, bare: (SocketAddr, &str), full: (SocketAddr, &str), token: Option<&str>, wanted: f64) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let bare = Load::get(bare.0, bare.1, None).run(CONNECTIONS, ROUND).await;
        let full = Load::get(full.0, full.1, token).run(CONNECTIONS, ROUND).await;
        rounds.push((bare, full));
    }
    tell_rates(what, &rounds, wanted);
}

/// Contacts through the unit of work, in batches.
async fn fill(served: &Served, rows: usize) {
    let numbers: Vec<u64> = (0..rows as u64).collect();
    for chunk in numbers.chunks(500) {
        let changes = chunk
            .iter()
            .map(|number| {
                let fields: std::collections::BTreeMap<String, String> =
                    serde_json::from_str(&contact(*number)).unwrap();
                let fields = fields.into_iter().map(|(key, value)| (key, value.into())).collect();
                pergola_model::Change::create("contact".parse().unwrap(), fields)
            })
            .collect();
        served.host.workspace.apply(&TestHost::owner(), changes).await.unwrap();
    }
}

fn tell_rates(what: &str, rounds: &[(Outcome, Outcome)], wanted: f64) {
    let mean = |rate: fn(&(Outcome, Outcome)) -> f64| rounds.iter().map(rate).sum::<f64>() / rounds.len() as f64;
    let (bare, full) = (mean(|round| round.0.rate()), mean(|round| round.1.rate()));
    println!("| {what} | {bare:.0}/s | {full:.0}/s | {:.2} | ≥ {wanted} |", full / bare);
}

/// What one before-hook in Rust adds to a create, on one connection.
async fn hook() {
    let (without, with) = (serve().await, serve().await);
    let hello = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/hello");
    with.host.install(hello).await.unwrap();
    let plain = Load::post(without.address, "/api/v1/contacts", Some(&without.token), contact);
    let hooked = Load::post(with.address, "/api/v1/contacts", Some(&with.token), contact);
    let (plain, hooked) = client::in_turns(plain, hooked, ROUND * 3).await;
    let (plain, hooked) = (plain.p50().as_micros(), hooked.p50().as_micros());
    let added = i128::try_from(hooked).unwrap() - i128::try_from(plain).unwrap();
    println!("| one before-hook, p50, 1 connection | {plain} µs without | {hooked} µs with | +{added} µs | ≤ 60 µs |");
}
