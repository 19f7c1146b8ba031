//! All objects, hooks, timers and routes of a workspace, checked and linked.
//!
//! Built from manifests, replaced as a whole when a plugin comes or goes, never changed.

mod build;
mod filters;

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;
use jiff::tz::TimeZone;

pub use build::{CatalogIssue, check_settings, core_manifest};
pub use filters::Filters;

use crate::{
    access::RecordGrants,
    change::ChangeKind,
    decl::{Manifest, OnFailure, Phase, RouteAuth, TimerDecl},
    expr::Objects,
    name::{Name, ObjectName, PluginId},
    object::Object,
    value::Value,
};

/// Everything that a workspace knows how to hold and do.
#[derive(Debug)]
pub struct Catalog {
    /// All objects by name.
    pub objects: IndexMap<ObjectName, Arc<Object>>,
    /// All plugins in the order in which their hooks run: required ones first.
    pub plugins: IndexMap<PluginId, InstalledPlugin>,
    /// All hooks in the order in which they run.
    pub hooks: Vec<Hook>,
    /// All event subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// All routes.
    pub routes: Vec<Route>,
    /// The zone of the workspace's wall clock, in which its expressions tell days and hours.
    pub zone: TimeZone,
    /// Filters on its objects that were checked before.
    pub filters: Filters,
}

/// A plugin of the workspace, without its code.
#[derive(Debug, Clone)]
pub struct InstalledPlugin {
    /// What it declares.
    pub manifest: Arc<Manifest>,
    /// SHA-256 of its component in hex, or empty for a plugin without code.
    pub digest: String,
    /// What it may do to records.
    pub grants: RecordGrants,
    /// Its settings: the business's values over the defaults.
    pub settings: BTreeMap<String, Value>,
}

/// Code in the write transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Whose.
    pub plugin: PluginId,
    /// On which object.
    pub object: ObjectName,
    /// Before or after the write.
    pub phase: Phase,
    /// On which changes.
    pub kinds: Vec<ChangeKind>,
    /// What becomes of the write when the hook fails.
    pub on_failure: OnFailure,
}

/// Code told after commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Whose.
    pub plugin: PluginId,
    /// About which object.
    pub object: ObjectName,
    /// On which changes.
    pub kinds: Vec<ChangeKind>,
}

/// HTTP under `/p/{plugin}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Whose.
    pub plugin: PluginId,
    /// Upper case.
    pub method: String,
    /// `/slots`
    pub path: String,
    /// Who may call.
    pub auth: RouteAuth,
}

/// What the catalog is built from: one plugin and what the business decided about it.
#[derive(Debug, Clone)]
pub struct PluginSource {
    /// What it declares.
    pub manifest: Arc<Manifest>,
    /// SHA-256 of its component in hex, or empty.
    pub digest: String,
    /// The business's values of its settings, as JSON.
    pub settings: BTreeMap<String, serde_json::Value>,
}

impl Catalog {
    /// Checks and links the core's objects and the plugins', in any order.
    ///
    /// # Errors
    /// All that is wrong, each with plugin and place in its manifest: unknown types and names, bad
    /// defaults, expressions that do not check, missing or circular requirements, two objects of one
    /// plural within a plugin, a core object that a plugin tries to own.
    pub fn build(sources: &[PluginSource]) -> Result<Self, Vec<CatalogIssue>> {
        build::build(sources, &TimeZone::UTC)
    }

    /// The same, for a workspace whose clocks are in this zone.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_in(sources: &[PluginSource], zone: &TimeZone) -> Result<Self, Vec<CatalogIssue>> {
        build::build(sources, zone)
    }

    /// The object of that name.
    #[must_use]
    pub fn object(&self, name: &ObjectName) -> Option<&Arc<Object>> {
        self.objects.get(name)
    }

    /// The object of that name, from text.
    #[must_use]
    pub fn find_object(&self, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(name)
    }

    /// The object at `/api/v1/{plural}` (no plugin) or `/api/v1/{plugin}/{plural}`.
    #[must_use]
    pub fn find_by_plural(&self, plugin: Option<&str>, plural: &str) -> Option<&Arc<Object>> {
        self.objects.values().find(|object| object.plural == plural && object.name.plugin() == plugin)
    }

    /// The hooks on such a change, in order.
    pub fn hooks_on<'a>(
        &'a self,
        object: &'a ObjectName,
        phase: Phase,
        kind: ChangeKind,
    ) -> impl Iterator<Item = &'a Hook> {
        self.hooks
            .iter()
            .filter(move |hook| hook.phase == phase && hook.object == *object && hook.kinds.contains(&kind))
    }

    /// Whether anybody is told of such a change after commit.
    #[must_use]
    pub fn has_subscriber(&self, object: &ObjectName, kind: ChangeKind) -> bool {
        self.subscriptions.iter().any(|one| one.object == *object && one.kinds.contains(&kind))
    }

    /// Whether the plugin declared that it sets timers of this action itself.
    #[must_use]
    pub fn has_own_timer(&self, plugin: &PluginId, action: &Name) -> bool {
        let declared = |one: &TimerDecl| one.on.is_none() && one.action == *action;
        self.plugins.get(plugin).is_some_and(|plugin| plugin.manifest.timer.iter().any(declared))
    }

    /// Whether the plugin declared the timer action on the object.
    #[must_use]
    pub fn has_timer(&self, plugin: &PluginId, object: &ObjectName, action: &Name) -> bool {
        self.object(object)
            .is_some_and(|object| object.timers.iter().any(|timer| timer.plugin == *plugin && timer.action == *action))
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            objects: IndexMap::new(),
            plugins: IndexMap::new(),
            hooks: Vec::new(),
            subscriptions: Vec::new(),
            routes: Vec::new(),
            zone: TimeZone::UTC,
            filters: Filters::default(),
        }
    }
}

impl Objects for Catalog {
    fn object(&self, name: &ObjectName) -> Option<&Object> {
        self.objects.get(name).map(AsRef::as_ref)
    }

    fn children<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Object> + 'a> {
        Box::new(self.objects.values().map(AsRef::as_ref))
    }
}
