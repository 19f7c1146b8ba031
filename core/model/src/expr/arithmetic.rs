//! Sums and products of values, in the ranges that a database has too: 64 bits, and microseconds in 64 bits.

use jiff::{SignedDuration, Span, Timestamp, Unit, civil::Date};

use super::evaluate::EvalError;
use crate::value::Value;

/// The microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The instant without what is finer than a microsecond.
pub(super) fn to_microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// `a + b`; absent if either is.
pub(super) fn add(a: &Value, b: &Value) -> Result<Value, EvalError> {
    let sum = match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Some(Value::Null),
        (Value::Integer(a), Value::Integer(b)) => a.checked_add(*b).map(Value::Integer),
        (Value::Decimal(a), Value::Decimal(b)) => a.checked_add(*b).map(Value::Decimal),
        (Value::Duration(a), Value::Duration(b)) => duration(micros(*a)?.checked_add(micros(*b)?)),
        (Value::DateTime(at), Value::Duration(by)) => instant(at.as_microsecond().checked_add(micros(*by)?)),
        (Value::Date(day), Value::Duration(by)) => moved(*day, Some(whole_days(*by)?)),
        _ => return Err(EvalError(format!("{} + {} has no meaning", a.kind(), b.kind()))),
    };
    sum.ok_or_else(|| out_of_range(a, "+", b))
}

/// `a - b`; absent if either is.
pub(super) fn subtract(a: &Value, b: &Value) -> Result<Value, EvalError> {
    let difference = match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Some(Value::Null),
        (Value::Integer(a), Value::Integer(b)) => a.checked_sub(*b).map(Value::Integer),
        (Value::Decimal(a), Value::Decimal(b)) => a.checked_sub(*b).map(Value::Decimal),
        (Value::Duration(a), Value::Duration(b)) => duration(micros(*a)?.checked_sub(micros(*b)?)),
        (Value::DateTime(at), Value::Duration(by)) => instant(at.as_microsecond().checked_sub(micros(*by)?)),
        (Value::Date(day), Value::Duration(by)) => moved(*day, whole_days(*by)?.checked_neg()),
        (Value::Date(a), Value::Date(b)) => duration(days_between(*a, *b).and_then(|days| days.checked_mul(DAY))),
        (Value::DateTime(a), Value::DateTime(b)) => duration(a.as_microsecond().checked_sub(b.as_microsecond())),
        _ => return Err(EvalError(format!("{} - {} has no meaning", a.kind(), b.kind()))),
    };
    difference.ok_or_else(|| out_of_range(a, "-", b))
}

/// `a * b`; absent if either is.
pub(super) fn multiply(a: &Value, b: &Value) -> Result<Value, EvalError> {
    let product = match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Some(Value::Null),
        (Value::Integer(a), Value::Integer(b)) => a.checked_mul(*b).map(Value::Integer),
        (Value::Duration(a), Value::Integer(b)) => duration(micros(*a)?.checked_mul(*b)),
        _ => return Err(EvalError(format!("{} * {} has no meaning", a.kind(), b.kind()))),
    };
    product.ok_or_else(|| out_of_range(a, "*", b))
}

fn out_of_range(a: &Value, sign: &str, b: &Value) -> EvalError {
    EvalError(format!("{} {sign} {} is out of range", a.kind(), b.kind()))
}

fn micros(length: SignedDuration) -> Result<i64, EvalError> {
    i64::try_from(length.as_micros()).map_err(|_| EvalError("a duration is out of range".to_owned()))
}

fn duration(micros: Option<i64>) -> Option<Value> {
    micros.map(|micros| Value::Duration(SignedDuration::from_micros(micros)))
}

fn instant(micros: Option<i64>) -> Option<Value> {
    Timestamp::from_microsecond(micros?).ok().map(Value::DateTime)
}

/// The whole days of a duration, towards zero.
fn whole_days(length: SignedDuration) -> Result<i64, EvalError> {
    Ok(micros(length)? / DAY)
}

fn moved(day: Date, by: Option<i64>) -> Option<Value> {
    let span = Span::new().try_days(by?).ok()?;
    day.checked_add(span).ok().map(Value::Date)
}

fn days_between(a: Date, b: Date) -> Option<i64> {
    b.until((Unit::Day, a)).ok().map(|span| i64::from(span.get_days()))
}
