//! Wiring: a store, a runtime with the installed plugins, and the workspace over both.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use jiff::tz::TimeZone;
use pergola_api::new_token;
use pergola_model::{Locale, Name, PluginId, Role, decl::Manifest};
use pergola_runtime::{Runtime, RuntimeConfig};
use pergola_service::{
    Workspace,
    mutants::Rule,
    ports::{
        Ids,
        store::{Store, StoreError, StoredPlugin, StoredToken},
    },
    workspace::{InstallReport, Package, Ports},
};
use pergola_store::{
    Options, SqliteStore,
    backup::Remote,
    directory::{Directory, schema_of},
};

use crate::{
    broken, config,
    data::DataDir,
    directory::{self, Standing},
    say::{self, problem},
    system::{SystemClock, UuidIds},
};

/// The setting under which a workspace keeps how people write things.
const LOCALE: &str = "locale";

/// A workspace, ready for use, and what must be closed after it.
pub(crate) struct Opened {
    pub(crate) workspace: Workspace,
    pub(crate) runtime: Arc<Runtime>,
    /// What was installed when it was opened: plugins and the digests of their components.
    pub(crate) components: Vec<(PluginId, String)>,
    store: Arc<dyn Store>,
    /// For a command, which is not the workspace's server: who opened it says so there, before and after.
    directory: Option<Directory>,
    name: Name,
}

/// What all workspaces of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) runtime: Arc<Runtime>,
    ids: Arc<dyn Ids>,
}

impl Shared {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let ids: Arc<dyn Ids> = Arc::new(UuidIds::default());
        let runtime =
            Runtime::new(RuntimeConfig::default(), Arc::clone(&ids)).context("cannot start the plugin runtime")?;
        Ok(Self { runtime, ids })
    }
}

/// What becomes of a plugin whose component is lost or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnBroken {
    Fail,
    Tell,
}

/// Opens a workspace for a command.
pub(crate) async fn open(data: &DataDir, config: &config::Config) -> anyhow::Result<Opened> {
    open_for_command(data, config, OnBroken::Fail).await
}

/// The same where a component is lost or damaged, so that the plugin can be installed again.
pub(crate) async fn open_to_install(data: &DataDir, config: &config::Config) -> anyhow::Result<Opened> {
    open_for_command(data, config, OnBroken::Tell).await
}

async fn open_for_command(data: &DataDir, config: &config::Config, on_broken: OnBroken) -> anyhow::Result<Opened> {
    // Before anything is made: a workspace must not begin with settings that nobody wanted.
    locale(&config.locale)?;
    let directory = directory::open(data, config).await?;
    if directory::admit(&directory, data).await? == Standing::Known {
        directory::touch(&directory, data.workspace()).await?;
    }
    let opened = open_with(data, config, &Shared::new()?, on_broken).await?;
    directory::enrol(&directory, data.workspace()).await?;
    Ok(Opened { directory: Some(directory), ..opened })
}

/// Opens a workspace of the directory for its server, or makes it for one who adds it to the directory then.
pub(crate) async fn open_shared(data: &DataDir, config: &config::Config, shared: &Shared) -> anyhow::Result<Opened> {
    open_with(data, config, shared, OnBroken::Fail).await
}

async fn open_with(
    data: &DataDir,
    config: &config::Config,
    shared: &Shared,
    on_broken: OnBroken,
) -> anyhow::Result<Opened> {
    // Before anything is made: a workspace must not begin with settings that nobody wanted.
    locale(&config.locale)?;
    let store = open_store(data, config).await?;
    open_on(data, config, store, shared, on_broken).await
}

/// The same on a store that is open already, and without a word to the directory.
pub(crate) async fn open_stored(
    data: &DataDir,
    config: &config::Config,
    store: Arc<dyn Store>,
) -> anyhow::Result<Opened> {
    open_on(data, config, store, &Shared::new()?, OnBroken::Fail).await
}

