//! The order of evaluation: each formula after those that it reads; a circle is refused by its names.

use std::collections::{BTreeMap, BTreeSet};

use super::All;
use crate::{
    catalog::build::{CatalogIssue, Draft, Issues},
    name::{Name, ObjectName, PluginId},
    object::Computed,
};

/// A computed field.
type Key = (ObjectName, String);

/// What each computed field reads.
type Graph = BTreeMap<Key, Vec<Key>>;

/// Puts formulas and first values in order.
pub(super) fn sort(drafts: &[Draft<'_>], all: &mut All, found: &mut Vec<CatalogIssue>) {
    let circles = [circle(&graph(all)), circle(&initials(all))];
    let is_sound = circles.iter().all(Option::is_none);
    for names in circles.into_iter().flatten() {
        tell(drafts, &names, found);
    }
    if !is_sound {
        return;
    }
    for derived in all.values_mut() {
        derived.formulas = sorted(std::mem::take(&mut derived.formulas));
        derived.initials = sorted(std::mem::take(&mut derived.initials));
    }
    check_initials(drafts, all, found);
}

fn graph(all: &All) -> Graph {
    let mut graph = Graph::new();
    for (object, derived) in all {
        for formula in &derived.formulas {
            graph.insert((object.clone(), formula.key.clone()), reads(object, formula));
        }
        for rollup in &derived.rollups {
            let source = rollup.source.iter().map(|(key, _)| key.clone());
            let when = rollup.when.iter().flat_map(|when| when.reads().fields);
            let reads = source.chain(when).map(|key| (rollup.of.clone(), key)).collect();
            graph.insert((object.clone(), rollup.key.clone()), reads);
        }
    }
    graph
}

fn initials(all: &All) -> Graph {
    let of = |(object, derived): (&ObjectName, &crate::object::Derived)| -> Vec<(Key, Vec<Key>)> {
        let initials = derived.initials.iter();
        initials.map(|initial| ((object.clone(), initial.key.clone()), reads(object, initial))).collect()
    };
    all.iter().flat_map(of).collect()
}

fn reads(object: &ObjectName, computed: &Computed) -> Vec<Key> {
    computed.value.reads().fields.into_iter().map(|key| (object.clone(), key)).collect()
}

/// The names along a circle, the first one again at its end.
fn circle(graph: &Graph) -> Option<Vec<Key>> {
    let mut done: BTreeSet<&Key> = BTreeSet::new();
    graph.keys().find_map(|start| walk(graph, start, &mut Vec::new(), &mut done))
}

fn walk<'a>(graph: &'a Graph, at: &'a Key, path: &mut Vec<&'a Key>, done: &mut BTreeSet<&'a Key>) -> Option<Vec<Key>> {
    if let Some(first) = path.iter().position(|key| *key == at) {
        return Some(path.iter().skip(first).copied().chain([at]).cloned().collect());
    }
    if done.contains(at) {
        return None;
    }
    path.push(at);
    for next in graph.get(at).into_iter().flatten() {
        if let Some(found) = walk(graph, next, path, done) {
            return Some(found);
        }
    }
    path.pop();
    done.insert(at);
    None
}

/// Tells the owner of the circle's first field.
fn tell(drafts: &[Draft<'_>], names: &[Key], found: &mut Vec<CatalogIssue>) {
    let Some((object, key)) = names.first() else { return };
    let owner = key.split_once('.').map(|(plugin, _)| plugin).or(object.plugin());
    let core = PluginId::core();
    let plugin = drafts.iter().map(Draft::id).find(|id| owner == Some(id.as_str())).unwrap_or(&core);
    let circle: Vec<String> = names.iter().map(|(object, key)| format!("{object}.{key}")).collect();
    let message = format!("these fields are computed from each other in a circle: {}", circle.join(" → "));
    Issues { plugin, all: found }.add(format!("object.{}.fields.{key}", object.short()), message);
}

fn sorted(mut rest: Vec<Computed>) -> Vec<Computed> {
    let mut done = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let ready = |one: &Computed| {
            let reads = one.value.reads().fields;
            !rest.iter().any(|other| reads.contains(&other.key))
        };
        // There is no circle, so one is ready; should there be none, the order does not matter.
        let next = rest.iter().position(ready).unwrap_or(0);
        done.push(rest.remove(next));
    }
    done
}

/// A first value is set before hooks run, so it cannot look at what is computed after them.
fn check_initials(drafts: &[Draft<'_>], all: &All, found: &mut Vec<CatalogIssue>) {
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        let own = draft.manifest.object.keys().map(|name: &Name| ObjectName::in_plugin(draft.id(), name));
        for object in own {
            let Some(derived) = all.get(&object) else { continue };
            for initial in &derived.initials {
                let reads = initial.value.reads();
                let computed = reads.fields.iter().find_map(|key| Some((key, derived.read_only(key)?)));
                if let Some((key, why)) = computed {
                    let path = format!("object.{}.fields.{}.initial", object.short(), initial.key);
                    issues.add(path, format!("{key} {why} after the first values are set: use other fields"));
                }
            }
        }
    }
}
