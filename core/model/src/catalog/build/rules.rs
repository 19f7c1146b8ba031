//! Pass two: the rules of objects, which name fields and carry expressions.

mod capacity;
mod check;
mod exclude;
mod hold;
mod transitions;
mod unique;

use indexmap::IndexMap;

use super::{CatalogIssue, Draft, HANDLERS_MAX, Issues, Objects, Seen, constraint_name, key, objects::target};
use crate::{
    decl::{ObjectDecl, TimerDecl},
    expr::{Expression, Scope, Type},
    field::{Field, FieldType, OnDelete, OnPurge},
    name::{Name, ObjectName},
    nearest,
    object::{Capacity, Check, Exclude, Hold, Object, Referrer, Room, Timer, Transitions, Unique},
};

/// The most rules of a kind on one object.
const RULES_MAX: usize = 20;

/// Rules of one object that have been checked.
#[derive(Default)]
struct Rules {
    checks: Vec<Check>,
    excludes: Vec<Exclude>,
    capacities: Vec<Capacity>,
    hold: Option<Hold>,
    rooms: Vec<Room>,
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
        added_rules(draft, objects, &mut rules, &mut issues);
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
    for (target, room) in rooms(&rules) {
        if let Some(rules) = rules.get_mut(&target) {
            rules.rooms.push(room);
        }
    }
    for (name, rules) in rules {
        if let Some(object) = objects.all.get_mut(&name) {
            object.checks = rules.checks;
            object.excludes = rules.excludes;
            object.capacities = rules.capacities;
            object.hold = rules.hold;
            object.rooms = rules.rooms;
            object.uniques = rules.uniques;
            object.transitions = rules.transitions;
            object.timers = rules.timers;
            object.referrers = rules.referrers;
        }
    }
    check_constraint_names(drafts, objects, found);
}

/// What each object tells of the room that others' capacities have.
fn rooms(rules: &IndexMap<ObjectName, Rules>) -> Vec<(ObjectName, Room)> {
    let mut found = Vec::new();
    for (object, rules) in rules {
        for capacity in &rules.capacities {
            let reads = capacity.max.reads().related.into_iter().map(|(_, field)| field).collect();
            let room = Room { object: object.clone(), capacity: capacity.name.clone(), reads };
            if !room.reads.is_empty() {
                found.push((capacity.target.clone(), room));
            }
        }
    }
    found
}

/// Constraint names are the database's, where `a_b.c` and `a.b_c` would meet.
fn check_constraint_names(drafts: &[Draft<'_>], objects: &Objects, found: &mut Vec<CatalogIssue>) {
    let mut seen: IndexMap<&str, &ObjectName> = IndexMap::new();
    for object in objects.all.values() {
        let excludes = object.excludes.iter().flat_map(|one| one.on.iter().map(|on| &on.index));
        let names = object.uniques.iter().map(|one| &one.name).chain(excludes);
        for name in names {
            let Some(other) = seen.insert(name, &object.name).filter(|other| **other != object.name) else { continue };
            let Some(draft) = drafts.iter().find(|draft| *draft.id() == object.owner) else { continue };
            let message =
                format!("{} and {other} both have a constraint {name}: rename one of the objects", object.name);
            Issues { plugin: draft.id(), all: found }.add(format!("object.{}", object.name.short()), message);
        }
    }
}

/// Where a rule stands: all that its check needs to know.
struct Place<'a> {
    draft: &'a Draft<'a>,
    object: &'a Object,
    objects: &'a Objects,
    path: String,
}

