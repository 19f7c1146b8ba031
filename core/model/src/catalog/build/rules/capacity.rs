//! `capacity`: there is room for only so many.

use std::collections::BTreeSet;

use super::{Issues, Place, constraint_name};
use crate::{
    decl::{CapacityDecl, ObjectDecl, WaitingDecl},
    expr::{Expression, Type},
    field::FieldType,
    object::{Capacity, Hold, Waiting},
};

pub(super) fn check(
    decl: &CapacityDecl,
    object: &ObjectDecl,
    place: &Place<'_>,
    hold: Option<&Hold>,
    issues: &mut Issues<'_>,
) -> Option<Capacity> {
    if object.capacity.len() > 1 && decl.waiting.is_some() {
        let message = "an object whose records wait has one capacity: room in one would not tell of room in another";
        issues.add(format!("{}.waiting", place.path), message);
    }
    if object.capacity.iter().filter(|other| other.on == decl.on).count() > 1 {
        issues.add(format!("{}.on", place.path), format!("{} has two capacities: take one out", decl.on));
    }
    let on = place.at(".on").field(&decl.on, issues);
    let target = match on.map(|field| &field.kind) {
        Some(FieldType::Ref { to, .. }) => Some(to.clone()),
        Some(other) => {
            issues.add(format!("{}.on", place.path), format!("{} is {}: take a ref", decl.on, other.name()));
            None
        }
        None => None,
    };
    let max = place.at(".max").compile(&decl.max, &Type::Integer, issues);
    check_max(max.as_ref(), decl, place, issues);
    let size = decl.size.as_ref().map(|size| place.at(".size").compile(size, &Type::Integer, issues));
    own_fields_only(size.as_ref().and_then(Option::as_ref), "size", place, issues);
    // What is declared must not look at the time, although a hold does: its end is a write.
    let declared = place.at(".when").condition(decl.when.as_ref(), issues)?;
    own_fields_only(declared.as_ref(), "when", place, issues);
    let when = place.at(".when").live(decl.when.as_ref(), hold, issues)?;
    let waiting = decl.waiting.as_ref().map(|waiting| waits(waiting, object, &place.at(".waiting"), issues));
    let size = match size {
        Some(size) => Some(size?),
        None => None,
    };
    let waiting = match waiting {
        Some(waiting) => Some(waiting?),
        None => None,
    };
    let mut reads = BTreeSet::from([decl.on.to_string()]);
    reads.extend(waiting.iter().map(|waiting: &Waiting| waiting.field.clone()));
    reads.extend([&size, &when].into_iter().flatten().flat_map(|expression: &Expression| expression.reads().fields));
    Some(Capacity {
        name: constraint_name(&[place.object.name.as_str(), "capacity", decl.on.as_str()]),
        on: decl.on.to_string(),
        target: target?,
        max: max?,
        size,
        when,
        waiting,
        reads,
    })
}

/// How much room there is must be the same for all that are in it, and change with a write of that alone.
fn check_max(max: Option<&Expression>, decl: &CapacityDecl, place: &Place<'_>, issues: &mut Issues<'_>) {
    let Some(reads) = max.map(Expression::reads) else { return };
    let is_elsewhere = reads.related.iter().any(|(path, _)| path.as_slice() != [decl.on.as_str()]);
    if !reads.fields.is_empty() || reads.now || reads.children || is_elsewhere {
        let message = format!("max is a number or made of fields of what {0} refers to, such as {0}.seats", decl.on);
        issues.add(format!("{}.max", place.path), message);
    }
}

fn own_fields_only(expression: Option<&Expression>, key: &str, place: &Place<'_>, issues: &mut Issues<'_>) {
    if expression.is_some_and(|expression| !expression.reads().only_own_fields()) {
        let message = format!("{key} is made of own fields only, without now: else room would come and go unseen");
        issues.add(format!("{}.{key}", place.path), message);
    }
}

fn waits(decl: &WaitingDecl, object: &ObjectDecl, place: &Place<'_>, issues: &mut Issues<'_>) -> Option<Waiting> {
    let field = place.choice(&decl.field, &[("value", &decl.value), ("then", &decl.then)], issues);
    if decl.value == decl.then {
        issues.add(format!("{}.then", place.path), "who waits gets another code once there is room");
    }
    place.step(object, &decl.field, &decl.value, &decl.then, issues);
    Some(Waiting { field: field?.key.clone(), value: decl.value.clone(), then: decl.then.clone() })
}
