//! Which types can be added and multiplied; sums of constants are constants.

use super::{
    Node, NodeKind, Type, arithmetic,
    error::Fault,
    evaluate::EvalError,
    fit::{Operand, coerce, literal_node},
};
use crate::value::Value;

/// `days(n)` and its sisters.
pub(super) fn units<'a>(part: Operand<'a>, seconds: i64, function: &str) -> Result<Operand<'a>, Fault> {
    let at = part.at;
    let number = coerce(part, &Type::Integer)?;
    if number.node.ty != Type::Integer {
        return Err(Fault::new(at, format!("{function}() takes an integer, but this is {}", number.node.ty)));
    }
    let unit = Value::Duration(jiff::SignedDuration::from_secs(seconds));
    multiply(Operand::new(literal_node(unit, Type::Duration), at), number, at)
}

/// `-a`
pub(super) fn negate<'a>(part: Operand<'a>, at: usize) -> Result<Operand<'a>, Fault> {
    if !matches!(part.node.ty, Type::Integer | Type::Decimal | Type::Duration | Type::Null) {
        let message =
            format!("- can stand before a number or a duration, but this is a value of type {}", part.node.ty);
        return Err(Fault::new(at, message));
    }
    let minus_one = Operand::new(literal_node(Value::Integer(-1), Type::Integer), at);
    if part.node.ty == Type::Decimal {
        let zero = Operand::new(literal_node(Value::Integer(0), Type::Integer), at);
        return subtract(zero, part, at);
    }
    multiply(part, minus_one, at)
}

type BoxedPair = fn(Box<Node>, Box<Node>) -> NodeKind;
type Calculation = fn(&Value, &Value) -> Result<Value, EvalError>;

fn calculated<'a>(
    a: Operand<'a>,
    b: Operand<'a>,
    ty: Type,
    build: BoxedPair,
    calculate: Calculation,
    sign: usize,
) -> Result<Operand<'a>, Fault> {
    let at = a.at;
    let node = match (a.constant(), b.constant()) {
        (Some(Value::Null), _) | (_, Some(Value::Null)) => literal_node(Value::Null, ty),
        (Some(left), Some(right)) => {
            literal_node(calculate(left, right).map_err(|error| Fault::new(sign, error.0))?, ty)
        }
        _ => Node { kind: build(Box::new(a.node), Box::new(b.node)), ty },
    };
    Ok(Operand::new(node, at))
}

/// Both sides of a sum, with constants and unknown types fitted to the other side.
fn summands<'a>(a: Operand<'a>, b: Operand<'a>, sign: usize) -> Result<(Operand<'a>, Operand<'a>), Fault> {
    if a.is_null_word || b.is_null_word {
        return Err(Fault::new(sign, "null cannot be part of a sum"));
    }
    let fitted = |part: Operand<'a>, other: &Type| match (&part.node.ty, other) {
        (Type::Integer, Type::Decimal) | (Type::Null, Type::Integer | Type::Decimal | Type::Duration) => {
            coerce(part, other)
        }
        (Type::Null, Type::DateTime | Type::Date) => coerce(part, &Type::Duration),
        (Type::Null, Type::Null) => coerce(part, &Type::Integer),
        _ => Ok(part),
    };
    let a = fitted(a, &b.node.ty)?;
    let b = fitted(b, &a.node.ty)?;
    Ok((a, b))
}

