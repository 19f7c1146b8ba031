//! Constants as people write them: numbers, days, instants, lengths of time, ids.

use jiff::{SignedDuration, Timestamp, civil::Date};
use rust_decimal::Decimal;

use super::{Type, arithmetic};
use crate::value::{Id, Value};

/// What units of a duration are called and how many microseconds they have.
const UNITS: [(&str, i64); 5] =
    [("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// Reads a text as a value of the type, or tells the format. None if the type has no text form here.
pub(super) fn read(text: &str, ty: &Type) -> Option<Result<Value, String>> {
    let (value, format) = match ty {
        Type::Date => (date(text).map(Value::Date), "a date like '2026-03-31'"),
        Type::DateTime => {
            (datetime(text).map(Value::DateTime), "an instant with its zone, like '2026-03-31T10:00:00Z'")
        }
        Type::Duration => (duration(text).map(Value::Duration), "a length of time like '24h', '1h30m', '90s' or '2d'"),
        Type::Decimal => (decimal(text).map(Value::Decimal), "a decimal like '19.99'"),
        Type::Ref(_) | Type::Id => {
            (text.parse::<Id>().ok().map(Value::Ref), "an id like '01890a5d-ac96-774b-bcce-b302099a8057'")
        }
        _ => return None,
    };
    Some(value.ok_or_else(|| format!("{text:?} is not {format}")))
}

/// A decimal, exactly as written; an exponent is allowed.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || digits.contains('_') {
        return None;
    }
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { Decimal::from_str_exact(text).ok() }
}

fn date(text: &str) -> Option<Date> {
    let shaped = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if shaped { text.parse().ok() } else { None }
}

fn datetime(text: &str) -> Option<Timestamp> {
    if text.contains('[') { None } else { text.parse().ok().map(arithmetic::to_microseconds) }
}

/// Numbers with units, the larger first or not: `1h30m`; a `-` in front; or ISO 8601: `PT1H30M`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    if rest.starts_with('P') {
        let length: SignedDuration = text.parse().ok()?;
        return i64::try_from(length.as_micros()).ok().map(SignedDuration::from_micros);
    }
    let mut micros: i64 = 0;
    while !rest.is_empty() {
        let (number, unit_on) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, tail) =
            unit_on.split_at_checked(unit_on.find(|c: char| c.is_ascii_digit()).unwrap_or(unit_on.len()))?;
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        micros = micros.checked_add(number.parse::<i64>().ok()?.checked_mul(*size)?)?;
        rest = tail;
    }
    if text.is_empty() || text == "-" { None } else { Some(SignedDuration::from_micros(micros.checked_mul(sign)?)) }
}
