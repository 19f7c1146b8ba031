//! `transitions`: which value of a choice may follow which, when, and who may say so.

use pergola_model::{Actor, FieldIssue, Fields, Object, Record, Role, object::Step};

use super::Unit;
use crate::error::Error;

/// Why a declared step is not taken.
enum Refusal {
    Undeclared,
    Guard(String),
    Roles(Vec<Role>),
}

impl Unit {
    /// Passes when every choice with declared transitions takes a step that is permitted to the actor.
    pub(in crate::unit) async fn check_transitions(
        &mut self,
        actor: &Actor,
        object: &Object,
        before: &Fields,
        after: &Record,
    ) -> Result<(), Error> {
        for rule in &object.transitions {
            let (old, new) = (before.get(&rule.field), after.fields.get(&rule.field));
            let (Some(old_code), Some(new_code)) = (old.as_text(), new.as_text()) else { continue };
            if old_code == new_code {
                continue;
            }
            let steps = rule.steps.iter().filter(|step| step.to == new_code);
            let steps = steps.filter(|step| step.from.as_deref().is_none_or(|from| from == old_code));
            if let Some(refusal) = self.refusal(actor, object, after, steps).await? {
                return Err(no_step(&rule.field, old_code, new_code, refusal));
            }
        }
        Ok(())
    }

    /// None if one of the steps may be taken.
    async fn refusal(
        &mut self,
        actor: &Actor,
        object: &Object,
        after: &Record,
        steps: impl Iterator<Item = &Step>,
    ) -> Result<Option<Refusal>, Error> {
        let mut refusal = Refusal::Undeclared;
        for step in steps {
            if !may_take(actor, step) {
                refusal = Refusal::Roles(step.roles.clone());
                continue;
            }
            match &step.guard {
                Some(guard) if !self.holds(object, after, guard).await? => {
                    refusal = Refusal::Guard(guard.source().to_owned());
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(refusal))
    }
}

fn may_take(actor: &Actor, step: &Step) -> bool {
    match actor {
        Actor::System => true,
        Actor::User { role, .. } => step.roles.is_empty() || step.roles.contains(role),
        Actor::Public => step.roles.is_empty(),
    }
}

fn no_step(field: &str, old: &str, new: &str, refusal: Refusal) -> Error {
    let message = match refusal {
        Refusal::Undeclared => format!("{field} cannot go from {old} to {new}"),
        Refusal::Guard(guard) => format!("{field} may go from {old} to {new} only if {guard}"),
        Refusal::Roles(roles) => {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            let message = format!("{field} may go from {old} to {new} only by: {}", roles.join(", "));
            return Error::Forbidden(format!("{message}; ask one of them"));
        }
    };
    Error::Conflict { code: "transition", issues: vec![FieldIssue::new(field, "transition", message.clone())], message }
}
