//! A page comes back as it went, through a decoder written from the format's text alone.

use jiff::{SignedDuration, Timestamp};
use pergola_model::{Fields, Id, Money};
use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::values::{date_of, instant_of};

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> i64 {
        i64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn numbers(&mut self, rows: usize) -> Vec<i64> {
        (0..rows).map(|_| self.number()).collect()
    }

    fn texts(&mut self, rows: usize) -> Vec<String> {
        let lengths: Vec<usize> =
            (0..rows).map(|_| u32::from_le_bytes(self.take(4).try_into().unwrap()) as usize).collect();
        lengths.into_iter().map(|length| String::from_utf8(self.take(length).to_vec()).unwrap()).collect()
    }

    fn column(&mut self, rows: usize) -> Vec<Value> {
        let kind = self.take(1)[0];
        let nulls = self.take(rows.div_ceil(8)).to_vec();
        let mut cells = self.cells(kind, rows);
        for (row, cell) in cells.iter_mut().enumerate() {
            if nulls[row / 8] >> (row % 8) & 1 == 1 {
                *cell = Value::Null;
            }
        }
        cells
    }

    fn cells(&mut self, kind: u8, rows: usize) -> Vec<Value> {
        let json = |text: String| serde_json::from_str(if text.is_empty() { "[]" } else { &text }).unwrap();
        match kind {
            1 => self.texts(rows).into_iter().map(Value::Text).collect(),
            2 => self.numbers(rows).into_iter().map(Value::Integer).collect(),
            3 => {
                let units = self.numbers(rows);
                units.into_iter().map(|unit| Value::Decimal(Decimal::new(unit, self.take(1)[0].into()))).collect()
            }
            4 => {
                let amounts = self.numbers(rows);
                let currency = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let money = |amount_minor| Money { amount_minor, currency: currency(self.take(3)) };
                amounts.into_iter().map(money).map(Value::Money).collect()
            }
            5 => self.take(rows).iter().map(|flag| Value::Bool(*flag == 1)).collect(),
            6 => {
                let mut day = || i32::from_le_bytes(self.take(4).try_into().unwrap());
                (0..rows).map(|_| Value::Date(date_of(day()).unwrap())).collect()
            }
            7 => self.numbers(rows).into_iter().map(|at| Value::DateTime(instant_of(at).unwrap())).collect(),
            8 => {
                let span = |span| Value::Duration(SignedDuration::from_micros(span));
                self.numbers(rows).into_iter().map(span).collect()
            }
            9 => (0..rows).map(|_| Value::Ref(Id(Uuid::from_slice(self.take(16)).unwrap()))).collect(),
            10 => self
                .texts(rows)
                .into_iter()
                .map(|text| Value::Tags(serde_json::from_value(json(text)).unwrap()))
                .collect(),
            11 => self.texts(rows).into_iter().map(|text| Value::Json(json(text))).collect(),
            unknown => panic!("kind {unknown}"),
        }
    }
}

fn record(fields: Fields) -> Record {
    let at = Timestamp::UNIX_EPOCH;
    Record { id: Id(Uuid::from_u128(5)), version: 3, created_at: at, updated_at: at, fields }
}

/// A column: null, or values of one kind.
fn columns() -> impl Strategy<Value = Vec<Value>> {
    let one_kind = crate::values::tests::values();
    prop::collection::vec(one_kind, 0..40).prop_map(|values| {
        let kind = values.iter().find_map(kind_of);
        let of_kind = |value: Value| if kind_of(&value) == kind { value } else { Value::Null };
        values.into_iter().map(of_kind).collect()
    })
}

proptest! {
    #[test]
    fn a_page_comes_back_as_it_went(column in columns()) {
        let records: Vec<Record> =
            column.iter().map(|cell| record(Fields::new().with("f", cell.clone()))).collect();
        let packed = pack(&["f".to_owned(), "version".to_owned()], &records).unwrap();
        let mut bytes = Bytes(&packed);
        prop_assert_eq!(bytes.column(column.len()), column.clone());
        prop_assert_eq!(bytes.column(column.len()), vec![if column.is_empty() { Value::Null } else { Value::Integer(3) }; column.len()]);
        prop_assert!(bytes.0.is_empty());
    }
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let records = [record(Fields::new().with("a", "яб")), record(Fields::new()), record(Fields::new().with("a", "c"))];
    let packed = pack(&["a".to_owned(), "b".to_owned()], &records).unwrap();
    let a = [&[1, 0b010][..], &[4, 0, 0, 0], &[0; 4], &[1, 0, 0, 0], "ябc".as_bytes()].concat();
    let b = [&[1, 0b111][..], &[0; 12]].concat();
    assert_eq!(packed, [a, b].concat());
}

#[test]
fn cells_of_two_kinds_in_a_column_are_told() {
    let records = [record(Fields::new().with("a", 1)), record(Fields::new().with("a", "b"))];
    assert_eq!(pack(&["a".to_owned()], &records).unwrap_err().0, "column \"a\": text among cells of another kind");
}

#[test]
fn a_table_is_packed_as_a_page_of_its_columns() {
    let rows = vec![vec![Value::Text("done".to_owned()), Value::Integer(3)], vec![Value::Null, Value::Integer(1)]];
    let table = Table { columns: vec!["status".to_owned(), "count".to_owned()], rows, more: false };
    let records =
        [record(Fields::new().with("status", "done").with("count", 3)), record(Fields::new().with("count", 1))];
    assert_eq!(pack_table(&table).unwrap(), pack(&table.columns, &records).unwrap());
}
