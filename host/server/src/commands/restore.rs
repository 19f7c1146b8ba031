//! `pergola restore`: a backup becomes a workspace, new or in place of the one that is there.

mod server;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use pergola_exchange::archive::Manifest;
use pergola_service::ports::{Clock as _, store::StoreError};
use pergola_store::backup;

use super::{
    backup::{DATABASE, WorkFolder, unpack},
    prepare,
};
use crate::{
    cli::RestoreArgs,
    config::Config,
    data::{self, DataDir},
    directory,
    say::{self, problem},
    system::SystemClock,
    wire::{self, Place, server_error},
};

pub(crate) async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    // A misspelt name should not leave a new data directory behind.
    fs::File::open(&args.file).map_err(|error| {
        problem(format!("{}: the file cannot be read: {error}; is its name right?", args.file.display()))
    })?;
    let data = DataDir::open(&args.data)?;
    let config = prepare(&data, true)?;
    let place = wire::place(&data, &config)?;
    let exists = match &place {
        Place::File(database) => database.exists(),
        Place::Server(remote) => remote.is_there().await.map_err(server_error)?,
    };
    if exists && !args.in_place {
        return Err(problem(format!(
            "{} exists; restore elsewhere by --data or --workspace, or give --in-place, which keeps the old data aside",
            name(&place)
        )));
    }
    let lock = data.lock()?;
    if let Place::Server(remote) = &place {
        server::refuse_company(remote).await?;
    }
    let work = WorkFolder::beside(&data.database())?;
    let (manifest, contents) = unpack(&args.file, &work.path, &place).await?;
    for file in &manifest.files {
        if let Some(digest) = file.name.strip_prefix("plugins/").and_then(|name| name.strip_suffix(".wasm")) {
            let path = work.path.join(&file.name);
            let component = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            data.keep_component(digest, &component)?;
        }
    }
    let aside = match &place {
        Place::File(database) => {
            let aside = exists.then(|| aside(database));
            swap(&data, &config, &work.path.join(DATABASE), aside.as_deref()).await?;
            aside.map(|aside| aside.display().to_string())
        }
        Place::Server(remote) => {
            let aside = exists.then(|| server::aside(remote.schema()));
            server::restore(&data, &config, remote, &work.path, &contents, aside.as_deref()).await?;
            aside.map(|aside| format!("schema {aside}"))
        }
    };
    directory::note_restored(&data, &config).await?;
    drop(lock);
    tell(&args.file, &data, &manifest, aside.as_deref());
    Ok(())
}

/// What a place is called in messages.
fn name(place: &Place) -> String {
    match place {
        Place::File(database) => database.display().to_string(),
        Place::Server(remote) => format!("a workspace in schema {} of the database", remote.schema()),
    }
}

fn tell(file: &Path, data: &DataDir, manifest: &Manifest, aside: Option<&str>) {
    let rows: u64 = manifest.tables.values().sum();
    say::line(format_args!(
        "restored workspace {} from {}, made {}: {rows} rows of {} tables",
        data.workspace_name(),
        file.display(),
        manifest.made_at,
        manifest.tables.len(),
    ));
    if let Some(aside) = aside {
        say::line(format_args!("the data of before are in {aside}; remove them when you are sure"));
    }
}

/// Where the data of before go.
fn aside(database: &Path) -> PathBuf {
    let name = database.file_stem().unwrap_or_default().to_string_lossy();
    database.with_file_name(format!("{name}.before-{}", SystemClock.now().strftime("%Y%m%dT%H%M%S.%3fZ")))
}

/// Puts the new database in place of the old one, opens it as a server would, and goes back if that fails.
async fn swap(data: &DataDir, config: &Config, new: &Path, aside: Option<&Path>) -> anyhow::Result<()> {
    let database = data.database();
    if let Some(aside) = aside {
        fs::create_dir_all(aside).with_context(|| format!("cannot create {}", aside.display()))?;
        data::make_private(aside)?;
        keep(&database, &aside.join(DATABASE)).await?;
    }
    fs::rename(new, &database).with_context(|| format!("cannot write {}", database.display()))?;
    data::sync_folder(&database)?;
    let opened = match wire::open(data, config).await {
        Ok(opened) => opened,
        Err(error) => {
            for suffix in ["", "-wal", "-shm"] {
                remove(&with_suffix(&database, suffix))?;
            }
            if let Some(aside) = aside {
                move_database(&aside.join(DATABASE), &database)?;
                fs::remove_dir(aside).with_context(|| format!("cannot remove {}", aside.display()))?;
            }
            return Err(error.context("the restored workspace cannot be opened; everything is as it was before"));
        }
    };
    opened.close().await;
    Ok(())
}

/// Keeps the old database under another name. It stays in its place too, where the file system can do that, until the
/// new one takes it in one step: a crash in between leaves one of the two, and never none.
async fn keep(database: &Path, to: &Path) -> anyhow::Result<()> {
    match backup::fold_log(database).await {
        Ok(()) => {
            // Whatever is left beside it is empty, and must not be taken for the new one's.
            for suffix in ["-wal", "-shm"] {
                remove(&with_suffix(database, suffix))?;
            }
            fs::hard_link(database, to)
                .or_else(|_| fs::rename(database, to))
                .with_context(|| format!("cannot keep {}", database.display()))
        }
        Err(error @ StoreError::Busy) => Err(anyhow::Error::new(error).context("somebody works on the old data")),
        // A damaged database is often why somebody restores: it goes aside as it is.
        Err(error) => {
            tracing::warn!(%error, "the old data are damaged and are kept as they are");
            move_database(database, to)
        }
    }
}

/// A database with what SQLite keeps beside it: without its log, the file alone would lack the last commits.
fn move_database(from: &Path, to: &Path) -> anyhow::Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (with_suffix(from, suffix), with_suffix(to, suffix));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
            done => done.with_context(|| format!("cannot move {} to {}", from.display(), to.display()))?,
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.with_context(|| format!("cannot remove {}", path.display())),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
