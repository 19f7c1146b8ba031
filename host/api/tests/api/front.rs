//! The front: which workspace a request comes to, and what it is told if to none.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
    routing::get,
};
use pergola_api::{Closed, Entered, FrontLimits, Hosts, front};
use serde_json::Value as Json;
use tokio::sync::{Notify, RwLock};
use tower::ServiceExt as _;

/// Workspaces that are played by the test.
#[derive(Default)]
struct Played {
    gate: Arc<RwLock<()>>,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Hosts for Played {
    async fn enter(self: &Arc<Self>, host: &str) -> Result<Entered, Closed> {
        match host {
            "suspended.example" => Err(Closed::Suspended("anna".to_owned())),
            "full.example" => Err(Closed::Full),
            "installing.example" => Err(Closed::InUse),
            "broken.example" => Err(Closed::Broken),
            "opening.example" => std::future::pending().await,
            "anna.example" => {
                let (begun, go_on) = (Arc::clone(&self.begun), Arc::clone(&self.go_on));
                let slow = get(move || async move {
                    begun.notify_one();
                    go_on.notified().await;
                    "slow"
                });
                let router = Router::new().route("/", get(|| async { "anna" })).route("/slow", slow);
                Ok(Entered { router, stay: Arc::clone(&self.gate).read_owned().await })
            }
            _ => Err(Closed::Unknown),
        }
    }
}

async fn ask(router: &Router, host: &str, path: &str) -> (u16, String) {
    let request = Request::builder().uri(path).header("host", host).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let id = answer.headers().get("x-request-id").cloned();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let Ok(problem) = serde_json::from_slice::<Json>(&body) else {
        return (status, String::from_utf8(body.to_vec()).unwrap());
    };
    let Some(code) = problem["code"].as_str() else { return (status, problem.to_string()) };
    assert_eq!(problem["request_id"].as_str(), id.as_ref().and_then(|id| id.to_str().ok()));
    (status, format!("{code}: {}", problem["detail"].as_str().unwrap()))
}

fn open(limits: FrontLimits) -> (Arc<Played>, Router) {
    let hosts = Arc::new(Played::default());
    (Arc::clone(&hosts), front(hosts, limits))
}

#[tokio::test]
async fn a_request_that_comes_to_no_workspace_is_told_why() {
    let (_hosts, router) = open(FrontLimits { enter_timeout: Duration::from_millis(20), ..FrontLimits::default() });
    assert_eq!(ask(&router, "anna.example", "/").await, (200, "anna".to_owned()));
    let mut told = String::new();
    for host in [
        "other.example",
        "suspended.example",
        "full.example",
        "installing.example",
        "broken.example",
        "opening.example",
    ] {
        let (status, problem) = ask(&router, host, "/api/v1/contacts").await;
        told.push_str(&format!("{status} {problem}\n"));
    }
    insta::assert_snapshot!(told, @r#"
    404 unknown_host: no workspace answers for the host name "other.example"; ask by the name that yours was given, or give it this one: pergola workspace hosts NAME HOST
    503 suspended: this workspace is suspended: nothing is lost, and everything waits until whoever runs the server resumes it (pergola workspace resume anna)
    503 busy: as many workspaces are in use as this server keeps open at once; try again in a second
    503 busy: somebody installs a plugin into this workspace or restores it just now; try again in a second
    500 internal: something went wrong inside Pergola; whoever runs it finds the cause in the log by the request_id
    503 busy: the workspace is still being opened; try again in a second
    "#);
}

#[tokio::test]
async fn the_process_is_well_whatever_the_host_name() {
    let (_hosts, router) = open(FrontLimits::default());
    assert_eq!(ask(&router, "10.0.0.7:7420", "/healthz").await, (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(ask(&router, "suspended.example", "/healthz").await.0, 503);
}

#[tokio::test]
async fn a_request_holds_its_workspace_open_and_counts_until_it_is_answered() {
    let (hosts, router) = open(FrontLimits { in_flight_max: 1, ..FrontLimits::default() });
    let slow = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "anna.example", "/slow").await }
    });
    hosts.begun.notified().await;
    assert!(hosts.gate.try_write().is_err(), "nobody can close it");
    let (status, problem) = ask(&router, "anna.example", "/").await;
    assert_eq!((status, problem.as_str()), (503, "busy: too many requests at once; try again in a second"));
    hosts.go_on.notify_one();
    assert_eq!(slow.await.unwrap(), (200, "slow".to_owned()));
    assert!(hosts.gate.try_write().is_ok());
    assert_eq!(ask(&router, "anna.example", "/").await.0, 200);
}
