//! Pass two: the rules of objects, which name fields and carry expressions.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{CatalogIssue, Draft, HANDLERS_MAX, Issues, Objects, constraint_name, objects::target};
use crate::{
    decl::{ExcludeDecl, ObjectDecl, TransitionDecl},
    expr::{Expression, Scope, Type},
    field::{Field, FieldType, OnDelete, OnPurge},
    name::{Name, ObjectName},
    nearest,
    object::{Exclude, Object, Referrer, Step, Timer, Transitions, Unique},
};

/// The most exclusions, and the most uniques, of an object; the most steps of a choice.
const RULES_MAX: usize = 20;
const STEPS_MAX: usize = 500;

/// Rules of one object that have been checked.
#[derive(Default)]
struct Rules {
    excludes: Vec<Exclude>,
    uniques: Vec<Unique>,
    transitions: Vec<Transitions>,
    timers: Vec<Timer>,
    referrers: Vec<Referrer>,
}

/// Checks the rules of all objects and puts them in.
pub(super) fn check(drafts: &[Draft<'_>], objects: &mut Objects, found: &mut Vec<CatalogIssue>) {
    let mut rules: IndexMap<ObjectName, Rules> =
        objects.all.keys().map(|name| (name.clone(), Rules::default())).collect();
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        for (name, decl) in &draft.manifest.object {
            let name = ObjectName::in_plugin(draft.id(), name);
            if let (Some(object), Some(rules)) = (objects.all.get(&name), rules.get_mut(&name)) {
                own_rules(draft, object, decl, objects, rules, &mut issues);
            }
        }
        timers(draft, objects, &mut rules, &mut issues);
    }
    for object in objects.all.values() {
        for field in object.fields.values() {
            let Some((to, on_delete)) = target(&field.kind) else { continue };
            if let Some(rules) = rules.get_mut(to) {
                let otherwise = if on_delete == OnDelete::Clear { OnPurge::Clear } else { OnPurge::Delete };
                let on_purge = field.on_purge.unwrap_or(otherwise);
                let referrer = Referrer { object: object.name.clone(), field: field.key.clone(), on_delete, on_purge };
                rules.referrers.push(referrer);
            }
        }
    }
    for (name, rules) in rules {
        if let Some(object) = objects.all.get_mut(&name) {
            object.excludes = rules.excludes;
            object.uniques = rules.uniques;
            object.transitions = rules.transitions;
            object.timers = rules.timers;
            object.referrers = rules.referrers;
        }
    }
    check_constraint_names(drafts, objects, found);
}

