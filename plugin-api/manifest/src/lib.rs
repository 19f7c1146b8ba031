//! `plugin.toml`: parse, check and explain, with every mistake told by line, place and mend.
//!
//! The shape of a manifest is [`pergola_model::decl`]'s and its meaning [`pergola_model::catalog`]'s; this crate
//! knows where in the text things stand and how to say what to do.
//!
//! Invariants: no files, no environment, no clock; whatever the text, an answer and never a panic.

mod explain;
mod place;
mod problem;
mod shape;

use std::{collections::BTreeMap, sync::Arc};

use pergola_model::catalog::{Catalog, CatalogIssue, PluginSource};
use toml::de::DeTable;

pub use explain::explain;
pub use pergola_model::decl::Manifest;
pub use problem::{ManifestError, Problem};

use crate::{place::Document, problem::Problems};

/// The version of the plugin contract that this host speaks: the WIT package's.
pub const CONTRACT_VERSION: semver::Version = semver::Version::new(0, 1, 0);
/// The largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 256 * 1024;
/// The most problems that one error tells: past these, they mostly follow from each other.
pub const PROBLEMS_MAX: usize = 50;

/// Reads a manifest and checks its shape and the contract's version.
///
/// `file` is only for messages.
///
/// # Errors
/// All places that do not fit: TOML that cannot be read, unknown and missing keys, values of another type, an `api`
/// that this host does not speak.
pub fn parse(text: &str, file: &str) -> Result<Manifest, ManifestError> {
    read(text, file).map(|(manifest, _)| manifest)
}

/// Reads a manifest and checks it whole, against the core and the plugins that it requires.
///
/// `others` are the plugins that are, or will be, there too; another version of the same plugin is passed over.
///
/// # Errors
/// As [`parse`], and all that [`Catalog::build`] finds.
pub fn check(text: &str, file: &str, others: &[Arc<Manifest>]) -> Result<Manifest, ManifestError> {
    let (manifest, document) = read(text, file)?;
    let manifest = Arc::new(manifest);
    let sources: Vec<PluginSource> = others
        .iter()
        .filter(|other| other.id != manifest.id)
        .chain([&manifest])
        .map(|one| PluginSource { manifest: Arc::clone(one), digest: String::new(), settings: BTreeMap::new() })
        .collect();
    let mut problems = Problems::new(text, file);
    for issue in Catalog::build(&sources).err().unwrap_or_default() {
        add_issue(issue, &manifest, &document, &mut problems);
    }
    problems.finish()?;
    Ok(Arc::unwrap_or_clone(manifest))
}

fn read<'t>(text: &'t str, file: &str) -> Result<(Manifest, Document<'t>), ManifestError> {
    let mut problems = Problems::new(text, file);
    if text.len() > MANIFEST_BYTES_MAX {
        let message = format!("the manifest has {} bytes, at most {MANIFEST_BYTES_MAX} fit", text.len());
        problems.add(0, "", message, Some("take out what the plugin does not need".to_owned()));
        return Err(problems.into_error());
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        problems.add(at, "", error.message(), None);
    }
    problems.check()?;
    let document = Document::new(table);
    let manifest = shape::read(&document, &mut problems);
    if let Some(manifest) = manifest.as_ref().filter(|manifest| !manifest.api.matches(&CONTRACT_VERSION)) {
        let api = &manifest.api;
        let message = format!(
            "the plugin works with version {api} of the plugin contract, but this host speaks {CONTRACT_VERSION}"
        );
        let own = format!("{}.{}", CONTRACT_VERSION.major, CONTRACT_VERSION.minor);
        let mend = format!("build the plugin against {own} and write api = \"{own}\", or use a host that speaks {api}");
        problems.add(document.at("api"), "api", message, Some(mend));
    }
    problems.check()?;
    manifest.map(|manifest| (manifest, document)).ok_or_else(|| problems.into_error())
}

fn add_issue(issue: CatalogIssue, manifest: &Manifest, document: &Document<'_>, problems: &mut Problems<'_>) {
    if issue.plugin != manifest.id {
        let path = format!("requires.{}", issue.plugin);
        let message =
            format!("the plugin {} has a mistake of its own: {}: {}", issue.plugin, issue.path, issue.message);
        problems.add(document.at(&path), "requires", message, Some("mend that plugin first".to_owned()));
        return;
    }
    // The catalog ends such messages with a whole sentence; here it is the mend.
    let (message, mend) = match issue.message.split_once(" Did you mean ") {
        Some((message, name)) => (message.trim_end_matches('.').to_owned(), Some(format!("did you mean {name}"))),
        None => (issue.message, None),
    };
    problems.add(document.at(&issue.path), &issue.path, message, mend);
}

#[cfg(test)]
mod tests;
