//! The workspaces of a server: opened when somebody asks for one or it has something to do, closed when nobody does.
//!
//! [`open`] is one workspace that is open; [`keeper`] looks at the directory, wakes and closes.
//!
//! Invariants: a workspace is open once, with its lock held; no request is in one that is being closed; the directory
//! says of every open workspace that it is held, and of every closed one when to open it at the latest.

mod keeper;
mod open;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use pergola_api::{Closed, Entered, Hosts};
use pergola_model::Name;
use pergola_store::directory::{Directory, DirectoryError, Entry, HostName, WorkspaceState};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

pub(crate) use self::open::Failure;
use self::open::Open;
use crate::{
    config::Config,
    data::{DataDir, MAIN},
    directory,
    wire::Shared,
};

/// Workspaces that are opened at the same time: each reads its plugins and looks at its tables.
const OPENINGS_MAX: usize = 4;

/// The workspaces of a server.
pub(crate) struct Serving {
    data: DataDir,
    config: Config,
    shared: Shared,
    sinks: open::Sinks,
    directory: Directory,
    /// The only workspace that is served, whatever the host name.
    only: Option<Name>,
    known: RwLock<Known>,
    open: RwLock<HashMap<Name, Arc<Open>>>,
    /// Held by who opens or closes a workspace.
    turns: Mutex<HashMap<Name, Arc<AsyncMutex<()>>>>,
    openings: Semaphore,
    /// One permit for each open workspace.
    places: Arc<Semaphore>,
    password_slots: Arc<Semaphore>,
}

/// What the directory said when it was last read.
#[derive(Default)]
struct Known {
    entries: BTreeMap<Name, Entry>,
    hosts: HashMap<HostName, Name>,
}

impl Known {
    fn of(entries: Vec<Entry>) -> Self {
        let hosts = entries.iter().flat_map(|entry| entry.hosts.iter().map(|host| (host.clone(), entry.name.clone())));
        Self { hosts: hosts.collect(), entries: entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect() }
    }

    /// The workspace for host names that lead nowhere: the only one, or main.
    fn fallback(&self) -> Option<&Name> {
        let mut names = self.entries.keys();
        match (names.next(), names.next()) {
            (Some(only), None) => Some(only),
            _ => self.entries.keys().find(|name| name.as_str() == MAIN),
        }
    }
}

impl Serving {
    /// For a server that has the directory to itself as far as this machine goes.
    pub(crate) async fn new(data: &DataDir, config: &Config) -> anyhow::Result<Arc<Self>> {
        let directory = directory::open(data, config).await?;
        let entries = directory::list_with_found(&directory).await?;
        let only = data.is_named().then(|| data.workspace().clone());
        Ok(Arc::new(Self {
            data: data.clone(),
            config: config.clone(),
            shared: Shared::new()?,
            sinks: open::Sinks::new(config)?,
            directory,
            only,
            known: RwLock::new(Known::of(entries)),
            open: RwLock::default(),
            turns: Mutex::default(),
            openings: Semaphore::new(OPENINGS_MAX),
            places: Arc::new(Semaphore::new(config.server.workspaces_open_max)),
            password_slots: Arc::new(Semaphore::new(pergola_api::ApiLimits::default().password_checks_max)),
        }))
    }

    /// The workspace that is opened at the start: the one that answers where no host name leads elsewhere, and `main`
    /// if there is none yet.
    pub(crate) fn first(&self) -> Option<Name> {
        let known = self.known();
        match &self.only {
            None if known.entries.is_empty() => Some(self.data.workspace().clone()),
            None => known.fallback().cloned(),
            only => only.clone(),
        }
    }

    /// How many workspaces there are.
    pub(crate) fn count(&self) -> usize {
        self.known().entries.len()
    }

