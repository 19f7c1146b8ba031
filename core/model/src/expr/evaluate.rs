//! Runs checked nodes in memory, with the same answers as the store's SQL.

use std::{borrow::Cow, cmp::Ordering};

use super::{Children, Compare, Env, MoneyPart, Node, NodeKind, TextTest, Type, arithmetic, calendar};
use crate::{record::Record, value::Value};

static NULL: Value = Value::Null;

/// Why an expression has no value: arithmetic that left the range of its type, or a parameter of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

impl Node {
    /// Its value for one record.
    ///
    /// # Errors
    /// [`EvalError`] when arithmetic leaves the range of its type.
    pub fn evaluate(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        value(self, env).map(Cow::into_owned)
    }
}

fn value<'a>(node: &'a Node, env: &'a Env<'_>) -> Result<Cow<'a, Value>, EvalError> {
    let flag = |flag: bool| Ok(Cow::Owned(Value::Bool(flag)));
    match &node.kind {
        NodeKind::Literal(value) => Ok(Cow::Borrowed(value)),
        NodeKind::Field(key) => Ok(field(env.record, key)),
        NodeKind::Related { path, field: key } => Ok(related(env, path, key)),
        NodeKind::MoneyPart(money, part) => Ok(money_part(&*value(money, env)?, *part)),
        NodeKind::Now => Ok(Cow::Owned(Value::DateTime(arithmetic::to_microseconds(env.now)))),
        NodeKind::Parameter(n) => parameter(*n, &node.ty, env),
        NodeKind::Not(inner) => flag(!truth(inner, env)?),
        NodeKind::And(parts) => flag(all(parts, env, true)?),
        NodeKind::Or(parts) => flag(!all(parts, env, false)?),
        NodeKind::Compare(op, a, b) => flag(compare(*op, &*value(a, env)?, &*value(b, env)?)),
        NodeKind::IsNull(inner) => flag(value(inner, env)?.is_null()),
        NodeKind::In(item, list) => flag(is_in(item, list, env)?),
        NodeKind::HasTag(tags, tag) => flag(has_tag(&*value(tags, env)?, &*value(tag, env)?)),
        NodeKind::TextTest(test, a, b) => flag(text_test(*test, &*value(a, env)?, &*value(b, env)?)),
        NodeKind::Add(a, b) => arithmetic::add(&*value(a, env)?, &*value(b, env)?).map(Cow::Owned),
        NodeKind::Subtract(a, b) => arithmetic::subtract(&*value(a, env)?, &*value(b, env)?).map(Cow::Owned),
        NodeKind::Multiply(a, b) => arithmetic::multiply(&*value(a, env)?, &*value(b, env)?).map(Cow::Owned),
        NodeKind::If(condition, yes, no) => value(if truth(condition, env)? { yes } else { no }, env),
        NodeKind::Size(text) => Ok(Cow::Owned(size(&*value(text, env)?))),
        NodeKind::LocalDay(at, zone) => Ok(Cow::Owned(calendar::local_day(&*value(at, env)?, zone))),
        NodeKind::DayPart(part, day) => Ok(Cow::Owned(calendar::day_part(*part, &*value(day, env)?))),
        NodeKind::ClockPart(part, at, zone) => Ok(Cow::Owned(calendar::clock_part(*part, &*value(at, env)?, zone))),
        NodeKind::Period(period, day) => Ok(Cow::Owned(calendar::first_day(*period, &*value(day, env)?))),
        NodeKind::Children(asked) => children(asked, env).map(Cow::Owned),
    }
}

/// Absent is false.
fn truth(node: &Node, env: &Env<'_>) -> Result<bool, EvalError> {
    Ok(*value(node, env)? == Value::Bool(true))
}

fn all(parts: &[Node], env: &Env<'_>, wanted: bool) -> Result<bool, EvalError> {
    for part in parts {
        if truth(part, env)? != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

fn field<'a>(record: &'a Record, key: &str) -> Cow<'a, Value> {
    match key {
        "id" => Cow::Owned(Value::Ref(record.id)),
        "version" => Cow::Owned(Value::Integer(record.version)),
        "created_at" => Cow::Owned(Value::DateTime(record.created_at)),
        "updated_at" => Cow::Owned(Value::DateTime(record.updated_at)),
        _ => Cow::Borrowed(record.fields.get(key)),
    }
}

