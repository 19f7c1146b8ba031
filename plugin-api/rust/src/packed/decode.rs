//! From bytes to values. Total: whatever the bytes are, it gives values or a failure.

use super::Kind;
use crate::{Date, DateTime, Decimal, Duration, Failure, Id, Money, Value};

/// Unpacks `column_count` columns of `row_count` cells.
///
/// # Errors
/// `damaged_page`: the bytes are not such a page, or there are more of them.
pub fn decode(bytes: &[u8], column_count: usize, row_count: usize) -> Result<Vec<Vec<Value>>, Failure> {
    let mut reader = Reader { rest: bytes };
    let mut columns = Vec::new();
    for _ in 0..column_count {
        columns.push(decode_column(&mut reader, row_count).ok_or_else(damaged)?);
    }
    if reader.rest.is_empty() { Ok(columns) } else { Err(damaged()) }
}

fn damaged() -> Failure {
    Failure::refused("damaged_page", "A page of records could not be decoded; host and plugin do not fit together.")
}

fn decode_column(reader: &mut Reader<'_>, rows: usize) -> Option<Vec<Value>> {
    let [kind] = reader.array()?;
    let nulls = reader.take(rows.div_ceil(8))?;
    let values = match Kind::from_byte(kind)? {
        Kind::Text => decode_texts(reader, rows, |text| Some(Value::Text(text.to_owned())), nulls)?,
        Kind::Json => decode_texts(reader, rows, |text| Some(Value::Json(text.to_owned())), nulls)?,
        Kind::Tags => decode_texts(reader, rows, |text| serde_json::from_str(text).ok().map(Value::Tags), nulls)?,
        Kind::Integer => reader.each(rows, |bytes| i64::from_le_bytes(bytes).into())?,
        Kind::DateTime => reader.each(rows, |bytes| DateTime::from_micros(i64::from_le_bytes(bytes)).into())?,
        Kind::Duration => reader.each(rows, |bytes| Duration::from_micros(i64::from_le_bytes(bytes)).into())?,
        Kind::Date => reader.each(rows, |bytes| Date::from_days(i32::from_le_bytes(bytes)).into())?,
        Kind::Ref => reader.each(rows, |bytes| Id::from_u128(u128::from_be_bytes(bytes)).into())?,
        Kind::Bool => reader.each(rows, |[byte]| (byte != 0).into())?,
        Kind::Decimal => decode_decimals(reader, rows)?,
        Kind::Money => decode_moneys(reader, rows, nulls)?,
    };
    let cells = values.into_iter().enumerate();
    Some(cells.map(|(row, value)| if is_null(nulls, row) { Value::Null } else { value }).collect())
}

fn is_null(nulls: &[u8], row: usize) -> bool {
    nulls.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

fn decode_decimals(reader: &mut Reader<'_>, rows: usize) -> Option<Vec<Value>> {
    let units: Vec<i64> = reader.each(rows, i64::from_le_bytes)?;
    let scales = reader.take(rows)?;
    let valid = scales.iter().all(|scale| *scale <= 9);
    valid.then(|| units.into_iter().zip(scales).map(|(units, scale)| Decimal::new(units, *scale).into()).collect())
}

fn decode_moneys(reader: &mut Reader<'_>, rows: usize, nulls: &[u8]) -> Option<Vec<Value>> {
    let amounts: Vec<i64> = reader.each(rows, i64::from_le_bytes)?;
    let currencies: Vec<[u8; 3]> = reader.each(rows, |bytes| bytes)?;
    let cells = amounts.into_iter().zip(currencies).enumerate();
    cells
        .map(|(row, (amount, currency))| {
            if is_null(nulls, row) {
                return Some(Value::Null);
            }
            let currency = std::str::from_utf8(&currency).ok().filter(|text| text.is_ascii())?;
            Some(Money::new(amount, currency).into())
        })
        .collect()
}

/// Texts: all lengths, then all bytes.
fn decode_texts(
    reader: &mut Reader<'_>,
    rows: usize,
    value: impl Fn(&str) -> Option<Value>,
    nulls: &[u8],
) -> Option<Vec<Value>> {
    let lengths: Vec<u32> = reader.each(rows, u32::from_le_bytes)?;
    let mut values = Vec::with_capacity(lengths.len());
    for (row, length) in lengths.into_iter().enumerate() {
        let bytes = reader.take(usize::try_from(length).ok()?)?;
        values.push(if is_null(nulls, row) { Value::Null } else { value(std::str::from_utf8(bytes).ok()?)? });
    }
    Some(values)
}

/// The bytes that are not read yet.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    /// Reads `rows` groups of `N` bytes. Checks that they are there before it reserves memory for them.
    fn each<const N: usize, T>(&mut self, rows: usize, read: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
        let bytes = self.take(rows.checked_mul(N)?)?;
        bytes.chunks_exact(N).map(|group| group.try_into().ok().map(&read)).collect()
    }
}
