//! Normalising: one spelling for each value, the same when done twice, and no panic for any value.

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{field::OnDelete, name::ObjectName, value::Id};

fn field(kind: FieldType) -> Field {
    Field {
        key: "x".to_owned(),
        kind,
        required: false,
        default: Value::Null,
        unique: false,
        indexed: false,
        searchable: false,
        on_purge: None,
        label: crate::decl::Label::new(),
    }
}

fn locale(region: &str) -> Locale {
    Locale { region: region.to_owned(), ..Locale::default() }
}

/// The normalised text, or the issue's code.
fn spelling(kind: FieldType, text: &str, locale: &Locale) -> Result<String, String> {
    match normalise(&field(kind), Value::from(text), locale) {
        Ok(Value::Text(text)) => Ok(text),
        Ok(Value::Null) => Ok(String::new()),
        Ok(other) => Err(format!("became {}", other.kind())),
        Err(issue) => Err(issue.code),
    }
}

fn check(kind: &FieldType, region: &str, cases: &[(&str, Result<&str, &str>)]) {
    for (text, expected) in cases {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(spelling(kind.clone(), text, &locale(region)), expected, "{text:?}");
    }
}

fn code(kind: FieldType, value: Value) -> String {
    normalise(&field(kind), value, &Locale::default()).expect_err("it was taken").code
}

#[test]
fn russian_spellings_of_a_phone_become_one() {
    let one = Ok("+79123456789");
    check(
        &FieldType::Phone,
        "RU",
        &[
            ("8 (912) 345-67-89", one),
            ("+7 912 345-67-89", one),
            ("+79123456789", one),
            ("00 7 912 345 67 89", one),
            ("8-10-7 912 345-67-89", one),
            ("7 912 345 67 89", one),
            ("912 345 67 89", one),
            ("8(912)3456789", one),
            ("тел. 8 912 345 67 89", one),
            ("tel:+7-912-345-67-89", one),
            ("\u{feff}8\u{a0}912\u{a0}345‑67–89", one),
            ("+7 9 1 2 3 4 5 6 7 8 9", one),
            ("৮ ৯১২ ৩৪৫ ৬৭ ৮৯", one),
        ],
    );
}

/// The parser of the `phonenumber` crate loses the 8 of both.
#[test]
fn a_trunk_prefix_is_taken_only_where_it_is_one() {
    check(
        &FieldType::Phone,
        "RU",
        &[
            ("+7 800 555-35-35", Ok("+78005553535")),
            ("8 800 555-35-35", Ok("+78005553535")),
            ("+49 89 1234567", Ok("+49891234567")),
            ("+375 29 123 45 67", Ok("+375291234567")),
            ("810 49 151 2345678", Ok("+491512345678")),
            ("+44 (0)20 7946 0958", Ok("+442079460958")),
        ],
    );
    check(&FieldType::Phone, "DE", &[("089 1234567", Ok("+49891234567")), ("0049 89 1234567", Ok("+49891234567"))]);
    check(&FieldType::Phone, "IT", &[("06 1234567", Ok("+39061234567"))]);
    check(
        &FieldType::Phone,
        "US",
        &[
            ("(202) 555-0143", Ok("+12025550143")),
            ("1-202-555-0143", Ok("+12025550143")),
            ("011 7 912 345 67 89", Ok("+79123456789")),
        ],
    );
    check(&FieldType::Phone, "TR", &[("0532 123 45 67", Ok("+905321234567"))]);
    check(&FieldType::Phone, "FI", &[("040 1234567", Ok("+358401234567"))]);
    check(&FieldType::Phone, "GR", &[("691 234 5678", Ok("+306912345678"))]);
    check(&FieldType::Phone, "BD", &[("01712345678", Ok("+8801712345678"))]);
    check(&FieldType::Phone, "BY", &[("8 029 123 45 67", Ok("+375291234567"))]);
    check(&FieldType::Phone, "KZ", &[("8 701 123 45 67", Ok("+77011234567"))]);
    check(&FieldType::Phone, "UZ", &[("90 123 45 67", Ok("+998901234567"))]);
}

#[test]
fn what_is_not_one_possible_phone_number_is_refused() {
    let no = Err("not_a_phone");
    check(
        &FieldType::Phone,
        "RU",
        &[
            ("123", no),
            ("+7 912 345 67 8", no),
            ("+7 912 345 67 890", no),
            ("+8 912 345 67 89", no),
            ("8 912 345 67 89 доб. 12", no),
            ("8 912 345 67 89 ext 5", no),
            ("8 912 345 67 89, 8 912 345 67 90", no),
            ("Иван", no),
            ("1-800-FLOWERS", no),
            ("12345678901234567890", no),
            ("+", no),
            ("()", no),
            ("00", no),
            ("  ", Ok("")),
        ],
    );
    check(&FieldType::Phone, "", &[("89123456789", no), ("+7 912 345-67-89", Ok("+79123456789"))]);
}