async fn open_on(
    data: &DataDir,
    config: &config::Config,
    store: Arc<dyn Store>,
    shared: &Shared,
    on_broken: OnBroken,
) -> anyhow::Result<Opened> {
    let locale = locale(&config.locale)?;
    let broken = broken::rules()?;
    let Shared { runtime, ids } = shared.clone();
    let stored = store.read().await?.list_plugins().await?;
    for plugin in &stored {
        match load_stored(data, &runtime, plugin) {
            Err(error) if on_broken == OnBroken::Tell => say::note(format_args!("warning: {error:#}")),
            loaded => loaded?,
        }
    }
    let components = stored.into_iter().map(|plugin| (plugin.id, plugin.digest)).collect();
    let workspace = Workspace::open(Ports {
        store: Arc::clone(&store),
        plugins: Arc::clone(&runtime) as Arc<dyn pergola_service::ports::plugins::Plugins>,
        clock: Arc::new(SystemClock),
        ids,
    })
    .await
    .with_context(|| format!("cannot open workspace {}", data.workspace_name()))?;
    broken.into_iter().for_each(|rule| workspace.switch_off(rule));
    // Not by the file's absence: a first start may have been cut off before this.
    if workspace.find_setting(LOCALE).await?.is_none() {
        workspace.put_locale(locale).await?;
    }
    Ok(Opened { workspace, runtime, components, store, directory: None, name: data.workspace().clone() })
}

/// What [`place`] names, opened.
async fn open_store(data: &DataDir, config: &config::Config) -> anyhow::Result<Arc<dyn Store>> {
    match place(data, config)? {
        Place::File(path) => {
            let options = Options { waits_for_disk: !broken::rules()?.contains(&Rule::Disk), ..Options::default() };
            let store = SqliteStore::open(&path, options).await;
            Ok(store.with_context(|| format!("cannot open {}", path.display()))?)
        }
        Place::Server(remote) => Ok(remote.open().await.map_err(server_error)?),
    }
}

/// Where a workspace's data are.
pub(crate) enum Place {
    /// In a file.
    File(PathBuf),
    /// In a schema on a server.
    Server(Box<Remote>),
}

/// The file in the data directory, or the schema in the configured database.
pub(crate) fn place(data: &DataDir, config: &config::Config) -> anyhow::Result<Place> {
    let Some(url) = config.database_url() else { return Ok(Place::File(data.database())) };
    let (url, schema) = schema_of(url, data.workspace_name());
    Ok(Place::Server(Box::new(Remote::new(&url, &schema).map_err(server_error)?)))
}

/// What a server says, to whoever gave its URL.
pub(crate) fn server_error(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Schema(message) => problem(format!("the database: {message}")),
        // Not the URL itself: there is a password in it.
        StoreError::Interrupted | StoreError::Busy => {
            problem("the database cannot be reached; is its server running, and are host and port right?")
        }
        error => anyhow::Error::new(error).context("cannot open the database"),
    }
}

impl Opened {
    /// Waits for the last writes and closes the files.
    pub(crate) async fn close(&self) {
        self.store.close().await;
        let Some(directory) = &self.directory else { return };
        // A server that had it closed has to look at what was written.
        if let Err(error) = directory::touch(directory, &self.name).await {
            tracing::warn!(%error, "the directory could not be told that the workspace was written to");
        }
    }
}

/// How people write things in a new workspace.
fn locale(configured: &config::Locale) -> anyhow::Result<Locale> {
    let zone = TimeZone::get(&configured.zone)
        .map_err(|error| problem(format!("locale.zone: {error}; give an IANA name such as Europe/Helsinki")))?;
    let code = |what: &str, text: &str, letters: usize| {
        let fits = text.len() == letters && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let example = if letters == 2 { "FI" } else { "EUR" };
        if fits {
            Ok(text.to_owned())
        } else {
            Err(problem(format!("{what}: {text:?} is not a code such as {example}")))
        }
    };
    let region = code("locale.region", &configured.region, 2)?;
    let language = configured.language.clone();
    if !language.split('-').all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return Err(problem(format!("locale.language: {language:?} is not a code such as fi or pt-BR")));
    }
    Ok(Locale { language, region, currency: code("locale.currency", &configured.currency, 3)?, zone })
}

