//! `pergola workspace delete`: a workspace is gone, and a backup of it is kept unless nobody wants one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use pergola_store::directory::{Directory, DirectoryError, WorkspaceState};

use crate::{
    cli::PlaceArgs,
    commands::{backup, prepare},
    data::DataDir,
    directory,
    say::{self, problem},
    wire::{self, Place, server_error},
};

/// How sure the user is.
pub(super) struct Consent {
    /// Said so.
    pub(super) is_sure: bool,
    /// And wants nothing to be left.
    pub(super) without_backup: bool,
}

pub(super) async fn delete(place: &PlaceArgs, name: &str, consent: Consent) -> anyhow::Result<()> {
    let data = DataDir::open_all(place, Some(name))?;
    let config = prepare(&data, true)?;
    let directory = directory::open(&data, &config).await?;
    let known = directory::list_with_found(&directory).await?;
    let Some(entry) = known.iter().find(|entry| entry.name == *data.workspace()) else {
        return Err(directory::told(DirectoryError::Unknown(data.workspace().clone())));
    };
    if entry.state != WorkspaceState::Suspended {
        return Err(directory::told(DirectoryError::Active(entry.name.clone())));
    }
    if !consent.is_sure {
        let after = if consent.without_backup { "without a backup" } else { "after a backup of it was written" };
        return Err(problem(format!("this removes workspace {name} and everything in it, {after}; say so with --yes")));
    }
    let in_use = || problem(format!("workspace {name} is still in use; its server lets go of it within seconds"));
    let Some(lock) = data.try_lock()? else { return Err(in_use()) };
    let database = wire::place(&data, &config)?;
    if let Place::Server(remote) = &database
        && remote.is_in_use().await.map_err(server_error)?
    {
        return Err(in_use());
    }
    let is_there = directory.size(data.workspace()).await.map_err(directory::told)?.is_some();
    let kept =
        if consent.without_backup || !is_there { None } else { Some(backup::make(&data, &database, None).await?.0) };
    // Its line in the directory last: without its database it is only a name, but a database without a line is found.
    remove(&data, &directory, kept.as_deref()).await?;
    drop(lock);
    say::line(format_args!("deleted workspace {name}"));
    if let Some(kept) = kept {
        say::line(format_args!("its backup is {}; pergola restore brings it back", kept.display()));
    }
    Ok(())
}

async fn remove(data: &DataDir, directory: &Directory, backup: Option<&Path>) -> anyhow::Result<()> {
    let messages = data.messages();
    match backup {
        Some(backup) => when_there(fs::rename(&messages, beside(backup)), &messages)?,
        None => when_there(fs::remove_file(&messages), &messages)?,
    }
    directory.drop_database(data.workspace()).await.map_err(directory::told)?;
    let token = data.token_path();
    when_there(fs::remove_file(&token), &token)?;
    directory.remove(data.workspace()).await.map_err(directory::told)?;
    let lock = data.lock_path();
    when_there(fs::remove_file(&lock), &lock)
}

/// Where the messages of a file sink are kept: `anna-TIME.messages.jsonl`.
fn beside(backup: &Path) -> PathBuf {
    backup.with_extension("messages.jsonl")
}

/// A file that is not there needs nothing.
fn when_there(done: io::Result<()>, path: &Path) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.with_context(|| format!("cannot remove {}", path.display())),
    }
}
