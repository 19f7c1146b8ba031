//! Rules that a test breaks in the program, to show that it would notice.

use pergola_service::mutants::{self, Rule};

use crate::say::problem;

/// Their names, with commas between.
const VARIABLE: &str = "PERGOLATEST_BROKEN_RULES";

/// The rules to break. A program that people use has no switches for it, and does not start.
#[expect(clippy::disallowed_methods, reason = "the switches are no configuration, so its reader does not know them")]
pub(crate) fn rules() -> anyhow::Result<Vec<Rule>> {
    let Ok(names) = std::env::var(VARIABLE) else { return Ok(Vec::new()) };
    if !mutants::BUILT_IN {
        return Err(problem(format!("{VARIABLE} is for builds that test themselves; unset it")));
    }
    let rule = |name| Rule::named(name).ok_or_else(|| problem(format!("{VARIABLE}: there is no rule {name}")));
    names.split(',').map(rule).collect()
}