    /// Reads what the directory says now.
    async fn read_directory(&self) -> Result<Vec<Entry>, DirectoryError> {
        let entries = self.directory.list().await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::of(entries.clone());
        Ok(entries)
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open workspaces.
    fn opened(&self) -> Vec<Arc<Open>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn find_open(&self, name: &Name) -> Option<Arc<Open>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn state_of(&self, name: &Name) -> Option<WorkspaceState> {
        self.known().entries.get(name).map(|entry| entry.state)
    }

    /// Whose turn it is to open or close this workspace.
    fn turn(&self, name: &Name) -> Arc<AsyncMutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(name.clone()).or_default())
    }

    fn leads_to(&self, host: &str) -> Option<Name> {
        if self.only.is_some() {
            return self.only.clone();
        }
        let known = self.known();
        let named = HostName::of_request(host).and_then(|host| known.hosts.get(&host));
        named.or_else(|| known.fallback()).cloned()
    }

    /// Opens a workspace, unless it is open.
    ///
    /// In a task of its own: a caller that goes away does not leave half a workspace.
    pub(crate) async fn open(self: &Arc<Self>, name: &Name) -> Result<Arc<Open>, Failure> {
        if let Some(open) = self.find_open(name) {
            return Ok(open);
        }
        let (serving, name) = (Arc::clone(self), name.clone());
        let opening = tokio::spawn(async move { serving.open_now(&name).await });
        opening.await.unwrap_or_else(|error| Err(Failure::Broken(anyhow::Error::new(error))))
    }

    async fn open_now(self: &Arc<Self>, name: &Name) -> Result<Arc<Open>, Failure> {
        let turn = self.turn(name);
        let _turn = turn.lock().await;
        if let Some(open) = self.find_open(name) {
            return Ok(open);
        }
        if self.state_of(name) == Some(WorkspaceState::Suspended) {
            return Err(Failure::Suspended);
        }
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.make_place().await.ok_or(Failure::Full)?,
        };
        let _opening = self.openings.acquire().await;
        let open = Arc::new(Open::start(self, name, place).await?);
        if self.state_of(name).is_none() {
            // The first workspace of all was made just now.
            self.read_directory().await.map_err(|error| Failure::Broken(error.into()))?;
        }
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&open));
        tracing::info!(workspace = %name, "opened a workspace");
        Ok(open)
    }

    /// Closes a workspace once nobody is in it, or nobody within `patience`; whether it is closed.
    async fn close(&self, name: &Name, patience: Duration) -> bool {
        let turn = self.turn(name);
        let _turn = turn.lock().await;
        self.close_in_turn(name, patience).await
    }

    async fn close_in_turn(&self, name: &Name, patience: Duration) -> bool {
        let Some(open) = self.find_open(name) else { return true };
        if !open.shut(patience).await {
            return false;
        }
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        open.end(&self.directory).await;
        self.unload(&open);
        tracing::info!(workspace = %name, "closed a workspace");
        true
    }

    /// Forgets components that no other open workspace has.
    fn unload(&self, closed: &Open) {
        let others = self.opened();
        for (plugin, digest) in closed.components() {
            let is_used =
                others.iter().any(|open| open.components().iter().any(|one| one.0 == *plugin && one.1 == *digest));
            if !is_used {
                self.shared.runtime.unload(plugin, digest);
            }
        }
    }
}

impl Hosts for Serving {
    async fn enter(self: &Arc<Self>, host: &str) -> Result<Entered, Closed> {
        let name = self.leads_to(host).ok_or(Closed::Unknown)?;
        if self.state_of(&name) == Some(WorkspaceState::Suspended) {
            return Err(Closed::Suspended(name.into()));
        }
        loop {
            match self.open(&name).await {
                Ok(open) => {
                    if let Some(entered) = open.enter() {
                        return Ok(entered);
                    }
                    // It is being closed; whoever does that has the turn.
                    drop(self.turn(&name).lock().await);
                }
                Err(failure) => return Err(closed(failure, &name)),
            }
        }
    }
}

fn closed(failure: Failure, name: &Name) -> Closed {
    match failure {
        Failure::Suspended => Closed::Suspended(name.to_string()),
        Failure::Full => Closed::Full,
        Failure::InUse => Closed::InUse,
        Failure::Broken(error) => {
            tracing::error!(workspace = %name, error = format!("{error:#}"), "a workspace cannot be opened");
            Closed::Broken
        }
    }
}