fn related<'a>(env: &'a Env<'_>, path: &[String], key: &str) -> Cow<'a, Value> {
    match env.related.get(path) {
        Some(record) => field(record, key),
        None => Cow::Borrowed(&NULL),
    }
}

fn children(asked: &Children, env: &Env<'_>) -> Result<Value, EvalError> {
    match value(&asked.of, env)?.as_ref_id() {
        Some(id) => env.children.answer(asked, id),
        None => asked.over([]),
    }
}

/// The characters of a text; absent if that is.
pub(super) fn size(text: &Value) -> Value {
    let count = text.as_text().map(|text| text.chars().count());
    count.and_then(|count| i64::try_from(count).ok()).map_or(Value::Null, Value::Integer)
}

fn money_part(money: &Value, part: MoneyPart) -> Cow<'static, Value> {
    match (money, part) {
        (Value::Money(money), MoneyPart::AmountMinor) => Cow::Owned(Value::Integer(money.amount_minor)),
        (Value::Money(money), MoneyPart::Currency) => Cow::Owned(Value::Text(money.currency.clone())),
        _ => Cow::Borrowed(&NULL),
    }
}

fn parameter<'a>(n: usize, ty: &Type, env: &'a Env<'_>) -> Result<Cow<'a, Value>, EvalError> {
    let value = env.parameters.get(n).unwrap_or(&NULL);
    match value {
        Value::Null => Ok(Cow::Borrowed(value)),
        Value::Integer(number) if *ty == Type::Decimal => Ok(Cow::Owned(Value::Decimal((*number).into()))),
        Value::DateTime(at) => Ok(Cow::Owned(Value::DateTime(arithmetic::to_microseconds(*at))))
            .and_then(|value| if *ty == Type::DateTime { Ok(value) } else { Err(wrong_parameter(n, ty, "datetime")) }),
        value if ty.fits(value) => Ok(Cow::Borrowed(value)),
        value => Err(wrong_parameter(n, ty, value.kind())),
    }
}

fn wrong_parameter(n: usize, ty: &Type, kind: &str) -> EvalError {
    EvalError(format!("parameter p{n} must be a value of type {ty}, not {kind}"))
}

/// `==` and the orderings are false if either is absent; `!=` is the opposite of `==`.
pub(super) fn compare(op: Compare, a: &Value, b: &Value) -> bool {
    let order = order(a, b);
    match op {
        Compare::Equal => order == Some(Ordering::Equal),
        Compare::NotEqual => order != Some(Ordering::Equal),
        Compare::Less => order.is_some_and(Ordering::is_lt),
        Compare::LessOrEqual => order.is_some_and(Ordering::is_le),
        Compare::Greater => order.is_some_and(Ordering::is_gt),
        Compare::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}

/// Texts by bytes, that is by code points; decimals by number, whatever their scale.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Ref(a), Value::Ref(b)) => Some(a.cmp(b)),
        (Value::Money(a), Value::Money(b)) if a.currency == b.currency => Some(a.amount_minor.cmp(&b.amount_minor)),
        _ => None,
    }
}

/// The order of values of one type that has an order.
pub(super) fn by_size(a: &Value, b: &Value) -> Ordering {
    order(a, b).unwrap_or(Ordering::Equal)
}

fn is_in(item: &Node, list: &[Node], env: &Env<'_>) -> Result<bool, EvalError> {
    let item = value(item, env)?;
    for element in list {
        if compare(Compare::Equal, &item, &*value(element, env)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_tag(tags: &Value, tag: &Value) -> bool {
    match (tags, tag) {
        (Value::Tags(tags), Value::Text(tag)) => tags.contains(tag),
        _ => false,
    }
}

/// False if either is absent.
pub(super) fn text_test(test: TextTest, a: &Value, b: &Value) -> bool {
    let (Value::Text(a), Value::Text(b)) = (a, b) else { return false };
    match test {
        TextTest::StartsWith => a.starts_with(b.as_str()),
        TextTest::EndsWith => a.ends_with(b.as_str()),
        TextTest::Contains => a.contains(b.as_str()),
    }
}
