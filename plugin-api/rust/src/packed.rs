//! Pages of cells as one run of bytes, column after column: quick to pass between host and plugin.
//!
//! The format is written down in `docs/plugin-guide/packed-pages.md`. The SDK decodes;
//! encoding is here too, so that one place holds the format and its tests.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::{EncodeError, encode};

/// What a column holds: the first byte of a packed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Lengths, then UTF-8.
    Text = 1,
    /// 64 bits.
    Integer = 2,
    /// Units, then scales.
    Decimal = 3,
    /// Minor units, then currencies.
    Money = 4,
    /// One byte.
    Bool = 5,
    /// Days, 32 bits.
    Date = 6,
    /// Microseconds, 64 bits.
    DateTime = 7,
    /// Microseconds, 64 bits.
    Duration = 8,
    /// UUIDs, 16 bytes.
    Ref = 9,
    /// As text, each a JSON array of strings.
    Tags = 10,
    /// As text, each a JSON text.
    Json = 11,
}

impl Kind {
    /// The kind with this number.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Text,
            2 => Self::Integer,
            3 => Self::Decimal,
            4 => Self::Money,
            5 => Self::Bool,
            6 => Self::Date,
            7 => Self::DateTime,
            8 => Self::Duration,
            9 => Self::Ref,
            10 => Self::Tags,
            11 => Self::Json,
            _ => return None,
        })
    }
}

/// The rows of decoded columns; cells without a value are left out.
pub(crate) fn rows(
    names: &[String],
    columns: Vec<Vec<crate::Value>>,
    count: usize,
) -> impl Iterator<Item = crate::Fields> {
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    (0..count).map(move |_| {
        let values = columns.iter_mut().map(|column| column.next().unwrap_or_default()).collect();
        crate::Fields::from_row(names, values)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Date, DateTime, Decimal, Duration, Id, Money, Value};

    const KINDS: std::ops::RangeInclusive<u8> = 1..=11;

    fn value_of(kind: Kind) -> BoxedStrategy<Value> {
        match kind {
            Kind::Text => ".{0,12}".prop_map(Value::Text).boxed(),
            Kind::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
            Kind::Decimal => {
                (any::<i64>(), 0_u8..=9).prop_map(|(units, scale)| Decimal::new(units, scale).into()).boxed()
            }
            Kind::Money => {
                (any::<i64>(), "[A-Z]{3}").prop_map(|(amount, currency)| Money::new(amount, currency).into()).boxed()
            }
            Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Kind::Date => any::<i32>().prop_map(|days| Date::from_days(days).into()).boxed(),
            Kind::DateTime => any::<i64>().prop_map(|micros| DateTime::from_micros(micros).into()).boxed(),
            Kind::Duration => any::<i64>().prop_map(|micros| Duration::from_micros(micros).into()).boxed(),
            Kind::Ref => any::<u128>().prop_map(|bits| Id::from_u128(bits).into()).boxed(),
            Kind::Tags => prop::collection::vec(".{0,6}", 0..4).prop_map(Value::Tags).boxed(),
            Kind::Json => any::<i64>().prop_map(|number| Value::Json(number.to_string())).boxed(),
        }
    }

    fn column(rows: usize) -> impl Strategy<Value = (Kind, Vec<Value>)> {
        KINDS.prop_filter_map("a kind", Kind::from_byte).prop_flat_map(move |kind| {
            let cell = prop_oneof![1 => Just(Value::Null), 3 => value_of(kind)];
            (Just(kind), prop::collection::vec(cell, rows))
        })
    }

    fn page() -> impl Strategy<Value = (usize, Vec<(Kind, Vec<Value>)>)> {
        (0_usize..20).prop_flat_map(|rows| (Just(rows), prop::collection::vec(column(rows), 0..5)))
    }

    fn pack(columns: &[(Kind, Vec<Value>)]) -> Vec<u8> {
        let columns: Vec<_> = columns.iter().map(|(kind, cells)| (*kind, cells.as_slice())).collect();
        encode(&columns).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same((rows, columns) in page()) {
            let decoded = decode(&pack(&columns), columns.len(), rows).unwrap();
            let cells: Vec<_> = columns.into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(decoded, cells);
        }

        #[test]
        fn garbage_is_a_failure_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), columns in 0_usize..4, rows in 0_usize..9) {
            let _total = decode(&bytes, columns, rows);
        }

        #[test]
        fn one_wrong_byte_never_panics((rows, columns) in page(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = pack(&columns);
            prop_assume!(!bytes.is_empty());
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let _total = decode(&bytes, columns.len(), rows);
        }

        #[test]
        fn a_page_cut_short_is_a_failure((rows, columns) in page(), place in any::<prop::sample::Index>()) {
            let bytes = pack(&columns);
            prop_assume!(!bytes.is_empty());
            let cut = &bytes[..place.index(bytes.len())];
            prop_assert_eq!(decode(cut, columns.len(), rows).unwrap_err().code, "damaged_page");
        }
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let cells = [Value::from("né"), Value::Null, Value::from("b")];
        let bytes = encode(&[(Kind::Text, &cells)]).unwrap();
        assert_eq!(bytes, [&[1, 0b010, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0][..], "néb".as_bytes()].concat());

        let cells = [Value::from(Money::new(-2, "EUR")), Value::Null];
        let bytes = encode(&[(Kind::Money, &cells)]).unwrap();
        assert_eq!(bytes, [&[4, 0b10][..], &(-2_i64).to_le_bytes(), &[0; 8], b"EUR", &[0; 3]].concat());
    }

    #[test]
    fn huge_row_counts_are_refused_before_anything_is_reserved() {
        assert_eq!(decode(&[2], 1, usize::MAX).unwrap_err().code, "damaged_page");
        assert_eq!(decode(&[1; 64], usize::MAX, 1).unwrap_err().code, "damaged_page");
    }

    #[test]
    fn a_value_of_another_kind_is_not_encoded() {
        let cells = [Value::from(1)];
        assert_eq!(encode(&[(Kind::Text, &cells)]).unwrap_err(), EncodeError { column: 0, row: 0 });
        let cells = [Value::from(Money::new(1, "EURO"))];
        assert_eq!(encode(&[(Kind::Money, &cells)]).unwrap_err(), EncodeError { column: 0, row: 0 });
    }
}