#[test]
fn a_refused_phone_says_what_is_expected() {
    let message =
        |text: &str| normalise(&field(FieldType::Phone), text.into(), &locale("RU")).expect_err("taken").message;
    insta::assert_snapshot!(
        [message("123"), message("8 912 345 67 89 доб. 12"), message("8 912 345 67 89; 2-12-85"), message("Иван")].join("\n"),
        @r#"
        "123" is not a possible phone number; write it like +79123456789
        "8 912 345 67 89 доб. 12" has an extension: keep that in another field; write it like +79123456789
        "8 912 345 67 89; 2-12-85" looks like several phone numbers: keep one here; write it like +79123456789
        "Иван" has a 'и' that no phone number has; write it like +79123456789
        "#
    );
}

#[test]
fn text_is_trimmed_bounded_and_free_of_control_characters() {
    check(
        &FieldType::Text,
        "RU",
        &[
            ("  Анна  ", Ok("Анна")),
            ("\u{a0}", Ok("")),
            ("a\nb", Err("control_character")),
            ("a\0b", Err("control_character")),
            (&"я".repeat(TEXT_CHARS_MAX), Ok(&"я".repeat(TEXT_CHARS_MAX))),
            (&"я".repeat(TEXT_CHARS_MAX + 1), Err("too_long")),
        ],
    );
    check(
        &FieldType::LongText,
        "RU",
        &[
            ("a\r\nb\rc\td", Ok("a\nb\nc\td")),
            ("a\u{7}b", Err("control_character")),
            (&"a".repeat(LONG_TEXT_CHARS_MAX + 1), Err("too_long")),
        ],
    );
}

#[test]
fn email_and_web_addresses_get_one_spelling() {
    check(
        &FieldType::Email,
        "RU",
        &[
            (" Anna.B+x@Example.COM ", Ok("anna.b+x@example.com")),
            ("почта@пример.рф", Ok("почта@пример.рф")),
            ("", Ok("")),
            ("anna", Err("not_an_email")),
            ("anna@example", Err("not_an_email")),
            ("a b@example.com", Err("not_an_email")),
            ("a@b@example.com", Err("not_an_email")),
            ("a..b@example.com", Err("not_an_email")),
            ("a@-example.com", Err("not_an_email")),
            ("Anna <a@example.com>", Err("not_an_email")),
        ],
    );
    check(
        &FieldType::Url,
        "RU",
        &[
            ("HTTPS://Example.COM/Path?q=А", Ok("https://example.com/Path?q=А")),
            ("http://localhost:8080", Ok("http://localhost:8080")),
            ("https://пример.рф", Ok("https://пример.рф")),
            ("example.com", Err("not_a_url")),
            ("ftp://example.com", Err("not_a_url")),
            ("javascript://alert(1)", Err("not_a_url")),
            ("https://", Err("not_a_url")),
            ("https://a b.com", Err("not_a_url")),
            ("https://user:secret@example.com", Err("not_a_url")),
            ("https://example.com:99999", Err("not_a_url")),
        ],
    );
}

#[test]
fn a_choice_takes_its_code_in_any_case() {
    let kind = FieldType::Choice { of: vec!["booked".to_owned(), "no_show".to_owned()] };
    check(&kind, "RU", &[("Booked ", Ok("booked")), ("", Ok("")), ("bookd", Err("not_a_choice"))]);
    let issue = normalise(&field(kind), "bookd".into(), &Locale::default()).expect_err("taken");
    insta::assert_snapshot!(issue.message, @r#""bookd" is none of booked, no_show. Did you mean "booked"?"#);
}

#[test]
fn decimals_get_the_fields_scale_and_never_lose_a_digit() {
    let two = || FieldType::Decimal { scale: 2 };
    let normal = |value: Value| {
        normalise(&field(two()), value, &Locale::default()).map(|value| crate::json::value_to_json(&value))
    };
    assert_eq!(normal(Value::Integer(5)), Ok(json!("5.00")));
    assert_eq!(normal(Value::Decimal(Decimal::new(-12_500, 3))), Ok(json!("-12.50")));
    assert_eq!(code(two(), Value::Decimal(Decimal::new(12_345, 3))), "too_precise");
    assert_eq!(code(two(), Value::Integer(i64::MAX)), "out_of_range");
    assert_eq!(code(two(), Value::Decimal(Decimal::MAX)), "out_of_range");
    assert_eq!(code(FieldType::Integer, Value::Decimal(Decimal::ONE)), "wrong_type");
}

#[test]
fn times_have_microseconds_and_a_year_between_1_and_9999() {
    let at: Timestamp = "2026-03-31T10:00:00.123456789Z".parse().unwrap();
    let normal = normalise(&field(FieldType::DateTime), at.into(), &Locale::default());
    assert_eq!(normal, Ok(Value::DateTime("2026-03-31T10:00:00.123456Z".parse().unwrap())));
    assert_eq!(code(FieldType::DateTime, Timestamp::MIN.into()), "out_of_range");
    assert_eq!(code(FieldType::Date, Value::Date(date(0, 1, 1))), "out_of_range");
    assert_eq!(code(FieldType::Duration, Value::Duration(SignedDuration::MAX)), "out_of_range");
}

#[test]
fn tags_and_json_are_bounded() {
    let tags = |tags: &[&str]| Value::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect());
    let normal = normalise(&field(FieldType::Tags), tags(&[" vip ", "", "new", "vip"]), &Locale::default());
    assert_eq!(normal, Ok(tags(&["vip", "new"])));
    let many: Vec<String> = (0..=TAGS_MAX).map(|n| n.to_string()).collect();
    assert_eq!(code(FieldType::Tags, Value::Tags(many)), "too_many");
    assert_eq!(code(FieldType::Tags, tags(&[&"x".repeat(101)])), "too_long");
    assert_eq!(code(FieldType::Json, Value::Json(json!({ "a": ["\0"] }))), "control_character");
    assert_eq!(code(FieldType::Json, Value::Json(json!("x".repeat(JSON_BYTES_MAX)))), "too_long");
    let deep = (0..JSON_DEPTH_MAX).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(code(FieldType::Json, Value::Json(deep)), "out_of_range");
}

