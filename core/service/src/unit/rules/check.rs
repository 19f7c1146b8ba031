//! `check`: what must hold for every record, whoever writes it.

use pergola_model::{FieldIssue, Object, decl::text_in, expr::Env, object::Check};

use super::{Touched, Unit};
use crate::{error::Error, mutants::Rule};

impl Unit {
    /// Passes when all checks hold for all records; tells all that do not hold for the first that fails.
    pub(super) async fn check_rules(&mut self, object: &Object, touched: &[Touched<'_>]) -> Result<(), Error> {
        if object.checks.is_empty() || self.workspace.is_off(Rule::Check) {
            return Ok(());
        }
        let records: Vec<_> = touched.iter().map(|one| one.record).collect();
        let expressions: Vec<_> = object.checks.iter().map(|check| &check.rule).collect();
        let around = self.surroundings_all(object, &records, &expressions).await?;
        for (record, around) in records.iter().zip(&around) {
            let env = around.env(record, self.now);
            let language = &self.locale.language;
            let issues: Vec<_> = object.checks.iter().filter_map(|check| issue(check, &env, language)).collect();
            if !issues.is_empty() {
                return Err(Error::Invalid(issues));
            }
        }
        Ok(())
    }
}

fn issue(check: &Check, env: &Env<'_>, language: &str) -> Option<FieldIssue> {
    let source = check.rule.source();
    match check.rule.holds(env) {
        Ok(true) => None,
        Ok(false) => {
            let message = text_in(&check.message, language).map(str::to_owned);
            let message = message.unwrap_or_else(|| format!("this must hold: {source}"));
            Some(FieldIssue::new(check.field.as_str(), "check", message))
        }
        Err(error) => {
            let message = format!("the rule {source} cannot be computed for this record: {error}");
            Some(FieldIssue::new(check.field.as_str(), "not_computable", message))
        }
    }
}
