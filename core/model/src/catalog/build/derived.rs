//! Pass two: rollups, formulas, first values, sequence numbers and ledgers.

mod ledger;
mod order;

use indexmap::IndexMap;

use super::{CatalogIssue, Draft, Issues, Objects, key, rules};
use crate::{
    decl::{FieldDecl, RollupDecl, SequenceDecl},
    expr::{Expression, Type},
    field::{Field, FieldType},
    name::{Name, ObjectName},
    nearest,
    object::{Aggregate, Computed, Derived, Feed, Object, Rollup, Sequence},
};

/// The derived values of objects on their way into the catalog.
type All = IndexMap<ObjectName, Derived>;

/// Checks what is derived and puts it in.
pub(super) fn check(drafts: &[Draft<'_>], objects: &mut Objects, found: &mut Vec<CatalogIssue>) {
    let mut all: All = objects.all.keys().map(|name| (name.clone(), Derived::default())).collect();
    for draft in drafts {
        let mut issues = Issues { plugin: draft.id(), all: found };
        for (name, decl) in &draft.manifest.object {
            let path = format!("object.{name}");
            let object = ObjectName::in_plugin(draft.id(), name);
            for (field, decl) in &decl.fields {
                let place = Place { draft, objects, object: &object, path: format!("{path}.fields.{field}") };
                place.field(field.as_str(), decl, &mut all, &mut issues);
            }
            if let Some(ledger) = &decl.ledger {
                let place = Place { draft, objects, object: &object, path: format!("{path}.ledger") };
                place.ledger(ledger, &mut all, &mut issues);
            }
        }
        for (object, decl) in &draft.manifest.extend {
            for (field, decl) in &decl.fields {
                let path = format!("extend.{}.fields.{field}", key(object.as_str()));
                let place = Place { draft, objects, object, path };
                place.field(&format!("{}.{field}", draft.id()), decl, &mut all, &mut issues);
            }
        }
    }
    ledger::check_fields(drafts, objects, &all, found);
    order::sort(drafts, &mut all, found);
    for (name, derived) in all {
        let feeds: Vec<(ObjectName, Feed)> = derived
            .rollups
            .iter()
            .map(|rollup| (rollup.of.clone(), Feed { object: name.clone(), key: rollup.key.clone() }))
            .collect();
        for (of, feed) in feeds {
            if let Some(object) = objects.all.get_mut(&of) {
                object.derived.feeds.push(feed);
            }
        }
        if let Some(object) = objects.all.get_mut(&name) {
            let indexed = derived.ledger.iter().flat_map(|ledger| [Some(&ledger.account), ledger.transfer.as_ref()]);
            for key in indexed.flatten() {
                if let Some(field) = object.fields.get_mut(key) {
                    field.indexed = true;
                }
            }
            let feeds = std::mem::take(&mut object.derived.feeds);
            object.derived = Derived { feeds, ..derived };
        }
    }
}

/// Where a declaration stands.
struct Place<'a> {
    draft: &'a Draft<'a>,
    objects: &'a Objects,
    object: &'a ObjectName,
    path: String,
}

