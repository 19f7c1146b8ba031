//! What names mean: fields, fields of the record that a reference leads to, `now`, settings, parameters.

use indexmap::IndexMap;

use super::{MoneyPart, Node, NodeKind, STEPS_MAX, Scope, Type};
use crate::{
    field::{Field, FieldType},
    name::ObjectName,
    nearest::nearest,
    object::{Object, SYSTEM_FIELDS},
    value::Value,
};

/// The most names that an error lists.
const NAMES_LISTED: usize = 20;

/// What a name stands for.
pub(super) struct Named<'a> {
    /// The node.
    pub(super) node: Node,
    /// The declared codes, if it is a choice.
    pub(super) codes: Option<&'a [String]>,
}

impl<'a> Named<'a> {
    fn plain(kind: NodeKind, ty: Type) -> Self {
        Self { node: Node { kind, ty }, codes: None }
    }
}

type FieldMap = IndexMap<String, Field>;

/// Records that can be asked for as children.
pub(super) struct Collection<'a> {
    /// Whose records they are.
    pub(super) object: &'a Object,
    /// Their field that refers to a record.
    pub(super) via: String,
    /// Gives that record's id.
    pub(super) of: Node,
}

/// Finds what a path such as `contact.organization.name` stands for, or tells what there is.
///
/// With a variable it is a path inside a question about children, each of which has that name.
pub(super) fn resolve<'a>(scope: &Scope<'a>, variable: Option<&str>, path: &[&str]) -> Result<Named<'a>, String> {
    match path {
        ["now"] => return Ok(Named::plain(NodeKind::Now, Type::DateTime)),
        ["settings"] => return Err(format!("settings are read one by one: {}", listed(settings(scope)))),
        ["settings", name] => return setting(scope, name),
        ["settings", ..] => return Err(format!("settings have no parts; there are: {}", listed(settings(scope)))),
        [name] => {
            if let Some(named) = parameter(scope, name) {
                return Ok(named);
            }
        }
        _ => {}
    }
    let Some(variable) = variable else { return own(scope, path) };
    match path.split_first() {
        Some((first, [])) if *first == variable => {
            Err(format!("{variable} is a whole {}; read a field of it: {variable}.id", scope.object.name))
        }
        Some((first, rest)) if *first == variable => {
            Walk { scope, shown: format!("{variable}."), steps: Vec::new() }.from(scope.object, rest)
        }
        _ => Err(format!(
            "what is asked of {0} can read only {variable}.field, now, settings and parameters, not {1}: \
             it is asked of each {0} alone",
            scope.object.name,
            path.join(".")
        )),
    }
}

/// A path that starts at the record itself.
fn own<'a>(scope: &Scope<'a>, path: &[&str]) -> Result<Named<'a>, String> {
    let has_field =
        |length| path.get(..length).is_some_and(|head| member(scope.object, &head.join("."), false).is_some());
    if !has_field(1) && !has_field(2) {
        return Err(
            unknown(&path.join("."), &scope.object.name, own_names(scope), ", now") + &as_collection(scope, path)
        );
    }
    Walk { scope, shown: String::new(), steps: Vec::new() }.from(scope.object, path)
}

/// A path on its way from record to record.
struct Walk<'s, 'a> {
    scope: &'s Scope<'a>,
    /// How the way so far is written, with the point after it.
    shown: String,
    /// The references followed so far.
    steps: Vec<String>,
}

impl<'a> Walk<'_, 'a> {
    fn from(mut self, object: &'a Object, path: &[&str]) -> Result<Named<'a>, String> {
        let is_own = self.steps.is_empty() && self.shown.is_empty();
        let mut wrong = None;
        for split in 1..=path.len().min(2) {
            let (head, rest) = path.split_at_checked(split).unwrap_or((path, &[]));
            let key = head.join(".");
            let Some((ty, codes)) = member(object, &key, !is_own) else { continue };
            let kind = if self.steps.is_empty() {
                NodeKind::Field(key.clone())
            } else {
                NodeKind::Related { path: self.steps.clone(), field: key.clone() }
            };
            let found = Named { node: Node { kind, ty }, codes };
            let shown = format!("{}{key}", self.shown);
            match (found.node.ty.clone(), rest) {
                (_, []) => return Ok(found),
                (Type::Money, [part]) => return money_part(&shown, found, part),
                // The id of a record leads nowhere.
                (Type::Ref(to), rest) if !SYSTEM_FIELDS.contains(&key.as_str()) => {
                    if self.steps.len() >= STEPS_MAX {
                        return Err(format!("paths lead {STEPS_MAX} steps away: {shown} is the last that can be read"));
                    }
                    let other = self.scope.objects.object(&to);
                    let other = other.ok_or_else(|| format!("{shown} refers to {to}, which is not installed"))?;
                    self.steps.push(key);
                    self.shown = format!("{shown}.");
                    return self.from(other, rest);
                }
                (ty, _) => wrong = wrong.or(Some(format!("{shown} is a value of type {ty} and has no parts"))),
            }
        }
        Err(wrong.unwrap_or_else(|| unknown(&path.join("."), &object.name, names(&object.fields), "")))
    }
}

