//! Questions about the records that refer to one: is there any, how many, what sum.

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue},
};
use jiff::SignedDuration;
use rust_decimal::Decimal;

use super::{
    Env, Node, NodeKind, Type,
    check::Checker,
    error::Fault,
    evaluate::{self, EvalError},
    fit::{self, Operand},
    names,
};
use crate::{
    name::ObjectName,
    value::{Id, Value},
};

/// A question about the records of one object that refer to a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Children {
    /// Whose records are asked.
    pub object: ObjectName,
    /// Their field that refers to the record.
    pub via: String,
    /// Gives the id of the record; without one there are no children.
    pub of: Node,
    /// What is asked of those that count. Its nodes' fields are the children's.
    pub measured: Measured,
    /// Which children count; all if absent. Its fields are the children's.
    pub filter: Option<Node>,
}

/// What is asked of children.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// Whether there is any.
    Exists,
    /// How many there are.
    Count,
    /// The sum of the values that are there; zero without any.
    Sum(Node),
    /// The least value; absent without any.
    Min(Node),
    /// The greatest value; absent without any.
    Max(Node),
}

/// Answers questions about children while an expression is evaluated.
pub trait ChildRecords: Sync {
    /// The answer about those that refer to `of`.
    ///
    /// # Errors
    /// When a sum leaves its range, or the question was not expected.
    fn answer(&self, asked: &Children, of: Id) -> Result<Value, EvalError>;
}

/// Expects no questions.
impl ChildRecords for () {
    fn answer(&self, asked: &Children, _of: Id) -> Result<Value, EvalError> {
        Err(EvalError(format!("nobody here knows of {} records", asked.object)))
    }
}

impl Children {
    /// The answer from the children themselves: all that refer to the record, each in its surroundings.
    ///
    /// # Errors
    /// When a sum leaves its range, or a value cannot be computed.
    pub fn over<'r>(&self, children: impl IntoIterator<Item = Env<'r>>) -> Result<Value, EvalError> {
        let mut count: i64 = 0;
        let mut values = Vec::new();
        for env in children {
            if let Some(filter) = &self.filter
                && filter.evaluate(&env)? != Value::Bool(true)
            {
                continue;
            }
            count = count.saturating_add(1);
            if let Measured::Sum(node) | Measured::Min(node) | Measured::Max(node) = &self.measured {
                values.push(node.evaluate(&env)?);
            }
        }
        values.retain(|value| !value.is_null());
        match &self.measured {
            Measured::Exists => Ok(Value::Bool(count > 0)),
            Measured::Count => Ok(Value::Integer(count)),
            Measured::Sum(node) => sum(&node.ty, &values),
            Measured::Min(_) => Ok(values.into_iter().min_by(evaluate::by_size).unwrap_or_default()),
            Measured::Max(_) => Ok(values.into_iter().max_by(evaluate::by_size).unwrap_or_default()),
        }
    }
}

fn sum(ty: &Type, values: &[Value]) -> Result<Value, EvalError> {
    let whole = |value: &Value| match value {
        Value::Integer(number) => i128::from(*number),
        Value::Duration(length) => length.as_micros(),
        _ => 0,
    };
    let total: i128 = values.iter().map(whole).sum();
    let sum = match ty {
        Type::Decimal => {
            let mut numbers =
                values.iter().map(|value| if let Value::Decimal(one) = value { *one } else { Decimal::ZERO });
            numbers.try_fold(Decimal::ZERO, |sum, one| sum.checked_add(one)).map(Value::Decimal)
        }
        Type::Duration => i64::try_from(total).ok().map(|micros| Value::Duration(SignedDuration::from_micros(micros))),
        _ => i64::try_from(total).ok().map(Value::Integer),
    };
    sum.ok_or_else(|| EvalError(format!("the sum of {ty} values is out of range")))
}

/// The methods that ask of children.
pub(super) const METHODS: [&str; 5] = ["exists", "count", "sum", "min", "max"];

/// A call such as `deals.exists(d, …)`, taken apart.
struct Call<'e> {
    method: &'e str,
    /// `booking.appointments`
    collection: Vec<&'e str>,
    /// The field that refers here, if it is said.
    via: Option<&'e str>,
    variable: &'e str,
    /// What stands after the variable.
    args: &'e [IdedExpr],
}

