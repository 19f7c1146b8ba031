//! Follows declared changes, step by step, from the fields of the installed version to those of the new one.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{Fate, FieldChange, Upgrade, can_convert, described, is_widening};
use crate::{
    catalog::{Catalog, CatalogIssue},
    decl::{ChangeDecl, Manifest, OnError},
    field::{Field, FieldType},
    name::{Name, ObjectName},
    object::Object,
};

/// A stored field on its way.
struct Stored {
    before: Field,
    /// What becomes of values that do not fit, once another type was declared.
    retyped: Option<OnError>,
}

/// Stored fields of an object that belong to the plugin, by the key that they have by now.
struct Place {
    object: Arc<Object>,
    fields: IndexMap<String, Stored>,
}

struct Follow<'a> {
    installed: &'a Manifest,
    upgraded: &'a Manifest,
    after: &'a Catalog,
    places: IndexMap<ObjectName, Place>,
    upgrade: Upgrade,
    issues: Vec<CatalogIssue>,
}

pub(super) fn follow(
    installed: &Manifest,
    before: &Catalog,
    upgraded: &Manifest,
    after: &Catalog,
) -> Result<Upgrade, Vec<CatalogIssue>> {
    let mut follow = Follow {
        installed,
        upgraded,
        after,
        places: places(installed, before),
        upgrade: Upgrade::default(),
        issues: Vec::new(),
    };
    let mut steps: Vec<(usize, &ChangeDecl)> = upgraded.change.iter().enumerate().collect();
    steps.retain(|(_, step)| step.version > installed.version && step.version <= upgraded.version);
    steps.sort_by(|(_, one), (_, other)| one.version.cmp(&other.version));
    for (number, step) in steps {
        follow.step(number, step);
    }
    follow.arrive();
    if follow.issues.is_empty() { Ok(follow.upgrade) } else { Err(follow.issues) }
}

/// The plugin's objects with their own fields, and others' with those that it added.
fn places(installed: &Manifest, before: &Catalog) -> IndexMap<ObjectName, Place> {
    let own = installed.object.keys().map(|name| (ObjectName::in_plugin(&installed.id, name), None));
    let added = installed.extend.keys().map(|name| (name.clone(), Some(installed.id.as_str())));
    let mut places = IndexMap::new();
    for (name, plugin) in own.chain(added) {
        let Some(object) = before.object(&name) else { continue };
        let of_plugin = object.fields.values().filter(|field| field.extension().map(|(plugin, _)| plugin) == plugin);
        let fields =
            of_plugin.map(|field| (field.key.clone(), Stored { before: field.clone(), retyped: None })).collect();
        places.insert(name, Place { object: Arc::clone(object), fields });
    }
    places
}

