//! What a server does by itself: it reads the directory, wakes workspaces that have something to do, closes those that
//! have not, and says of the open ones that it holds them.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use pergola_model::Name;
use pergola_store::directory::{Entry, WorkspaceState};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::JoinSet,
};

use super::{Failure, Serving};
use crate::directory;

/// Between two looks at the directory.
const LOOK: Duration = Duration::from_secs(2);
/// A server says of an open workspace that it has it for so long; after that others open it.
pub(super) const HELD_FOR: Duration = Duration::from_secs(120);
/// How often it says so.
const HOLD_AGAIN: Duration = Duration::from_secs(30);
/// How long requests may take to leave a workspace that is suspended, or all at the end.
const GRACE: Duration = Duration::from_secs(20);
/// A workspace that was opened may do what it was opened for before it makes room for another.
const OPEN_AT_LEAST: Duration = Duration::from_secs(2);
/// A workspace that has something to do so soon is not worth closing.
const CALM: Duration = Duration::from_secs(5);
/// After a workspace could not be opened, it is not tried again by itself for so long.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// What the keeper remembers.
#[derive(Default)]
struct Memory {
    /// Whether it has read the directory since the start.
    has_looked: bool,
    held_at: Option<Instant>,
    /// Workspaces that are being woken, and until when those are left alone that could not be.
    waking: HashMap<Name, Option<Instant>>,
    is_failing: bool,
}

impl Serving {
    /// Keeps the workspaces until `stopped` is true, then closes them all.
    pub(crate) async fn keep(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut memory = Memory::default();
        let mut woken: JoinSet<(Name, Option<Instant>)> = JoinSet::new();
        while !*stopped.borrow() {
            while let Some(Ok((name, until))) = woken.try_join_next() {
                match until {
                    Some(until) => drop(memory.waking.insert(name, Some(until))),
                    None => drop(memory.waking.remove(&name)),
                }
            }
            self.look(&mut memory, &mut woken).await;
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopped.changed() => {}
            }
        }
        woken.join_all().await;
        self.close_all().await;
    }

    async fn look(self: &Arc<Self>, memory: &mut Memory, woken: &mut JoinSet<(Name, Option<Instant>)>) {
        let entries = match self.read_directory().await {
            Ok(entries) => entries,
            Err(error) => {
                if !std::mem::replace(&mut memory.is_failing, true) {
                    let error = format!("{:#}", anyhow::Error::new(error));
                    tracing::error!(error, "the directory of workspaces cannot be read; what is open stays so");
                }
                return;
            }
        };
        memory.is_failing = false;
        self.close_those_that_must(&entries);
        self.hold(memory).await;
        let now = Instant::now();
        memory.waking.retain(|_, until| until.is_none_or(|until| until > now));
        for entry in &entries {
            if !self.is_to_wake(entry, memory) {
                continue;
            }
            memory.waking.insert(entry.name.clone(), None);
            woken.spawn(Arc::clone(self).wake(entry.name.clone()));
        }
        memory.has_looked = true;
        if entries.len() > 1 && self.only.is_none() {
            self.close_idle().await;
        }
    }

    fn is_to_wake(&self, entry: &Entry, memory: &Memory) -> bool {
        let is_served = self.only.as_ref().is_none_or(|only| *only == entry.name);
        let soon = directory::now().checked_add(LOOK).unwrap_or(entry.wake_at);
        // At the start, nobody on this machine can hold anything: that is left from a server that was killed.
        let is_left = !memory.has_looked && entry.held_until.is_some() && !self.directory.is_shared();
        is_served
            && entry.state == WorkspaceState::Active
            && (entry.is_due(soon) || is_left)
            && !memory.waking.contains_key(&entry.name)
            && self.find_open(&entry.name).is_none()
    }

    /// Opens a workspace, so that its worker looks at it; until when it is left alone if that failed.
    async fn wake(self: Arc<Self>, name: Name) -> (Name, Option<Instant>) {
        let until = match self.open(&name).await {
            // Full is soon over; a command that has it to itself says when it is done.
            Ok(_) | Err(Failure::Suspended | Failure::Full | Failure::InUse) => None,
            Err(Failure::Broken(error)) => {
                tracing::error!(workspace = %name, error = format!("{error:#}"), "a workspace cannot be opened");
                Instant::now().checked_add(TRY_AGAIN)
            }
        };
        (name, until)
    }

    /// Those that were suspended, or are gone.
    fn close_those_that_must(self: &Arc<Self>, entries: &[Entry]) {
        for open in self.opened() {
            let is_active =
                entries.iter().any(|entry| entry.name == open.name && entry.state == WorkspaceState::Active);
            if !is_active {
                let (serving, name) = (Arc::clone(self), open.name.clone());
                drop(tokio::spawn(async move { serving.close(&name, GRACE).await }));
            }
        }
    }

    async fn hold(&self, memory: &mut Memory) {
        if memory.held_at.is_some_and(|at| at.elapsed() < HOLD_AGAIN) {
            return;
        }
        let names: Vec<Name> = self.opened().iter().map(|open| open.name.clone()).collect();
        let until = directory::now().checked_add(HELD_FOR).unwrap_or_else(|_| directory::now());
        match self.directory.hold(&names, until).await {
            Ok(()) => memory.held_at = Some(Instant::now()),
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                tracing::warn!(error, "the directory could not be told which workspaces are open");
            }
        }
    }

    /// Those that nobody asked for during the time that the configuration says, and that have nothing to do.
    async fn close_idle(&self) {
        let limit = Duration::from_secs(self.config.server.workspace_idle_seconds);
        for open in self.opened() {
            if open.idle() >= limit && open.is_calm_for(CALM).await {
                self.close(&open.name, Duration::ZERO).await;
            }
        }
    }

    /// Closes the workspace that was not asked for longest, if there is one that can be closed; its place.
    pub(super) async fn make_place(&self) -> Option<OwnedSemaphorePermit> {
        let mut opened = self.opened();
        opened.retain(|open| open.age() >= OPEN_AT_LEAST);
        opened.sort_by_key(|open| std::cmp::Reverse(open.idle()));
        for open in opened {
            let turn = self.turn(&open.name);
            // Never waits for a turn: who has one may wait for this one.
            let Ok(_turn) = turn.try_lock() else { continue };
            if self.close_in_turn(&open.name, Duration::ZERO).await
                && let Ok(place) = Arc::clone(&self.places).try_acquire_owned()
            {
                return Some(place);
            }
        }
        None
    }

    async fn close_all(self: &Arc<Self>) {
        let mut closing = JoinSet::new();
        for open in self.opened() {
            let (serving, name) = (Arc::clone(self), open.name.clone());
            closing.spawn(async move { serving.close(&name, GRACE).await });
        }
        if closing.join_all().await.contains(&false) {
            tracing::warn!("some requests did not end in time and were cut off");
        }
    }
}
