//! The arithmetic of rollups: what counted records come to, and how one more or one less changes it.
//!
//! An increment is exact or not made: where the stored value does not tell (the greatest value went away, an amount in
//! another currency came), the answer is that the records must be counted anew.

use jiff::SignedDuration;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    field::FieldType,
    object::{Aggregate, Rollup},
    value::{Money, Value},
};

/// What the counted records of one parent come to, as a database counts them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// How many count; for all but `count`, only those with a value in the field.
    pub count: i64,
    /// The sum of the values in their smallest steps: units, minor units, microseconds, 10^-scale.
    pub sum: i128,
    /// The least value.
    pub least: Value,
    /// The greatest value.
    pub greatest: Value,
    /// The first and the last of the currencies, by their codes; none without money.
    pub currencies: Option<(String, String)>,
}

/// What a change does to one rollup of one parent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// Values that count no more.
    pub gone: Vec<Value>,
    /// Values that count now.
    pub come: Vec<Value>,
}

/// A rollup's new value.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Exact.
    Value(Value),
    /// Only the records themselves can tell.
    CountAnew,
    /// The value leaves the range of its type.
    OutOfRange,
}

impl Rollup {
    /// The value when nothing is counted.
    #[must_use]
    pub fn of_none(&self) -> Value {
        match (self.what, &self.kind) {
            (Aggregate::Count, _) | (Aggregate::Sum, FieldType::Integer) => Value::Integer(0),
            (Aggregate::Sum, FieldType::Decimal { scale }) => Value::Decimal(Decimal::new(0, u32::from(*scale))),
            (Aggregate::Sum, FieldType::Duration) => Value::Duration(SignedDuration::ZERO),
            _ => Value::Null,
        }
    }

    /// The value of counted records. Money in several currencies has none.
    #[must_use]
    pub fn of_tally(&self, tally: &Tally) -> Outcome {
        let currency = tally.currencies.as_ref();
        if tally.count == 0 || currency.is_some_and(|(first, last)| first != last) {
            return Outcome::Value(self.of_none());
        }
        let currency = currency.map(|(first, _)| first.as_str());
        match self.what {
            Aggregate::Count => Outcome::Value(Value::Integer(tally.count)),
            Aggregate::Sum => made(&self.kind, tally.sum, currency),
            Aggregate::Avg => made(&self.kind, self.mean(tally), currency),
            Aggregate::Min => Outcome::Value(tally.least.clone()),
            Aggregate::Max => Outcome::Value(tally.greatest.clone()),
        }
    }

    /// In the steps of the rollup's own type, rounded half away from zero.
    fn mean(&self, tally: &Tally) -> i128 {
        let scale_of = |kind: &FieldType| if let FieldType::Decimal { scale } = kind { i32::from(*scale) } else { 0 };
        let source = self.source.as_ref().map_or(0, |(_, kind)| scale_of(kind));
        let finer = scale_of(&self.kind) - source;
        let factor = 10_i128.checked_pow(finer.unsigned_abs()).unwrap_or(1);
        let (sum, count) = if finer >= 0 {
            (tally.sum.saturating_mul(factor), i128::from(tally.count))
        } else {
            (tally.sum, i128::from(tally.count).saturating_mul(factor))
        };
        let twice = sum.unsigned_abs().saturating_mul(2).saturating_add(count.unsigned_abs());
        let size = i128::try_from(twice / count.unsigned_abs().saturating_mul(2).max(1)).unwrap_or(i128::MAX);
        if sum < 0 { -size } else { size }
    }

    /// The value after a change, from the value before it.
    #[must_use]
    pub fn after(&self, stored: &Value, difference: &Difference) -> Outcome {
        let present = |values: &[Value]| values.iter().filter(|value| !value.is_null()).cloned().collect::<Vec<_>>();
        let (gone, come) = (present(&difference.gone), present(&difference.come));
        if gone.is_empty() && come.is_empty() {
            return Outcome::Value(stored.clone());
        }
        match self.what {
            _ if stored.is_null() => Outcome::CountAnew,
            Aggregate::Count => counted(stored, gone.len(), come.len()),
            Aggregate::Sum => self.summed(stored, &gone, &come),
            Aggregate::Avg => Outcome::CountAnew,
            Aggregate::Min => extreme(stored, &gone, come, |a, b| a < b),
            Aggregate::Max => extreme(stored, &gone, come, |a, b| a > b),
        }
    }

