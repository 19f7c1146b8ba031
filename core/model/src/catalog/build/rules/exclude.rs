//! `exclude`: whose time is sold once.

use super::{Issues, Place, constraint_name};
use crate::{
    decl::ExcludeDecl,
    field::{Field, FieldType},
    object::{Exclude, Hold, ResourceField},
};

/// The most fields in `on`: each is compared with each.
const ON_MAX: usize = 4;

pub(super) fn check(
    decl: &ExcludeDecl,
    place: &Place<'_>,
    hold: Option<&Hold>,
    others: &[Exclude],
    issues: &mut Issues<'_>,
) -> Option<Exclude> {
    let on = resources(decl, place, issues);
    interval(decl, place, issues);
    let when = place.at(".when").live(decl.when.as_ref(), hold, issues);
    let object = place.object.name.as_str();
    // Twins are told apart by a number.
    let numbered = |name: String, twins: usize| {
        if twins == 0 { name } else { format!("{name}_{}", twins.saturating_add(1)) }
    };
    let index = |field: &str| {
        let has = |other: &&Exclude| other.on.iter().any(|one| one.field == field);
        numbered(constraint_name(&[object, "exclude", field]), others.iter().filter(has).count())
    };
    let on: Vec<ResourceField> =
        on?.iter().map(|field| ResourceField { field: field.key.clone(), index: index(&field.key) }).collect();
    let fields = |rule: &[ResourceField]| rule.iter().map(|one| one.field.clone()).collect::<Vec<_>>();
    let twins = others.iter().filter(|other| fields(&other.on) == fields(&on)).count();
    let parts: Vec<&str> = [object, "exclude"].into_iter().chain(on.iter().map(|one| one.field.as_str())).collect();
    Some(Exclude {
        name: numbered(constraint_name(&parts), twins),
        from: decl.during[0].to_string(),
        until: decl.during[1].to_string(),
        when: when?,
        on,
    })
}

fn resources<'a>(decl: &ExcludeDecl, place: &Place<'a>, issues: &mut Issues<'_>) -> Option<Vec<&'a Field>> {
    let place = place.at(".on");
    if decl.on.is_empty() || decl.on.len() > ON_MAX {
        issues.add(place.path.as_str(), format!("name one to {ON_MAX} fields that tell whose time it is"));
    }
    let mut found: Vec<&Field> = Vec::new();
    for name in &decl.on {
        let field = place.field(name, issues)?;
        if found.iter().any(|other| other.key == field.key) {
            issues.add(place.path.as_str(), format!("{name} is there twice: take one out"));
        }
        let can_be_shared = match (&field.kind, decl.on.len()) {
            (FieldType::LongText | FieldType::Json | FieldType::Tags, _) => {
                let kind = field.kind.name();
                let message = format!("{name} is {kind}, which cannot be compared: use a ref, a choice or a text");
                issues.add(place.path.as_str(), message);
                continue;
            }
            (_, 1) => true,
            (FieldType::Ref { to, .. }, _) => found.first().is_none_or(|first| is_ref_to(first, to)),
            _ => false,
        };
        if !can_be_shared {
            let message =
                format!("{name} must be a ref to the same object as the others: several fields share resources");
            issues.add(place.path.as_str(), message);
        }
        found.push(field);
    }
    Some(found)
}

fn is_ref_to(field: &Field, object: &crate::name::ObjectName) -> bool {
    matches!(&field.kind, FieldType::Ref { to, .. } if to == object)
}

fn interval(decl: &ExcludeDecl, place: &Place<'_>, issues: &mut Issues<'_>) {
    let mut kinds = Vec::new();
    for (number, name) in decl.during.iter().enumerate() {
        let place = place.at(format_args!(".during[{number}]"));
        let Some(field) = place.field(name, issues) else { continue };
        if !matches!(field.kind, FieldType::Date | FieldType::DateTime) {
            let message = format!("{name} is {}: an interval has two date or two datetime fields", field.kind.name());
            issues.add(place.path, message);
            continue;
        }
        kinds.push(&field.kind);
    }
    let path = format!("{}.during[1]", place.path);
    if let [from, until] = decl.during.each_ref()
        && from == until
    {
        issues.add(path, "an interval starts and ends in two different fields");
    } else if let [from, until] = kinds.as_slice()
        && from != until
    {
        issues.add(path, "an interval has two date or two datetime fields, not one of each");
    }
}
