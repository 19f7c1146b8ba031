//! The order of plugins: each after those that it requires, else by id, so that it never depends on luck.

use std::collections::{BTreeMap, BTreeSet};

use super::{CatalogIssue, Issues, key};
use crate::{catalog::PluginSource, name::PluginId, nearest};

/// A plugin and all that it requires, directly or through others.
pub(super) type Sorted<'a> = (&'a PluginSource, Vec<PluginId>);

/// Sorts the plugins, or tells which requirements are not met.
pub(super) fn sort(sources: &[PluginSource]) -> Result<Vec<Sorted<'_>>, Vec<CatalogIssue>> {
    let mut found = Vec::new();
    let mut by_id: BTreeMap<&PluginId, &PluginSource> = BTreeMap::new();
    for source in sources {
        let id = &source.manifest.id;
        let mut issues = Issues { plugin: id, all: &mut found };
        if id.is_core() || id.as_str().starts_with("pergola") {
            issues.add("id", "core and names that start with pergola are the host's: choose another id");
        }
        if by_id.insert(id, source).is_some() {
            issues.add("id", format!("two plugins have the id {id}: remove one of them"));
        }
    }
    for source in by_id.values() {
        check_requirements(source, &by_id, &mut found);
    }
    let sorted = in_order(&by_id, &mut found);
    if found.is_empty() { Ok(sorted) } else { Err(found) }
}

fn check_requirements(
    source: &PluginSource,
    by_id: &BTreeMap<&PluginId, &PluginSource>,
    found: &mut Vec<CatalogIssue>,
) {
    let plugin = &source.manifest.id;
    let mut issues = Issues { plugin, all: found };
    for (required, range) in &source.manifest.requires {
        let path = format!("requires.{}", key(required.as_str()));
        match by_id.get(required) {
            _ if required == plugin => issues.add(path, "a plugin cannot require itself: take this line out"),
            Some(other) if range.matches(&other.manifest.version) => {}
            Some(other) => {
                let version = &other.manifest.version;
                issues.add(path, format!("{plugin} needs {required} {range}, but {required} {version} is here: install a version of {required} that fits"));
            }
            None => {
                let hint = nearest::hint(
                    required.as_str(),
                    by_id.keys().map(|id| id.as_str()).filter(|id| *id != plugin.as_str()),
                );
                issues.add(
                    path,
                    format!("{plugin} needs {required} {range}, which is not here: install {required} first.{hint}"),
                );
            }
        }
    }
}

fn in_order<'a>(by_id: &BTreeMap<&'a PluginId, &'a PluginSource>, found: &mut Vec<CatalogIssue>) -> Vec<Sorted<'a>> {
    let mut sorted: Vec<Sorted<'a>> = Vec::with_capacity(by_id.len());
    let mut waiting: BTreeSet<&PluginId> = by_id.keys().copied().collect();
    loop {
        let open = |id: &PluginId| {
            let requires = by_id.get(id).map(|source| &source.manifest.requires);
            requires
                .into_iter()
                .flat_map(|requires| requires.keys())
                .any(|other| other != id && waiting.contains(other))
        };
        let Some(ready) = waiting.iter().copied().find(|id| !open(id)) else { break };
        waiting.remove(ready);
        let Some(source) = by_id.get(ready) else { continue };
        let direct = source.manifest.requires.keys();
        let mut all: BTreeSet<PluginId> = direct.clone().cloned().collect();
        for (earlier, through) in &sorted {
            if source.manifest.requires.contains_key(&earlier.manifest.id) {
                all.extend(through.iter().cloned());
            }
        }
        sorted.push((source, all.into_iter().collect()));
    }
    for id in &waiting {
        // Only those on a cycle are told, not those that wait for one.
        if let Some(circle) = circle(id, by_id) {
            let mut issues = Issues { plugin: id, all: found };
            let next = circle.get(1).copied().unwrap_or(id);
            let names: Vec<&str> = circle.iter().map(|id| id.as_str()).collect();
            let message = format!(
                "the plugins require each other in a circle ({}): take one of the requirements out",
                names.join(" → ")
            );
            issues.add(format!("requires.{}", key(next.as_str())), message);
        }
    }
    sorted
}

/// The way from a plugin back to itself, the shortest, if there is one.
fn circle<'a>(start: &'a PluginId, by_id: &BTreeMap<&'a PluginId, &'a PluginSource>) -> Option<Vec<&'a PluginId>> {
    let mut ways = std::collections::VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last().copied()?;
        for next in by_id.get(last).into_iter().flat_map(|source| source.manifest.requires.keys()) {
            if next == start && last != start {
                return Some(way.into_iter().chain([next]).collect());
            }
            if next != last && seen.insert(next) {
                ways.push_back(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}
