//! HTTP: routes, authentication, problem documents and OpenAPI.
//!
//! Reading order: [`router`] is the door of a workspace and [`front()`] that of several; `routes` says which path leads to which file, one
//! for each resource and verb; `request` is what happens around every request; `auth` tells who
//! calls; `problem` is how errors are told; `openapi` describes it all. The rules that every
//! endpoint keeps are in `docs/api-design.md`.
//!
//! To add an endpoint: add `routes/<resource>/<verb>.rs`, its line in `routes.rs`, its description in
//! `openapi/fixed.rs`, and a test of each of its errors in `tests/api`. A new kind of record needs
//! nothing here: objects are served and described from the catalog.
//!
//! Invariants: no SQL, no wasmtime; no rule about CRM data.

mod app;
mod auth;
mod body;
mod conditions;
mod front;
mod openapi;
mod parameters;
mod problem;
mod request;
mod routes;

use std::{sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use pergola_service::Workspace;
use tokio::{net::TcpListener, sync::Semaphore};

pub use auth::credentials::{CredentialError, hash_password, new_token, token_sha256, verify_password};
pub use axum::Router;
pub use front::{Closed, Entered, FrontLimits, Hosts, front};

/// What the API needs.
#[derive(Clone)]
pub struct ApiState {
    /// The business that it serves.
    pub workspace: Workspace,
    /// What it is called in the log.
    pub name: Arc<str>,
    /// How much of everything.
    pub limits: ApiLimits,
    /// Who may check a password now, if workspaces of one process share this; each has its own if absent.
    pub password_slots: Option<Arc<Semaphore>>,
}

impl ApiState {
    /// The API of a workspace, with the usual limits.
    #[must_use]
    pub fn new(workspace: Workspace) -> Self {
        Self { workspace, name: "main".into(), limits: ApiLimits::default(), password_slots: None }
    }
}

/// How much of everything the API takes on.
#[derive(Debug, Clone)]
pub struct ApiLimits {
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// The largest body of a request to a plugin's public route, in bytes.
    pub public_body_bytes_max: usize,
    /// How long a request may take, its body's arrival included.
    pub request_timeout: Duration,
    /// Requests at the same time; more are told to come again.
    pub in_flight_max: usize,
    /// Of these, requests to plugins' public routes.
    pub public_in_flight_max: usize,
    /// Of these, people signing in.
    pub sign_ins_max: usize,
    /// Passwords checked at the same time: each takes a core for tens of milliseconds and 19 MiB.
    pub password_checks_max: usize,
    /// Exports at the same time: each holds one of the store's readers.
    pub exports_max: usize,
    /// How long an export may take.
    pub export_timeout: Duration,
    /// How long an export waits for its caller to read on.
    pub export_stall: Duration,
    /// The most records in an export.
    pub export_records_max: u64,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 10 << 20,
            public_body_bytes_max: 1 << 20,
            request_timeout: Duration::from_secs(30),
            in_flight_max: 1_024,
            public_in_flight_max: 64,
            sign_ins_max: 32,
            password_checks_max: 2,
            exports_max: 2,
            export_timeout: Duration::from_secs(900),
            export_stall: Duration::from_secs(30),
            export_records_max: 1_000_000,
        }
    }
}

/// Serves a workspace.
///
/// Call it once for each workspace: the router owns the workspace's cache of tokens and its limits on
/// requests in flight.
pub fn router(state: ApiState) -> Router {
    routes::router(app::App::new(state))
}

/// Serves a router on a listener until `until` is done; requests under way are finished first.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    until: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Answers are small and whole: waiting for more to send would only delay them.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(until).await
}
