//! Checks and links manifests into a catalog.
//!
//! Two passes: first all objects with their own and added fields, then all that refers to them.

mod changes;
mod derived;
mod fields;
mod handlers;
mod objects;
mod order;
mod rules;

use std::{collections::BTreeMap, fmt, sync::Arc};

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use super::{Catalog, InstalledPlugin, PluginSource};
use crate::{
    CORE_OBJECTS,
    access::RecordGrants,
    decl::{Label, Manifest, ObjectDecl},
    expr,
    name::{Name, ObjectName, PluginId},
    nearest,
    object::Object,
    value::Value,
};

pub use fields::check_settings;

/// The most fields of an object, added ones included.
const FIELDS_MAX: usize = 200;
/// The most objects of a plugin.
const OBJECTS_MAX: usize = 100;
/// The most hooks, and the most event subscriptions, timers, routes and actions, of a plugin.
const HANDLERS_MAX: usize = 100;
/// The longest label or description, in characters.
const LABEL_CHARS_MAX: usize = 1_000;

/// Something wrong in a manifest, with its place and its mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogIssue {
    /// Whose manifest.
    pub plugin: PluginId,
    /// The place in it: `object.appointment.fields.master.to`, `timer[0].at`, `extend."booking.resource".fields.x`.
    pub path: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl fmt::Display for CatalogIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.plugin, self.path, self.message)
    }
}

impl std::error::Error for CatalogIssue {}

/// What is wrong so far in one manifest.
struct Issues<'a> {
    plugin: &'a PluginId,
    all: &'a mut Vec<CatalogIssue>,
}

impl Issues<'_> {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.all.push(CatalogIssue { plugin: self.plugin.clone(), path: path.into(), message: message.into() });
    }
}

/// A manifest on its way into the catalog.
struct Draft<'a> {
    manifest: &'a Arc<Manifest>,
    /// The other plugins that it requires, directly or through others.
    required: Vec<PluginId>,
    settings: BTreeMap<String, Value>,
    /// The zone of the workspace's wall clock.
    zone: &'a TimeZone,
}

impl Draft<'_> {
    fn id(&self) -> &PluginId {
        &self.manifest.id
    }

    /// Whether the plugin may speak of the object: the core's, its own, or a required plugin's.
    fn may_name(&self, object: &ObjectName) -> bool {
        object
            .plugin()
            .is_none_or(|owner| owner == self.id().as_str() || self.required.iter().any(|id| id.as_str() == owner))
    }
}

/// All objects of the workspace, while their rules are still being checked.
struct Objects {
    all: IndexMap<ObjectName, Object>,
}

impl Objects {
    /// The object that a manifest names, or an issue at `path`.
    fn find(&self, name: &ObjectName, from: &Draft<'_>, path: &str, issues: &mut Issues<'_>) -> Option<&Object> {
        let Some(object) = self.all.get(name) else {
            issues.add(path, self.unknown(name, from));
            return None;
        };
        if !from.may_name(name) {
            let owner = object.owner.as_str();
            issues.add(path, format!("{name} belongs to {owner}, which is not required: add it under [requires]"));
            return None;
        }
        Some(object)
    }

    fn unknown(&self, name: &ObjectName, from: &Draft<'_>) -> String {
        let known = self.all.keys().map(ObjectName::as_str);
        let own = ObjectName::new(format!("{}.{name}", from.id())).ok();
        if let Some(own) = own.filter(|own| self.all.contains_key(own)) {
            return format!("there is no object {name}. Did you mean \"{own}\"?");
        }
        let hint = nearest::hint(name.as_str(), known);
        if !hint.is_empty() {
            return format!("there is no object {name}.{hint}");
        }
        match name.plugin().filter(|owner| *owner != from.id().as_str()) {
            Some(owner) => format!("there is no object {name}: add {owner} under [requires], or correct the name"),
            None if name.plugin().is_some() => {
                format!("there is no object {name}: declare it under [object.{}], or correct the name", name.short())
            }
            None => {
                let core: Vec<&str> =
                    self.all.keys().map(ObjectName::as_str).filter(|known| !known.contains('.')).collect();
                format!("there is no object {name}; the core has {}", core.join(", "))
            }
        }
    }
}

/// The objects as a plugin's expressions see them: those that refer to others by name must be its own or required.
struct Seen<'a> {
    objects: &'a Objects,
    from: &'a Draft<'a>,
}

impl expr::Objects for Seen<'_> {
    fn object(&self, name: &ObjectName) -> Option<&Object> {
        self.objects.all.get(name)
    }

    fn children<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Object> + 'a> {
        Box::new(self.objects.all.values().filter(|object| self.from.may_name(&object.name)))
    }
}

/// The core's own objects as one manifest with the id `core`.
///
/// # Errors
/// When a file under `core/objects` is not a manifest; a test holds that all are.
pub fn core_manifest() -> Result<Manifest, CatalogIssue> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        object: IndexMap<Name, ObjectDecl>,
    }
    let fault = |path: &str, message: String| CatalogIssue { plugin: PluginId::core(), path: path.to_owned(), message };
    let head = "id = \"core\"\nversion = \"0.1.0\"\napi = \"*\"";
    let mut manifest: Manifest = toml::from_str(head).map_err(|error| fault("", error.to_string()))?;
    for (name, text) in CORE_OBJECTS {
        let file: File = toml::from_str(text).map_err(|error| fault(name, error.to_string()))?;
        for (object, decl) in file.object {
            if manifest.object.insert(object.clone(), decl).is_some() {
                return Err(fault(name, format!("object.{object} is declared in two files")));
            }
        }
    }
    Ok(manifest)
}

