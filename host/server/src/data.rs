//! The data directory: what is where, and who may use it.
//!
//! ```text
//! pergola-data/
//!   pergola.toml            configuration, if any
//!   owner-token             the token that `serve` prints; readable by its owner only
//!   server.lock             held by the server
//!   server-main.lock        held by who has that workspace to itself: a server that has it open, or a command
//!   directory.db            which workspaces there are
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

use crate::{
    cli::{DataArgs, PlaceArgs},
    config,
    say::problem,
};

/// The workspace of those who have only one.
pub(crate) const MAIN: &str = "main";

/// A data directory and one workspace in it.
#[derive(Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
    workspace: Name,
    /// Whether the command line names it.
    is_named: bool,
    /// Given on the command line.
    database_url: Option<String>,
}

/// Held while a server runs on the directory.
pub(crate) struct ServerLock(#[expect(dead_code, reason = "holding it is its use")] File);

impl DataDir {
    /// Opens the directory, creating it where it is missing.
    pub(crate) fn open(args: &DataArgs) -> anyhow::Result<Self> {
        let dir = Self::of(args)?;
        for part in ["workspaces", "plugins", "cache", "messages"] {
            let path = dir.root.join(part);
            fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        make_private(&dir.root)?;
        Ok(dir)
    }

    fn of(args: &DataArgs) -> anyhow::Result<Self> {
        let workspace = args.workspace.as_deref().unwrap_or(MAIN);
        let workspace = Name::new(workspace).map_err(|error| problem(format!("--workspace: {error}")))?;
        let (root, database_url) = (args.place.data.clone(), args.place.database.clone());
        Ok(Self { root, workspace, is_named: args.workspace.is_some(), database_url })
    }

    /// Opens the directory of all workspaces, with one that a command is about.
    pub(crate) fn open_all(args: &PlaceArgs, workspace: Option<&str>) -> anyhow::Result<Self> {
        let workspace = workspace.map(Name::new).transpose().map_err(|error| problem(error.to_string()))?;
        Self::open(&DataArgs { place: args.clone(), workspace: workspace.map(String::from) })
    }

    /// The same directory with another workspace.
    pub(crate) fn with_workspace(&self, workspace: &Name) -> Self {
        Self { workspace: workspace.clone(), is_named: true, ..self.clone() }
    }

    /// Opens the directory of a workspace that is there already.
    pub(crate) fn open_existing(args: &DataArgs) -> anyhow::Result<Self> {
        let dir = Self::of(args)?;
        // A mistake in the configuration is told when it is used.
        let in_file =
            dir.database_url.is_none() && config::load(&dir.root).is_ok_and(|one| one.database_url().is_none());
        if in_file && !dir.database().is_file() {
            let (workspace, root) = (&dir.workspace, dir.root.display());
            return Err(problem(format!("there is no workspace {workspace} in {root}; say where by --data DIR")));
        }
        Self::open(args)
    }

    /// Throws the directory away, if it is one of ours.
    pub(crate) fn reset(args: &DataArgs) -> anyhow::Result<()> {
        let root = &args.place.data;
        if !root.exists() {
            return Ok(());
        }
        if !root.join("workspaces").is_dir() {
            return Err(problem(format!(
                "{} is not a Pergola data directory (it has no workspaces folder); it was not touched",
                root.display()
            )));
        }
        // Nothing is thrown away under a server, be it another workspace's.
        let names = fs::read_dir(root.join("workspaces")).context("cannot list the workspaces")?;
        let names =
            names.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "db"));
        let dir = Self::of(args)?;
        let all = dir.lock_all()?;
        let held = names
            .filter_map(|path| Name::new(path.file_stem()?.to_str()?).ok())
            .map(|workspace| dir.with_workspace(&workspace).lock())
            .collect::<anyhow::Result<Vec<_>>>()?;
        fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
        drop((held, all));
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
        self.workspace.as_str()
    }

    pub(crate) fn workspace(&self) -> &Name {
        &self.workspace
    }

    /// Whether the command line names the workspace.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// The folder of the workspaces' files.
    pub(crate) fn workspaces(&self) -> PathBuf {
        self.root.join("workspaces")
    }

    pub(crate) fn database(&self) -> PathBuf {
        pergola_store::directory::file_of(&self.workspaces(), self.workspace.as_str())
    }

    /// The file of the directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.root.join("directory.db")
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

    /// One server at a time for a workspace: two would send every message twice.
    pub(crate) fn lock(&self) -> anyhow::Result<ServerLock> {
        self.try_lock()?.ok_or_else(|| {
            problem(format!(
                "another server runs on workspace {} of {}; stop it first, or give another --data",
                self.workspace,
                self.root.display()
            ))
        })
    }

    /// The same; none if another process holds it.
    pub(crate) fn try_lock(&self) -> anyhow::Result<Option<ServerLock>> {
        try_lock(&self.lock_path())
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.root.join(format!("server-{}.lock", self.workspace))
    }

    /// One server of all workspaces at a time.
    pub(crate) fn lock_all(&self) -> anyhow::Result<ServerLock> {
        try_lock(&self.root.join("server.lock"))?.ok_or_else(|| {
            problem(format!("another server runs on {}; stop it first, or give another --data", self.root.display()))
        })
    }

    /// The owner's token of this workspace, if one was kept.
    pub(crate) fn read_owner_token(&self) -> Option<String> {
        fs::read_to_string(self.token_path()).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Keeps the owner's token, readable by the owner of the directory only.
    pub(crate) fn keep_owner_token(&self, token: &str) -> anyhow::Result<()> {
        write_synced(&self.token_path(), token.as_bytes())
    }

    /// Where the owner's token is kept.
    pub(crate) fn token_path(&self) -> PathBuf {
        match self.workspace.as_str() {
            MAIN => self.root.join("owner-token"),
            other => self.root.join(format!("owner-token-{other}")),
        }
    }
}

fn try_lock(path: &Path) -> anyhow::Result<Option<ServerLock>> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(ServerLock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
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