impl<'a> Checker<'_, 'a> {
    /// `deals.exists(d, …)` and its sisters.
    pub(super) fn children(
        &mut self,
        method: &str,
        target: &IdedExpr,
        args: &[IdedExpr],
        at: usize,
    ) -> Result<Operand<'a>, Fault> {
        let place = self.parsed.place(target);
        if self.variable.is_some() {
            return Err(Fault::new(
                place,
                "records that refer to children cannot be asked in turn: ask the children alone",
            ));
        }
        let call = self.taken_apart(method, target, args, at)?;
        let found =
            names::collection(&self.scope, &call.collection, call.via).map_err(|message| Fault::new(place, message))?;
        if let NodeKind::Related { path, .. } = &found.of.kind {
            self.cost.path(path, place)?;
        }
        self.cost.enter(place)?;
        let outer = self.scope;
        self.scope.object = found.object;
        self.variable = Some(call.variable.to_owned());
        let asked = self.asked(&call, at);
        self.variable = None;
        self.scope = outer;
        self.cost.leave();
        let (measured, filter, ty) = asked?;
        let children =
            super::Children { object: found.object.name.clone(), via: found.via, of: found.of, measured, filter };
        Ok(Operand::new(Node { kind: NodeKind::Children(Box::new(children)), ty }, place))
    }

    fn taken_apart<'e>(
        &self,
        method: &'e str,
        target: &'e IdedExpr,
        args: &'e [IdedExpr],
        at: usize,
    ) -> Result<Call<'e>, Fault> {
        let (target, via) = match &target.expr {
            Expr::Call(call) if call.func_name == "via" => match (&call.target, call.args.as_slice()) {
                (Some(target), [field]) => {
                    (&**target, Some(self.written_text(field, ".via() takes a field: .via('contact')")?))
                }
                _ => {
                    return Err(Fault::new(
                        at,
                        ".via() takes one field, and stands after the records: deals.via('contact')",
                    ));
                }
            },
            _ => (target, None),
        };
        let collection = self.path(target)?;
        let example = format!("write .{method}(x, …), where x stands for each record");
        let Some((first, rest)) = args.split_first() else { return Err(Fault::new(at, example)) };
        let Expr::Ident(variable) = &first.expr else { return Err(Fault::new(self.parsed.place(first), example)) };
        if names::is_taken(&self.scope, variable) {
            let message = format!("{variable} has a meaning already; call each record otherwise");
            return Err(Fault::new(self.parsed.place(first), message));
        }
        Ok(Call { method, collection, via, variable, args: rest })
    }

    fn asked(&mut self, call: &Call<'_>, at: usize) -> Result<(Measured, Option<Node>, Type), Fault> {
        let x = call.variable;
        match (call.method, call.args) {
            ("exists", [filter]) => Ok((Measured::Exists, self.counted(filter)?, Type::Bool)),
            ("exists", _) => Err(Fault::new(at, format!("write .exists({x}, condition)"))),
            ("count", []) => Ok((Measured::Count, None, Type::Integer)),
            ("count", [filter]) => Ok((Measured::Count, self.counted(filter)?, Type::Integer)),
            ("count", _) => Err(Fault::new(at, format!("write .count({x}) or .count({x}, condition)"))),
            (method, [value]) => self.measured(method, value, None),
            (method, [value, filter]) => self.measured(method, value, Some(filter)),
            (method, _) => {
                Err(Fault::new(at, format!("write .{method}({x}, value) or .{method}({x}, value, condition)")))
            }
        }
    }

    fn measured(
        &mut self,
        method: &str,
        value: &IdedExpr,
        filter: Option<&IdedExpr>,
    ) -> Result<(Measured, Option<Node>, Type), Fault> {
        let value = self.operand(value)?;
        let ty = value.node.ty.clone();
        let is_number = matches!(ty, Type::Integer | Type::Decimal | Type::Duration);
        let fits = is_number || (method != "sum" && matches!(ty, Type::Date | Type::DateTime | Type::Text));
        if !fits {
            let hint = if ty == Type::Money {
                format!("; write {}.amount_minor, and choose the currency in the condition", value.shown())
            } else {
                String::new()
            };
            return Err(Fault::new(value.at, format!("there is no {method} of values of type {ty}{hint}")));
        }
        let filter = filter.map(|filter| self.counted(filter)).transpose()?.flatten();
        let node = value.node;
        let measured = match method {
            "sum" => Measured::Sum(node),
            "min" => Measured::Min(node),
            _ => Measured::Max(node),
        };
        Ok((measured, filter, ty))
    }

    fn counted(&mut self, filter: &IdedExpr) -> Result<Option<Node>, Fault> {
        fit::condition(self.operand(filter)?).map(Some)
    }

    /// A text that is written out.
    pub(super) fn written_text<'e>(&self, expr: &'e IdedExpr, otherwise: &str) -> Result<&'e str, Fault> {
        match &expr.expr {
            Expr::Literal(LiteralValue::String(text)) => Ok(text.inner()),
            _ => Err(Fault::new(self.parsed.place(expr), otherwise)),
        }
    }
}
