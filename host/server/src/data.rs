//! The data directory: what is where, and who may use it.
//!
//! ```text
//! pergola-data/
//!   pergola.toml            configuration, if any
//!   owner-token             the token that `serve` prints; readable by its owner only
//!   server-main.lock        held by the server of that workspace
//!   workspaces/main.db      one SQLite file for each workspace
//!   plugins/DIGEST.wasm     components by SHA-256
//!   cache/                  compiled components; may be thrown away
//!   messages/main.jsonl     what the file sink was given
//!   backups/main-TIME.zip   what `backup` made
//! ```

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use pergola_model::Name;

use crate::{cli::DataArgs, config, say::problem};

/// A data directory and one workspace in it.
#[derive(Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
    workspace: String,
    /// Given on the command line.
    database_url: Option<String>,
}

/// Held while a server runs on the directory.
pub(crate) struct ServerLock(#[expect(dead_code, reason = "holding it is its use")] File);

impl DataDir {
    /// Opens the directory, creating it where it is missing.
    pub(crate) fn open(args: &DataArgs) -> anyhow::Result<Self> {
        Name::new(args.workspace.clone()).map_err(|error| problem(format!("--workspace: {error}")))?;
        let database_url = args.database.clone();
        let dir = Self { root: args.data.clone(), workspace: args.workspace.clone(), database_url };
        for part in ["workspaces", "plugins", "cache", "messages"] {
            let path = dir.root.join(part);
            fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        make_private(&dir.root)?;
        Ok(dir)
    }

    /// Opens the directory of a workspace that is there already.
    pub(crate) fn open_existing(args: &DataArgs) -> anyhow::Result<Self> {
        let dir = Self { root: args.data.clone(), workspace: args.workspace.clone(), database_url: None };
        // A mistake in the configuration is told when it is used.
        let in_file = args.database.is_none() && config::load(&args.data).is_ok_and(|one| one.database_url().is_none());
        if in_file && !dir.database().is_file() {
            let (workspace, root) = (&args.workspace, args.data.display());
            return Err(problem(format!("there is no workspace {workspace} in {root}; say where by --data DIR")));
        }
        Self::open(args)
    }

    /// Throws the directory away, if it is one of ours.
    pub(crate) fn reset(args: &DataArgs) -> anyhow::Result<()> {
        if !args.data.exists() {
            return Ok(());
        }
        if !args.data.join("workspaces").is_dir() {
            return Err(problem(format!(
                "{} is not a Pergola data directory (it has no workspaces folder); it was not touched",
                args.data.display()
            )));
        }
        // Nothing is thrown away under a server, be it another workspace's.
        let names = fs::read_dir(args.data.join("workspaces")).context("cannot list the workspaces")?;
        let names =
            names.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "db"));
        let held = names
            .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
            .map(|workspace| Self { root: args.data.clone(), workspace, database_url: None }.lock())
            .collect::<anyhow::Result<Vec<_>>>()?;
        fs::remove_dir_all(&args.data).with_context(|| format!("cannot remove {}", args.data.display()))?;
        drop(held);
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database that the command line names.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref()
    }

    pub(crate) fn workspace_name(&self) -> &str {
        &self.workspace
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("workspaces").join(format!("{}.db", self.workspace))
    }

    pub(crate) fn component(&self, digest: &str) -> PathBuf {
        self.root.join("plugins").join(format!("{digest}.wasm"))
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Where backups go unless somebody says otherwise; made where it is missing.
    pub(crate) fn backups(&self) -> anyhow::Result<PathBuf> {
        let path = self.root.join("backups");
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    pub(crate) fn messages(&self) -> PathBuf {
        self.root.join("messages").join(format!("{}.jsonl", self.workspace))
    }

    /// Keeps a component under its digest.
    pub(crate) fn keep_component(&self, digest: &str, component: &[u8]) -> anyhow::Result<()> {
        let path = self.component(digest);
        if fs::read(&path).is_ok_and(|kept| kept == component) {
            return Ok(());
        }
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        write_synced(&temporary, component)?;
        fs::rename(&temporary, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// One server at a time: two would send every message twice.
    pub(crate) fn lock(&self) -> anyhow::Result<ServerLock> {
        let path = self.root.join(format!("server-{}.lock", self.workspace));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(ServerLock(file)),
            Err(fs::TryLockError::WouldBlock) => Err(problem(format!(
                "another server runs on workspace {} of {}; stop it first, or give another --data",
                self.workspace,
                self.root.display()
            ))),
            Err(fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// The owner's token of this workspace, if one was kept.
    pub(crate) fn read_owner_token(&self) -> Option<String> {
        fs::read_to_string(self.token_path()).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Keeps the owner's token, readable by the owner of the directory only.
    pub(crate) fn keep_owner_token(&self, token: &str) -> anyhow::Result<()> {
        write_synced(&self.token_path(), token.as_bytes())
    }

    fn token_path(&self) -> PathBuf {
        match self.workspace.as_str() {
            "main" => self.root.join("owner-token"),
            other => self.root.join(format!("owner-token-{other}")),
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether a component is there, and what was installed under that digest.
pub(crate) fn is_whole(path: &Path, digest: &str) -> bool {
    fs::read(path).is_ok_and(|component| pergola_runtime::digest(&component) == digest)
}

/// Waits until the name of a new file is on the disk.
pub(crate) fn sync_folder(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only Unix lets a folder be opened, and only there a rename has to be synced.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("cannot sync {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
pub(crate) fn make_private(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot protect {}", path.display()))
}

#[cfg(not(unix))]
pub(crate) fn make_private(_: &Path) -> anyhow::Result<()> {
    Ok(())
}
