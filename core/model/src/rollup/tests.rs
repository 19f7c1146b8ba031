//! Whatever comes and goes, in any order: a rollup kept by increments is the one counted anew.

use proptest::prelude::*;

use super::*;
use crate::{name::ObjectName, object::Aggregate};

fn rollup(what: Aggregate, kind: FieldType) -> Rollup {
    let source = (what != Aggregate::Count).then(|| ("value".to_owned(), kind.clone()));
    let kind = if what == Aggregate::Count { FieldType::Integer } else { kind };
    let of = ObjectName::new("visit").unwrap();
    Rollup { key: "kept".to_owned(), kind, of, via: "contact".to_owned(), what, source, when: None }
}

/// What a database counts.
fn tally(kind: &FieldType, values: &[Value]) -> Tally {
    let mut tally = Tally { count: i64::try_from(values.len()).unwrap(), ..Tally::default() };
    let mut sorted = values.to_vec();
    sorted.sort_by_key(|value| order(value).map(|(number, _)| number));
    tally.least = sorted.first().cloned().unwrap_or_default();
    tally.greatest = sorted.last().cloned().unwrap_or_default();
    tally.sum = values.iter().filter_map(|value| steps(kind, value)).map(|(number, _)| number).sum();
    let mut codes: Vec<&str> = values.iter().filter_map(|value| steps(kind, value)?.1).collect();
    codes.sort_unstable();
    tally.currencies = codes.first().zip(codes.last()).map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    tally
}

fn value(kind: &FieldType, number: i64, is_other: bool) -> Value {
    let currency = if is_other { "EUR" } else { "RUB" };
    match kind {
        FieldType::DateTime => Value::DateTime(jiff::Timestamp::from_microsecond(number).unwrap()),
        FieldType::Date => Value::Date(jiff::civil::date(2026, 1, 1).saturating_add(jiff::Span::new().days(number))),
        kind => from_steps(kind, i128::from(number), Some(currency)).unwrap(),
    }
}

fn kinds() -> Vec<(Aggregate, FieldType)> {
    use Aggregate::{Avg, Count, Max, Min, Sum};
    let mut all = vec![(Count, FieldType::Integer), (Min, FieldType::DateTime), (Max, FieldType::Date)];
    for kind in [FieldType::Integer, FieldType::Decimal { scale: 2 }, FieldType::Money, FieldType::Duration] {
        all.extend([Sum, Avg, Min, Max].map(|what| (what, kind.clone())));
    }
    all
}

proptest! {
    #[test]
    fn increments_are_exact_or_not_made(
        kind in prop::sample::select(kinds()),
        changes in prop::collection::vec((prop::option::of(-20_i64..20), prop::bool::weighted(0.1), any::<prop::sample::Index>(), any::<bool>()), 1..40),
    ) {
        let (what, of) = kind;
        let rollup = rollup(what, of.clone());
        let mut values: Vec<Value> = Vec::new();
        let mut stored = rollup.of_none();
        for (come, is_other, gone, both) in changes {
            let mut difference = Difference::default();
            if (come.is_none() || both) && !values.is_empty() {
                difference.gone.push(values.remove(gone.index(values.len())));
            }
            if let Some(number) = come {
                let value = value(&of, number, is_other);
                difference.come.push(value.clone());
                values.push(value);
            }
            let Outcome::Value(anew) = rollup.of_tally(&tally(&of, &values)) else { panic!("small numbers fit") };
            stored = match rollup.after(&stored, &difference) {
                Outcome::Value(value) => value,
                _ => anew.clone(),
            };
            prop_assert_eq!(&stored, &anew, "{:?} of {:?} after {:?}", what, values, difference);
        }
    }
}

#[test]
fn a_mean_is_rounded_half_away_from_zero() {
    let mean = |scale, sum: i128, count| {
        let rollup = Rollup { kind: FieldType::Decimal { scale }, ..rollup(Aggregate::Avg, FieldType::Integer) };
        match rollup.of_tally(&Tally { count, sum, ..Tally::default() }) {
            Outcome::Value(Value::Decimal(mean)) => mean.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!([mean(2, 14, 3), mean(2, 37, 8), mean(0, 5, 2), mean(0, -5, 2)], ["4.67", "4.63", "3", "-3"]);
}

#[test]
fn money_in_two_currencies_has_no_sum_and_gets_one_back() {
    let sum = rollup(Aggregate::Sum, FieldType::Money);
    let (rub, eur) = (value(&FieldType::Money, 500, false), value(&FieldType::Money, 7, true));
    let mixed = Difference { come: vec![eur.clone()], ..Difference::default() };
    assert_eq!(sum.after(&rub, &mixed), Outcome::CountAnew);
    let both = tally(&FieldType::Money, &[rub.clone(), eur]);
    assert_eq!(sum.of_tally(&both), Outcome::Value(Value::Null));
    assert_eq!(sum.of_tally(&tally(&FieldType::Money, std::slice::from_ref(&rub))), Outcome::Value(rub));
}

#[test]
fn a_sum_beyond_64_bits_is_told() {
    let sum = rollup(Aggregate::Sum, FieldType::Integer);
    let more = Difference { come: vec![Value::Integer(1)], ..Difference::default() };
    assert_eq!(sum.after(&Value::Integer(i64::MAX), &more), Outcome::OutOfRange);
}