/// The records that a path such as `booking.appointments` or `contact.deals` stands for.
pub(super) fn collection<'a>(scope: &Scope<'a>, path: &[&str], via: Option<&str>) -> Result<Collection<'a>, String> {
    for length in [2, 1] {
        let Some((base, plural)) = path.len().checked_sub(length).and_then(|base| path.split_at_checked(base)) else {
            continue;
        };
        let Some(child) = scope.objects.children().find(|child| is_called(child, plural)) else { continue };
        let (object, of) = match base {
            [] => (&scope.object.name, Node { kind: NodeKind::Field("id".to_owned()), ty: Type::Id }),
            base => match own(scope, base)?.node {
                Node { ty: Type::Ref(to), kind } => {
                    let object = scope.objects.object(&to).ok_or_else(|| format!("{to} is not installed"))?;
                    (&object.name, Node { ty: Type::Ref(to), kind })
                }
                node => return Err(format!("{} is a value of type {} and has no records", base.join("."), node.ty)),
            },
        };
        return Ok(Collection { object: child, via: referring(child, object, &plural.join("."), via)?, of });
    }
    let known: Vec<String> = collections(scope).collect();
    let near = meant(&path.join("."), known.iter().map(String::as_str));
    let object = &scope.object.name;
    Err(format!("no records are called {}{near}; those that refer to {object}: {}", path.join("."), listed(known)))
}

/// The plurals of all that refer to the object.
fn collections<'a>(scope: &Scope<'a>) -> impl Iterator<Item = String> + use<'a> {
    let name = &scope.object.name;
    let refers = move |child: &&Object| child.fields.values().any(|field| is_to(field, name));
    scope.objects.children().filter(refers).map(|child| match child.name.plugin() {
        Some(plugin) => format!("{plugin}.{}", child.plural),
        None => child.plural.clone(),
    })
}

fn is_called(object: &Object, plural: &[&str]) -> bool {
    match plural {
        [plugin, plural] => object.name.plugin() == Some(*plugin) && object.plural == *plural,
        [plural] => object.name.plugin().is_none() && object.plural == *plural,
        _ => false,
    }
}

fn is_to(field: &Field, object: &ObjectName) -> bool {
    matches!(&field.kind, FieldType::Ref { to, .. } if to == object)
}

/// The child's field that refers to the object.
fn referring(child: &Object, object: &ObjectName, shown: &str, via: Option<&str>) -> Result<String, String> {
    let fields: Vec<&str> =
        child.fields.values().filter(|field| is_to(field, object)).map(|field| field.key.as_str()).collect();
    let all = fields.join(", ");
    match (fields.as_slice(), via) {
        ([], _) => Err(format!("{} has no field that refers to {object}", child.name)),
        (fields, Some(via)) if fields.contains(&via) => Ok(via.to_owned()),
        (_, Some(via)) => Err(format!("{} refers to {object} by {all}, not by {via}", child.name)),
        ([one], None) => Ok((*one).to_owned()),
        ([first, ..], None) => {
            Err(format!("{} refers to {object} by {all}: say by which, {shown}.via('{first}')", child.name))
        }
    }
}

/// Whether a child could not have this name.
pub(super) fn is_taken(scope: &Scope<'_>, name: &str) -> bool {
    matches!(name, "now" | "settings") || parameter(scope, name).is_some()
}

/// What to write, if the path is the name of records.
fn as_collection(scope: &Scope<'_>, path: &[&str]) -> String {
    let path = path.join(".");
    match collections(scope).find(|known| *known == path) {
        Some(_) => format!("; of {path} it can be asked: {path}.exists(x, …), {path}.count(x)"),
        None => String::new(),
    }
}

fn money_part<'a>(path: &str, money: Named<'a>, part: &str) -> Result<Named<'a>, String> {
    let (part, ty) = match part {
        "amount_minor" => (MoneyPart::AmountMinor, Type::Integer),
        "currency" => (MoneyPart::Currency, Type::Text),
        _ => return Err(format!("money has the parts {path}.amount_minor and {path}.currency")),
    };
    Ok(Named::plain(NodeKind::MoneyPart(Box::new(money.node), part), ty))
}