    fn summed(&self, stored: &Value, gone: &[Value], come: &[Value]) -> Outcome {
        let Some((mut sum, currency)) = steps(&self.kind, stored) else { return Outcome::CountAnew };
        // Without any amount there is no sum of money, and nobody knows here whether the last one went.
        if currency.is_some() && come.is_empty() {
            return Outcome::CountAnew;
        }
        for (values, sign) in [(gone, -1_i128), (come, 1)] {
            for value in values {
                match steps(&self.kind, value) {
                    Some((part, of)) if of == currency => sum += sign * part,
                    _ => return Outcome::CountAnew,
                }
            }
        }
        made(&self.kind, sum, currency)
    }
}

fn counted(stored: &Value, gone: usize, come: usize) -> Outcome {
    let Value::Integer(count) = stored else { return Outcome::CountAnew };
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    match count.saturating_add(number(come)).saturating_sub(number(gone)) {
        count if count >= 0 => Outcome::Value(Value::Integer(count)),
        _ => Outcome::CountAnew,
    }
}

/// The extreme of what was stored and what came, unless the extreme itself went.
fn extreme(stored: &Value, gone: &[Value], come: Vec<Value>, beats: fn(i128, i128) -> bool) -> Outcome {
    let Some(best) = order(stored) else { return Outcome::CountAnew };
    let mut now = (best.clone(), stored.clone());
    for value in come {
        match order(&value) {
            Some(rank) if rank.1 == best.1 && beats(rank.0, now.0.0) => now = (rank, value),
            Some(rank) if rank.1 == best.1 => {}
            _ => return Outcome::CountAnew,
        }
    }
    let lost = gone.iter().any(|value| order(value).as_ref() == Some(&best));
    if lost && now.0 == best {
        return Outcome::CountAnew;
    }
    Outcome::Value(now.1)
}

/// A number in the order of the values of one type, and the currency within which that is so.
fn order(value: &Value) -> Option<(i128, Option<String>)> {
    let number = match value {
        Value::Integer(number) => i128::from(*number),
        // Nine digits after the point are the most there are.
        Value::Decimal(number) => scaled(*number, 9)?,
        Value::Money(money) => return Some((i128::from(money.amount_minor), Some(money.currency.clone()))),
        Value::Date(date) => i128::from(date.year()) * 10_000 + i128::from(date.month()) * 100 + i128::from(date.day()),
        Value::DateTime(at) => i128::from(at.as_microsecond()),
        Value::Duration(length) => length.as_micros(),
        _ => return None,
    };
    Some((number, None))
}

/// The value in the smallest steps of its type, and its currency.
#[must_use]
pub fn steps<'a>(kind: &FieldType, value: &'a Value) -> Option<(i128, Option<&'a str>)> {
    match (kind, value) {
        (FieldType::Integer, Value::Integer(number)) => Some((i128::from(*number), None)),
        (FieldType::Decimal { scale }, Value::Decimal(number)) => Some((scaled(*number, *scale)?, None)),
        (FieldType::Money, Value::Money(money)) => Some((i128::from(money.amount_minor), Some(&money.currency))),
        (FieldType::Duration, Value::Duration(length)) => Some((length.as_micros(), None)),
        _ => None,
    }
}

/// The value of so many smallest steps, if 64 bits hold them.
#[must_use]
pub fn from_steps(kind: &FieldType, steps: i128, currency: Option<&str>) -> Option<Value> {
    let number = i64::try_from(steps).ok()?;
    Some(match kind {
        FieldType::Integer => Value::Integer(number),
        FieldType::Decimal { scale } => Value::Decimal(Decimal::new(number, u32::from(*scale))),
        FieldType::Money => Value::Money(Money { amount_minor: number, currency: currency?.to_owned() }),
        FieldType::Duration => Value::Duration(SignedDuration::from_micros(number)),
        _ => return None,
    })
}

fn made(kind: &FieldType, steps: i128, currency: Option<&str>) -> Outcome {
    from_steps(kind, steps, currency).map_or(Outcome::OutOfRange, Outcome::Value)
}

fn scaled(number: Decimal, scale: u8) -> Option<i128> {
    let number = number.round_dp_with_strategy(u32::from(scale), RoundingStrategy::MidpointAwayFromZero).normalize();
    let factor = 10_i128.checked_pow(u32::from(scale).checked_sub(number.scale())?)?;
    number.mantissa().checked_mul(factor)
}

#[cfg(test)]
mod tests;
