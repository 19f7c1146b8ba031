//! Pass one: all objects with their own fields, then the fields that plugins add to others' objects.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{CatalogIssue, Draft, FIELDS_MAX, Issues, OBJECTS_MAX, Objects, fields, key, label_or_name};
use crate::{
    decl::ObjectDecl,
    field::FieldType,
    name::{Name, ObjectName},
    nearest,
    object::{Derived, Object},
};

/// Declares all objects of all manifests and extends them; references between them are checked last.
pub(super) fn declare(drafts: &[Draft<'_>], found: &mut Vec<CatalogIssue>) -> Objects {
    let mut objects = Objects { all: IndexMap::new() };
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        if draft.manifest.object.len() > OBJECTS_MAX {
            issues.add("object", format!("a plugin has at most {OBJECTS_MAX} objects: split it in two"));
        }
        let mut plurals = HashSet::new();
        for (name, decl) in &draft.manifest.object {
            let object = object(draft, name, decl, &mut issues);
            if !plurals.insert(object.plural.clone()) {
                let message =
                    format!("two objects have the plural {}, which is part of the URL: change one", object.plural);
                issues.add(format!("object.{name}"), message);
            }
            objects.all.insert(object.name.clone(), object);
        }
        check_id(draft, &objects, &mut issues);
    }
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        extend(draft, &mut objects, &mut issues);
    }
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        check_references(draft, &objects, &mut issues);
    }
    objects
}

/// `/api/v1/{plugin}/…` and `/api/v1/{plural of the core}/…` must stay apart.
fn check_id(draft: &Draft<'_>, objects: &Objects, issues: &mut Issues<'_>) {
    let id = draft.id().as_str();
    if objects.all.values().any(|object| object.owner.is_core() && object.plural == id) {
        issues.add("id", format!("{id} is the URL of an object of the core: choose another id"));
    }
}

fn object(draft: &Draft<'_>, name: &Name, decl: &ObjectDecl, issues: &mut Issues<'_>) -> Object {
    let path = format!("object.{name}");
    if name.as_str().starts_with("pergola") {
        issues.add(path.as_str(), "names that start with pergola are the host's: choose another");
    }
    if decl.fields.is_empty() || decl.fields.len() > FIELDS_MAX {
        issues.add(format!("{path}.fields"), format!("an object has between 1 and {FIELDS_MAX} fields"));
    }
    let fields: IndexMap<_, _> = decl
        .fields
        .iter()
        .filter_map(|(name, field)| {
            let field = fields::field(name, field, name.to_string(), &format!("{path}.fields.{name}"), issues)?;
            Some((field.key.clone(), field))
        })
        .collect();
    let title = match &decl.title {
        Some(title) if !decl.fields.contains_key(title) => {
            let hint = nearest::hint(title.as_str(), decl.fields.keys().map(Name::as_str));
            issues.add(format!("{path}.title"), format!("{name} has no field {title}.{hint}"));
            None
        }
        Some(title) => Some(title.to_string()),
        None => ["name", "title"].into_iter().find(|name| fields.contains_key(*name)).map(str::to_owned),
    };
    Object {
        name: ObjectName::in_plugin(draft.id(), name),
        owner: draft.id().clone(),
        label: label_or_name(&decl.label, name.as_str()),
        plural: decl.plural.as_ref().map_or_else(|| format!("{name}s"), Name::to_string),
        title,
        fields,
        checks: Vec::new(),
        excludes: Vec::new(),
        capacities: Vec::new(),
        hold: None,
        uniques: Vec::new(),
        transitions: Vec::new(),
        timers: Vec::new(),
        referrers: Vec::new(),
        rooms: Vec::new(),
        derived: Derived::default(),
    }
}

fn extend(draft: &Draft<'_>, objects: &mut Objects, issues: &mut Issues<'_>) {
    let plugin = draft.id();
    for (target, decl) in &draft.manifest.extend {
        let path = format!("extend.{}", key(target.as_str()));
        if objects.find(target, draft, &path, issues).is_none() {
            continue;
        }
        let Some(object) = objects.all.get_mut(target) else { continue };
        if object.owner == *plugin {
            issues
                .add(path, format!("{target} is this plugin's own: put the fields under [object.{}]", target.short()));
            continue;
        }
        if object.fields.contains_key(plugin.as_str()) {
            let message =
                format!("{target} has a field {plugin}, under which the added fields would stand: choose another id");
            issues.add(path.as_str(), message);
        }
        for (name, field) in &decl.fields {
            let path = format!("{path}.fields.{name}");
            if field.required && field.default.is_none() {
                let message =
                    "others create these records and do not know the field: give it a default, or take required out";
                issues.add(format!("{path}.required"), message);
            }
            if let Some(field) = fields::field(name, field, format!("{plugin}.{name}"), &path, issues) {
                object.fields.insert(field.key.clone(), field);
            }
        }
        if object.fields.len() > FIELDS_MAX {
            issues.add(
                path,
                format!("{target} would have more than {FIELDS_MAX} fields: make an own object that refers to it"),
            );
        }
    }
}

fn check_references(draft: &Draft<'_>, objects: &Objects, issues: &mut Issues<'_>) {
    let own = draft.manifest.object.iter().flat_map(|(name, decl)| {
        decl.fields.iter().map(move |(field, decl)| (format!("object.{name}.fields.{field}.to"), decl))
    });
    let added = draft.manifest.extend.iter().flat_map(|(name, decl)| {
        let name = key(name.as_str());
        decl.fields.iter().map(move |(field, decl)| (format!("extend.{name}.fields.{field}.to"), decl))
    });
    for (path, decl) in own.chain(added) {
        if let Some(to) = decl.to.as_ref().filter(|_| decl.kind == "ref") {
            // The issue is all that is wanted.
            let _found = objects.find(to, draft, &path, issues);
        }
    }
}

/// The object that a ref leads to.
pub(super) fn target(kind: &FieldType) -> Option<(&ObjectName, crate::field::OnDelete)> {
    if let FieldType::Ref { to, on_delete } = kind { Some((to, *on_delete)) } else { None }
}
