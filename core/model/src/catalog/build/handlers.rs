//! Hooks, event subscriptions, routes, actions and what the plugin asks for.

use std::collections::HashSet;

use super::{Draft, HANDLERS_MAX, Issues, Objects, key, order::Sorted};
use crate::{
    access::{Operation, RecordGrants},
    catalog::{Catalog, Hook, Route, Subscription},
    change::ChangeKind,
    name::ObjectName,
    nearest,
};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const OPERATIONS: [Operation; 4] = [Operation::Read, Operation::Create, Operation::Update, Operation::Delete];
/// The longest route, in bytes.
const ROUTE_BYTES_MAX: usize = 200;

/// Checks the plugin's handlers and puts them in after those of the plugins before it.
pub(super) fn link(draft: &Draft<'_>, objects: &Objects, catalog: &mut Catalog, issues: &mut Issues<'_>) {
    let manifest = draft.manifest;
    let counts = [
        ("hook", manifest.hook.len()),
        ("event", manifest.event.len()),
        ("route", manifest.route.len()),
        ("action", manifest.action.len()),
    ];
    for (path, count) in counts.into_iter().filter(|(_, count)| *count > HANDLERS_MAX) {
        issues.add(path, format!("at most {HANDLERS_MAX} of these fit in one plugin, there are {count}"));
    }
    for (place, decl) in manifest.hook.iter().enumerate() {
        let path = format!("hook[{place}]");
        check_kinds(&decl.when, &path, issues);
        if objects.find(&decl.on, draft, &format!("{path}.on"), issues).is_some() {
            catalog.hooks.push(Hook {
                plugin: draft.id().clone(),
                object: decl.on.clone(),
                phase: decl.phase,
                kinds: decl.when.clone(),
                on_failure: decl.on_failure,
            });
        }
    }
    for (place, decl) in manifest.event.iter().enumerate() {
        let path = format!("event[{place}]");
        check_kinds(&decl.when, &path, issues);
        if objects.find(&decl.on, draft, &format!("{path}.on"), issues).is_some() {
            catalog.subscriptions.push(Subscription {
                plugin: draft.id().clone(),
                object: decl.on.clone(),
                kinds: decl.when.clone(),
            });
        }
    }
    routes(draft, catalog, issues);
    actions(draft, issues);
}

fn check_kinds(kinds: &[ChangeKind], path: &str, issues: &mut Issues<'_>) {
    if kinds.is_empty() {
        issues.add(format!("{path}.when"), "name at least one of \"create\", \"update\" and \"delete\"");
    }
    for (place, kind) in kinds.iter().enumerate() {
        if kinds.iter().take(place).any(|earlier| earlier == kind) {
            issues.add(format!("{path}.when[{place}]"), format!("{} is there twice: take one out", kind.as_str()));
        }
    }
}

fn routes(draft: &Draft<'_>, catalog: &mut Catalog, issues: &mut Issues<'_>) {
    let mut seen = HashSet::new();
    for (place, decl) in draft.manifest.route.iter().enumerate() {
        let path = format!("route[{place}]");
        let method = decl.method.to_ascii_uppercase();
        if !METHODS.contains(&method.as_str()) {
            let hint = nearest::hint(&method, METHODS);
            issues.add(
                format!("{path}.method"),
                format!("there is no method \"{}\"; use one of {}.{hint}", decl.method, METHODS.join(", ")),
            );
        }
        let is_plain = decl.path.starts_with('/')
            && !decl.path.contains("//")
            && decl.path.len() <= ROUTE_BYTES_MAX
            && decl
                .path
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'/' | b'_' | b'-'));
        if !is_plain {
            let message = format!(
                "\"{}\" is not a route: start with / and use a–z, 0–9, _, - and / only; what varies goes into the query",
                decl.path
            );
            issues.add(format!("{path}.path"), message);
        }
        if !seen.insert((method.clone(), decl.path.as_str())) {
            issues.add(path, format!("{method} {} is there twice: take one out", decl.path));
            continue;
        }
        catalog.routes.push(Route { plugin: draft.id().clone(), method, path: decl.path.clone(), auth: decl.auth });
    }
}

fn actions(draft: &Draft<'_>, issues: &mut Issues<'_>) {
    let mut seen = HashSet::new();
    for (place, decl) in draft.manifest.action.iter().enumerate() {
        let path = format!("action[{place}]");
        if !seen.insert(&decl.id) {
            issues.add(format!("{path}.id"), format!("two actions have the id {}: change one", decl.id));
        }
        if decl.input.as_ref().is_some_and(|input| !input.is_table()) {
            issues.add(format!("{path}.input"), "the input is a JSON Schema: a table such as { type = \"object\" }");
        }
    }
}

/// What the plugin asks to do to records.
pub(super) fn grants(
    draft: &Draft<'_>,
    objects: &Objects,
    plugins: &[Sorted<'_>],
    issues: &mut Issues<'_>,
) -> RecordGrants {
    let asked = &draft.manifest.capabilities;
    let mut grants = RecordGrants { plugin: Some(draft.id().clone()), patterns: Vec::new() };
    for (pattern, operations) in &asked.records {
        let path = format!("capabilities.records.{}", key(pattern));
        check_pattern(pattern, objects, plugins, &path, issues);
        let operations = operations_of(operations, &path, issues);
        grants.patterns.push((pattern.clone(), operations));
    }
    for (place, pattern) in asked.own_rights.iter().enumerate() {
        check_pattern(pattern, objects, plugins, &format!("capabilities.own_rights[{place}]"), issues);
    }
    grants
}

fn operations_of(text: &str, path: &str, issues: &mut Issues<'_>) -> Vec<Operation> {
    if text.trim() == "all" {
        return OPERATIONS.to_vec();
    }
    let mut operations = Vec::new();
    for word in text.split(',').map(str::trim) {
        match OPERATIONS.into_iter().find(|operation| operation.as_str() == word) {
            Some(operation) if !operations.contains(&operation) => operations.push(operation),
            Some(_) => {}
            None => {
                let hint = nearest::hint(word, ["read", "create", "update", "delete", "all"]);
                issues.add(
                    path,
                    format!(
                        "\"{word}\" is no right: write \"all\", or a list such as \"read,create,update,delete\".{hint}"
                    ),
                );
            }
        }
    }
    operations
}

fn check_pattern(pattern: &str, objects: &Objects, plugins: &[Sorted<'_>], path: &str, issues: &mut Issues<'_>) {
    let ids = plugins.iter().map(|(source, _)| source.manifest.id.as_str());
    if let Some(plugin) = pattern.strip_suffix(".*") {
        if !ids.clone().any(|id| id == plugin) {
            let hint = nearest::hint(plugin, ids);
            issues.add(
                path,
                format!("there is no plugin {plugin}: install it first, or name the core's objects one by one.{hint}"),
            );
        }
        return;
    }
    let is_object = ObjectName::new(pattern).is_ok_and(|name| objects.all.contains_key(&name));
    if pattern != "*" && !is_object {
        let hint = nearest::hint(pattern, objects.all.keys().map(ObjectName::as_str));
        issues.add(
            path,
            format!("there is no object \"{pattern}\"; write an object's name, \"plugin.*\" or \"*\".{hint}"),
        );
    }
}
