//! What names mean: fields, fields of the record that a reference leads to, `now`, settings, parameters.

use indexmap::IndexMap;

use super::{MoneyPart, Node, NodeKind, Scope, Type};
use crate::{
    field::{Field, FieldType},
    name::ObjectName,
    nearest::nearest,
    object::SYSTEM_FIELDS,
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

/// Finds what a path such as `master.name` stands for, or tells what there is.
pub(super) fn resolve<'a>(scope: &Scope<'a>, path: &[&str]) -> Result<Named<'a>, String> {
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
    let mut wrong = None;
    for split in 1..=path.len().min(2) {
        let (head, rest) = path.split_at_checked(split).unwrap_or((path, &[]));
        let Some((ty, codes)) = member(scope.fields, &head.join("."), &Type::Id) else { continue };
        let found = Named { node: Node { kind: NodeKind::Field(head.join(".")), ty }, codes };
        match step(scope, found, rest) {
            Ok(named) => return Ok(named),
            Err(message) => wrong = wrong.or(Some(message)),
        }
    }
    Err(wrong.unwrap_or_else(|| unknown(&path.join("."), scope.object, own_names(scope), ", now")))
}

fn step<'a>(scope: &Scope<'a>, found: Named<'a>, rest: &[&str]) -> Result<Named<'a>, String> {
    let (NodeKind::Field(key), ty) = (&found.node.kind, &found.node.ty) else { return Ok(found) };
    match (ty, rest) {
        (_, []) => Ok(found),
        (Type::Money, [part]) => money_part(&key.clone(), found, part),
        (Type::Ref(object), rest) => other(scope, key, object, rest),
        _ => Err(format!("{key} is a value of type {ty} and has no parts")),
    }
}

/// A field of the record that `via` refers to.
fn other<'a>(scope: &Scope<'a>, via: &str, object: &ObjectName, path: &[&str]) -> Result<Named<'a>, String> {
    let fields = if object == scope.object { Some(scope.fields) } else { (scope.others)(object) };
    let fields = fields.ok_or_else(|| format!("{via} refers to {object}, which is not installed"))?;
    for split in 1..=path.len().min(2) {
        let (head, rest) = path.split_at_checked(split).unwrap_or((path, &[]));
        let key = head.join(".");
        let Some((ty, codes)) = member(fields, &key, &Type::Ref(object.clone())) else { continue };
        let kind = NodeKind::Related { via: via.to_owned(), object: object.clone(), field: key.clone() };
        let found = Named { node: Node { kind, ty }, codes };
        return match (&found.node.ty, rest) {
            (_, []) => Ok(found),
            (Type::Money, [part]) => money_part(&format!("{via}.{key}"), found, part),
            (Type::Ref(_), _) => Err(format!("paths lead one step away: {via}.{key} is the last that can be read")),
            (ty, _) => Err(format!("{via}.{key} is a value of type {ty} and has no parts")),
        };
    }
    Err(unknown(&path.join("."), object, names(fields), ""))
}

fn money_part<'a>(path: &str, money: Named<'a>, part: &str) -> Result<Named<'a>, String> {
    let (part, ty) = match part {
        "amount_minor" => (MoneyPart::AmountMinor, Type::Integer),
        "currency" => (MoneyPart::Currency, Type::Text),
        _ => return Err(format!("money has the parts {path}.amount_minor and {path}.currency")),
    };
    Ok(Named::plain(NodeKind::MoneyPart(Box::new(money.node), part), ty))
}

fn member<'a>(fields: &'a FieldMap, key: &str, id: &Type) -> Option<(Type, Option<&'a [String]>)> {
    match key {
        "id" => return Some((id.clone(), None)),
        "version" => return Some((Type::Integer, None)),
        "created_at" | "updated_at" => return Some((Type::DateTime, None)),
        _ => {}
    }
    let kind = &fields.get(key)?.kind;
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
    names(scope.fields).into_iter().chain((0..scope.parameters.len()).map(|n| format!("p{n}"))).collect()
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