impl Follow<'_> {
    fn issue(&mut self, path: String, message: String) {
        self.issues.push(CatalogIssue { plugin: self.upgraded.id.clone(), path, message });
    }

    /// The object that a step names: the plugin's own, or another's.
    fn named(&self, name: &ObjectName) -> ObjectName {
        let own = Name::new(name.as_str()).map(|short| ObjectName::in_plugin(&self.installed.id, &short));
        own.ok().filter(|own| self.places.contains_key(own)).unwrap_or_else(|| name.clone())
    }

    fn key(&self, object: &ObjectName, field: &Name) -> String {
        let id = self.installed.id.as_str();
        if object.plugin() == Some(id) { field.to_string() } else { format!("{id}.{field}") }
    }

    fn step(&mut self, number: usize, step: &ChangeDecl) {
        let path = format!("change[{number}]");
        if let Some(rename) = &step.rename {
            let object = self.named(&rename.object);
            let (from, to) = (self.key(&object, &rename.from), self.key(&object, &rename.to));
            let Some(fields) = self.fields(&object, &path) else { return };
            if fields.contains_key(&to) {
                return self.issue(format!("{path}.rename.to"), format!("{object} has a field {to} by then"));
            }
            match fields.shift_remove(&from) {
                Some(stored) => drop(fields.insert(to, stored)),
                None => self.issue(format!("{path}.rename.from"), no_field(&object, &from)),
            }
        }
        if let Some(retype) = &step.retype {
            let object = self.named(&retype.object);
            let key = self.key(&object, &retype.field);
            let Some(fields) = self.fields(&object, &path) else { return };
            match fields.get_mut(&key) {
                // Of several, the strictest counts: the values go from the first type to the last at once.
                Some(stored) if stored.retyped == Some(OnError::Refuse) => {}
                Some(stored) => stored.retyped = Some(retype.on_error),
                None => self.issue(format!("{path}.retype.field"), no_field(&object, &key)),
            }
        }
        if let Some(dropped) = &step.drop {
            let object = self.named(&dropped.object);
            match &dropped.field {
                Some(field) => self.drop_field(&object, &self.key(&object, field), &path),
                None => self.drop_object(&object, &path),
            }
        }
    }

    fn fields(&mut self, object: &ObjectName, path: &str) -> Option<&mut IndexMap<String, Stored>> {
        if !self.places.contains_key(object) {
            let message = format!("{} {} has no {object} by then", self.installed.id, self.installed.version);
            self.issue(path.to_owned(), message);
        }
        self.places.get_mut(object).map(|place| &mut place.fields)
    }

    fn drop_field(&mut self, object: &ObjectName, key: &str, path: &str) {
        let Some(fields) = self.fields(object, path) else { return };
        let Some(stored) = fields.shift_remove(key) else {
            return self.issue(format!("{path}.drop.field"), no_field(object, key));
        };
        let Some(place) = self.places.get(object) else { return };
        let (object, before) = (Arc::clone(&place.object), stored.before);
        self.upgrade.fields.push(FieldChange { object, before, fate: Fate::Dropped });
    }

    fn drop_object(&mut self, object: &ObjectName, path: &str) {
        if object.plugin() != Some(self.installed.id.as_str()) {
            let message = format!("{object} is not this plugin's own: drop the fields that it added, one by one");
            return self.issue(format!("{path}.drop.object"), message);
        }
        if self.fields(object, path).is_none() {
            return;
        }
        if let Some(place) = self.places.shift_remove(object) {
            // With it go its fields.
            self.upgrade.fields.retain(|change| change.object.name != *object);
            self.upgrade.dropped.push(place.object);
        }
    }

    /// Compares what has come about with what the new version declares.
    fn arrive(&mut self) {
        for (name, place) in std::mem::take(&mut self.places) {
            let Some(object) = self.after.object(&name) else {
                let (path, short) = (format!("object.{}", name.short()), name.short().to_owned());
                let step = self.write(&format!("drop = {{ object = \"{short}\" }}"));
                self.issue(path, format!("{name} is stored and no longer declared. To lose its records, {step}"));
                continue;
            };
            let object = Arc::clone(object);
            for (key, stored) in place.fields {
                match object.field(&key) {
                    Some(field) => self.arrive_field(&place.object, field, stored),
                    None => self.undeclared(&object, &place.object, &key, &stored),
                }
            }
        }
    }

    fn arrive_field(&mut self, object: &Arc<Object>, field: &Field, stored: Stored) {
        let (from, to) = (&stored.before.kind, &field.kind);
        let is_widening = is_widening(from, to);
        if !is_widening && !can_convert(from, to) {
            let message = format!(
                "{} of {} holds {} and cannot become {}: declare a field of another name, and drop this one",
                stored.before.key,
                object.name,
                described(from),
                described(to)
            );
            return self.issue(self.path(&object.name, &field.key), message);
        }
        let fate = match stored.retyped {
            // The codes of a choice may be fewer now: whoever says so has them looked at.
            Some(on_error) if from != to => Fate::Retyped(field.clone(), on_error),
            _ if is_widening && stored.before.key == field.key => return,
            _ if is_widening => Fate::Renamed(field.clone()),
            _ => {
                let short = short(&field.key);
                let step = format!("retype = {{ object = \"{}\", field = \"{short}\" }}", self.called(&object.name));
                let (from, to, step) = (described(from), described(to), self.write(&step));
                let message = format!(
                    "{} of {} holds {from} and is now declared as {to}. To convert its values, {step}; with \
                     on_error = \"null\", those that do not fit are lost",
                    field.key, object.name
                );
                return self.issue(self.path(&object.name, &field.key), message);
            }
        };
        self.upgrade.fields.push(FieldChange { object: Arc::clone(object), before: stored.before, fate });
    }

    fn undeclared(&mut self, after: &Object, before: &Object, key: &str, stored: &Stored) {
        let (object, short) = (self.called(&after.name), short(key));
        let is_new = |field: &&Field| {
            before.field(&field.key).is_none()
                && field.extension().map(|(plugin, _)| plugin) == stored.before.extension().map(|(plugin, _)| plugin)
        };
        let alike = |field: &&Field| same_kind(&field.kind, &stored.before.kind);
        let new = after.fields.values().filter(is_new).find(alike);
        let to = new.map_or("…", |field| self::short(&field.key));
        let drop = self.write(&format!("drop = {{ object = \"{object}\", field = \"{short}\" }}"));
        let message = format!(
            "{key} of {} is stored and no longer declared. To lose its values, {drop}; if it has another name now, \
             rename = {{ object = \"{object}\", from = \"{short}\", to = \"{to}\" }} instead",
            after.name
        );
        self.issue(self.path(&after.name, key), message);
    }

    /// The step to write, and the version with which it counts.
    fn write(&self, step: &str) -> String {
        let version = &self.upgraded.version;
        if *version > self.installed.version {
            return format!("write [[change]] version = \"{version}\" {step}");
        }
        let next = semver::Version::new(self.installed.version.major, self.installed.version.minor + 1, 0);
        format!("make the plugin's version {next} and write [[change]] version = \"{next}\" {step}")
    }

    /// An object as a step names it.
    fn called(&self, object: &ObjectName) -> String {
        let is_own = object.plugin() == Some(self.installed.id.as_str());
        if is_own { object.short().to_owned() } else { object.to_string() }
    }

    fn path(&self, object: &ObjectName, key: &str) -> String {
        match object.plugin() == Some(self.installed.id.as_str()) {
            true => format!("object.{}.fields.{}", object.short(), short(key)),
            false => format!("extend.{object}.fields.{}", short(key)),
        }
    }
}

fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn same_kind(one: &FieldType, other: &FieldType) -> bool {
    one.name() == other.name()
}

fn no_field(object: &ObjectName, key: &str) -> String {
    format!("{object} has no field {key} by then: correct the name, or take this step out")
}
