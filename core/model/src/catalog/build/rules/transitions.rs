//! `transitions`: which value of a choice may follow which.

use std::collections::HashSet;

use super::{Issues, Place};
use crate::{
    decl::TransitionDecl,
    field::FieldType,
    name::Name,
    nearest,
    object::{Step, Transitions},
};

/// The most steps of a choice.
const STEPS_MAX: usize = 500;

pub(super) fn check(
    name: &Name,
    steps: &[TransitionDecl],
    place: &Place<'_>,
    issues: &mut Issues<'_>,
) -> Option<Transitions> {
    let field = place.field(name, issues)?;
    let FieldType::Choice { of } = &field.kind else {
        issues.add(place.path.as_str(), format!("{name} is {}: only a choice has transitions", field.kind.name()));
        return None;
    };
    if steps.len() > STEPS_MAX {
        issues.add(place.path.as_str(), format!("a choice has at most {STEPS_MAX} transitions"));
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter().enumerate() {
        let place = place.at(format_args!("[{number}]"));
        if step.from != "*" {
            check_code(of, name.as_str(), &step.from, &format!("{}.from", place.path), issues);
        }
        check_code(of, name.as_str(), &step.to, &format!("{}.to", place.path), issues);
        // A step may stand there once for each group of roles.
        if !seen.insert((&step.from, &step.to, step.roles.as_slice())) {
            issues.add(
                place.path.as_str(),
                format!("the step from {} to {} is there twice: join their guards with ||", step.from, step.to),
            );
        }
        let guard = place.at(".guard").condition(step.guard.as_ref(), issues).flatten();
        let from = (step.from != "*").then(|| step.from.clone());
        checked.push(Step { from, to: step.to.clone(), guard, roles: step.roles.clone() });
    }
    Some(Transitions { field: name.to_string(), steps: checked })
}

/// Passes a code that the choice has.
pub(super) fn check_code(of: &[String], field: &str, code: &str, path: &str, issues: &mut Issues<'_>) {
    if !of.iter().any(|known| known == code) {
        let hint = nearest::hint(code, of.iter().map(String::as_str));
        issues.add(path, format!("{field} has no code \"{code}\"; it has {}.{hint}", of.join(", ")));
    }
}
