//! A real host for tests: the real store, the real runtime and the real worker, with a clock that the test sets.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use pergola_testkit::TestHost;
//!
//! let host = TestHost::start().await?;
//! host.install("plugins/booking").await?;
//! let masha = host.create("contact", &serde_json::json!({"name": "Masha", "phone": "8 912 345 67 89"})).await?;
//! assert_eq!(masha["phone"], "+79123456789");
//! # Ok(()) }
//! ```
//!
//! Nothing is faked but time and the way out for messages, so what passes here runs in production.

mod clock;
mod outbox;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use pergola_model::{
    Actor, Change, ChangeKind, Fields, Id, Locale, ObjectName, Query, Record, Role, decl::Manifest, json,
};
use pergola_runtime::{Runtime, RuntimeConfig};
use pergola_service::{
    Error, Worker, Workspace, guest,
    ports::{
        plugins::{Plugins, RouteRequest, RouteResponse},
        sink::Outgoing,
        store::Store,
    },
    workspace::{Package, Ports},
};
use pergola_store::{Options, PostgresOptions, PostgresStore, SqliteStore};
use serde_json::Value as Json;

pub use clock::{CountedIds, TestClock};
pub use outbox::Outbox;

/// The instant at which the clock of every test host starts: a Saturday.
pub const START: &str = "2026-11-21T09:00:00Z";

/// Compiled components, shared by all test hosts: compiling one takes longer than most tests.
const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/testkit-cache");

/// Where a test host's data are.
#[derive(Debug, Clone)]
pub enum Backend {
    /// An SQLite file in the host's folder.
    Sqlite,
    /// A schema of a PostgreSQL server, by URL.
    Postgres(String),
}

/// A host with one workspace in a temporary directory.
pub struct TestHost {
    /// The workspace.
    pub workspace: Workspace,
    /// What tells the workspace the time.
    pub clock: Arc<TestClock>,
    /// The messages that left.
    pub outbox: Arc<Outbox>,
    /// What runs the plugins.
    pub runtime: Arc<Runtime>,
    worker: Worker,
    folder: tempfile::TempDir,
}

