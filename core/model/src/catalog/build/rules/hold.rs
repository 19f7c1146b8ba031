//! `hold`: a code that a record has only for a while, and the engine's own timer that ends it.

use jiff::SignedDuration;

use super::{Issues, Place};
use crate::{
    decl::{HoldDecl, ObjectDecl},
    expr::Type,
    field::FieldType,
    name::{Name, PluginId},
    object::{Hold, Timer},
};

/// The longest hold that is set by itself: a year.
const MINUTES_MAX: u32 = 525_600;

pub(super) fn check(
    decl: &HoldDecl,
    object: &ObjectDecl,
    place: &Place<'_>,
    issues: &mut Issues<'_>,
) -> Option<(Hold, Timer)> {
    let field = place.choice(&decl.field, &[("value", &decl.value), ("then", &decl.then)], issues);
    let until = place.at(".until").field(&decl.until, issues);
    if let Some(until) = until.filter(|until| until.kind != FieldType::DateTime) {
        issues
            .add(format!("{}.until", place.path), format!("{} is {}: take a datetime", decl.until, until.kind.name()));
    }
    if decl.value == decl.then {
        issues.add(format!("{}.then", place.path), "a hold ends with another code than it has");
    }
    if !(1..=MINUTES_MAX).contains(&decl.minutes) {
        issues.add(format!("{}.minutes", place.path), format!("a hold lasts from 1 to {MINUTES_MAX} minutes"));
    }
    place.step(object, &decl.field, &decl.value, &decl.then, issues);
    let (field, until) = (field?, until?);
    let hold = Hold {
        field: field.key.clone(),
        value: decl.value.clone(),
        until: until.key.clone(),
        length: SignedDuration::from_mins(decl.minutes.into()),
        then: decl.then.clone(),
    };
    let timer = Timer {
        plugin: PluginId::core(),
        action: Name::new(Hold::ACTION).ok()?,
        at: place.at(".until").compile(&hold.until, &Type::DateTime, issues)?,
        condition: Some(place.compile(&format!("{} == '{}'", hold.field, hold.value), &Type::Bool, issues)?),
    };
    Some((hold, timer))
}