impl Place<'_> {
    fn field(&self, key: &str, decl: &FieldDecl, all: &mut All, issues: &mut Issues<'_>) {
        self.check_alone(decl, issues);
        let Some(object) = self.objects.all.get(self.object) else { return };
        let Some(field) = object.field(key) else { return };
        let Some(derived) = all.get_mut(self.object) else { return };
        if let Some(rollup) = &decl.rollup {
            derived.rollups.extend(self.rollup(field, rollup, issues));
        }
        if let Some(source) = &decl.formula {
            derived.formulas.extend(self.formula(object, field, source, issues));
        }
        if let Some(source) = &decl.initial {
            let path = format!("{}.initial", self.path);
            let ty = Type::of_field(&field.kind);
            let value = rules::compile(source, self.draft, object, self.objects, &ty, &path, issues);
            derived.initials.extend(value.map(|value| Computed { key: field.key.clone(), value }));
        }
        if let Some(sequence) = &decl.sequence {
            derived.sequences.extend(self.sequence(object, field, sequence, issues));
        }
    }

    /// A field has one source, and what nobody writes is neither required nor has a default.
    fn check_alone(&self, decl: &FieldDecl, issues: &mut Issues<'_>) {
        let sources = [
            ("rollup", decl.rollup.is_some()),
            ("formula", decl.formula.is_some()),
            ("sequence", decl.sequence.is_some()),
            ("initial", decl.initial.is_some()),
            ("default", decl.default.is_some()),
        ];
        let mut there = sources.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name);
        let (Some(first), second) = (there.next(), there.next()) else { return };
        if let Some(second) = second {
            let message = format!("a field has its value from one place, not from {first} and {second}: take one out");
            issues.add(format!("{}.{second}", self.path), message);
        }
        let is_derived = !matches!(first, "initial" | "default");
        if is_derived && decl.required {
            let message = format!("nobody writes a field with a {first}, so it cannot be required: take it out");
            issues.add(format!("{}.required", self.path), message);
        }
        if first == "rollup" && decl.unique {
            issues.add(format!("{}.unique", self.path), "a rollup cannot be unique: take it out");
        }
    }

    fn formula(&self, object: &Object, field: &Field, source: &str, issues: &mut Issues<'_>) -> Option<Computed> {
        let path = format!("{}.formula", self.path);
        if matches!(field.kind, FieldType::Ref { .. } | FieldType::Json | FieldType::Tags) {
            issues.add(path, format!("a {} cannot be computed: use another type, or a hook", field.kind.name()));
            return None;
        }
        let value = self.own(source, object, &Type::of_field(&field.kind), &path, issues)?;
        Some(Computed { key: field.key.clone(), value })
    }

    fn own(
        &self,
        source: &str,
        object: &Object,
        expected: &Type,
        path: &str,
        issues: &mut Issues<'_>,
    ) -> Option<Expression> {
        rules::compile_own(source, self.draft, object, self.objects, expected, path, issues)
    }

    fn sequence(
        &self,
        object: &Object,
        field: &Field,
        decl: &SequenceDecl,
        issues: &mut Issues<'_>,
    ) -> Option<Sequence> {
        let path = format!("{}.sequence", self.path);
        if field.kind != FieldType::Integer {
            issues.add(path.as_str(), format!("{} is {}: numbers are integers", field.key, field.kind.name()));
        }
        if decl.start < 0 {
            issues.add(format!("{path}.start"), "numbers start at 0 or more");
        }
        if let Some(per) = &decl.per {
            let path = format!("{path}.per");
            let per = own_field(object, per, &path, issues)?;
            check_key(per, &path, issues);
        }
        Some(Sequence { key: field.key.clone(), per: decl.per.as_ref().map(ToString::to_string), start: decl.start })
    }

    fn rollup(&self, field: &Field, decl: &RollupDecl, issues: &mut Issues<'_>) -> Option<Rollup> {
        let path = format!("{}.rollup", self.path);
        let of = self.objects.find(&decl.of, self.draft, &format!("{path}.of"), issues)?;
        let via = field_of(of, &decl.via, &format!("{path}.via"), issues);
        if let Some(via) = via.filter(|via| !matches!(&via.kind, FieldType::Ref { to, .. } if to == self.object)) {
            let message =
                format!("{} of {} does not refer to {}: name a field that does", via.key, of.name, self.object);
            issues.add(format!("{path}.via"), message);
        }
        let (what, name, source) = self.aggregate(decl, &path, issues)?;
        let source = match source {
            None => None,
            Some(source) => {
                let place = format!("{path}.{name}");
                let source = field_of(of, source, &place, issues)?;
                check_types(name, &source.kind, field, &place, issues);
                Some((source.key.clone(), source.kind.clone()))
            }
        };
        if what == Aggregate::Count && field.kind != FieldType::Integer {
            issues
                .add(format!("{path}.count"), format!("a count is an integer: make the type of {} integer", field.key));
        }
        let when = match &decl.when {
            None => None,
            Some(when) => Some(self.own(when, of, &Type::Bool, &format!("{path}.when"), issues)?),
        };
        let (key, kind) = (field.key.clone(), field.kind.clone());
        Some(Rollup { key, kind, of: of.name.clone(), via: via?.key.clone(), what, source, when })
    }

    fn aggregate<'d>(
        &self,
        decl: &'d RollupDecl,
        path: &str,
        issues: &mut Issues<'_>,
    ) -> Option<(Aggregate, &'static str, Option<&'d str>)> {
        let all = [
            (Aggregate::Sum, "sum", &decl.sum),
            (Aggregate::Avg, "avg", &decl.avg),
            (Aggregate::Min, "min", &decl.min),
            (Aggregate::Max, "max", &decl.max),
            (Aggregate::Min, "first", &decl.first),
            (Aggregate::Max, "last", &decl.last),
        ];
        let mut named: Vec<_> =
            all.into_iter().filter_map(|(what, name, field)| Some((what, name, Some(field.as_deref()?)))).collect();
        if decl.count {
            named.push((Aggregate::Count, "count", None));
        }
        if named.len() != 1 {
            issues.add(path, "a rollup is one of count = true, sum, avg, min, max, first and last: name one");
            return None;
        }
        named.pop()
    }
}

