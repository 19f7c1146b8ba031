//! Pages of records as packed columns; the format is in `docs/plugin-guide/packed-pages.md`.
//!
//! The SDK decodes them. Packed because a thousand rows as lists of variants cost eight times as much.

use std::borrow::Cow;

use pergola_model::{Record, Value, query::aggregate::Table};

use crate::values::{Unfit, days_of, microseconds_of, units_of};

/// What kind of cells a column has: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Text = 1,
    Integer = 2,
    Decimal = 3,
    Money = 4,
    Boolean = 5,
    Date = 6,
    Datetime = 7,
    Duration = 8,
    Reference = 9,
    Tags = 10,
    Json = 11,
}

/// The cells of `columns`, column after column.
///
/// # Errors
/// When a value is of another kind than the rest of its column, or out of the contract's range.
pub(crate) fn pack(columns: &[String], records: &[Record]) -> Result<Vec<u8>, Unfit> {
    pack_columns(columns, records.len(), |_, column| records.iter().map(|record| cell(record, column)).collect())
}

/// The cells of a table's columns, column after column.
///
/// # Errors
/// As [`pack`].
pub(crate) fn pack_table(table: &Table) -> Result<Vec<u8>, Unfit> {
    let cell = |row: &'_ Vec<Value>, place: usize| row.get(place).cloned().unwrap_or(Value::Null);
    pack_columns(&table.columns, table.rows.len(), |place, _| {
        table.rows.iter().map(|row| Cow::Owned(cell(row, place))).collect()
    })
}

fn pack_columns<'a>(
    columns: &[String],
    rows: usize,
    cells: impl Fn(usize, &str) -> Vec<Cow<'a, Value>>,
) -> Result<Vec<u8>, Unfit> {
    let mut packed = Vec::with_capacity(columns.len() * rows * size_of::<i64>());
    for (place, column) in columns.iter().enumerate() {
        pack_column(&mut packed, &cells(place, column))
            .map_err(|Unfit(why)| Unfit(format!("column {column:?}: {why}")))?;
    }
    Ok(packed)
}

/// A record's cell; the system fields stand beside its fields.
fn cell<'a>(record: &'a Record, column: &str) -> Cow<'a, Value> {
    match column {
        "id" => Cow::Owned(Value::Ref(record.id)),
        "version" => Cow::Owned(Value::Integer(record.version)),
        "created_at" => Cow::Owned(Value::DateTime(record.created_at)),
        "updated_at" => Cow::Owned(Value::DateTime(record.updated_at)),
        field => Cow::Borrowed(record.fields.get(field)),
    }
}

fn pack_column(packed: &mut Vec<u8>, cells: &[Cow<'_, Value>]) -> Result<(), Unfit> {
    // A column of nulls alone has no kind of its own; the format gives it the first.
    let kind = cells.iter().find_map(|cell| kind_of(cell)).unwrap_or(Kind::Text);
    if let Some(stranger) = cells.iter().find(|cell| kind_of(cell).is_some_and(|other| other != kind)) {
        return Err(Unfit::new(format!("{} among cells of another kind", stranger.kind())));
    }
    packed.push(kind as u8);
    pack_nulls(packed, cells);
    match kind {
        Kind::Text | Kind::Tags | Kind::Json => pack_texts(packed, cells)?,
        Kind::Decimal => pack_decimals(packed, cells)?,
        Kind::Money => pack_money(packed, cells),
        _ => {
            for cell in cells {
                pack_fixed(packed, cell, kind)?;
            }
        }
    }
    Ok(())
}

fn kind_of(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::Null => return None,
        Value::Text(_) => Kind::Text,
        Value::Integer(_) => Kind::Integer,
        Value::Decimal(_) => Kind::Decimal,
        Value::Money(_) => Kind::Money,
        Value::Bool(_) => Kind::Boolean,
        Value::Date(_) => Kind::Date,
        Value::DateTime(_) => Kind::Datetime,
        Value::Duration(_) => Kind::Duration,
        Value::Ref(_) => Kind::Reference,
        Value::Tags(_) => Kind::Tags,
        Value::Json(_) => Kind::Json,
    })
}

fn pack_nulls(packed: &mut Vec<u8>, cells: &[Cow<'_, Value>]) {
    for eight in cells.chunks(8) {
        let bits = eight.iter().enumerate().map(|(bit, cell)| u8::from(cell.is_null()) << bit);
        packed.push(bits.fold(0, |byte, bit| byte | bit));
    }
}

fn pack_texts(packed: &mut Vec<u8>, cells: &[Cow<'_, Value>]) -> Result<(), Unfit> {
    let mut texts = Vec::new();
    for cell in cells {
        let before = texts.len();
        match cell.as_ref() {
            Value::Text(text) => texts.extend_from_slice(text.as_bytes()),
            Value::Tags(tags) => texts.extend_from_slice(serde_json::json!(tags).to_string().as_bytes()),
            Value::Json(json) => texts.extend_from_slice(json.to_string().as_bytes()),
            _ => {}
        }
        let length = u32::try_from(texts.len() - before).map_err(|_| Unfit::new("a text beyond 4 GiB"))?;
        packed.extend_from_slice(&length.to_le_bytes());
    }
    packed.append(&mut texts);
    Ok(())
}

fn pack_decimals(packed: &mut Vec<u8>, cells: &[Cow<'_, Value>]) -> Result<(), Unfit> {
    let mut scales = Vec::with_capacity(cells.len());
    for cell in cells {
        let (units, scale) = if let Value::Decimal(decimal) = cell.as_ref() { units_of(*decimal)? } else { (0, 0) };
        packed.extend_from_slice(&units.to_le_bytes());
        scales.push(scale);
    }
    packed.append(&mut scales);
    Ok(())
}

fn pack_money(packed: &mut Vec<u8>, cells: &[Cow<'_, Value>]) {
    let mut currencies = Vec::with_capacity(cells.len() * 3);
    for cell in cells {
        let (amount, currency) = match cell.as_ref() {
            Value::Money(money) => (money.amount_minor, money.currency.as_bytes()),
            _ => (0, &[0_u8; 3][..]),
        };
        packed.extend_from_slice(&amount.to_le_bytes());
        // The model keeps codes of three letters; the format must hold even if one slipped through.
        currencies.extend(currency.iter().copied().chain([0; 3]).take(3));
    }
    packed.append(&mut currencies);
}

/// A cell of a kind whose cells all have one width; a null's is zero.
fn pack_fixed(packed: &mut Vec<u8>, cell: &Value, kind: Kind) -> Result<(), Unfit> {
    match cell {
        Value::Integer(number) => packed.extend_from_slice(&number.to_le_bytes()),
        Value::Bool(flag) => packed.push(u8::from(*flag)),
        Value::Date(date) => packed.extend_from_slice(&days_of(*date)?.to_le_bytes()),
        Value::DateTime(at) => packed.extend_from_slice(&at.as_microsecond().to_le_bytes()),
        Value::Duration(duration) => packed.extend_from_slice(&microseconds_of(*duration)?.to_le_bytes()),
        Value::Ref(id) => packed.extend_from_slice(id.0.as_bytes()),
        _ => packed.extend(std::iter::repeat_n(0, width_of(kind))),
    }
    Ok(())
}

fn width_of(kind: Kind) -> usize {
    match kind {
        Kind::Boolean => 1,
        Kind::Date => 4,
        Kind::Reference => 16,
        _ => 8,
    }
}

#[cfg(test)]
mod tests;