#[test]
fn a_currency_is_three_letters() {
    let money = |currency: &str| Value::Money(Money { amount_minor: 1, currency: currency.to_owned() });
    assert_eq!(normalise(&field(FieldType::Money), money("eur"), &Locale::default()), Ok(money("EUR")));
    assert_eq!(code(FieldType::Money, money("€")), "not_money");
}

pub(crate) fn any_kind() -> impl Strategy<Value = FieldType> {
    let to = ObjectName::new("contact").unwrap();
    prop_oneof![
        Just(FieldType::Text),
        Just(FieldType::LongText),
        Just(FieldType::Integer),
        (0_u8..10).prop_map(|scale| FieldType::Decimal { scale }),
        Just(FieldType::Money),
        Just(FieldType::Bool),
        Just(FieldType::Date),
        Just(FieldType::DateTime),
        Just(FieldType::Duration),
        Just(FieldType::Choice { of: vec!["open".to_owned(), "Won".to_owned(), "потеря".to_owned()] }),
        Just(FieldType::Phone),
        Just(FieldType::Email),
        Just(FieldType::Url),
        Just(FieldType::Json),
        Just(FieldType::Ref { to, on_delete: OnDelete::Restrict }),
        Just(FieldType::Tags),
    ]
}

pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any_text().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(any_text(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Any text, and often one that is nearly right.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[+0-9 ()-]{0,20}",
        "\\+?[78]?[0-9]{10,11}",
        "[a-zA-ZİẞΣ.]{1,8}@[a-zA-ZİẞΣ.-]{1,8}",
        "(http|HTTPS)://[a-zA-ZİẞΣ.:0-9/-]{1,12}",
        "-?[0-9]{1,20}(\\.[0-9]{1,10})?( [A-Za-z]{3})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-9:]{4,8}(Z|\\+03:00)?)?",
        "P?T?[0-9]{1,10}[dhmsDHMSWY]",
        "(?i)(open|won|потеря)",
    ]
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any_text().prop_map(Value::Text),
        any::<i64>().prop_map(Value::Integer),
        (any::<i64>(), 0_u32..20).prop_map(|(units, scale)| Value::Decimal(Decimal::new(units, scale))),
        (any::<i64>(), "[A-Za-z]{2,4}")
            .prop_map(|(amount_minor, currency)| Value::Money(Money { amount_minor, currency })),
        any::<bool>().prop_map(Value::Bool),
        (-9999_i16..=9999, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| Value::Date(date(y, m, d))),
        (Timestamp::MIN.as_second()..Timestamp::MAX.as_second(), 0..999_999_999_i32)
            .prop_map(|(second, nanos)| Value::DateTime(Timestamp::new(second, nanos).unwrap())),
        (any::<i64>(), 0..999_999_999_i32).prop_map(|(seconds, nanos)| Value::Duration(SignedDuration::new(
            seconds,
            if seconds < 0 { -nanos } else { nanos }
        ))),
        any::<u128>().prop_map(|id| Value::Ref(Id(uuid::Uuid::from_u128(id)))),
        prop::collection::vec(any_text(), 0..6).prop_map(Value::Tags),
        any_json().prop_map(Value::Json),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn normalising_twice_changes_nothing_more(kind in any_kind(), value in any_value(), region in "(RU|US|DE|BD|AR|)") {
        let (field, locale) = (field(kind), locale(&region));
        if let Ok(once) = normalise(&field, value, &locale) {
            prop_assert_eq!(normalise(&field, once.clone(), &locale), Ok(once));
        }
    }

    #[test]
    fn any_text_in_a_text_field_has_one_spelling_or_an_issue(kind in any_kind(), text in any_text()) {
        let (field, locale) = (field(kind), locale("RU"));
        if let Ok(once) = normalise(&field, Value::Text(text), &locale) {
            prop_assert_eq!(normalise(&field, once.clone(), &locale), Ok(once));
        }
    }
}
