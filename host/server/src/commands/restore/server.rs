//! A backup becomes a schema on a server: made beside the workspace, tried, and then put in its place in one step. A kill
//! leaves the old one or the new one; what was not finished is dropped by the next restore.

use std::path::Path;

use anyhow::Context;
use pergola_service::ports::{Clock as _, store::StoreError};
use pergola_store::backup::{Contents, Remote};

use crate::{
    config::Config,
    data::DataDir,
    say::problem,
    system::SystemClock,
    wire::{self, server_error},
};

/// Passes when no other process works on the workspace.
pub(super) async fn refuse_company(remote: &Remote) -> anyhow::Result<()> {
    if remote.is_in_use().await.map_err(server_error)? { Err(in_use(remote)) } else { Ok(()) }
}

fn in_use(remote: &Remote) -> anyhow::Error {
    problem(format!("somebody works on schema {} of the database; stop all servers of it first", remote.schema()))
}

/// The schema that the data of before go to; its name can stand in a URL.
pub(super) fn aside(schema: &str) -> String {
    let time = SystemClock.now().strftime("%Y%m%d_%H%M%S_%3f").to_string();
    // 63 bytes are what the server keeps.
    let begin: String = schema.chars().take(35).collect();
    format!("{begin}_before_{time}")
}

/// Makes the workspace from an unpacked backup, opens it as a server would, and puts it in its place.
pub(super) async fn restore(
    data: &DataDir,
    config: &Config,
    remote: &Remote,
    from: &Path,
    contents: &Contents,
    aside: Option<&str>,
) -> anyhow::Result<()> {
    let new = remote.unfinished();
    new.load(from, contents).await.map_err(server_error).context("the tables of the backup cannot be made")?;
    let done = try_and_swap(data, config, remote, &new, aside).await;
    if done.is_err()
        && let Err(error) = new.discard().await
    {
        tracing::warn!(%error, schema = new.schema(), "a schema of unfinished work could not be dropped");
    }
    done
}

async fn try_and_swap(
    data: &DataDir,
    config: &Config,
    remote: &Remote,
    new: &Remote,
    aside: Option<&str>,
) -> anyhow::Result<()> {
    let unusable = "the restored workspace cannot be opened; everything is as it was before";
    let store = new.open().await.map_err(server_error).context(unusable)?;
    wire::open_stored(data, config, store).await.context(unusable)?.close().await;
    match new.take_place_of(remote, aside).await {
        Err(StoreError::Busy | StoreError::Interrupted) => Err(in_use(remote)),
        done => done.map_err(server_error),
    }
}
