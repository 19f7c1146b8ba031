//! From values to bytes.

use std::fmt;

use super::Kind;
use crate::Value;

/// A cell that does not fit its column: another kind, a currency that is not three ASCII letters, or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeError {
    /// The column, from 0.
    pub column: usize,
    /// The row, from 0.
    pub row: usize,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cell in column {} and row {} does not fit its column's kind", self.column, self.row)
    }
}

impl std::error::Error for EncodeError {}

/// Packs columns of equally many cells.
///
/// # Errors
/// [`EncodeError`] names the first cell that does not fit.
pub fn encode(columns: &[(Kind, &[Value])]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    for (column, (kind, cells)) in columns.iter().enumerate() {
        encode_column(&mut out, *kind, cells).map_err(|row| EncodeError { column, row })?;
    }
    Ok(out)
}

/// Appends one column; the error is the row that does not fit.
fn encode_column(out: &mut Vec<u8>, kind: Kind, cells: &[Value]) -> Result<(), usize> {
    out.push(kind as u8);
    out.extend(
        cells.chunks(8).map(|eight| {
            eight.iter().enumerate().fold(0_u8, |byte, (bit, cell)| byte | u8::from(cell.is_null()) << bit)
        }),
    );
    // Some payloads have a second part, which follows the first part of all rows.
    let mut second = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let fits = if cell.is_null() {
            encode_empty(out, &mut second, kind);
            Some(())
        } else {
            encode_cell(out, &mut second, kind, cell)
        };
        fits.ok_or(row)?;
    }
    out.append(&mut second);
    Ok(())
}

fn encode_empty(out: &mut Vec<u8>, second: &mut Vec<u8>, kind: Kind) {
    let (first_bytes, second_bytes) = match kind {
        Kind::Text | Kind::Tags | Kind::Json | Kind::Date => (4, 0),
        Kind::Integer | Kind::DateTime | Kind::Duration => (8, 0),
        Kind::Decimal => (8, 1),
        Kind::Money => (8, 3),
        Kind::Bool => (1, 0),
        Kind::Ref => (16, 0),
    };
    out.resize(out.len() + first_bytes, 0);
    second.resize(second.len() + second_bytes, 0);
}

fn encode_cell(out: &mut Vec<u8>, second: &mut Vec<u8>, kind: Kind, cell: &Value) -> Option<()> {
    match (kind, cell) {
        (Kind::Text, Value::Text(text)) | (Kind::Json, Value::Json(text)) => encode_text(out, second, text)?,
        (Kind::Tags, Value::Tags(tags)) => encode_text(out, second, &serde_json::to_string(tags).ok()?)?,
        (Kind::Integer, Value::Integer(number)) => out.extend(number.to_le_bytes()),
        (Kind::Decimal, Value::Decimal(number)) => {
            out.extend(number.units().to_le_bytes());
            second.push(number.scale());
        }
        (Kind::Money, Value::Money(money)) => {
            let currency: [u8; 3] = money.currency.as_bytes().try_into().ok()?;
            out.extend(money.amount_minor.to_le_bytes());
            second.extend(currency.is_ascii().then_some(currency)?);
        }
        (Kind::Bool, Value::Bool(flag)) => out.push(u8::from(*flag)),
        (Kind::Date, Value::Date(date)) => out.extend(date.days().to_le_bytes()),
        (Kind::DateTime, Value::DateTime(at)) => out.extend(at.micros().to_le_bytes()),
        (Kind::Duration, Value::Duration(length)) => out.extend(length.micros().to_le_bytes()),
        (Kind::Ref, Value::Ref(id)) => out.extend(id.to_u128().to_be_bytes()),
        _ => return None,
    }
    Some(())
}

fn encode_text(out: &mut Vec<u8>, second: &mut Vec<u8>, text: &str) -> Option<()> {
    out.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
    second.extend(text.as_bytes());
    Some(())
}