/// A field of the object itself.
fn own_field<'a>(object: &'a Object, name: &Name, path: &str, issues: &mut Issues<'_>) -> Option<&'a Field> {
    let field = object.field(name.as_str());
    if field.is_none() {
        let known = object.fields.values().filter(|field| field.extension().is_none()).map(|field| field.key.as_str());
        let hint = nearest::hint(name.as_str(), known);
        issues.add(path, format!("{} has no field {name}.{hint}", object.name));
    }
    field
}

/// A field of another object, own or added.
fn field_of<'a>(object: &'a Object, name: &str, path: &str, issues: &mut Issues<'_>) -> Option<&'a Field> {
    let field = object.field(name);
    if field.is_none() {
        let hint = nearest::hint(name, object.fields.keys().map(String::as_str));
        issues.add(path, format!("{} has no field {name}.{hint}", object.name));
    }
    field
}

fn check_types(name: &str, source: &FieldType, field: &Field, path: &str, issues: &mut Issues<'_>) {
    let fits = match (name, source, &field.kind) {
        ("avg", FieldType::Integer | FieldType::Decimal { .. }, FieldType::Decimal { .. }) => true,
        ("avg", FieldType::Money | FieldType::Duration, kind) => kind == source,
        ("sum", FieldType::Integer | FieldType::Decimal { .. } | FieldType::Money | FieldType::Duration, kind) => {
            kind == source
        }
        ("first" | "last", FieldType::Date | FieldType::DateTime, kind) => kind == source,
        (
            "min" | "max",
            FieldType::Integer
            | FieldType::Decimal { .. }
            | FieldType::Money
            | FieldType::Duration
            | FieldType::Date
            | FieldType::DateTime,
            kind,
        ) => kind == source,
        _ => false,
    };
    if fits {
        return;
    }
    let wanted = match name {
        "avg" => "avg takes an integer or a decimal and gives a decimal, or takes and gives money or a duration",
        "sum" => "sum takes an integer, a decimal, money or a duration, and gives the same with the same scale",
        "first" | "last" => "first and last take a date or a datetime and give the same",
        _ => "min and max take a number, money, a duration, a date or a datetime, and give the same",
    };
    issues.add(path, format!("{wanted}; here {} would come from {}", field.kind.name(), source.name()));
}

/// A field by whose values something is told apart in the system's own tables. Texts are not, because people write
/// names into them, and those tables are not searched when a person is to be forgotten.
fn check_key(field: &Field, path: &str, issues: &mut Issues<'_>) {
    if !matches!(field.kind, FieldType::Ref { .. } | FieldType::Choice { .. } | FieldType::Integer) {
        let message = format!("{} is {}: use a ref, a choice or an integer", field.key, field.kind.name());
        issues.add(path, message);
    }
    if let FieldType::Ref { on_delete, .. } = &field.kind
        && *on_delete != crate::field::OnDelete::Restrict
    {
        issues.add(path, format!("{} must keep its value: take on_delete out of it", field.key));
    }
}