/// A field's type and codes. The id of the record that the expression is about goes with parameters too.
fn member<'a>(object: &'a Object, key: &str, is_other: bool) -> Option<(Type, Option<&'a [String]>)> {
    match key {
        "id" if is_other => return Some((Type::Ref(object.name.clone()), None)),
        "id" => return Some((Type::Id, None)),
        "version" => return Some((Type::Integer, None)),
        "created_at" | "updated_at" => return Some((Type::DateTime, None)),
        _ => {}
    }
    let kind = &object.fields.get(key)?.kind;
    let codes = if let FieldType::Choice { of } = kind { Some(of.as_slice()) } else { None };
    Some((Type::of_field(kind), codes))
}

fn setting<'a>(scope: &Scope<'a>, name: &str) -> Result<Named<'a>, String> {
    let value = scope.settings.get(name).ok_or_else(|| {
        let near = meant(name, scope.settings.keys().map(String::as_str));
        format!("no setting is called {name}{near}; there are: {}", listed(settings(scope)))
    })?;
    Ok(Named::plain(NodeKind::Literal(value.clone()), Type::of_value(value)))
}

fn parameter<'a>(scope: &Scope<'a>, name: &str) -> Option<Named<'a>> {
    let number = name.strip_prefix('p').filter(|number| *number == "0" || !number.starts_with('0'))?;
    let n: usize = number.parse().ok()?;
    let ty = scope.parameters.get(n)?;
    Some(Named::plain(NodeKind::Parameter(n), ty.clone()))
}

fn settings(scope: &Scope<'_>) -> Vec<String> {
    scope.settings.keys().cloned().collect()
}

fn names(fields: &FieldMap) -> Vec<String> {
    fields.keys().cloned().chain(SYSTEM_FIELDS.map(str::to_owned)).collect()
}

fn own_names(scope: &Scope<'_>) -> Vec<String> {
    names(&scope.object.fields).into_iter().chain((0..scope.parameters.len()).map(|n| format!("p{n}"))).collect()
}

fn unknown(name: &str, object: &ObjectName, names: Vec<String>, more: &str) -> String {
    let near = meant(name, names.iter().map(String::as_str));
    format!("{object} has no field {name}{near}; there are: {}{more}", listed(names))
}

fn listed(names: Vec<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = if names.len() > NAMES_LISTED { ", …" } else { "" };
    format!("{}{more}", names.into_iter().take(NAMES_LISTED).collect::<Vec<_>>().join(", "))
}

/// ` (did you mean x?)`, or nothing: to be put after a wrong name.
pub(super) fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|one| format!(" (did you mean {one}?)")).unwrap_or_default()
}

impl Type {
    /// What a field of that kind gives.
    #[must_use]
    pub fn of_field(kind: &FieldType) -> Self {
        match kind {
            FieldType::Text
            | FieldType::LongText
            | FieldType::Choice { .. }
            | FieldType::Phone
            | FieldType::Email
            | FieldType::Url => Self::Text,
            FieldType::Integer => Self::Integer,
            FieldType::Decimal { .. } => Self::Decimal,
            FieldType::Money => Self::Money,
            FieldType::Bool => Self::Bool,
            FieldType::Date => Self::Date,
            FieldType::DateTime => Self::DateTime,
            FieldType::Duration => Self::Duration,
            FieldType::Json => Self::Json,
            FieldType::Ref { to, .. } => Self::Ref(to.clone()),
            FieldType::Tags => Self::Tags,
        }
    }

    /// The type of a parameter with that value; a reference counts as [`Self::Id`], which compares with any.
    #[must_use]
    pub fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Text(_) => Self::Text,
            Value::Integer(_) => Self::Integer,
            Value::Decimal(_) => Self::Decimal,
            Value::Money(_) => Self::Money,
            Value::Bool(_) => Self::Bool,
            Value::Date(_) => Self::Date,
            Value::DateTime(_) => Self::DateTime,
            Value::Duration(_) => Self::Duration,
            Value::Ref(_) => Self::Id,
            Value::Tags(_) => Self::Tags,
            Value::Json(_) => Self::Json,
        }
    }

    /// Whether a value that is there is one of this type.
    pub(super) fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Ref(_) | Self::Id => matches!(value, Value::Ref(_)),
            other => *other == Self::of_value(value),
        }
    }
}
