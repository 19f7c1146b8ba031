//! `unique`: what no two records have alike.

use std::collections::HashSet;

use super::{Issues, Place, constraint_name};
use crate::{decl::ObjectDecl, field::FieldType, name::Name, object::Unique};

pub(super) fn check(decl: &ObjectDecl, place: &Place<'_>, rules: &mut Vec<Unique>, issues: &mut Issues<'_>) {
    let object = place.object;
    // Extension fields too: the index belongs to the object.
    for field in object.fields.values().filter(|field| field.unique) {
        let name = constraint_name(&[object.name.as_str(), "unique", &field.key]);
        rules.push(Unique { name, fields: vec![field.key.clone()] });
    }
    for (number, one) in decl.unique.iter().enumerate() {
        let place = place.at(format_args!(".unique[{number}].fields"));
        if one.fields.is_empty() {
            issues.add(place.path.as_str(), "name at least one field that must not repeat");
        }
        let mut seen = HashSet::new();
        for (number, name) in one.fields.iter().enumerate() {
            let place = place.at(format_args!("[{number}]"));
            let field = place.field(name, issues);
            if field.is_some_and(|field| matches!(field.kind, FieldType::LongText | FieldType::Json | FieldType::Tags))
            {
                issues.add(place.path.as_str(), format!("{name} is of a type that cannot be unique: take it out"));
            }
            if !seen.insert(name) {
                issues.add(place.path, format!("{name} is there twice: take one out"));
            }
        }
        let fields: Vec<String> = one.fields.iter().map(Name::to_string).collect();
        if rules.iter().any(|other| other.fields == fields) {
            issues.add(place.path, "the same fields are unique already: take this line out");
            continue;
        }
        let mut parts = vec![object.name.as_str(), "unique"];
        parts.extend(fields.iter().map(String::as_str));
        rules.push(Unique { name: constraint_name(&parts), fields });
    }
}
