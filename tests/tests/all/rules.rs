//! Rules that a manifest declares and the engine keeps: against models, by many at once, and broken on purpose.
//!
//! Each rule has a checker that looks at the stored rows alone, and a test that switches the rule off and sees the
//! checker complain: so a checker that cannot fail would be noticed.

mod capacity;
mod check;
mod exclude;
mod hold;
mod transitions;

use std::future::Future;

use pergola_service::Error;
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

/// A host with a plugin that is a manifest alone.
pub(crate) async fn host_with(manifest: &str) -> TestHost {
    let host = TestHost::start().await.unwrap();
    host.install_manifest(&format!("version = \"1.0.0\"\napi = \"0.1\"\n{manifest}")).await.unwrap();
    host
}

/// Runs one case of a property test.
pub(crate) fn run<T>(case: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(case)
}

/// The code of a refusal, or `done`.
pub(crate) fn code<T>(result: &Result<T, Error>) -> String {
    result.as_ref().map_or_else(|error| error.code().to_owned(), |_| "done".to_owned())
}

/// So many hours after the start of the test's clock.
pub(crate) fn hour(hours: i64) -> Json {
    let start: jiff::Timestamp = pergola_testkit::START.parse().unwrap();
    json!(start.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap())
}
