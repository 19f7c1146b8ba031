//! The answer: from what a database counted to values, ordered and cut.

use std::cmp::Ordering;

use jiff::SignedDuration;
use rust_decimal::Decimal;

use super::{Aggregate, GROUPS_MAX, MeasureKind};
use crate::{
    expr::Type,
    value::{Money, Value},
};

/// Digits that an average of numbers has more than they have, and the most.
const AVG_DIGITS: (u32, u32) = (4, 9);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RangeError(pub String);

/// What was found in one group for one measure.
#[derive(Debug, Clone, PartialEq)]
pub enum Tally {
    /// A number of records or values, or the least or greatest value.
    Value(Value),
    /// The sum of the values that are there, in units of their least digit, and how many they are.
    Sum {
        /// The sum.
        total: i128,
        /// How many.
        count: i64,
        /// Digits after the point.
        scale: u32,
    },
    /// Money: what was found of the minor units, and the first and the last currency by their codes.
    Money {
        /// Of the minor units.
        amount: Box<Tally>,
        /// The currencies, if there is a value.
        currencies: Option<(String, String)>,
    },
}

/// The rows of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The columns' names.
    pub columns: Vec<String>,
    /// A value for each column, row by row.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more groups than rows.
    pub more: bool,
}

impl Table {
    /// Orders and cuts what was found: for each group its values and its tallies.
    ///
    /// # Errors
    /// [`RangeError`] for too many groups, a sum that leaves 64 bits, or a sum of several currencies.
    pub fn of(asked: &Aggregate, groups: Vec<(Vec<Value>, Vec<Tally>)>) -> Result<Self, RangeError> {
        if groups.len() > GROUPS_MAX as usize {
            let message =
                format!("there are more than {GROUPS_MAX} groups: filter, or group by less or by longer periods");
            return Err(RangeError(message));
        }
        let mut rows = Vec::with_capacity(groups.len());
        for (mut row, tallies) in groups {
            for (measure, tally) in asked.measures.iter().zip(tallies) {
                row.push(finished(&measure.name, &measure.kind, tally)?);
            }
            rows.push(row);
        }
        rows.sort_by(|a, b| compare(asked, a, b));
        let more = rows.len() > asked.limit as usize;
        rows.truncate(asked.limit as usize);
        Ok(Self { columns: asked.columns().map(str::to_owned).collect(), rows, more })
    }
}

fn compare(asked: &Aggregate, a: &[Value], b: &[Value]) -> Ordering {
    for key in &asked.sort {
        let order = match (a.get(key.column), b.get(key.column)) {
            (Some(a), Some(b)) => by_size(a, b),
            _ => Ordering::Equal,
        };
        let order = if key.descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    let groups = a.iter().zip(b).take(asked.groups.len());
    groups.map(|(a, b)| by_size(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Absent values first, texts by code points, money by amount.
fn by_size(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Ref(a), Value::Ref(b)) => a.cmp(b),
        (Value::Money(a), Value::Money(b)) => (a.amount_minor, &a.currency).cmp(&(b.amount_minor, &b.currency)),
        (a, b) => b.is_null().cmp(&a.is_null()),
    }
}

fn finished(name: &str, kind: &MeasureKind, tally: Tally) -> Result<Value, RangeError> {
    let is_avg = matches!(kind, MeasureKind::Avg(_));
    let ty = kind.node().map_or(Type::Integer, |node| node.ty.clone());
    match tally {
        Tally::Value(value) => Ok(value),
        Tally::Sum { count: 0, .. } if is_avg => Ok(Value::Null),
        Tally::Sum { total, count, scale } => {
            let (total, scale) = match (&ty, is_avg) {
                (_, false) => (Some(total), scale),
                (Type::Integer | Type::Decimal, true) => average(total, count, scale),
                (_, true) => (Some(divided(total, count)), scale),
            };
            let units = total.and_then(|total| i64::try_from(total).ok()).ok_or_else(|| leaves_range(name))?;
            Ok(match ty {
                Type::Duration => Value::Duration(SignedDuration::from_micros(units)),
                Type::Integer if !is_avg => Value::Integer(units),
                Type::Integer | Type::Decimal => Value::Decimal(Decimal::new(units, scale).normalize()),
                _ => Value::Integer(units),
            })
        }
        Tally::Money { currencies: None, .. } => Ok(Value::Null),
        Tally::Money { currencies: Some((first, last)), .. } if first != last => Err(RangeError(format!(
            "{name} meets {first} and {last}, which are not summed or compared with each other: group by the currency, \
             price.currency, or filter on one"
        ))),
        Tally::Money { amount, currencies: Some((currency, _)) } => match finished(name, kind, *amount)? {
            Value::Integer(amount_minor) => Ok(Value::Money(Money { amount_minor, currency })),
            other => Ok(other),
        },
    }
}

/// With as many digits as 64 bits hold: those of the values always fit.
fn average(total: i128, count: i64, scale: u32) -> (Option<i128>, u32) {
    let most = scale.saturating_add(AVG_DIGITS.0).min(AVG_DIGITS.1);
    let with = |digits: u32| {
        let more = 10_i128.checked_pow(digits.saturating_sub(scale))?;
        let units = divided(total.checked_mul(more)?, count);
        i64::try_from(units).is_ok().then_some((Some(units), digits))
    };
    (scale..=most).rev().find_map(with).unwrap_or((None, scale))
}

fn leaves_range(name: &str) -> RangeError {
    RangeError(format!("{name} leaves 64 bits: filter, or make smaller groups"))
}

/// Rounded half away from zero. With an odd count there are no halves.
fn divided(total: i128, count: i64) -> i128 {
    let count = i128::from(count.max(1));
    let half = count / 2;
    let (size, sign) = (total.unsigned_abs(), total.signum());
    let rounded = i128::try_from(size).map_or(i128::MAX, |size| size.saturating_add(half) / count);
    rounded.saturating_mul(sign)
}