impl<'a> Place<'a> {
    /// A part of the rule.
    fn at(&self, part: impl std::fmt::Display) -> Place<'a> {
        Place { path: format!("{}{part}", self.path), ..*self }
    }

    /// The object's own field of that name, or an issue.
    fn field(&self, name: &Name, issues: &mut Issues<'_>) -> Option<&'a Field> {
        let field = self.object.field(name.as_str());
        if field.is_none() {
            let own = self.object.fields.values().filter(|field| field.extension().is_none());
            let hint = nearest::hint(name.as_str(), own.map(|field| field.key.as_str()));
            issues.add(self.path.as_str(), format!("{} has no field {name}.{hint}", self.object.name));
        }
        field
    }

    /// The expression, or an issue.
    fn compile(&self, source: &str, expected: &Type, issues: &mut Issues<'_>) -> Option<Expression> {
        compile(source, self.draft, self.object, self.objects, expected, &self.path, issues)
    }

    /// The condition under which a record counts: as declared, and that its hold, if it has one, is not over.
    fn live(
        &self,
        source: Option<&String>,
        hold: Option<&Hold>,
        issues: &mut Issues<'_>,
    ) -> Option<Option<Expression>> {
        let declared = self.condition(source, issues)?;
        let Some(hold) = hold else { return Some(declared) };
        let Hold { field, value, until, .. } = hold;
        let not_over = format!("!({field} == '{value}' && {until} <= now)");
        let whole = match source {
            Some(source) => format!("({source}) && {not_over}"),
            None => not_over,
        };
        self.condition(Some(&whole), issues)
    }

    /// Passes codes of a choice.
    fn choice(&self, name: &Name, codes: &[(&str, &String)], issues: &mut Issues<'_>) -> Option<&'a Field> {
        let field = self.at(".field").field(name, issues)?;
        let FieldType::Choice { of } = &field.kind else {
            issues.add(format!("{}.field", self.path), format!("{name} is {}: take a choice", field.kind.name()));
            return None;
        };
        for (key, code) in codes {
            transitions::check_code(of, name.as_str(), code, &format!("{}.{key}", self.path), issues);
        }
        Some(field)
    }

    /// The engine takes a step by itself; where steps are declared, it must be among them.
    fn step(&self, decl: &ObjectDecl, field: &Name, from: &str, to: &str, issues: &mut Issues<'_>) {
        let Some(steps) = decl.transitions.get(field) else { return };
        if !steps.iter().any(|step| (step.from == from || step.from == "*") && step.to == to) {
            let message = format!(
                "{field} cannot go from {from} to {to}: add {{ from = \"{from}\", to = \"{to}\" }} to its transitions"
            );
            issues.add(self.path.as_str(), message);
        }
    }

    /// A condition that may be absent; none after an issue.
    fn condition(&self, source: Option<&String>, issues: &mut Issues<'_>) -> Option<Option<Expression>> {
        match source {
            Some(source) => self.compile(source, &Type::Bool, issues).map(Some),
            None => Some(None),
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
    let place = Place { draft, object, objects, path: format!("object.{}", object.name.short()) };
    for (kind, count) in [
        ("check", decl.check.len()),
        ("exclude", decl.exclude.len()),
        ("capacity", decl.capacity.len()),
        ("unique", decl.unique.len()),
    ] {
        if count > RULES_MAX {
            issues.add(place.path.as_str(), format!("an object has at most {RULES_MAX} {kind} rules"));
        }
    }
    for (number, one) in decl.check.iter().enumerate() {
        rules.checks.extend(check::check(one, &place.at(format_args!(".check[{number}]")), issues));
    }
    if let Some(one) = &decl.hold
        && let Some((hold, timer)) = hold::check(one, decl, &place.at(".hold"), issues)
    {
        rules.hold = Some(hold);
        rules.timers.push(timer);
    }
    for (number, one) in decl.exclude.iter().enumerate() {
        let place = place.at(format_args!(".exclude[{number}]"));
        if let Some(rule) = exclude::check(one, &place, rules.hold.as_ref(), &rules.excludes, issues) {
            rules.excludes.push(rule);
        }
    }
    for (number, one) in decl.capacity.iter().enumerate() {
        let place = place.at(format_args!(".capacity[{number}]"));
        rules.capacities.extend(capacity::check(one, decl, &place, rules.hold.as_ref(), issues));
    }
    unique::single(&place, &mut rules.uniques);
    unique::check(&decl.unique, &place, &mut rules.uniques, issues);
    for (name, steps) in &decl.transitions {
        let place = place.at(format_args!(".transitions.{name}"));
        rules.transitions.extend(transitions::check(name, steps, &place, issues));
    }
}

/// Rules of uniqueness over fields that a plugin added.
fn added_rules(draft: &Draft<'_>, objects: &Objects, rules: &mut IndexMap<ObjectName, Rules>, issues: &mut Issues<'_>) {
    for (target, decl) in &draft.manifest.extend {
        let (Some(object), Some(rules)) = (objects.all.get(target), rules.get_mut(target)) else { continue };
        let place = Place { draft, object, objects, path: format!("extend.{}", key(target.as_str())) };
        if decl.unique.len() > RULES_MAX {
            issues.add(place.path.as_str(), format!("an extension has at most {RULES_MAX} unique rules"));
        }
        unique::check(&decl.unique, &place, &mut rules.uniques, issues);
    }
}

fn timers(draft: &Draft<'_>, objects: &Objects, rules: &mut IndexMap<ObjectName, Rules>, issues: &mut Issues<'_>) {
    if draft.manifest.timer.len() > HANDLERS_MAX {
        issues.add("timer", format!("a plugin has at most {HANDLERS_MAX} timers"));
    }
    for (place, decl) in draft.manifest.timer.iter().enumerate() {
        let path = format!("timer[{place}]");
        let Some((on, at)) = followed(draft, place, decl, &path, issues) else { continue };
        let Some(object) = objects.find(on, draft, &format!("{path}.on"), issues) else { continue };
        let at = compile(at, draft, object, objects, &Type::DateTime, &format!("{path}.at"), issues);
        let condition = decl
            .condition
            .as_ref()
            .and_then(|source| compile(source, draft, object, objects, &Type::Bool, &format!("{path}.if"), issues));
        let Some(rules) = rules.get_mut(on) else { continue };
        if rules.timers.iter().any(|other| other.plugin == *draft.id() && other.action == decl.action) {
            let message = format!("{on} has two timers {}: name their actions apart", decl.action);
            issues.add(format!("{path}.action"), message);
        }
        if let Some(at) = at {
            rules.timers.push(Timer { plugin: draft.id().clone(), action: decl.action.clone(), at, condition });
        }
    }
}

/// An expression whose value is stored: it looks at nothing that changes without the record.
pub(super) fn compile_own(
    source: &str,
    draft: &Draft<'_>,
    object: &Object,
    objects: &Objects,
    expected: &Type,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<Expression> {
    let value = compile(source, draft, object, objects, expected, path, issues)?;
    let reads = value.reads();
    let told = if reads.now {
        Some("now: the stored value would not follow the clock; compare with now where it is read")
    } else if reads.children {
        Some("records that refer to it: use a rollup")
    } else if !reads.related.is_empty() {
        Some("other records: the stored value would not follow them; copy what it needs by a field with initial")
    } else if ["version", "updated_at"].iter().any(|key| reads.fields.contains(*key)) {
        Some("version or updated_at, which change with every write: use a field of its own")
    } else if !compiles_without_settings(source, draft, object, objects, expected) {
        Some("settings: the stored value would not follow them; use a number, or a field of its own")
    } else {
        None
    };
    if let Some(told) = told {
        issues.add(path, format!("a value that is stored cannot look at {told}"));
        return None;
    }
    Some(value)
}

/// What a timer follows and when; nothing if the plugin sets it itself, or if a half of it is missing.
fn followed<'d>(
    draft: &Draft<'_>,
    place: usize,
    decl: &'d TimerDecl,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<(&'d ObjectName, &'d str)> {
    match (&decl.on, &decl.at) {
        (Some(on), Some(at)) => return Some((on, at)),
        (Some(_), None) => {
            issues.add(path, "a timer that follows a record says when: add at = \"starts_at - duration('24h')\"");
        }
        (None, _) if decl.at.is_some() || decl.condition.is_some() => issues.add(
            path,
            "a timer with at or if follows a record: add on = \"contact\", or leave them out and set it by code",
        ),
        (None, _) => {
            let mut earlier = draft.manifest.timer.iter().take(place);
            if earlier.any(|other| other.on.is_none() && other.action == decl.action) {
                issues.add(format!("{path}.action"), format!("{} is there twice: take one out", decl.action));
            }
        }
    }
    None
}

/// Whether the expression means something without any setting of the plugin.
fn compiles_without_settings(
    source: &str,
    draft: &Draft<'_>,
    object: &Object,
    objects: &Objects,
    expected: &Type,
) -> bool {
    let seen = Seen { objects, from: draft };
    let scope = Scope {
        object,
        objects: &seen,
        settings: &std::collections::BTreeMap::new(),
        parameters: &[],
        zone: draft.zone,
    };
    Expression::compile(source, &scope, expected).is_ok()
}

pub(super) fn compile(
    source: &str,
    draft: &Draft<'_>,
    object: &Object,
    objects: &Objects,
    expected: &Type,
    path: &str,
    issues: &mut Issues<'_>,
) -> Option<Expression> {
    let seen = Seen { objects, from: draft };
    let scope = Scope { object, objects: &seen, settings: &draft.settings, parameters: &[], zone: draft.zone };
    match Expression::compile(source, &scope, expected) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let place = if error.excerpt.is_empty() { String::new() } else { format!("\n{}", error.excerpt) };
            issues.add(path, format!("{}{place}", error.message));
            None
        }
    }
}
