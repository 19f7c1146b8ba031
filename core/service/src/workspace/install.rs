//! Installing a plugin: check, plan, apply tables and rows in one transaction, and only then use it.

use std::{collections::BTreeMap, sync::Arc};

use pergola_model::{
    Catalog, PluginId,
    catalog::{PluginSource, check_settings},
    decl::Manifest,
};

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
    /// Steps on tables, for people.
    pub steps: Vec<SchemaStep>,
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
    /// As [`Self::install`].
    pub async fn plan_install(&self, package: &Package) -> Result<InstallReport, Error> {
        let (_, catalog, previous) = self.catalog_with(package).await?;
        Ok(InstallReport { previous, steps: self.0.store.plan(&catalog).await? })
    }

    /// Installs or upgrades a plugin: tables, rows and its own `installed` handler, all or nothing.
    ///
    /// # Errors
    /// [`Error::Manifest`] when it does not fit the others, a schema error when a column would change its
    /// type, a plugin error when its own handler refuses.
    pub async fn install(&self, package: Package) -> Result<InstallReport, Error> {
        let report = self
            .detached(move |workspace| {
                let package = package.clone();
                async move { workspace.install_once(&package).await }
            })
            .await?;
        // The plugin is there; what is computed of old data follows in small units, between which others write.
        self.fill_derived().await?;
        Ok(report)
    }

    async fn install_once(&self, package: &Package) -> Result<InstallReport, Error> {
        let _alone = self.0.gate.write().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        // Another process may install too.
        unit.tx.lock(&[SCHEMA.to_owned()]).await?;
        let (stored, catalog, previous) = self.catalog_with(package).await?;
        let catalog = Arc::new(catalog);
        let steps = self.0.store.plan(&catalog).await?;
        let mut unit = unit.under(Arc::clone(&catalog));
        unit.tx.apply_schema(&steps).await?;
        unit.tx.put_plugin(&stored).await?;
        super::index::plan(unit.tx.as_mut(), &catalog).await?;
        if package.manifest.lifecycle {
            let called = unit.call_installed(&package.manifest.id, previous.clone()).await;
            unit.outcome(called)?;
        }
        unit.commit().await?;
        self.set_catalog(Arc::clone(&catalog));
        self.load_index_plan(&catalog).await?;
        self.0.wake.notify_one();
        Ok(InstallReport { previous, steps })
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

    /// The row to store, and the catalog and version before that go with it.
    async fn catalog_with(&self, package: &Package) -> Result<(StoredPlugin, Catalog, Option<String>), Error> {
        let mut all = self.list_plugins().await?;
        let position = all.iter().position(|stored| stored.id == package.manifest.id);
        let earlier = position.map(|position| all.remove(position));
        let previous = match &earlier {
            Some(earlier) => Some(source_of(earlier)?.manifest.version.to_string()),
            None => None,
        };
        let stored = StoredPlugin {
            id: package.manifest.id.clone(),
            manifest: package.manifest_text.clone(),
            digest: package.digest.clone(),
            settings: earlier.map(|earlier| earlier.settings).unwrap_or_default(),
            installed_at: self.0.clock.now(),
        };
        all.push(stored.clone());
        let sources = all.iter().map(source_of).collect::<Result<Vec<_>, _>>()?;
        let catalog = Catalog::build_in(&sources, &self.locale().zone).map_err(Error::Manifest)?;
        Ok((stored, catalog, previous))
    }
}
