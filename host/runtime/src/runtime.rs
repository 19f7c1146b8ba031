//! The runtime: what is loaded, who is admitted, and the [`Plugins`] port.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use pergola_model::{PluginId, decl::Manifest};
use pergola_service::ports::{
    Ids,
    plugins::{Call, CallContext, CallError, Host, Plugins, Reply},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::component::Linker;

use crate::{
    artifact,
    call::Calling,
    capabilities, engine,
    guest::Guest,
    load::{self, COMPONENT_BYTES_MAX, LoadError, Loaded},
    ticker::Ticker,
};

/// How the runtime is set up. Numbers are explained in docs/limits.md.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Calls at once, not counting those nested in others.
    pub calls_max: usize,
    /// Calls that may wait for their turn.
    pub queue_max: usize,
    /// How long a call waits for its turn.
    pub queue_wait: Duration,
    /// Memory that any guest may have, in bytes.
    pub memory_bytes_max: usize,
    /// A guest's native stack, in bytes.
    pub stack_bytes: usize,
    /// How long a guest computes before it gives way.
    pub tick: Duration,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            calls_max: 32,
            queue_max: 256,
            queue_wait: Duration::from_secs(10),
            memory_bytes_max: 64 << 20,
            stack_bytes: 64 << 10,
            tick: Duration::from_millis(2),
        }
    }
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// wasmtime does not start with these settings, or not on this machine.
    #[error("the plugin engine does not start: {cause}")]
    Engine {
        /// In a line.
        cause: String,
    },
    /// The system gives no thread.
    #[error("the plugin ticker does not start")]
    Ticker(#[source] io::Error),
}

/// Runs plugins' components.
pub struct Runtime {
    config: RuntimeConfig,
    linker: Linker<Guest>,
    ids: Arc<dyn Ids>,
    ticker: Ticker,
    places: Semaphore,
    waiting: AtomicUsize,
    loaded: RwLock<HashMap<String, Entry>>,
}

/// A loaded component, and the plugins whose manifest it was checked against.
struct Entry {
    loaded: Arc<Loaded>,
    plugins: HashSet<PluginId>,
}

impl Runtime {
    /// Starts the engine and its ticker thread.
    ///
    /// # Errors
    /// [`StartError`], when the machine cannot run WebAssembly.
    pub fn new(config: RuntimeConfig, ids: Arc<dyn Ids>) -> Result<Arc<Self>, StartError> {
        let failed = |error: wasmtime::Error| StartError::Engine { cause: load::in_a_line(&error) };
        let engine = engine::start(&config).map_err(failed)?;
        let linker = capabilities::linker(&engine).map_err(failed)?;
        let ticker = Ticker::start(&engine, config.tick).map_err(StartError::Ticker)?;
        Ok(Arc::new(Self {
            places: Semaphore::new(config.calls_max),
            waiting: AtomicUsize::new(0),
            loaded: RwLock::default(),
            config,
            linker,
            ids,
            ticker,
        }))
    }

    /// Checks a component against its manifest and makes it ready; answers its digest, which
    /// calls name it by. None of its code runs. Compiling may take seconds: keep it off async threads.
    ///
    /// With `cache_dir` the compiled code is kept there, in a directory that only this user may enter.
    /// Loading what is loaded already is quick and changes nothing.
    ///
    /// # Errors
    /// [`LoadError`]; then the plugin is not callable under this digest.
    pub fn load(
        &self,
        plugin: &PluginId,
        manifest: &Manifest,
        component: &[u8],
        cache_dir: Option<&Path>,
    ) -> Result<String, LoadError> {
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(LoadError::TooLarge { bytes: component.len() });
        }
        let digest = artifact::digest(component);
        let loaded = match self.find(&digest, |entry| Arc::clone(&entry.loaded)) {
            Some(loaded) => loaded,
            None => Arc::new(load::prepare(&self.linker, component, &digest, cache_dir)?),
        };
        load::check(&loaded, manifest)?;
        let mut all = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let entry = all.entry(digest.clone()).or_insert_with(|| Entry { loaded, plugins: HashSet::new() });
        entry.plugins.insert(plugin.clone());
        Ok(digest)
    }

    /// Forgets a plugin's component; calls that run already end as usual. Whether another
    /// workspace still uses it is the caller's to know.
    pub fn unload(&self, plugin: &PluginId, digest: &str) {
        let mut all = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = all.get_mut(digest) {
            entry.plugins.remove(plugin);
            if entry.plugins.is_empty() {
                all.remove(digest);
            }
        }
    }

    fn find<T>(&self, digest: &str, take: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(digest).map(take)
    }

    /// A place for a call that is not nested in another; the nested run on their parent's, or
    /// calls that hold all places would wait for one another.
    async fn admit(&self) -> Result<SemaphorePermit<'_>, &'static str> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let _waiting = Waiting::join(&self.waiting, self.config.queue_max).ok_or("too many calls are waiting")?;
        match tokio::time::timeout(self.config.queue_wait, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err("no call ended in time to make place for it"),
        }
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(waiting: &'a AtomicUsize, queue_max: usize) -> Option<Self> {
        let joined = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < queue_max).then_some(joined)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Plugins for Runtime {
    async fn call(
        &self,
        plugin: &PluginId,
        digest: &str,
        call: Call,
        context: &CallContext,
        host: &mut dyn Host,
    ) -> Result<Reply, CallError> {
        let calling = Calling { plugin, handler: call.handler(), context, config: &self.config };
        let depth_max = context.budget.limits.depth;
        if context.depth > depth_max {
            return Err(calling.limit("depth", depth_max.to_string()));
        }
        let loaded = self.find(digest, |entry| entry.plugins.contains(plugin).then(|| Arc::clone(&entry.loaded)));
        let Some(loaded) = loaded.flatten() else {
            return Err(calling.unavailable(format!("no component with the digest {digest} is loaded for it")));
        };
        // A hook holds the turn to write, for which the calls in all places may be waiting: it takes none.
        let needs_place = context.depth == 0 && !call.is_hook();
        let _place = match needs_place {
            true => Some(self.admit().await.map_err(|cause| calling.unavailable(cause.to_owned()))?),
            false => None,
        };
        let _ticking = self.ticker.hold();
        calling.run(&loaded, &self.ids, call, host).await
    }
}
