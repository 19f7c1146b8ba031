//! Installing a plugin: check, plan, apply tables and rows in one transaction, and only then use it.

mod upgrade;

use std::{collections::BTreeMap, sync::Arc};

use pergola_model::{
    Catalog, PluginId,
    catalog::{PluginSource, check_settings},
    decl::Manifest,
    upgrade::Upgrade,
};

pub use upgrade::ChangeReport;

use super::Workspace;
use crate::{
    error::Error,
    ports::{
        plugins::{Budget, Limits},
        store::{SchemaStep, StoredPlugin},
    },
    unit::Unit,
};

/// A checked plugin, whose component the runtime has loaded under its digest.
#[derive(Debug, Clone)]
pub struct Package {
    /// What it declares.
    pub manifest: Arc<Manifest>,
    /// The manifest as it was written.
    pub manifest_text: String,
    /// SHA-256 of its component in hex; empty without code.
    pub digest: String,
}

/// What is held while tables, plugins or their settings change: other processes may do so at the same time.
pub(super) const SCHEMA: &str = "schema";

/// What an install did, or would do.
#[derive(Debug, Clone)]
pub struct InstallReport {
    /// The version before, on an upgrade.
    pub previous: Option<String>,
    /// What becomes of stored data.
    pub changes: Vec<ChangeReport>,
    /// Steps on tables, for people.
    pub steps: Vec<SchemaStep>,
}

/// What an install is about to do.
struct Plan {
    /// The plugin's row.
    stored: StoredPlugin,
    /// The catalog of before and the one of after.
    before: Catalog,
    after: Catalog,
    /// The version before, on an upgrade.
    previous: Option<String>,
    /// What the new version declares of stored data.
    upgrade: Upgrade,
}

/// What the catalog is built from, for a stored plugin.
pub(super) fn source_of(stored: &StoredPlugin) -> Result<PluginSource, Error> {
    let manifest: Manifest = toml::from_str(&stored.manifest).map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(PluginSource { manifest: Arc::new(manifest), digest: stored.digest.clone(), settings: stored.settings.clone() })
}