/// Constraint names are the database's, where `a_b.c` and `a.b_c` would meet.
fn check_constraint_names(drafts: &[Draft<'_>], objects: &Objects, found: &mut Vec<CatalogIssue>) {
    let mut seen: IndexMap<&str, &ObjectName> = IndexMap::new();
    for object in objects.all.values() {
        let names = object.uniques.iter().map(|one| &one.name).chain(object.excludes.iter().map(|one| &one.name));
        for name in names {
            let Some(other) = seen.insert(name, &object.name).filter(|other| **other != object.name) else { continue };
            let Some(draft) = drafts.iter().find(|draft| *draft.id() == object.owner) else { continue };
            let message =
                format!("{} and {other} both have a constraint {name}: rename one of the objects", object.name);
            Issues { plugin: draft.id(), all: found }.add(format!("object.{}", object.name.short()), message);
        }
    }
}

fn own_rules(
    draft: &Draft<'_>,
    object: &Object,
    decl: &ObjectDecl,
    objects: &Objects,
    rules: &mut Rules,
    issues: &mut Issues<'_>,
) {
    let path = format!("object.{}", object.name.short());
    if decl.exclude.len() > RULES_MAX || decl.unique.len() > RULES_MAX {
        issues.add(path.as_str(), format!("an object has at most {RULES_MAX} exclude and {RULES_MAX} unique rules"));
    }
    for (place, one) in decl.exclude.iter().enumerate() {
        let path = format!("{path}.exclude[{place}]");
        if let Some(exclude) = exclude(draft, object, one, objects, &path, issues) {
            let twins = rules.excludes.iter().filter(|other| other.on == exclude.on).count();
            let name = if twins == 0 { exclude.name } else { format!("{}_{}", exclude.name, twins.saturating_add(1)) };
            rules.excludes.push(Exclude { name, ..exclude });
        }
    }
    uniques(object, decl, &path, rules, issues);
    for (name, steps) in &decl.transitions {
        let path = format!("{path}.transitions.{name}");
        if let Some(transitions) = transitions(draft, object, name, steps, objects, &path, issues) {
            rules.transitions.push(transitions);
        }
    }
}

fn exclude(
    draft: &Draft<'_>,
    object: &Object,
    decl: &ExcludeDecl,
    objects: &Objects,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<Exclude> {
    let on = own_field(object, &decl.on, &format!("{path}.on"), issues);
    if let Some(field) =
        on.filter(|field| matches!(field.kind, FieldType::LongText | FieldType::Json | FieldType::Tags))
    {
        let message =
            format!("{} is {}, which cannot be compared: use a ref, a choice or a text", decl.on, field.kind.name());
        issues.add(format!("{path}.on"), message);
    }
    let [from, until] = &decl.during;
    for (place, name) in [from, until].into_iter().enumerate() {
        let path = format!("{path}.during[{place}]");
        let field = own_field(object, name, &path, issues);
        if let Some(field) = field.filter(|field| field.kind != FieldType::DateTime) {
            issues.add(path, format!("{name} is {}: an interval has two datetime fields", field.kind.name()));
        }
    }
    if from == until {
        issues.add(format!("{path}.during[1]"), "an interval starts and ends in two different fields");
    }
    let when = decl
        .when
        .as_ref()
        .map(|source| compile(source, draft, object, objects, &Type::Bool, &format!("{path}.when"), issues));
    Some(Exclude {
        name: constraint_name(&[object.name.as_str(), "exclude", on?.key.as_str()]),
        on: decl.on.to_string(),
        from: from.to_string(),
        until: until.to_string(),
        when: match when {
            Some(compiled) => Some(compiled?),
            None => None,
        },
    })
}

fn uniques(object: &Object, decl: &ObjectDecl, path: &str, rules: &mut Rules, issues: &mut Issues<'_>) {
    // Extension fields too: the index belongs to the object.
    for field in object.fields.values().filter(|field| field.unique) {
        let name = constraint_name(&[object.name.as_str(), "unique", &field.key]);
        rules.uniques.push(Unique { name, fields: vec![field.key.clone()] });
    }
    for (place, one) in decl.unique.iter().enumerate() {
        let path = format!("{path}.unique[{place}].fields");
        if one.fields.is_empty() {
            issues.add(path.as_str(), "name at least one field that must not repeat");
        }
        let mut seen = HashSet::new();
        for (place, name) in one.fields.iter().enumerate() {
            let path = format!("{path}[{place}]");
            let field = own_field(object, name, &path, issues);
            if field.is_some_and(|field| matches!(field.kind, FieldType::LongText | FieldType::Json | FieldType::Tags))
            {
                issues.add(path.as_str(), format!("{name} is of a type that cannot be unique: take it out"));
            }
            if !seen.insert(name) {
                issues.add(path, format!("{name} is there twice: take one out"));
            }
        }
        let fields: Vec<String> = one.fields.iter().map(Name::to_string).collect();
        if rules.uniques.iter().any(|other| other.fields == fields) {
            issues.add(path, "the same fields are unique already: take this line out");
            continue;
        }
        let mut parts = vec![object.name.as_str(), "unique"];
        parts.extend(fields.iter().map(String::as_str));
        rules.uniques.push(Unique { name: constraint_name(&parts), fields });
    }
}

fn transitions(
    draft: &Draft<'_>,
    object: &Object,
    name: &Name,
    steps: &[TransitionDecl],
    objects: &Objects,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<Transitions> {
    let field = own_field(object, name, path, issues)?;
    let FieldType::Choice { of } = &field.kind else {
        issues.add(path, format!("{name} is {}: only a choice has transitions", field.kind.name()));
        return None;
    };
    if steps.len() > STEPS_MAX {
        issues.add(path, format!("a choice has at most {STEPS_MAX} transitions"));
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(steps.len());
    for (place, step) in steps.iter().enumerate() {
        let path = format!("{path}[{place}]");
        if step.from != "*" {
            check_code(of, name, &step.from, &format!("{path}.from"), issues);
        }
        check_code(of, name, &step.to, &format!("{path}.to"), issues);
        if !seen.insert((&step.from, &step.to)) {
            issues.add(
                path.as_str(),
                format!("the step from {} to {} is there twice: join their guards with ||", step.from, step.to),
            );
        }
        let guard = step
            .guard
            .as_ref()
            .and_then(|source| compile(source, draft, object, objects, &Type::Bool, &format!("{path}.guard"), issues));
        let from = (step.from != "*").then(|| step.from.clone());
        checked.push(Step { from, to: step.to.clone(), guard });
    }
    Some(Transitions { field: name.to_string(), steps: checked })
}

fn check_code(of: &[String], field: &Name, code: &str, path: &str, issues: &mut Issues<'_>) {
    if !of.iter().any(|known| known == code) {
        let hint = nearest::hint(code, of.iter().map(String::as_str));
        issues.add(path, format!("{field} has no code \"{code}\"; it has {}.{hint}", of.join(", ")));
    }
}

fn timers(draft: &Draft<'_>, objects: &Objects, rules: &mut IndexMap<ObjectName, Rules>, issues: &mut Issues<'_>) {
    if draft.manifest.timer.len() > HANDLERS_MAX {
        issues.add("timer", format!("a plugin has at most {HANDLERS_MAX} timers"));
    }
    for (place, decl) in draft.manifest.timer.iter().enumerate() {
        let path = format!("timer[{place}]");
        let Some(object) = objects.find(&decl.on, draft, &format!("{path}.on"), issues) else { continue };
        let at = compile(&decl.at, draft, object, objects, &Type::DateTime, &format!("{path}.at"), issues);
        let condition = decl
            .condition
            .as_ref()
            .and_then(|source| compile(source, draft, object, objects, &Type::Bool, &format!("{path}.if"), issues));
        let Some(rules) = rules.get_mut(&decl.on) else { continue };
        if rules.timers.iter().any(|other| other.plugin == *draft.id() && other.action == decl.action) {
            let message = format!("{} has two timers {}: name their actions apart", decl.on, decl.action);
            issues.add(format!("{path}.action"), message);
        }
        if let Some(at) = at {
            rules.timers.push(Timer { plugin: draft.id().clone(), action: decl.action.clone(), at, condition });
        }
    }
}

fn own_field<'a>(object: &'a Object, name: &Name, path: &str, issues: &mut Issues<'_>) -> Option<&'a Field> {
    let field = object.field(name.as_str());
    if field.is_none() {
        let known = object.fields.values().filter(|field| field.extension().is_none()).map(|field| field.key.as_str());
        let hint = nearest::hint(name.as_str(), known);
        issues.add(path, format!("{} has no field {name}.{hint}", object.name));
    }
    field
}

fn compile(
    source: &str,
    draft: &Draft<'_>,
    object: &Object,
    objects: &Objects,
    expected: &Type,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<Expression> {
    let scope = Scope {
        object: &object.name,
        fields: &object.fields,
        others: &|name| objects.all.get(name).map(|other| &other.fields),
        settings: &draft.settings,
        parameters: &[],
    };
    match Expression::compile(source, &scope, expected) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let place = if error.excerpt.is_empty() { String::new() } else { format!("\n{}", error.excerpt) };
            issues.add(path, format!("{}{place}", error.message));
            None
        }
    }
}
