//! The directory of workspaces: opened for a command, and kept in step with the databases that are there.

use anyhow::Context;
use jiff::Timestamp;
use pergola_model::Name;
use pergola_service::ports::{Clock as _, store::StoreError};
use pergola_store::directory::{Directory, DirectoryError, DirectoryLimits, Entry};

use crate::{
    config::Config,
    data::{DataDir, MAIN},
    say::problem,
    system::SystemClock,
    wire::server_error,
};

/// Opens the directory, or makes it.
pub(crate) async fn open(data: &DataDir, config: &Config) -> anyhow::Result<Directory> {
    let limits = DirectoryLimits::default();
    let opened = match config.database_url() {
        None => Directory::in_file(&data.directory(), &data.workspaces(), limits).await,
        Some(url) => Directory::on_server(url, limits).await,
    };
    opened.map_err(|error| match error {
        DirectoryError::Store(error) if config.database_url().is_some() => server_error(error),
        error => anyhow::Error::new(error).context(format!("cannot open {}", data.directory().display())),
    })
}

/// What the user can mend, in contrast to what broke.
pub(crate) fn told(error: DirectoryError) -> anyhow::Error {
    match error {
        DirectoryError::Store(error) => anyhow::Error::new(error).context("the directory of workspaces failed"),
        error => problem(error.to_string()),
    }
}

/// The present instant.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// All workspaces, with those whose databases are there and that the directory did not know: of an older version, or
/// restored.
pub(crate) async fn list_with_found(directory: &Directory) -> anyhow::Result<Vec<Entry>> {
    let known = directory.list().await.map_err(told)?;
    let found = directory.found().await.map_err(told)?;
    let unknown: Vec<Name> = found.into_iter().filter(|name| known.iter().all(|entry| entry.name != *name)).collect();
    for name in &unknown {
        adopt(directory, name).await?;
    }
    if unknown.is_empty() { Ok(known) } else { directory.list().await.map_err(told) }
}

async fn adopt(directory: &Directory, name: &Name) -> anyhow::Result<()> {
    match directory.insert(name, &[], now()).await {
        // Another process was quicker.
        Ok(()) | Err(DirectoryError::NameTaken(_)) => Ok(()),
        Err(error) => Err(told(error)),
    }
}

/// Whether a workspace that is about to be opened is one, or becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The directory knows it, and its database is there.
    Known,
    /// Its database is about to be made.
    New,
}

/// Checks that a workspace may be opened. Only `main` becomes one by being used, where there is none at all.
pub(crate) async fn admit(directory: &Directory, data: &DataDir) -> anyhow::Result<Standing> {
    let name = data.workspace();
    let is_known = directory.find(name).await.map_err(told)?.is_some();
    let is_there = directory.size(name).await.map_err(told)?.is_some();
    match (is_known, is_there) {
        (true, true) => Ok(Standing::Known),
        (false, true) => adopt(directory, name).await.map(|()| Standing::Known),
        (true, false) => Err(problem(format!(
            "the database of workspace {name} is not there any more; restore a backup (pergola restore --workspace \
             {name}), or forget it by deleting the workspace"
        ))),
        (false, false) => {
            let entries = list_with_found(directory).await?;
            if entries.is_empty() && name.as_str() == MAIN {
                return Ok(Standing::New);
            }
            let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            let known = if names.is_empty() { "there is none yet".to_owned() } else { names.join(", ") };
            Err(problem(format!(
                "there is no workspace {name} ({known}); make it by pergola workspace create {name}, or name another by \
                 --workspace"
            )))
        }
    }
}

/// Adds a workspace that was restored, or has its server look at what it has now.
pub(crate) async fn note_restored(data: &DataDir, config: &Config) -> anyhow::Result<()> {
    let directory = open(data, config).await?;
    adopt(&directory, data.workspace()).await?;
    touch(&directory, data.workspace()).await
}

/// Adds a workspace whose database was just made.
pub(crate) async fn enrol(directory: &Directory, name: &Name) -> anyhow::Result<()> {
    adopt(directory, name).await.with_context(|| format!("cannot add workspace {name} to the directory"))
}

/// Says that a command writes to a workspace. A full disk is no reason not to: the command may be what makes room.
pub(crate) async fn touch(directory: &Directory, name: &Name) -> anyhow::Result<()> {
    match directory.touch(name, now()).await {
        Err(DirectoryError::Store(StoreError::Full)) => {
            tracing::warn!("the disk is full: the directory could not be told that the workspace is written to");
            Ok(())
        }
        touched => touched.map_err(told),
    }
}
