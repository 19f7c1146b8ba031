//! What crosses crates, through the real store and the real plugin runtime.

mod counted;
mod derived;
mod flips;
mod hostile;
mod imports;
mod on_postgres;
mod on_sqlite;
mod plugins;
mod purge;
mod rules;
mod search;
mod tidy;

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, ToSpan, civil, tz::TimeZone};
use pergola_model::Actor;
use pergola_service::Error;
use pergola_testkit::{Backend, TestHost};
use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;

/// The folder of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// An error as a test reads it: code, the fields that it concerns, and the message.
pub(crate) fn told<T>(result: Result<T, Error>) -> String {
    let Err(error) = result else { panic!("this should have been refused") };
    let fields: Vec<&str> = error.issues().iter().map(|issue| issue.field.as_str()).collect();
    format!("{} {fields:?}: {error}", error.code())
}

/// Manifest and component of a pack.
type Pack = (String, Vec<u8>);

/// The packs, built once for all tests, and the plugin that asks for everything.
async fn packs() -> &'static [Pack; 3] {
    static PACKS: OnceCell<[Pack; 3]> = OnceCell::const_new();
    PACKS
        .get_or_init(|| async {
            let dirs: Vec<PathBuf> =
                ["booking", "salon", "probe"].iter().map(|pack| root().join("plugins").join(pack)).collect();
            let building = dirs.clone();
            let built = tokio::task::spawn_blocking(move || {
                let dirs: Vec<&Path> = building.iter().map(PathBuf::as_path).collect();
                pergola_build::build_plugins(&dirs, &mut |_| {})
            });
            let built = built.await.unwrap().unwrap();
            let manifest = |dir: &PathBuf| fs::read_to_string(dir.join("plugin.toml")).unwrap();
            let packs: Vec<Pack> = dirs.iter().zip(built).map(|(dir, one)| (manifest(dir), one.component)).collect();
            packs.try_into().unwrap()
        })
        .await
}

/// A salon with two masters, Anna and Boris, who work from ten to eight every day and both cut hair (60 min);
/// only Anna does nails (90 min).
pub(crate) struct Salon {
    pub(crate) host: TestHost,
    pub(crate) anna: Json,
    pub(crate) boris: Json,
    pub(crate) haircut: Json,
    pub(crate) nails: Json,
}

impl Salon {
    pub(crate) async fn open(backend: Backend) -> Self {
        let host = TestHost::start_on(backend).await.unwrap();
        let [booking, salon, _] = packs().await;
        for (manifest, component) in [booking, salon] {
            host.install_component(manifest, component).await.unwrap();
        }
        let service =
            |name: &str, minutes: i64| json!({"name": name, "minutes": minutes, "price": "2500", "category": "Hair"});
        let haircut = host.create("booking.service", &service("Haircut", 60)).await.unwrap()["id"].clone();
        let nails = host.create("booking.service", &service("Manicure", 90)).await.unwrap()["id"].clone();
        let anna =
            host.create("booking.resource", &json!({"name": "Anna", "position": 1})).await.unwrap()["id"].clone();
        let boris =
            host.create("booking.resource", &json!({"name": "Boris", "position": 2})).await.unwrap()["id"].clone();
        for (master, service) in [(&anna, &haircut), (&boris, &haircut), (&anna, &nails)] {
            host.create("booking.offering", &json!({"resource": master, "service": service})).await.unwrap();
        }
        for master in [&anna, &boris] {
            for weekday in 1..=7 {
                let hours = json!({"resource": master, "weekday": weekday, "from_minute": 600, "until_minute": 1200});
                host.create("booking.hours", &hours).await.unwrap();
            }
        }
        Self { host, anna, boris, haircut, nails }
    }

    /// Books one visit online, as anybody.
    pub(crate) async fn book(&self, name: &str, phone: &str, visits: Json) -> Result<(u16, Json), Error> {
        let body = json!({"contact": {"name": name, "phone": phone}, "visits": visits});
        self.host.route("booking", "POST", "/book", &[], &body).await
    }

    /// Slots of a service in an interval, as `master starts_at` lines.
    pub(crate) async fn slots(&self, service: &Json, from: Timestamp, to: Timestamp) -> Vec<(Json, String)> {
        let (from, to) = (from.to_string(), to.to_string());
        let query = [("service", service.as_str().unwrap()), ("from", &from), ("to", &to)];
        let (status, body) = self.host.route("booking", "GET", "/slots", &query, &Json::Null).await.unwrap();
        assert_eq!(status, 200, "{body}");
        let slots = body["slots"].as_array().unwrap();
        slots.iter().map(|slot| (slot["master"].clone(), slot["starts_at"].as_str().unwrap().to_owned())).collect()
    }

    /// An appointment as it is now.
    pub(crate) async fn appointment(&self, id: &Json) -> Json {
        let filter = format!("id == '{}'", id.as_str().unwrap());
        self.host.list("booking.appointment", &filter).await.unwrap()[0].clone()
    }
}

/// A host with the plugin that asks for everything.
pub(crate) async fn probe(backend: Backend) -> TestHost {
    let host = TestHost::start_on(backend).await.unwrap();
    let [.., (manifest, component)] = packs().await;
    host.install_component(manifest, component).await.unwrap();
    host
}

/// Installs a version of it whose manifest lacks these lines.
pub(crate) async fn probe_without(host: &TestHost, lines: &str) {
    let [.., (manifest, component)] = packs().await;
    let changed = manifest.replace(lines, "").replace("version = \"0.1.0\"", "version = \"0.2.0\"");
    assert!(changed.len() + lines.len() == manifest.len(), "{lines:?} is in the manifest once");
    host.install_component(&changed, component).await.unwrap();
}

/// Runs an action of that plugin.
pub(crate) async fn ask(host: &TestHost, actor: &Actor, action: &str, input: &Json) -> Result<Json, Error> {
    let probe = "probe".parse().unwrap();
    let answer = host.workspace.run_action(actor, &probe, action, input.to_string()).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

/// A time on the salon's wall clock, so many days after the start of the test's clock.
pub(crate) fn at(days: i64, hour: i8, minute: i8) -> Timestamp {
    let start: Timestamp = pergola_testkit::START.parse().unwrap();
    let moscow = TimeZone::get("Europe/Moscow").unwrap();
    let date = start.to_zoned(moscow.clone()).date().checked_add(days.days()).unwrap();
    date.to_datetime(civil::Time::new(hour, minute, 0, 0).unwrap()).to_zoned(moscow).unwrap().timestamp()
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}
