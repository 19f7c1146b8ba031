//! A manifest in plain words, for people who decide whether to install it.

use std::fmt::Write;

use pergola_model::{
    change::ChangeKind,
    decl::{
        CapacityDecl, ChangeDecl, DropDecl, FieldDecl, Label, LedgerDecl, Manifest, Nulls, ObjectDecl, OnError,
        OnFailure, Phase, RouteAuth, TransitionDecl, UniqueDecl,
    },
    name::{Name, ObjectName},
};

/// What a plugin brings and asks for, in plain words.
///
/// Shape: a heading line, then sections with their lines indented by two; sections without content are left out.
#[must_use]
pub fn explain(manifest: &Manifest) -> String {
    let mut page = Page::default();
    let label = text(&manifest.label).map(|label| format!(": {label}")).unwrap_or_default();
    page.line(format!("{} {}{label}", manifest.id, manifest.version));
    if let Some(description) = text(&manifest.description) {
        page.line(description.to_owned());
    }
    page.line(format!("Works with version {} of the plugin contract.", manifest.api));
    page.section("Needs first", manifest.requires.iter().map(|(id, range)| format!("{id} {range}")));
    page.section("Adds objects", manifest.object.iter().flat_map(|(name, decl)| object(manifest, name, decl)));
    page.section(
        "Adds fields to others' objects",
        manifest.extend.iter().flat_map(|(target, decl)| {
            let rules = decl.unique.iter().map(|one| format!("  {}", unique(one)));
            std::iter::once(format!("{target}: {}", fields(decl.fields.iter()))).chain(rules)
        }),
    );
    handlers(manifest, &mut page);
    page.section(
        "Changes stored data",
        manifest.change.iter().map(|one| format!("since {}: {}", one.version, change(one))),
    );
    page.section("Asks for the right to", rights(manifest));
    page.section("Can be set up by", settings(manifest));
    page.text
}

/// Text with sections.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: String) {
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn section(&mut self, heading: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.line(format!("\n{heading}:"));
            lines.for_each(|line| self.line(format!("  {line}")));
        }
    }
}

fn handlers(manifest: &Manifest, page: &mut Page) {
    page.section(
        "Runs inside each write, and may stop it",
        manifest.hook.iter().map(|hook| {
            let phase = if hook.phase == Phase::Before { "before" } else { "after" };
            let failure = match hook.on_failure {
                OnFailure::Reject => "if it fails, nothing is written",
                OnFailure::Skip => "if it fails, the write goes on",
            };
            format!("{phase} {} of {}; {failure}", kinds(&hook.when), hook.on)
        }),
    );
    page.section(
        "Is told afterwards",
        manifest.event.iter().map(|event| format!("{} of {}", kinds(&event.when), event.on)),
    );
    page.section(
        "Wakes up by itself",
        manifest.timer.iter().map(|timer| {
            let condition = timer.condition.as_ref().map(|condition| format!(", if {condition}")).unwrap_or_default();
            match (&timer.on, &timer.at) {
                (Some(on), Some(at)) => format!("{} for each {on}, at {at}{condition}", timer.action),
                _ => format!("{} when it has set itself a time for it", timer.action),
            }
        }),
    );
    page.section(
        "Adds commands",
        manifest.action.iter().map(|action| match text(&action.label) {
            Some(label) => format!("{}: {label}", action.id),
            None => action.id.to_string(),
        }),
    );
    page.section(
        "Answers HTTP",
        manifest.route.iter().map(|route| {
            let who = match route.auth {
                RouteAuth::User => "for people who are signed in",
                RouteAuth::Public => "for anybody, without signing in",
            };
            format!("{} /p/{}{} {who}", route.method.to_uppercase(), manifest.id, route.path)
        }),
    );
}

fn object(manifest: &Manifest, name: &Name, decl: &ObjectDecl) -> Vec<String> {
    let label = text(&decl.label).map(|label| format!(" ({label})")).unwrap_or_default();
    let name = ObjectName::in_plugin(&manifest.id, name);
    let mut lines = vec![format!("{name}{label}: {}", fields(decl.fields.iter()))];
    lines.extend(decl.exclude.iter().map(|one| {
        let [from, until] = &one.during;
        let condition = one.when.as_ref().map(|when| format!(" among those where {when}")).unwrap_or_default();
        format!("  no two of the same {} overlap between {from} and {until}{condition}", names(&one.on, " or "))
    }));
    lines.extend(decl.unique.iter().map(|one| format!("  {}", unique(one))));
    lines.extend(decl.capacity.iter().map(capacity));
    lines.extend(decl.hold.iter().map(|one| {
        format!(
            "  {} stays {} until {}, by itself {} minutes, then {}",
            one.field, one.value, one.until, one.minutes, one.then
        )
    }));
    lines.extend(decl.check.iter().map(|one| format!("  in every one, {}", one.rule)));
    lines.extend(decl.transitions.iter().map(|(field, steps)| {
        let steps: Vec<String> = steps.iter().map(step).collect();
        format!("  {field} goes only {}", steps.join(", "))
    }));
    lines.extend(decl.ledger.as_ref().map(ledger));
    lines
}

