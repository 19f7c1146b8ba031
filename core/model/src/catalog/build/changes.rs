//! Declared changes of stored data: what can be told of them without the installed version.

use super::{Draft, Issues};

/// The most steps of a plugin.
const CHANGES_MAX: usize = 500;

/// Checks that each step is one, and of a version that has come.
pub(super) fn check(draft: &Draft<'_>, issues: &mut Issues<'_>) {
    let manifest = draft.manifest;
    if manifest.change.len() > CHANGES_MAX {
        issues.add(
            "change",
            format!("a plugin has at most {CHANGES_MAX} changes: take out those of the oldest versions"),
        );
    }
    for (number, change) in manifest.change.iter().enumerate() {
        let path = format!("change[{number}]");
        let parts = [change.rename.is_some(), change.retype.is_some(), change.drop.is_some()];
        if parts.iter().filter(|is_there| **is_there).count() != 1 {
            issues.add(path.as_str(), "a change is one of rename, retype and drop: write one");
        }
        if change.version > manifest.version {
            let message =
                format!("this is version {}: a change belongs to the version that brings it", manifest.version);
            issues.add(format!("{path}.version"), message);
        }
        if change.rename.as_ref().is_some_and(|rename| rename.from == rename.to) {
            issues.add(format!("{path}.rename.to"), "the name is the same: take this step out");
        }
    }
}
