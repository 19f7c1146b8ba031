//! Values survive the way to a guest and back, and nonsense is told.

use proptest::prelude::*;

use super::*;

/// Any value that the contract carries.
pub(crate) fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        ".*".prop_map(Value::Text),
        any::<i64>().prop_map(Value::Integer),
        (any::<i64>(), 0..=SCALE_MAX).prop_map(|(units, scale)| Value::Decimal(Decimal::new(units, scale))),
        (any::<i64>(), "[A-Z]{3}").prop_map(|(amount_minor, currency)| Value::Money(Money { amount_minor, currency })),
        any::<bool>().prop_map(Value::Bool),
        (-4_000_000..2_000_000).prop_map(|days| Value::Date(date_of(days).unwrap())),
        (-377_705_023_201_000_000..253_402_207_200_000_000_i64).prop_map(|at| Value::DateTime(instant_of(at).unwrap())),
        any::<i64>().prop_map(|span| Value::Duration(SignedDuration::from_micros(span))),
        (1..=u128::MAX).prop_map(|bits| Value::Ref(Id(Uuid::from_u128(bits)))),
        prop::collection::vec(".*", 0..4).prop_map(Value::Tags),
        ("[a-z]{1,4}", any::<i64>()).prop_map(|(key, number)| Value::Json(serde_json::json!({ key: [number, null] }))),
    ]
}

proptest! {
    #[test]
    fn a_value_comes_back_as_it_went(value in values()) {
        let there = value_to_guest(value.clone()).unwrap();
        prop_assert_eq!(value_from_guest(there).unwrap(), value);
    }

    #[test]
    fn fields_come_back_as_they_went(fields in prop::collection::btree_map("[a-z]{1,8}", values(), 0..6)) {
        let fields: Fields = fields.into_iter().collect();
        let there = fields_to_guest(fields.clone()).unwrap();
        prop_assert_eq!(fields_from_guest(there).unwrap(), fields);
    }
}

#[test]
fn nonsense_values_are_told() {
    let money = |currency: &str| wit::Value::Money(wit::Money { amount_minor: 1, currency: currency.to_owned() });
    for (nonsense, told) in [
        (money("rub"), "no currency"),
        (money("РУБ"), "no currency"),
        (wit::Value::Decimal(wit::Decimal { units: 1, scale: 10 }), "scale is 0 to 9, not 10"),
        (wit::Value::Date(i32::MAX), "out of range"),
        (wit::Value::Datetime(i64::MAX), "out of range"),
        (wit::Value::Reference((0, 0)), "names no record"),
        (wit::Value::Json("{".to_owned()), "no JSON text"),
        (wit::Value::Ext(wit::Extension { kind: "geo".to_owned(), bytes: vec![] }), "no value of kind \"geo\""),
    ] {
        let error = value_from_guest(nonsense).unwrap_err();
        assert!(error.0.contains(told), "{error}");
    }
}

#[test]
fn a_decimal_with_too_many_digits_is_told_and_not_rounded() {
    assert_eq!(units_of(Decimal::new(15_000_000_000, 10)).unwrap(), (15, 1));
    assert!(units_of(Decimal::new(1, 10)).is_err());
    assert!(units_of(Decimal::MAX).is_err());
}

#[test]
fn a_field_named_twice_is_told() {
    let field = || wit::Field { name: "name".to_owned(), value: wit::Value::Null };
    assert_eq!(fields_from_guest(vec![field(), field()]).unwrap_err().0, "field \"name\" is named twice");
}

#[test]
fn a_failure_needs_a_code_and_an_object_as_detail() {
    let failure = |code: &str, detail: Option<&str>| wit::Failure {
        code: code.to_owned(),
        message: "no".to_owned(),
        field: None,
        detail: detail.map(str::to_owned),
    };
    assert!(failure_from_guest(failure("slot_taken", Some("{}"))).is_ok());
    assert!(failure_from_guest(failure("Slot taken", None)).is_err());
    assert!(failure_from_guest(failure("slot_taken", Some("[]"))).is_err());
}