fn misfit<'a>(a: &Operand<'_>, sign_text: &str, b: &Operand<'_>, sign: usize) -> Result<Operand<'a>, Fault> {
    let hint = match (&a.node.ty, &b.node.ty) {
        (Type::Money, _) => format!("; write {}.amount_minor", a.shown()),
        (_, Type::Money) => format!("; write {}.amount_minor", b.shown()),
        (Type::DateTime, Type::Text) => "; write duration('24h')".to_owned(),
        (Type::DateTime | Type::Duration | Type::Date, Type::Integer) => {
            "; write days(n), hours(n) or minutes(n)".to_owned()
        }
        (Type::Date, Type::Text) => "; write days(1)".to_owned(),
        (Type::Text, Type::Text) => "; texts cannot be joined".to_owned(),
        (Type::Integer, Type::Decimal) | (Type::Decimal, Type::Integer) if sign_text != "*" => {
            "; only a constant integer becomes a decimal".to_owned()
        }
        (Type::Decimal, _) | (_, Type::Decimal) if sign_text == "*" => {
            "; only integers and durations multiply".to_owned()
        }
        _ => String::new(),
    };
    Err(Fault::new(sign, format!("{} {sign_text} {} has no meaning{hint}", a.node.ty, b.node.ty)))
}

/// Passes unless a constant is added to a date that is not a number of days.
fn check_days(a: &Operand<'_>, b: &Operand<'_>) -> Result<(), Fault> {
    match (&a.node.ty, b.constant()) {
        (Type::Date, Some(Value::Duration(by))) if by.as_micros() % i128::from(arithmetic::DAY) != 0 => {
            Err(Fault::new(b.at, "a date moves by whole days; write days(n)"))
        }
        _ => Ok(()),
    }
}

/// `a + b`
pub(super) fn add<'a>(a: Operand<'a>, b: Operand<'a>, sign: usize) -> Result<Operand<'a>, Fault> {
    let (a, b) = summands(a, b, sign)?;
    check_days(&a, &b)?;
    check_days(&b, &a)?;
    match (&a.node.ty, &b.node.ty) {
        (Type::Integer, Type::Integer)
        | (Type::Decimal, Type::Decimal)
        | (Type::Duration, Type::Duration)
        | (Type::DateTime | Type::Date, Type::Duration) => {
            let ty = a.node.ty.clone();
            calculated(a, b, ty, NodeKind::Add, arithmetic::add, sign)
        }
        (Type::Duration, Type::DateTime | Type::Date) => {
            let (at, ty) = (a.at, b.node.ty.clone());
            let sum = calculated(b, a, ty, NodeKind::Add, arithmetic::add, sign)?;
            Ok(Operand { at, ..sum })
        }
        _ => misfit(&a, "+", &b, sign),
    }
}

/// `a - b`
pub(super) fn subtract<'a>(a: Operand<'a>, b: Operand<'a>, sign: usize) -> Result<Operand<'a>, Fault> {
    let (a, b) = summands(a, b, sign)?;
    check_days(&a, &b)?;
    let ty = match (&a.node.ty, &b.node.ty) {
        (Type::Integer, Type::Integer) | (Type::Decimal, Type::Decimal) | (Type::Duration, Type::Duration) => {
            a.node.ty.clone()
        }
        (Type::DateTime | Type::Date, Type::Duration) => a.node.ty.clone(),
        (Type::DateTime, Type::DateTime) | (Type::Date, Type::Date) => Type::Duration,
        _ => return misfit(&a, "-", &b, sign),
    };
    calculated(a, b, ty, NodeKind::Subtract, arithmetic::subtract, sign)
}

/// `a * b`
pub(super) fn multiply<'a>(a: Operand<'a>, b: Operand<'a>, sign: usize) -> Result<Operand<'a>, Fault> {
    if a.is_null_word || b.is_null_word {
        return Err(Fault::new(sign, "null cannot be part of a product"));
    }
    let a = if a.node.ty == Type::Null { coerce(a, &Type::Integer)? } else { a };
    let b = if b.node.ty == Type::Null { coerce(b, &Type::Integer)? } else { b };
    match (&a.node.ty, &b.node.ty) {
        (Type::Integer | Type::Duration, Type::Integer) => {
            let ty = a.node.ty.clone();
            calculated(a, b, ty, NodeKind::Multiply, arithmetic::multiply, sign)
        }
        (Type::Integer, Type::Duration) => {
            calculated(b, a, Type::Duration, NodeKind::Multiply, arithmetic::multiply, sign)
        }
        _ => misfit(&a, "*", &b, sign),
    }
}