impl TestHost {
    /// An empty workspace in Moscow, with roubles and Russian phone numbers.
    ///
    /// # Errors
    /// When a part of the host cannot be started.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(Backend::Sqlite).await
    }

    /// The same on either database.
    ///
    /// # Errors
    /// When a part of the host cannot be started.
    pub async fn start_on(backend: Backend) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no temporary directory")?;
        let clock = Arc::new(TestClock::at(START.parse().context("START")?));
        let ids = Arc::new(CountedIds::default());
        let store: Arc<dyn Store> = match backend {
            Backend::Sqlite => SqliteStore::open(&folder.path().join("test.db"), Options::default()).await?,
            Backend::Postgres(url) => PostgresStore::open(&url, "test", PostgresOptions::default()).await?,
        };
        let runtime = Runtime::new(RuntimeConfig::default(), Arc::clone(&ids) as _)?;
        let workspace = Workspace::open(Ports {
            store,
            plugins: Arc::clone(&runtime) as Arc<dyn Plugins>,
            clock: Arc::clone(&clock) as _,
            ids,
        })
        .await?;
        let zone = TimeZone::get("Europe/Moscow").context("the time zone database is missing")?;
        workspace.put_locale(Locale { zone, ..Locale::default() }).await?;
        let outbox = Arc::new(Outbox::default());
        let worker = Worker::new(workspace.clone(), Arc::clone(&outbox) as _);
        Ok(Self { workspace, clock, outbox, runtime, worker, folder })
    }

    /// Where the host keeps its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Builds and installs the plugin in a folder.
    ///
    /// # Errors
    /// When it does not build, its manifest or component is refused, or it does not fit the others.
    pub async fn install(&self, dir: impl Into<PathBuf>) -> anyhow::Result<()> {
        let dir = dir.into();
        let built = {
            let dir = dir.clone();
            tokio::task::spawn_blocking(move || pergola_build::build_plugin(&dir, &mut |_| {})).await??
        };
        let text = fs::read_to_string(dir.join("plugin.toml"))?;
        self.install_component(&text, &built.component).await
    }

    /// Installs a component with its manifest.
    ///
    /// # Errors
    /// When one of them is refused, or they do not fit the others.
    pub async fn install_component(&self, manifest_text: &str, component: &[u8]) -> anyhow::Result<()> {
        let manifest = self.check(manifest_text)?;
        let digest = self.runtime.load(&manifest.id, &manifest, component, Some(Path::new(CACHE)))?;
        self.workspace.install(Package { manifest, manifest_text: manifest_text.to_owned(), digest }).await?;
        Ok(())
    }

    /// Installs a plugin without code.
    ///
    /// # Errors
    /// When the manifest is refused, or does not fit the others.
    pub async fn install_manifest(&self, manifest_text: &str) -> anyhow::Result<()> {
        let (manifest, digest) = (self.check(manifest_text)?, String::new());
        self.workspace.install(Package { manifest, manifest_text: manifest_text.to_owned(), digest }).await?;
        Ok(())
    }

    fn check(&self, manifest_text: &str) -> anyhow::Result<Arc<Manifest>> {
        let others: Vec<Arc<Manifest>> = {
            let catalog = self.workspace.catalog();
            catalog
                .plugins
                .values()
                .map(|installed| Arc::clone(&installed.manifest))
                .filter(|one| !one.id.is_core())
                .collect()
        };
        Ok(Arc::new(pergola_manifest::check(manifest_text, "plugin.toml", &others)?))
    }

    /// The owner, as whom the short forms below act.
    #[must_use]
    pub fn owner() -> Actor {
        Actor::User { name: "owner".to_owned(), role: Role::Owner }
    }

    /// Creates a record from JSON, as REST would.
    ///
    /// # Errors
    /// Whatever the unit of work refuses.
    pub async fn create(&self, object: &str, fields: &Json) -> Result<Json, Error> {
        self.change(ChangeKind::Create, object, None, fields).await
    }

    /// Changes fields of a record, as REST would.
    ///
    /// # Errors
    /// Whatever the unit of work refuses.
    pub async fn update(&self, object: &str, id: &Json, fields: &Json) -> Result<Json, Error> {
        self.change(ChangeKind::Update, object, Some(id), fields).await
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// Whatever the unit of work refuses.
    pub async fn delete(&self, object: &str, id: &Json) -> Result<Json, Error> {
        self.change(ChangeKind::Delete, object, Some(id), &Json::Object(serde_json::Map::new())).await
    }

    async fn change(&self, kind: ChangeKind, object: &str, id: Option<&Json>, fields: &Json) -> Result<Json, Error> {
        let change = self.read_change(kind, object, id, fields)?;
        let catalog = self.workspace.catalog();
        let written = self.workspace.apply(&Self::owner(), vec![change]).await?;
        let (name, record) = written.first().ok_or_else(|| Error::NotFound("nothing was written".to_owned()))?;
        let object = catalog.object(name).ok_or_else(|| Error::NotFound(format!("there is no object {name}")))?;
        Ok(json::record_to_json(object, record))
    }

    /// A change from JSON, without applying it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown object, [`Error::Invalid`] for fields that do not fit.
    pub fn read_change(
        &self,
        kind: ChangeKind,
        object: &str,
        id: Option<&Json>,
        fields: &Json,
    ) -> Result<Change, Error> {
        let catalog = self.workspace.catalog();
        let unknown = || Error::NotFound(format!("there is no object {object}"));
        let object = catalog.find_object(object).ok_or_else(unknown)?;
        let empty = serde_json::Map::new();
        let fields = json::fields_from_json(object, fields.as_object().unwrap_or(&empty), &self.workspace.locale());
        let id = id.and_then(Json::as_str).and_then(|text| text.parse::<Id>().ok());
        let fields = if kind == ChangeKind::Delete { Fields::new() } else { fields.map_err(Error::Invalid)? };
        Ok(Change { kind, object: object.name.clone(), id, if_version: None, fields })
    }

    /// The first 500 records that match a CEL filter (all, if it is empty), oldest first.
    ///
    /// # Errors
    /// An unknown object or a bad filter.
    pub async fn list(&self, object: &str, filter: &str) -> Result<Vec<Json>, Error> {
        let catalog = self.workspace.catalog();
        let unknown = || Error::NotFound(format!("there is no object {object}"));
        let object = catalog.find_object(object).ok_or_else(unknown)?;
        let filter = match filter {
            "" => None,
            text => Some(guest::compile_filter(&catalog, object, text, &[])?),
        };
        let query = Query {
            object: object.name.clone(),
            filter,
            parameters: vec![],
            now: self.workspace.now(),
            sort: vec![],
            fields: None,
            limit: 500,
            after: None,
        };
        let page = self.workspace.list(&Self::owner(), &query).await?;
        Ok(page.records.iter().map(|record: &Record| json::record_to_json(object, record)).collect())
    }

    /// Calls a plugin's route as anybody.
    ///
    /// # Errors
    /// The plugin's refusal, or what broke.
    pub async fn route(
        &self,
        plugin: &str,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        body: &Json,
    ) -> Result<(u16, Json), Error> {
        let internal = |error: Box<dyn std::error::Error + Send + Sync>| Error::Internal(error);
        let request = RouteRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        };
        let plugin = plugin.parse().map_err(|error| internal(Box::new(error)))?;
        let response: RouteResponse = self.workspace.serve_route(&Actor::Public, &plugin, request).await?;
        let body = serde_json::from_slice(&response.body).map_err(|error| internal(Box::new(error)))?;
        Ok((response.status, body))
    }

    /// Lets time pass: stops at every due timer on the way, so that all fire in order, and does what is due.
    ///
    /// # Errors
    /// The store's.
    pub async fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        let end = self.clock.now_at().checked_add(by).unwrap_or(Timestamp::MAX);
        self.settle().await?;
        while let Some(next) = self.worker.next_due().await?.filter(|at| *at <= end) {
            self.clock.set(next.max(self.clock.now_at()));
            self.settle().await?;
        }
        self.clock.set(end);
        self.settle().await
    }

    /// When the next timer falls due.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        self.worker.next_due().await
    }

    /// Does what is due now: timers, events, messages.
    ///
    /// # Errors
    /// The store's.
    pub async fn settle(&self) -> Result<(), Error> {
        for _ in 0..10_000 {
            if !self.worker.run_once().await?.did_anything() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The texts of the messages that left, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        self.outbox.sent()
    }

    /// An object's name from text that is known to be one.
    ///
    /// # Errors
    /// When it is not.
    pub fn object(name: &str) -> anyhow::Result<ObjectName> {
        Ok(ObjectName::new(name)?)
    }
}
