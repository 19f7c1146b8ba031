//! What happens after commit: timers that fall due, events told to plugins, messages sent.
//!
//! Everything is at least once and survives a restart, because the work to do is rows in the
//! store: a worker claims them for a while, does the work and then marks it done. Several processes may work on one
//! workspace: what one has claimed no other does, and what a killed one had claimed comes back by itself.

mod answers;
mod bin;
mod events;
mod messages;
mod next;
mod sweep;
mod timers;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use pergola_model::{Actor, Catalog, PluginId};
use tokio::sync::watch;

use crate::{
    error::Error,
    guest::WorkspaceHost,
    ports::{
        plugins::{Budget, Call, CallContext, CallError, Limits, Reply, RouteRequest, RouteResponse},
        sink::Sink,
    },
    rights::Rights,
    worker::sweep::Sweep,
    workspace::Workspace,
};

/// How long a worker sleeps at most: another process may have written meanwhile.
const POLL: Duration = Duration::from_secs(1);
/// How long what a worker claims is its own, if nobody says otherwise: calls are begun in the first half of it, and one
/// may take 30 s.
const LEASE: Duration = Duration::from_secs(120);
/// The first wait after a failed attempt; doubled each time.
const RETRY_FIRST: Duration = Duration::from_secs(10);
/// The longest wait after a failed attempt.
const RETRY_LONGEST: Duration = Duration::from_secs(6 * 3600);

/// Between two looks at the bin; days are what people count in.
const BIN_PAUSE: Duration = Duration::from_secs(3600);
/// Between two looks for answers that have expired.
const ANSWERS_PAUSE: Duration = Duration::from_secs(60);

/// Does what is to be done after commit, for one workspace.
pub struct Worker {
    workspace: Workspace,
    sink: Arc<dyn Sink>,
    lease: Duration,
    bin: Sweep,
    answers: Sweep,
}

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Timers fired, or failed and put off.
    pub timers: usize,
    /// Events told, or failed and put off.
    pub events: usize,
    /// Messages sent, or failed and put off.
    pub messages: usize,
    /// Deletions dropped from the bin.
    pub emptied: usize,
    /// Answers dropped that had expired.
    pub answers: usize,
    /// Records indexed for search after a change of declarations.
    pub indexed: usize,
}

impl Round {
    /// Whether there was anything to do.
    #[must_use]
    pub fn did_anything(self) -> bool {
        self != Self::default()
    }
}

impl Worker {
    /// A worker for a workspace; messages leave by `sink`.
    #[must_use]
    pub fn new(workspace: Workspace, sink: Arc<dyn Sink>) -> Self {
        let (bin, answers) = (Sweep::every(BIN_PAUSE), Sweep::every(ANSWERS_PAUSE));
        Self { workspace, sink, lease: LEASE, bin, answers }
    }

    /// Claims for so long instead of two minutes. What a killed process has claimed is done by others only after that;
    /// what takes longer than half of it may be done twice.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Works until `stop` is true. A round under way is finished first.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let wake = self.workspace.wake();
        while !*stop.borrow() {
            let busy = match self.run_once().await {
                Ok(round) => round.did_anything(),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "a worker's round failed; it is repeated");
                    false
                }
            };
            if busy {
                continue;
            }
            let pause = self.pause().await;
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Does what is due now, a bounded portion of each kind.
    ///
    /// # Errors
    /// The store's. What was done stays done.
    pub async fn run_once(&self) -> Result<Round, Error> {
        Ok(Round {
            timers: self.fire_timers().await?,
            events: self.tell_events().await?,
            messages: self.send_messages().await?,
            emptied: self.empty_bin().await?,
            answers: self.drop_answers().await?,
            indexed: self.workspace.index_some().await?,
        })
    }

    /// When the next timer falls due or is to be retried.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        Ok(self.workspace.0.store.read_once().await?.next_timer().await?)
    }

    /// Until when a claim of now lasts, and until when calls are begun under it.
    fn new_lease(&self) -> Lease {
        let now = self.workspace.now();
        let after = |time: Duration| now.checked_add(time).unwrap_or(Timestamp::MAX);
        Lease { now, until: after(self.lease), begins_until: after(self.lease / 2) }
    }

    async fn pause(&self) -> Duration {
        let next = self.next_due().await.ok().flatten();
        let until = next.map(|at| at.duration_since(self.workspace.now()));
        until.map_or(POLL, |until| Duration::try_from(until).unwrap_or(Duration::ZERO).min(POLL))
    }

    /// Calls a plugin outside any transaction, as the host itself.
    async fn call(&self, catalog: &Catalog, plugin: &PluginId, call: Call) -> Result<Reply, CallError> {
        call_after_commit(&self.workspace, catalog, plugin, &Actor::System, call).await
    }
}