impl Workspace {
    /// The plugins as they are stored.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_plugins(&self) -> Result<Vec<StoredPlugin>, Error> {
        Ok(self.0.store.read_once().await?.list_plugins().await?)
    }

    /// What [`Self::install`] would do; nothing is changed.
    ///
    /// # Errors
    /// As [`Self::install`], but for values that do not fit another type: those are counted.
    pub async fn plan_install(&self, package: &Package) -> Result<InstallReport, Error> {
        let plan = self.plan_of(package).await?;
        let changes = self.survey(&plan.before, &plan.upgrade).await?;
        let steps = self.0.store.plan(&plan.after, &plan.upgrade).await?;
        Ok(InstallReport { previous: plan.previous, changes, steps })
    }

    /// Installs or upgrades a plugin: tables, rows and its own `installed` handler, all or nothing.
    ///
    /// Values of fields that get another type are converted before, beside the old ones and between others' writes.
    ///
    /// # Errors
    /// [`Error::Manifest`] when it does not fit the others or changes stored data without saying so, a schema error when
    /// stored values do not fit, a plugin error when its own handler refuses.
    pub async fn install(&self, package: Package) -> Result<InstallReport, Error> {
        let plan = self.plan_of(&package).await?;
        let changes = self.survey(&plan.before, &plan.upgrade).await?;
        upgrade::check(&changes)?;
        let conversions = plan.upgrade.conversions();
        let installed = match self.convert_ahead(&conversions).await {
            Ok(()) => {
                let once = self.detached(move |workspace| {
                    let package = package.clone();
                    async move { workspace.install_once(&package).await }
                });
                once.await
            }
            Err(error) => Err(error),
        };
        if installed.is_err() {
            self.abandon(conversions).await;
        }
        let mut report = installed?;
        report.changes = changes;
        // The plugin is there; what is computed of old data follows in small units, between which others write.
        self.fill_derived().await?;
        self.clear_dropped().await?;
        Ok(report)
    }

    async fn install_once(&self, package: &Package) -> Result<InstallReport, Error> {
        let _alone = self.0.gate.write().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        // Another process may install too.
        unit.tx.lock(&[SCHEMA.to_owned()]).await?;
        let plan = self.plan_of(package).await?;
        let catalog = Arc::new(plan.after);
        let steps = self.0.store.plan(&catalog, &plan.upgrade).await?;
        let mut unit = unit.under(Arc::clone(&catalog));
        let conversions = plan.upgrade.conversions();
        unit.convert_rest(&conversions).await?;
        unit.tx.apply_schema(&steps).await?;
        let converted: Vec<_> = conversions.iter().map(|one| one.object.name.clone()).collect();
        if !converted.is_empty() {
            Self::forget_derived(unit.tx.as_mut(), &catalog, &converted).await?;
        }
        unit.tx.put_plugin(&plan.stored).await?;
        super::index::plan(unit.tx.as_mut(), &catalog).await?;
        if package.manifest.lifecycle {
            let called = unit.call_installed(&package.manifest.id, plan.previous.clone()).await;
            unit.outcome(called)?;
        }
        unit.commit().await?;
        self.set_catalog(Arc::clone(&catalog));
        self.load_index_plan(&catalog).await?;
        self.0.wake.notify_one();
        Ok(InstallReport { previous: plan.previous, changes: Vec::new(), steps })
    }

    /// Sets a plugin's settings; those not named keep their value.
    ///
    /// # Errors
    /// [`Error::Manifest`] when a value does not fit its declaration.
    pub async fn put_plugin_settings(
        &self,
        plugin: &PluginId,
        values: BTreeMap<String, serde_json::Value>,
    ) -> Result<(), Error> {
        let plugin = plugin.clone();
        self.detached(move |workspace| {
            let (plugin, values) = (plugin.clone(), values.clone());
            async move { workspace.put_plugin_settings_once(&plugin, values).await }
        })
        .await
    }

    async fn put_plugin_settings_once(
        &self,
        plugin: &PluginId,
        values: BTreeMap<String, serde_json::Value>,
    ) -> Result<(), Error> {
        let _alone = self.0.gate.write().await;
        let mut tx = self.0.store.write().await?;
        tx.lock(&[SCHEMA.to_owned()]).await?;
        let mut all = self.list_plugins().await?;
        let Some(stored) = all.iter_mut().find(|stored| stored.id == *plugin) else {
            return Err(Error::NotFound(format!("there is no plugin {plugin} in this workspace")));
        };
        stored.settings.extend(values);
        stored.settings.retain(|_, value| !value.is_null());
        let stored = stored.clone();
        check_settings(&source_of(&stored)?.manifest, &stored.settings).map_err(Error::Manifest)?;
        let sources = all.iter().map(source_of).collect::<Result<Vec<_>, _>>()?;
        let catalog = Catalog::build_in(&sources, &self.locale().zone).map_err(Error::Manifest)?;
        tx.put_plugin(&stored).await?;
        tx.commit().await?;
        self.set_catalog(Arc::new(catalog));
        Ok(())
    }

    /// The row to store, and all that goes with it.
    async fn plan_of(&self, package: &Package) -> Result<Plan, Error> {
        let mut all = self.list_plugins().await?;
        let zone = &self.locale().zone;
        let build = |all: &[StoredPlugin]| {
            let sources = all.iter().map(source_of).collect::<Result<Vec<_>, Error>>()?;
            Catalog::build_in(&sources, zone).map_err(Error::Manifest)
        };
        let before = build(&all)?;
        let position = all.iter().position(|stored| stored.id == package.manifest.id);
        let earlier = position.map(|position| all.remove(position));
        let installed = earlier.as_ref().map(source_of).transpose()?.map(|source| source.manifest);
        let stored = StoredPlugin {
            id: package.manifest.id.clone(),
            manifest: package.manifest_text.clone(),
            digest: package.digest.clone(),
            settings: earlier.map(|earlier| earlier.settings).unwrap_or_default(),
            installed_at: self.0.clock.now(),
        };
        all.push(stored.clone());
        let after = build(&all)?;
        let upgrade = match &installed {
            None => Upgrade::default(),
            Some(installed) => Upgrade::plan(installed, &before, &package.manifest, &after).map_err(Error::Manifest)?,
        };
        let previous = installed.map(|installed| installed.version.to_string());
        Ok(Plan { stored, before, after, previous, upgrade })
    }
}
