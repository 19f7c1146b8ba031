//! `unique`: what no two records have alike.

use std::collections::{BTreeSet, HashSet};

use super::{Issues, Place, compile_own, constraint_name};
use crate::{
    decl::{Nulls, UniqueDecl},
    expr::{Expression, Type},
    field::{Field, FieldType},
    name::Name,
    object::{Unique, UniqueKey},
};

/// The fields that are unique by themselves. Extension fields too: the index belongs to the object.
pub(super) fn single(place: &Place<'_>, rules: &mut Vec<Unique>) {
    for field in place.object.fields.values().filter(|field| field.unique) {
        let name = constraint_name(&[place.object.name.as_str(), "unique", &field.key]);
        rules.push(Unique { name, fields: vec![field.key.clone()], key: None });
    }
}

/// The rules that an object or an extension lists.
pub(super) fn check(decls: &[UniqueDecl], place: &Place<'_>, rules: &mut Vec<Unique>, issues: &mut Issues<'_>) {
    for (number, decl) in decls.iter().enumerate() {
        let place = place.at(format_args!(".unique[{number}]"));
        let Some(fields) = fields(decl, &place.at(".fields"), issues) else { continue };
        let when = match &decl.when {
            None => None,
            Some(source) => {
                let path = format!("{}.when", place.path);
                let Some(when) =
                    compile_own(source, place.draft, place.object, place.objects, &Type::Bool, &path, issues)
                else {
                    continue;
                };
                Some(when)
            }
        };
        let keys: Vec<String> = fields.iter().map(|field| field.key.clone()).collect();
        let twins: Vec<&Unique> = rules.iter().filter(|other| other.fields == keys).collect();
        if twins.iter().any(|other| condition(other) == when.as_ref().map(Expression::source)) {
            issues.add(format!("{}.fields", place.path), "the same fields are unique already: take this line out");
            continue;
        }
        if decl.ignore_case && !fields.iter().any(|field| has_case(&field.kind)) {
            let message = "none of the fields is a text or a web address: take ignore_case out";
            issues.add(format!("{}.ignore_case", place.path), message);
        }
        let twin = twins.len();
        rules.push(rule(place.object.name.as_str(), decl, keys, when, twin));
    }
}

fn rule(object: &str, decl: &UniqueDecl, fields: Vec<String>, when: Option<Expression>, twin: usize) -> Unique {
    // Twins are told apart by a number.
    let numbered = |name: String, sign: char| match twin {
        0 => name,
        twin => format!("{name}{sign}{}", twin.saturating_add(1)),
    };
    let parts: Vec<&str> = [object, "unique"].into_iter().chain(fields.iter().map(String::as_str)).collect();
    let name = numbered(constraint_name(&parts), '_');
    let nulls_equal = decl.nulls == Nulls::Equal;
    let is_plain = !decl.ignore_case && !nulls_equal && when.is_none();
    let key = (!is_plain).then(|| {
        let mut reads: BTreeSet<String> = fields.iter().cloned().collect();
        reads.extend(when.iter().flat_map(|when| when.reads().fields));
        let column = numbered(format!("$unique${}", fields.join("$")), '$');
        UniqueKey { column, ignore_case: decl.ignore_case, nulls_equal, when, reads }
    });
    Unique { name, fields, key }
}

fn condition(rule: &Unique) -> Option<&str> {
    rule.key.as_ref().and_then(|key| key.when.as_ref()).map(Expression::source)
}

/// Phones and e-mail addresses are held in one form anyway, and codes of a choice are as they are declared.
fn has_case(kind: &FieldType) -> bool {
    matches!(kind, FieldType::Text | FieldType::Url)
}

fn fields<'a>(decl: &UniqueDecl, place: &Place<'a>, issues: &mut Issues<'_>) -> Option<Vec<&'a Field>> {
    if decl.fields.is_empty() {
        issues.add(place.path.as_str(), "name at least one field that must not repeat");
        return None;
    }
    let mut seen = HashSet::new();
    let mut found = Vec::with_capacity(decl.fields.len());
    let mut are_sound = true;
    for (number, name) in decl.fields.iter().enumerate() {
        let place = place.at(format_args!("[{number}]"));
        let field = added(place.object, place.draft.id().as_str(), name).or_else(|| place.field(name, issues));
        let cannot = |kind: &FieldType| matches!(kind, FieldType::LongText | FieldType::Json | FieldType::Tags);
        if field.is_some_and(|field| cannot(&field.kind)) {
            issues.add(place.path.as_str(), format!("{name} is of a type that cannot be unique: take it out"));
            are_sound = false;
        }
        if !seen.insert(name) {
            issues.add(place.path, format!("{name} is there twice: take one out"));
            are_sound = false;
        }
        match field {
            Some(field) => found.push(field),
            None => are_sound = false,
        }
    }
    are_sound.then_some(found)
}

/// The field that the plugin added to another's object under this name.
fn added<'a>(object: &'a crate::object::Object, plugin: &str, name: &Name) -> Option<&'a Field> {
    object.field(&format!("{plugin}.{name}"))
}