fn load_stored(data: &DataDir, runtime: &Runtime, plugin: &StoredPlugin) -> anyhow::Result<()> {
    if plugin.digest.is_empty() {
        return Ok(());
    }
    let manifest = pergola_manifest::parse(&plugin.manifest, "plugin.toml")
        .map_err(|error| anyhow::anyhow!("the stored manifest of plugin {} is damaged: {error}", plugin.id))?;
    let path = data.component(&plugin.digest);
    let component = fs::read(&path).with_context(|| {
        format!("plugin {} is installed, but {} cannot be read; install it again", plugin.id, path.display())
    })?;
    // Before anything is made of it: a component that was changed is not even compiled.
    if pergola_runtime::digest(&component) != plugin.digest {
        anyhow::bail!(
            "{} is damaged: it is not what was installed as plugin {}; install it again",
            path.display(),
            plugin.id
        );
    }
    runtime
        .load(&plugin.id, &manifest, &component, Some(&data.cache()))
        .with_context(|| format!("{} does not load; install plugin {} again", path.display(), plugin.id))?;
    Ok(())
}

/// A plugin's folder, read and checked.
pub(crate) struct PluginFolder {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) manifest_text: String,
    pub(crate) component: Vec<u8>,
}

/// Reads a plugin's manifest against the plugins that it will live with.
pub(crate) fn read_manifest(dir: &Path, others: &[Arc<Manifest>]) -> anyhow::Result<(Arc<Manifest>, String)> {
    let path = dir.join("plugin.toml");
    let text = fs::read_to_string(&path)
        .map_err(|error| problem(format!("{}: {error}; a plugin's folder has a plugin.toml", path.display())))?;
    let manifest = pergola_manifest::check(&text, &path.display().to_string(), others)
        .map_err(|error| problem(error.to_string()))?;
    Ok((Arc::new(manifest), text))
}

impl Opened {
    /// The manifests of the installed plugins, but for one.
    pub(crate) fn other_manifests(&self, but: Option<&PluginId>) -> Vec<Arc<Manifest>> {
        let catalog = self.workspace.catalog();
        catalog
            .plugins
            .iter()
            .filter(|(id, _)| !id.is_core() && Some(*id) != but)
            .map(|(_, installed)| Arc::clone(&installed.manifest))
            .collect()
    }

    /// Installs or upgrades a plugin; none if this very version is installed.
    pub(crate) async fn install(
        &self,
        data: &DataDir,
        folder: PluginFolder,
        dry_run: bool,
    ) -> anyhow::Result<Option<InstallReport>> {
        let id = folder.manifest.id.clone();
        let digest = self
            .runtime
            .load(&id, &folder.manifest, &folder.component, Some(&data.cache()))
            .map_err(|error| problem(format!("plugin {id}: {error}")))?;
        if !dry_run {
            data.keep_component(&digest, &folder.component)?;
        }
        let stored = self.workspace.list_plugins().await?;
        if stored.iter().any(|one| one.id == id && one.digest == digest && one.manifest == folder.manifest_text) {
            return Ok(None);
        }
        let package =
            Package { manifest: folder.manifest, manifest_text: folder.manifest_text, digest: digest.clone() };
        if dry_run {
            return Ok(Some(self.workspace.plan_install(&package).await?));
        }
        Ok(Some(self.workspace.install(package).await?))
    }

    /// The owner's token of the workspace, made at the first start.
    pub(crate) async fn owner_token(&self, data: &DataDir) -> anyhow::Result<String> {
        if let Some(kept) = data.read_owner_token()
            && self.workspace.find_token(&pergola_api::token_sha256(&kept)).await?.is_some()
        {
            return Ok(kept);
        }
        let (token, sha256) = new_token()?;
        let stored = StoredToken { sha256, name: "owner".to_owned(), role: Role::Owner, expires_at: None };
        self.workspace.insert_token(&stored).await?;
        data.keep_owner_token(&token)?;
        Ok(token)
    }
}