fn change(one: &ChangeDecl) -> String {
    if let Some(rename) = &one.rename {
        return format!("{} of {} is called {}", rename.from, rename.object, rename.to);
    }
    if let Some(retype) = &one.retype {
        let misfits = if retype.on_error == OnError::Null { "; values that do not fit are lost" } else { "" };
        return format!("{} of {} has another type{misfits}", retype.field, retype.object);
    }
    match &one.drop {
        Some(DropDecl { object, field: Some(field) }) => format!("{field} of {object} is lost"),
        Some(DropDecl { object, field: None }) => format!("all records of {object} are lost"),
        None => String::new(),
    }
}

fn unique(one: &UniqueDecl) -> String {
    let condition = one.when.as_ref().map(|when| format!(" among those where {when}")).unwrap_or_default();
    let case = if one.ignore_case { ", whatever the case" } else { "" };
    let nulls = if one.nulls == Nulls::Equal { "; having none is the same, too" } else { "" };
    format!("no two have the same {}{condition}{case}{nulls}", names(&one.fields, " and "))
}

fn capacity(one: &CapacityDecl) -> String {
    let size = one.size.as_ref().map(|size| format!(", each taking {size}")).unwrap_or_default();
    let condition = one.when.as_ref().map(|when| format!(" among those where {when}")).unwrap_or_default();
    let waiting = one.waiting.as_ref().map(|waiting| format!("; others wait as {}", waiting.value)).unwrap_or_default();
    format!("  at most {} of the same {}{size}{condition}{waiting}", one.max, one.on)
}

fn step(step: &TransitionDecl) -> String {
    let roles: Vec<&str> = step.roles.iter().map(|role| role.as_str()).collect();
    let by = if roles.is_empty() { String::new() } else { format!(" (only by: {})", roles.join(", ")) };
    format!("{} → {}{by}", step.from, step.to)
}

fn names(names: &[Name], word: &str) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(word)
}

fn fields<'a>(fields: impl Iterator<Item = (&'a Name, &'a FieldDecl)>) -> String {
    let shown = fields.map(|(name, decl)| {
        let target = decl.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
        let required = if decl.required { ", required" } else { "" };
        format!("{name} ({}{target}{required}{})", decl.kind, computed(decl))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Where a field's value comes from, if nobody writes it.
fn computed(decl: &FieldDecl) -> String {
    if let Some(rollup) = &decl.rollup {
        return format!(", counted from {}", rollup.of);
    }
    if let Some(formula) = &decl.formula {
        return format!(", computed as {formula}");
    }
    match &decl.sequence {
        Some(sequence) => match &sequence.per {
            Some(per) => format!(", numbered for each {per}"),
            None => ", numbered".to_owned(),
        },
        None => decl.initial.as_ref().map(|initial| format!(", at first {initial}")).unwrap_or_default(),
    }
}

/// A ledger in words.
fn ledger(decl: &LedgerDecl) -> String {
    let unit = decl.unit.as_ref().map(|unit| format!(" and {unit}")).unwrap_or_default();
    let floor = decl.floor.map(|floor| format!(", never below {floor}")).unwrap_or_default();
    let transfer = decl.transfer.as_ref().map(|key| format!("; those of one {key} come to 0")).unwrap_or_default();
    format!(
        "  entries stay as they are and add {} to the balance of each {}{unit}{floor}{transfer}",
        decl.amount, decl.account
    )
}

fn rights(manifest: &Manifest) -> Vec<String> {
    let asked = &manifest.capabilities;
    let mut lines: Vec<String> = asked
        .records
        .iter()
        .map(|(pattern, operations)| {
            let operations = match operations.trim() {
                "all" => "read, create, update and delete".to_owned(),
                list => list.split(',').map(str::trim).collect::<Vec<_>>().join(", "),
            };
            format!("{operations} {}", covered(pattern))
        })
        .collect();
    lines.extend(
        asked
            .own_rights
            .iter()
            .map(|pattern| format!("do so by its own right, whoever calls, with {}", covered(pattern))),
    );
    if asked.messages {
        lines.push("send messages to contacts".to_owned());
    }
    lines
}

fn covered(pattern: &str) -> String {
    match pattern.strip_suffix(".*") {
        Some(plugin) => format!("all records of {plugin}"),
        None if pattern == "*" => "all records of the business".to_owned(),
        None => format!("records of {pattern}"),
    }
}

fn settings(manifest: &Manifest) -> Vec<String> {
    let shown = manifest.settings.iter().map(|(name, decl)| {
        let mut line = format!("{name} ({})", decl.kind);
        if let Some(label) = text(&decl.label) {
            // Writing to a string cannot fail.
            let _infallible = write!(line, ": {label}");
        }
        if let Some(default) = &decl.default {
            let _infallible = write!(line, "; {default} unless changed");
        }
        line
    });
    shown.collect()
}

fn kinds(kinds: &[ChangeKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

/// The English text, or the first there is.
fn text(label: &Label) -> Option<&str> {
    label.get("en").or_else(|| label.values().next()).map(String::as_str)
}
