//! One workspace that is open: its router, its worker, its lock.

use std::{
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use pergola_api::{ApiState, Entered, Router};
use pergola_exchange::sink::{FileSink, SmtpConfig, SmtpSink, SmtpTls};
use pergola_model::{Name, PluginId};
use pergola_service::{Worker, mutants::Rule, ports::sink::Sink};
use pergola_store::directory::Directory;
use tokio::{
    sync::{OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, watch},
    task::JoinHandle,
};
use tracing::Instrument as _;

use super::{Serving, keeper::HELD_FOR};
use crate::{
    broken,
    commands::backup,
    config::{Config, SinkKind, Smtp, Tls},
    data::{DataDir, ServerLock},
    directory,
    say::problem,
    wire::{self, Opened, Place},
};

/// The largest file that is looked at before it is served: well below a second.
const LOOKED_AT_BYTES_MAX: u64 = 64 << 20;
/// How long one message may take.
const SMTP_PATIENCE: Duration = Duration::from_secs(30);
/// How long a round of the worker may take to end: as long as a plugin's call.
const ROUND_PATIENCE: Duration = Duration::from_secs(35);
/// A closed workspace is looked at after so long, whatever it said: clocks are set, and files restored.
const ASLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

/// Why a workspace is not open.
#[derive(Debug)]
pub(crate) enum Failure {
    Suspended,
    /// As many as can be open are in use.
    Full,
    /// A command has it to itself.
    InUse,
    Broken(anyhow::Error),
}

/// Ways out for messages.
pub(super) enum Sinks {
    /// A file for each workspace.
    Files,
    /// One server for all.
    Smtp(Arc<SmtpSink>),
}

impl Sinks {
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        match (config.messages.sink, &config.messages.smtp) {
            (SinkKind::File, _) => Ok(Self::Files),
            (SinkKind::Smtp, Some(smtp)) => Ok(Self::Smtp(Arc::new(smtp_sink(smtp)?))),
            (SinkKind::Smtp, None) => {
                Err(problem("messages.sink is smtp, but there is no [messages.smtp]; add host and from there"))
            }
        }
    }

    fn of(&self, data: &DataDir) -> anyhow::Result<Arc<dyn Sink>> {
        match self {
            Self::Files => Ok(Arc::new(FileSink::open(&data.messages()).context("cannot open the file of messages")?)),
            Self::Smtp(sink) => Ok(Arc::clone(sink) as Arc<dyn Sink>),
        }
    }
}

/// Passes unless the file's pages are damaged: what is served of them might be anything. A large file would take long;
/// `doctor` and `backup` look at that one.
async fn look_at_pages(data: &DataDir, config: &Config) -> anyhow::Result<()> {
    let Place::File(file) = wire::place(data, config)? else { return Ok(()) };
    let bytes = fs::metadata(&file).map_or(0, |file| file.len());
    if bytes == 0 || bytes > LOOKED_AT_BYTES_MAX || broken::rules()?.contains(&Rule::Pages) {
        return Ok(());
    }
    backup::check(&file).await
}

fn smtp_sink(smtp: &Smtp) -> anyhow::Result<SmtpSink> {
    let tls = match smtp.tls {
        Tls::None => SmtpTls::None,
        Tls::Starttls => SmtpTls::StartTls,
        Tls::Implicit => SmtpTls::Tls,
    };
    let port = smtp.port.unwrap_or(match smtp.tls {
        Tls::None => 25,
        Tls::Starttls => 587,
        Tls::Implicit => 465,
    });
    let credentials = smtp.user.clone().map(|user| (user, smtp.password.clone().unwrap_or_default()));
    let config =
        SmtpConfig { host: smtp.host.clone(), port, tls, credentials, from: smtp.from.clone(), timeout: SMTP_PATIENCE };
    SmtpSink::new(config).map_err(|error| problem(format!("[messages.smtp]: {error}")))
}

/// A workspace that is open.
pub(crate) struct Open {
    pub(super) name: Name,
    data: DataDir,
    opened: Opened,
    router: Router,
    /// Held for reading by every request, and for writing from the moment at which it is closed.
    gate: Arc<RwLock<()>>,
    since: Instant,
    /// When the last request came, in milliseconds after `since`.
    used_ms: AtomicU64,
    stop: watch::Sender<bool>,
    rest: Mutex<Rest>,
}

/// What goes when it is closed.
struct Rest {
    working: Option<JoinHandle<()>>,
    shut: Option<OwnedRwLockWriteGuard<()>>,
    /// Its lock, and its place among the open ones.
    held: Option<(ServerLock, OwnedSemaphorePermit)>,
}

