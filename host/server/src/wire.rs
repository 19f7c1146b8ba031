//! Wiring: a store, a runtime with the installed plugins, and the workspace over both.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use jiff::tz::TimeZone;
use pergola_api::new_token;
use pergola_model::{Locale, PluginId, Role, decl::Manifest};
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
use pergola_store::{Options, SqliteStore, backup::Remote};

use crate::{
    broken, config,
    data::DataDir,
    say::{self, problem},
    system::{SystemClock, UuidIds},
};

/// The setting under which a workspace keeps how people write things.
const LOCALE: &str = "locale";

/// A workspace, ready for use, and what must be closed after it.
pub(crate) struct Opened {
    pub(crate) workspace: Workspace,
    pub(crate) runtime: Arc<Runtime>,
    store: Arc<dyn Store>,
}

/// Opens a workspace, creating it where it is missing.
pub(crate) async fn open(data: &DataDir, config: &config::Config) -> anyhow::Result<Opened> {
    open_with(data, config, Err).await
}

/// The same where a component is lost or damaged, so that the plugin can be installed again.
pub(crate) async fn open_to_install(data: &DataDir, config: &config::Config) -> anyhow::Result<Opened> {
    let tell = |error: anyhow::Error| {
        say::note(format_args!("warning: {error:#}"));
        Ok(())
    };
    open_with(data, config, tell).await
}

async fn open_with(
    data: &DataDir,
    config: &config::Config,
    on_broken: impl Fn(anyhow::Error) -> anyhow::Result<()>,
) -> anyhow::Result<Opened> {
    // Before anything is made: a workspace must not begin with settings that nobody wanted.
    locale(&config.locale)?;
    let store = open_store(data, config).await?;
    open_on(data, config, store, on_broken).await
}

/// The same on a store that is open already.
pub(crate) async fn open_on(
    data: &DataDir,
    config: &config::Config,
    store: Arc<dyn Store>,
    on_broken: impl Fn(anyhow::Error) -> anyhow::Result<()>,
) -> anyhow::Result<Opened> {
    let locale = locale(&config.locale)?;
    let broken = broken::rules()?;
    let ids: Arc<dyn Ids> = Arc::new(UuidIds::default());
    let runtime =
        Runtime::new(RuntimeConfig::default(), Arc::clone(&ids)).context("cannot start the plugin runtime")?;
    let stored = store.read().await?.list_plugins().await?;
    for plugin in &stored {
        load_stored(data, &runtime, plugin).or_else(&on_broken)?;
    }
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
    Ok(Opened { workspace, runtime, store })
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
    let schema = format!("pergola_{}", data.workspace_name());
    Ok(Place::Server(Box::new(Remote::new(url, &schema).map_err(server_error)?)))
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
    pub(crate) async fn close(self) {
        drop(self.workspace);
        self.store.close().await;
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
