//! Several workspaces behind one listener: the host name of a request says which of them answers.
//!
//! A workspace's own router is as it is without this; nothing is shared between two of them but the process.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::sync::{OwnedRwLockReadGuard, Semaphore};
use tower::ServiceExt as _;

use crate::{
    problem::Problem,
    request::{self, RequestIds},
};

/// The path that is answered without a workspace, for those who watch over the process.
const HEALTH: &str = "/healthz";

/// Who knows which workspace answers for which host name.
pub trait Hosts: Send + Sync + 'static {
    /// The workspace for a `Host` header, opened if need be; the header is empty if there was none.
    fn enter(self: &Arc<Self>, host: &str) -> impl Future<Output = Result<Entered, Closed>> + Send;
}

/// A workspace that takes a request.
pub struct Entered {
    /// Its router.
    pub router: Router,
    /// As long as this is held, it stays open.
    pub stay: OwnedRwLockReadGuard<()>,
}

/// Why no workspace takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The host name leads nowhere.
    Unknown,
    /// The workspace of this name is suspended.
    Suspended(String),
    /// As many workspaces as can be open are in use.
    Full,
    /// Another process works on it and wants nobody else to.
    InUse,
    /// It is being opened, and that takes long.
    Opening,
    /// It cannot be opened; the cause is in the log.
    Broken,
}

/// How much the front takes on, for all workspaces together.
#[derive(Debug, Clone)]
pub struct FrontLimits {
    /// Requests at the same time; more are told to come again.
    pub in_flight_max: usize,
    /// How long a request waits until its workspace is open.
    pub enter_timeout: Duration,
}

impl Default for FrontLimits {
    fn default() -> Self {
        Self { in_flight_max: 4_096, enter_timeout: Duration::from_secs(20) }
    }
}

struct Front<H> {
    hosts: Arc<H>,
    slots: Semaphore,
    limits: FrontLimits,
    request_ids: RequestIds,
}

/// Serves the workspaces that `hosts` knows.
pub fn front<H: Hosts>(hosts: Arc<H>, limits: FrontLimits) -> Router {
    let slots = Semaphore::new(limits.in_flight_max);
    let front = Front { hosts, slots, limits, request_ids: RequestIds::new() };
    Router::new().fallback(handle::<H>).with_state(Arc::new(front))
}

async fn handle<H: Hosts>(State(front): State<Arc<Front<H>>>, request: Request) -> Response {
    let Ok(_slot) = front.slots.try_acquire() else {
        return request::refuse(&front.request_ids, &request, Problem::too_many_requests_at_once());
    };
    let host = host(&request);
    let entering = front.hosts.enter(&host);
    let entered = tokio::time::timeout(front.limits.enter_timeout, entering).await.unwrap_or(Err(Closed::Opening));
    match entered {
        Ok(Entered { router, stay }) => {
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            drop(stay);
            response
        }
        Err(Closed::Unknown) if request.uri().path() == HEALTH => Json(json!({ "status": "ok" })).into_response(),
        Err(closed) => request::refuse(&front.request_ids, &request, problem(closed, &host)),
    }
}

/// The host name that the caller meant, as it was written.
fn host(request: &Request) -> String {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has it in the URI.
    header.or_else(|| request.uri().authority().map(|one| one.as_str())).unwrap_or_default().to_owned()
}

fn problem(closed: Closed, host: &str) -> Problem {
    match closed {
        Closed::Unknown => {
            let host: String = host.chars().take(100).collect();
            Problem::new(
                StatusCode::NOT_FOUND,
                "unknown_host",
                format!(
                    "no workspace answers for the host name {host:?}; ask by the name that yours was given, or give it \
                     this one: pergola workspace hosts NAME HOST"
                ),
            )
        }
        Closed::Suspended(name) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "suspended",
            format!(
                "this workspace is suspended: nothing is lost, and everything waits until whoever runs the server \
                 resumes it (pergola workspace resume {name})"
            ),
        ),
        Closed::Full => Problem::come_again(
            "busy",
            "as many workspaces are in use as this server keeps open at once; try again in a second",
        ),
        Closed::InUse => Problem::come_again(
            "busy",
            "somebody installs a plugin into this workspace or restores it just now; try again in a second",
        ),
        Closed::Opening => Problem::come_again("busy", "the workspace is still being opened; try again in a second"),
        Closed::Broken => Problem::internal("the workspace could not be opened, see above"),
    }
}