impl Open {
    /// Opens the workspace and begins its work.
    pub(super) async fn start(serving: &Serving, name: &Name, place: OwnedSemaphorePermit) -> Result<Self, Failure> {
        let data = serving.data.with_workspace(name);
        let lock = data.try_lock().map_err(Failure::Broken)?.ok_or(Failure::InUse)?;
        Self::with_lock(serving, data, (lock, place)).await.map_err(Failure::Broken)
    }

    async fn with_lock(
        serving: &Serving,
        data: DataDir,
        held: (ServerLock, OwnedSemaphorePermit),
    ) -> anyhow::Result<Self> {
        let (config, name) = (&serving.config, data.workspace().clone());
        let standing = directory::admit(&serving.directory, &data).await?;
        let sink = serving.sinks.of(&data)?;
        look_at_pages(&data, config).await?;
        let opened = wire::open_shared(&data, config, &serving.shared).await?;
        if standing == directory::Standing::New {
            directory::enrol(&serving.directory, &name).await?;
        }
        let until = directory::now().checked_add(HELD_FOR)?;
        serving.directory.hold(std::slice::from_ref(&name), until).await.map_err(directory::told)?;
        let router = pergola_api::router(ApiState {
            name: name.as_str().into(),
            password_slots: Some(Arc::clone(&serving.password_slots)),
            ..ApiState::new(opened.workspace.clone())
        });
        let lease = Duration::from_secs(config.worker.lease_seconds);
        let worker = Worker::new(opened.workspace.clone(), sink).with_lease(lease);
        let (stop, stopped) = watch::channel(false);
        let span = tracing::info_span!("worker", workspace = %name);
        let working = tokio::spawn(async move { worker.run(stopped).await }.instrument(span));
        let rest = Mutex::new(Rest { working: Some(working), shut: None, held: Some(held) });
        let (gate, since, used_ms) = (Arc::default(), Instant::now(), AtomicU64::new(0));
        Ok(Self { name, data, opened, router, gate, since, used_ms, stop, rest })
    }

    /// Lets a request in; none if it is being closed.
    pub(super) fn enter(&self) -> Option<Entered> {
        let stay = Arc::clone(&self.gate).try_read_owned().ok()?;
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used_ms.store(now, Ordering::Relaxed);
        Some(Entered { router: self.router.clone(), stay })
    }

    /// For how long no request came.
    pub(super) fn idle(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.used_ms.load(Ordering::Relaxed)))
    }

    /// For how long it is open.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether its worker has nothing to do for so long from now.
    pub(super) async fn is_calm_for(&self, time: Duration) -> bool {
        let until = directory::now().checked_add(time).ok();
        self.opened.workspace.next_work().await.is_ok_and(|next| next.is_none_or(|at| Some(at) > until))
    }

    /// What its plugins need.
    pub(super) fn components(&self) -> &[(PluginId, String)] {
        &self.opened.components
    }

    /// The owner's token, made at the first start.
    pub(crate) async fn owner_token(&self) -> anyhow::Result<String> {
        self.opened.owner_token(&self.data).await
    }

    /// Lets nobody in any more, once nobody is in it; whether that came within `patience`.
    pub(super) async fn shut(&self, patience: Duration) -> bool {
        let shutting = Arc::clone(&self.gate).write_owned();
        let Ok(shut) = tokio::time::timeout(patience, shutting).await else { return false };
        self.rest().shut = Some(shut);
        true
    }

    /// Ends the work of one that is shut, says in the directory when there is more of it, and closes the files.
    pub(super) async fn end(&self, directory: &Directory) {
        self.stop.send_replace(true);
        let working = self.rest().working.take();
        if let Some(working) = working
            && tokio::time::timeout(ROUND_PATIENCE, working).await.is_err()
        {
            tracing::warn!(workspace = %self.name, "a round of the worker did not end in time; what it claimed comes back");
        }
        if let Err(error) = self.put_to_sleep(directory).await {
            let error = format!("{error:#}");
            tracing::warn!(workspace = %self.name, error, "it could not be noted when to wake a workspace; it is looked at soon");
        }
        self.opened.close().await;
        drop(self.rest().held.take());
    }

    async fn put_to_sleep(&self, directory: &Directory) -> anyhow::Result<()> {
        // Read before it is looked at: who writes to it in between has the last word.
        let Some(entry) = directory.find(&self.name).await? else { return Ok(()) };
        let latest = directory::now().checked_add(ASLEEP_MAX)?;
        let next = self.opened.workspace.next_work().await?.map_or(latest, |at| at.min(latest));
        directory.sleep(&self.name, entry.touched, next).await?;
        Ok(())
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
