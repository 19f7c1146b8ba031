//! Proves formats against what reads them: the import's own readers, and the text of cards.

use jiff::{SignedDuration, Timestamp, civil::date, tz::TimeZone};
use pergola_model::{Fields, Id, Locale, Money, Object, Record, Value};
use proptest::prelude::*;

use super::{cards::Cards, cells, titles::Titles};
use crate::import::reads_back;

fn catalog() -> pergola_model::Catalog {
    pergola_model::Catalog::build(&[]).unwrap()
}

fn contact() -> std::sync::Arc<Object> {
    catalog().find_object("contact").unwrap().clone()
}

fn record(fields: Fields) -> Record {
    let at = Timestamp::UNIX_EPOCH;
    Record { id: Id(uuid::Uuid::from_u128(7)), version: 1, created_at: at, updated_at: at, fields }
}

fn card(fields: Fields) -> String {
    let cards = Cards::new(&contact()).unwrap();
    String::from_utf8(cards.rows(&[record(fields)], &Titles::default())).unwrap()
}

#[test]
fn a_card_has_what_address_books_have_a_word_for() {
    let fields = Fields::new()
        .with("name", "Anna; Kim, Jr \\ x")
        .with("phone", "+79123456789")
        .with("email", "anna@x.ru")
        .with("birthday", Value::Date(date(1990, 2, 1)))
        .with("gender", "female")
        .with("address", "Perm, Mira 1")
        .with("language", "ru")
        .with("tags", Value::Tags(vec!["vip".to_owned(), "a,b".to_owned()]))
        .with("notes", "tea\ncoffee");
    insta::assert_snapshot!(card(fields).replace("\r\n", "\n"), @r"
    BEGIN:VCARD
    VERSION:4.0
    KIND:individual
    UID:urn:uuid:00000000-0000-0000-0000-000000000007
    FN:Anna\; Kim\, Jr \\ x
    TEL:+79123456789
    EMAIL:anna@x.ru
    BDAY:19900201
    GENDER:F
    ADR:;;Perm\, Mira 1;;;;
    LANG:ru
    CATEGORIES:vip,a\,b
    NOTE:tea\ncoffee
    REV:19700101T000000Z
    END:VCARD
    ");
}

proptest! {
    #[test]
    fn lines_of_a_card_are_short_and_unfold_to_the_whole_text(notes in "[а-яa-z,;\\\\ \n]{0,300}") {
        let text = card(Fields::new().with("name", "A").with("notes", notes.as_str()));
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')));
        let unfolded = text.replace("\r\n ", "");
        let written = unfolded.split("\r\n").find_map(|line| line.strip_prefix("NOTE:")).unwrap_or_default();
        let mut read = String::new();
        let mut chars = written.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => read.push(match chars.next().unwrap() { 'n' => '\n', other => other }),
                other => read.push(other),
            }
        }
        prop_assert_eq!(read, notes);
    }
}

#[test]
fn only_people_and_companies_have_cards() {
    let error = Cards::new(catalog().find_object("task").unwrap()).err().unwrap();
    assert_eq!(error.to_string(), "only contacts and organizations have cards, not task; take csv, xlsx or jsonl");
}

/// A zone with an hour that comes twice.
fn locale() -> Locale {
    Locale { zone: TimeZone::get("Europe/Helsinki").unwrap(), ..Locale::default() }
}

fn a_money() -> impl Strategy<Value = Value> {
    (any::<i64>(), prop::sample::select(vec!["RUB", "EUR", "JPY", "KWD", "USD", "BYN", "KZT", "TRY"]))
        .prop_map(|(amount_minor, currency)| Value::Money(Money { amount_minor, currency: currency.to_owned() }))
}

fn an_instant() -> impl Strategy<Value = Value> {
    // 1970 to 2100, to the microsecond.
    (0_i64..4_102_444_800_000_000).prop_map(|at| Value::DateTime(Timestamp::from_microsecond(at).unwrap()))
}

fn a_date() -> impl Strategy<Value = Value> {
    (1_i16..=9999, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| Value::Date(date(year, month, day)))
}

fn some_tags() -> impl Strategy<Value = Value> {
    prop::collection::hash_set("[a-zа-я,;\\[\"]{1,6}", 1..4).prop_map(|tags| Value::Tags(tags.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_import_reads_back_what_is_written(
        (kind, value) in prop_oneof![
            any::<i64>().prop_map(|number| ("integer", Value::Integer(number))),
            any::<bool>().prop_map(|flag| ("bool", Value::Bool(flag))),
            a_money().prop_map(|value| ("money", value)),
            an_instant().prop_map(|value| ("datetime", value)),
            a_date().prop_map(|value| ("date", value)),
            any::<i64>().prop_map(|units| ("decimal 2", Value::Decimal(rust_decimal::Decimal::new(units, 2)))),
            any::<i64>().prop_map(|units| ("decimal 3", Value::Decimal(rust_decimal::Decimal::new(units, 3)))),
            any::<i64>().prop_map(|micros| ("duration", Value::Duration(SignedDuration::from_micros(micros)))),
            some_tags().prop_map(|value| ("tags", value)),
            "[^\\u{0}]{0,8}".prop_map(|text| ("json", Value::Json(serde_json::json!({ "text": text, "none": null })))),
        ],
    ) {
        let written = match &value {
            Value::DateTime(at) => cells::instant(*at, &locale().zone),
            other => cells::text(other),
        };
        prop_assert_eq!(reads_back(kind, &written, &locale()), Ok(value), "{}", written);
    }
}