pub(super) fn build(sources: &[PluginSource], zone: &TimeZone) -> Result<Catalog, Vec<CatalogIssue>> {
    let core = Arc::new(core_manifest().map_err(|issue| vec![issue])?);
    // With a requirement missing, all that refers to it would be told as unknown too; so this comes first.
    let sorted = order::sort(sources)?;
    let mut found = Vec::new();
    let core_draft = Draft { manifest: &core, required: Vec::new(), settings: BTreeMap::new(), zone };
    let drafts: Vec<Draft<'_>> = std::iter::once(core_draft)
        .chain(sorted.iter().map(|(source, required)| {
            let mut issues = Issues { plugin: &source.manifest.id, all: &mut found };
            let settings = fields::settings(source, &mut issues);
            Draft { manifest: &source.manifest, required: required.clone(), settings, zone }
        }))
        .collect();

    let mut objects = objects::declare(&drafts, &mut found);
    rules::check(&drafts, &mut objects, &mut found);
    derived::check(&drafts, &mut objects, &mut found);
    let mut catalog = Catalog { zone: zone.clone(), ..Catalog::default() };
    for draft in &drafts {
        let mut issues = Issues { plugin: draft.id(), all: &mut found };
        check_labels(draft.manifest, &mut issues);
        changes::check(draft, &mut issues);
        handlers::link(draft, &objects, &mut catalog, &mut issues);
    }
    for ((source, _), draft) in sorted.iter().zip(drafts.iter().skip(1)) {
        let mut issues = Issues { plugin: draft.id(), all: &mut found };
        let grants: RecordGrants = handlers::grants(draft, &objects, &sorted, &mut issues);
        let installed = InstalledPlugin {
            manifest: Arc::clone(&source.manifest),
            digest: source.digest.clone(),
            grants,
            settings: draft.settings.clone(),
        };
        catalog.plugins.insert(draft.id().clone(), installed);
    }
    catalog.objects = objects.all.into_iter().map(|(name, object)| (name, Arc::new(object))).collect();
    if found.is_empty() { Ok(catalog) } else { Err(found) }
}

fn check_labels(manifest: &Manifest, issues: &mut Issues<'_>) {
    check_label(&manifest.label, "label", issues);
    check_label(&manifest.description, "description", issues);
    for (name, object) in &manifest.object {
        check_label(&object.label, &format!("object.{name}.label"), issues);
    }
    for (name, setting) in &manifest.settings {
        check_label(&setting.label, &format!("settings.{name}.label"), issues);
    }
    for (place, action) in manifest.action.iter().enumerate() {
        check_label(&action.label, &format!("action[{place}].label"), issues);
    }
    for (place, route) in manifest.route.iter().enumerate() {
        check_label(&route.label, &format!("route[{place}].label"), issues);
    }
}

/// Keys are language codes as in BCP 47 (`en`, `pt-BR`), texts are one short paragraph.
fn check_label(label: &Label, path: &str, issues: &mut Issues<'_>) {
    for (language, text) in label {
        let mut parts = language.split('-');
        let is_code = parts
            .next()
            .is_some_and(|code| matches!(code.len(), 2 | 3) && code.bytes().all(|b| b.is_ascii_lowercase()))
            && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        if !is_code {
            issues.add(
                format!("{path}.{}", key(language)),
                format!("\"{language}\" is not a language code; write it like en or pt-BR"),
            );
        }
        if text.trim().is_empty() || text.chars().count() > LABEL_CHARS_MAX || text.chars().any(char::is_control) {
            let message = format!("a label is one line of at most {LABEL_CHARS_MAX} characters, and not empty");
            issues.add(format!("{path}.{}", key(language)), message);
        }
    }
}

/// The label for people when the manifest has none: `last_visit` → "Last visit".
fn label_or_name(label: &Label, name: &str) -> Label {
    if !label.is_empty() {
        return label.clone();
    }
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    Label::from([("en".to_owned(), format!("{first}{}", letters.as_str()))])
}

/// A key as TOML writes it: quoted when it is not bare.
fn key(text: &str) -> String {
    let is_bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { text.to_owned() } else { format!("{text:?}") }
}

/// A name for a constraint or index: PostgreSQL cuts what is longer than 63 bytes, so a long one is shortened
/// here, with a checksum (FNV-1a, 64 bits) of the whole to keep it apart from its sisters.
fn constraint_name(parts: &[&str]) -> String {
    const BYTES_MAX: usize = 63;
    let name = parts.join("_").replace('.', "_");
    if name.len() <= BYTES_MAX {
        return name;
    }
    let sum = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}_{sum:016x}", name.get(..BYTES_MAX - 17).unwrap_or_default())
}

#[cfg(test)]
mod tests;
