//! One business: its catalog, locale and data, and the front door to everything that is done with them.

mod bin;
mod derived;
mod doctor;
mod export;
mod imports;
mod index;
mod install;
mod purge;
mod read;
mod search;
mod timers;
mod write;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use pergola_model::{Catalog, Locale, ObjectName, catalog::PluginSource, upgrade::Upgrade};
use tokio::sync::{Notify, RwLock as AsyncRwLock};

pub use bin::KEEP_DAYS_MAX;
pub use derived::{DerivedReport, Discrepancy};
pub use doctor::{Finding, Severity};
pub use export::Snapshot;
pub use imports::{ImportUnit, Kept, RowOutcome, UndoStep, UndoneImport};
pub use index::SearchReport;
pub(crate) use index::row_of;
pub use install::{ChangeReport, InstallReport, Package};
pub use purge::PurgeReport;
pub(crate) use read::no_object;
pub use search::{HITS_MAX, Hit, SearchRequest};
pub use timers::OWN_TIMERS_MAX;
pub use write::{ApplyMode, Keyed, KeyedAnswer, RecordOf};

pub use crate::unit::Restored;

use crate::{
    error::Error,
    ports::{Clock, Ids, plugins::Plugins, store::Store},
};

/// One business. Cheap to clone; all clones are the same workspace.
#[derive(Clone)]
pub struct Workspace(pub(crate) Arc<Inner>);

/// What a workspace is made of.
pub struct Ports {
    /// Where its data are.
    pub store: Arc<dyn Store>,
    /// Calls its plugins.
    pub plugins: Arc<dyn Plugins>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn Ids>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) plugins: Arc<dyn Plugins>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    catalog: RwLock<Arc<Catalog>>,
    locale: RwLock<Arc<Locale>>,
    /// Objects of which not every record is indexed for search yet.
    unindexed: Mutex<BTreeSet<ObjectName>>,
    /// Held for reading by every unit of work and for writing by an install, so that no unit
    /// runs with the hooks of before on the tables of after.
    pub(crate) gate: Arc<AsyncRwLock<()>>,
    pub(crate) wake: Arc<Notify>,
    own_timers: Mutex<timers::OwnTimerQuota>,
    /// The rules that a test has switched off.
    #[cfg(feature = "mutants")]
    pub(crate) off: std::sync::atomic::AtomicU32,
}

impl Workspace {
    /// Opens the workspace, creating the core's tables where they are missing.
    ///
    /// # Errors
    /// [`Error::Manifest`] when installed plugins do not fit together any more, or the store's.
    pub async fn open(ports: Ports) -> Result<Self, Error> {
        let inner = Inner {
            store: ports.store,
            plugins: ports.plugins,
            clock: ports.clock,
            ids: ports.ids,
            catalog: RwLock::default(),
            locale: RwLock::default(),
            unindexed: Mutex::default(),
            gate: Arc::new(AsyncRwLock::new(())),
            wake: Arc::new(Notify::new()),
            own_timers: timers::OwnTimerQuota::new(),
            #[cfg(feature = "mutants")]
            off: std::sync::atomic::AtomicU32::default(),
        };
        let workspace = Self(Arc::new(inner));
        workspace.load().await?;
        Ok(workspace)
    }

    async fn load(&self) -> Result<(), Error> {
        let (sources, locale, states) = {
            let mut reader = self.0.store.read().await?;
            let stored = reader.list_plugins().await?;
            let sources = stored.iter().map(install::source_of).collect::<Result<Vec<PluginSource>, Error>>()?;
            (sources, reader.find_setting("locale").await?, reader.list_index_states().await?)
        };
        let locale = locale.map(|locale| read::locale_from_json(&locale)).transpose()?.unwrap_or_default();
        let catalog = Catalog::build_in(&sources, &locale.zone).map_err(Error::Manifest)?;
        if !self.0.store.plan(&catalog, &Upgrade::default()).await?.is_empty() || index::is_outdated(&states, &catalog)
        {
            let mut tx = self.0.store.write().await?;
            // Another process may start at the same time, and have done it when this one comes to it.
            tx.lock(&[install::SCHEMA.to_owned()]).await?;
            let steps = self.0.store.plan(&catalog, &Upgrade::default()).await?;
            tx.apply_schema(&steps).await?;
            index::plan(tx.as_mut(), &catalog).await?;
            tx.commit().await?;
        }
        self.load_index_plan(&catalog).await?;
        self.set_catalog(Arc::new(catalog));
        self.set_locale(locale);
        self.fill_derived().await?;
        self.clear_dropped().await
    }

    /// Everything that the workspace knows how to hold and do, as of now.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How people write phones, dates and money here.
    #[must_use]
    pub fn locale(&self) -> Arc<Locale> {
        Arc::clone(&self.0.locale.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notified when timers, events or messages may be due.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.0.wake)
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.0.clock.now()
    }

    fn set_catalog(&self, catalog: Arc<Catalog>) {
        *self.0.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }

    fn set_locale(&self, locale: Locale) {
        *self.0.locale.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(locale);
    }
}
