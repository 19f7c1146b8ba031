//! Where values went that were kept under the names of an earlier version, in the bin.

use crate::{decl::Manifest, name::ObjectName};

/// What became of a field of an earlier version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It has this key now.
    To(String),
    /// It is no more.
    Dropped,
}

/// What the declared changes of a manifest say of a field that is not there under this key; none if they say nothing.
#[must_use]
pub fn moved(manifest: &Manifest, object: &ObjectName, key: &str) -> Option<Moved> {
    let id = manifest.id.as_str();
    let is_own = object.plugin() == Some(id);
    let name = if is_own { key } else { key.strip_prefix(id)?.strip_prefix('.')? };
    let is_of = |named: &ObjectName| named == object || (is_own && named.as_str() == object.short());
    let mut steps: Vec<_> = manifest.change.iter().collect();
    steps.sort_by(|one, other| one.version.cmp(&other.version));
    let mut now = name;
    for step in steps {
        if let Some(rename) = step.rename.as_ref().filter(|rename| is_of(&rename.object) && rename.from.as_str() == now)
        {
            now = rename.to.as_str();
        }
        let drops = |field: Option<&str>| field == Some(now);
        if step
            .drop
            .as_ref()
            .is_some_and(|drop| is_of(&drop.object) && drops(drop.field.as_ref().map(|field| field.as_str())))
        {
            return Some(Moved::Dropped);
        }
    }
    (now != name).then(|| Moved::To(if is_own { now.to_owned() } else { format!("{id}.{now}") }))
}