/// The time of a claim.
#[derive(Debug, Clone, Copy)]
struct Lease {
    now: Timestamp,
    until: Timestamp,
    begins_until: Timestamp,
}

/// Calls a plugin's handler outside any transaction.
async fn call_after_commit(
    workspace: &Workspace,
    catalog: &Catalog,
    plugin: &PluginId,
    actor: &Actor,
    call: Call,
) -> Result<Reply, CallError> {
    let Some(installed) = catalog.plugins.get(plugin) else {
        return Err(CallError::Unavailable { plugin: plugin.clone(), cause: "it is not installed".to_owned() });
    };
    let budget = Budget::new(Limits::background());
    let context = CallContext {
        now: workspace.now(),
        locale: workspace.locale(),
        settings: Arc::new(installed.settings.clone()),
        budget: Arc::clone(&budget),
        depth: 0,
    };
    let mut host = WorkspaceHost {
        workspace: workspace.clone(),
        rights: Rights::through(actor, installed),
        budget,
        now: context.now,
    };
    workspace.0.plugins.call(plugin, &installed.digest, call, &context, &mut host).await
}

impl Workspace {
    /// Calls a plugin's route.
    ///
    /// # Errors
    /// [`Error::Refused`] with the plugin's code, or a plugin error.
    pub async fn serve_route(
        &self,
        actor: &Actor,
        plugin: &PluginId,
        request: RouteRequest,
    ) -> Result<RouteResponse, Error> {
        let catalog = self.catalog();
        match call_after_commit(self, &catalog, plugin, actor, Call::Route(request)).await? {
            Reply::Response(response) => Ok(response),
            _ => Err(wrong_reply(plugin, "route")),
        }
    }

    /// Runs a plugin's action; input and answer are JSON texts.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the plugin declares no such action, [`Error::Refused`], or a plugin error.
    pub async fn run_action(&self, actor: &Actor, plugin: &PluginId, id: &str, input: String) -> Result<String, Error> {
        let catalog = self.catalog();
        let declared =
            catalog.plugins.get(plugin).is_some_and(|one| one.manifest.action.iter().any(|one| one.id.as_str() == id));
        if !declared {
            return Err(Error::NotFound(format!("there is no action {id} of plugin {plugin}")));
        }
        let call = Call::Action { id: id.to_owned(), input };
        match call_after_commit(self, &catalog, plugin, actor, call).await? {
            Reply::Json(json) => Ok(json),
            _ => Err(wrong_reply(plugin, "action")),
        }
    }
}

fn wrong_reply(plugin: &PluginId, handler: &'static str) -> Error {
    let cause = "the runtime gave an answer of another kind".to_owned();
    Error::Plugin(Box::new(CallError::Trap { plugin: plugin.clone(), handler, cause }))
}

/// When to try again after so many failed attempts.
fn retry_at(now: Timestamp, attempts: i64) -> Timestamp {
    let doublings = u32::try_from(attempts).unwrap_or(0).min(16);
    let wait = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_LONGEST);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
