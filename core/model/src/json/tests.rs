//! JSON in and out: what is written reads back as the same, and what is read is exactly what was meant.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    catalog::{Catalog, PluginSource},
    decl::Manifest,
    field::FieldType,
    normal::{self, normalise},
    value::Id,
};

fn locale() -> Locale {
    Locale { zone: TimeZone::fixed(jiff::tz::offset(3)), ..Locale::default() }
}

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

/// What the JSON becomes, written again as JSON; or the issue's code.
fn again(kind: &FieldType, json: Json) -> Result<Json, String> {
    value_from_json(&field(kind.clone()), &json, &locale())
        .map(|value| value_to_json(&value))
        .map_err(|issue| issue.code)
}

fn check(kind: &FieldType, cases: Vec<(Json, Result<Json, &str>)>) {
    for (json, expected) in cases {
        assert_eq!(again(kind, json.clone()), expected.map_err(str::to_owned), "{json}");
    }
}

/// A contact with a field that the plugin `salon` added.
fn contact() -> Arc<Object> {
    let manifest: Manifest = toml::from_str(
        r#"
            id = "salon"
            version = "1.0.0"
            api = "0.1"
            [extend.contact]
            fields.last_visit = { type = "datetime" }
        "#,
    )
    .unwrap();
    let source = PluginSource { manifest: Arc::new(manifest), digest: String::new(), settings: Default::default() };
    Arc::clone(Catalog::build(&[source]).unwrap().find_object("contact").unwrap())
}

#[test]
fn a_record_has_all_fields_and_those_of_plugins_under_their_names() {
    let at: Timestamp = "2026-03-31T10:00:00.5Z".parse().unwrap();
    let fields = Fields::new().with("name", "Anna").with("salon.last_visit", at);
    let record = Record { id: Id(uuid::Uuid::nil()), version: 2, created_at: at, updated_at: at, fields };
    insta::assert_json_snapshot!(record_to_json(&contact(), &record), @r#"
    {
      "id": "00000000-0000-0000-0000-000000000000",
      "version": 2,
      "created_at": "2026-03-31T10:00:00.5Z",
      "updated_at": "2026-03-31T10:00:00.5Z",
      "name": "Anna",
      "phone": null,
      "email": null,
      "birthday": null,
      "gender": null,
      "organization": null,
      "address": null,
      "source": null,
      "language": null,
      "tags": null,
      "notes": null,
      "salon": {
        "last_visit": "2026-03-31T10:00:00.5Z"
      }
    }
    "#);
}

#[test]
fn fields_come_back_from_json() {
    let json = json!({ "name": "Anna", "phone": null, "salon": { "last_visit": "2026-03-31T13:00:00" } });
    let fields = fields_from_json(&contact(), json.as_object().unwrap(), &locale()).unwrap();
    let at: Timestamp = "2026-03-31T10:00:00Z".parse().unwrap();
    assert_eq!(fields, Fields::new().with("name", "Anna").with("phone", Value::Null).with("salon.last_visit", at));
}

#[test]
fn what_is_not_a_field_is_refused_with_what_is() {
    let json = json!({
        "nmae": "Anna", "version": 3, "salon": 1, "salon.last_visit": null, "Phone": "x", "birthday": 7,
        "gym": {}, "email": ["a@b.c"],
    });
    let issues = fields_from_json(&contact(), json.as_object().unwrap(), &locale()).unwrap_err();
    let issues: Vec<String> = issues.iter().map(|one| format!("{} {}: {}", one.field, one.code, one.message)).collect();
    insta::assert_snapshot!(issues.join("\n"), @r#"
    nmae unknown_field: contact has no field of this name. Did you mean "name"?
    version read_only: the host sets this field itself: leave it out
    salon wrong_type: the fields of the plugin salon stand in an object: {"salon": {…}}
    salon.last_visit unknown_field: write it inside its plugin's object: {"salon": {"last_visit": …}}
    Phone unknown_field: contact has no field of this name. Did you mean "phone"?
    birthday wrong_type: expected a date such as "2026-03-31", found a number
    gym unknown_field: contact has no field of this name.
    email wrong_type: expected an e-mail address as text, found a list
    "#);
    let json = json!({ "salon": { "lastvisit": null } });
    let issues = fields_from_json(&contact(), json.as_object().unwrap(), &locale()).unwrap_err();
    insta::assert_snapshot!(issues[0].message, @r#"contact has no field of this name. Did you mean "salon.last_visit"?"#);
}

#[test]
fn times_are_read_with_any_offset_and_written_in_utc() {
    check(
        &FieldType::DateTime,
        vec![
            (json!("2026-03-31T10:00:00Z"), Ok(json!("2026-03-31T10:00:00Z"))),
            (json!("2026-03-31T10:00:00+05:30"), Ok(json!("2026-03-31T04:30:00Z"))),
            (json!("2026-03-31T10:00"), Ok(json!("2026-03-31T07:00:00Z"))),
            (json!("2026-03-31 10:00:00"), Ok(json!("2026-03-31T07:00:00Z"))),
            (json!(""), Ok(Json::Null)),
            (json!("tomorrow"), Err("not_a_datetime")),
            (json!("2026-02-30T10:00:00Z"), Err("not_a_datetime")),
            (json!(1_774_951_200), Err("wrong_type")),
        ],
    );
    check(
        &FieldType::Date,
        vec![
            (json!("2026-03-31"), Ok(json!("2026-03-31"))),
            (json!("2026-3-31"), Err("not_a_date")),
            (json!("31.03.2026"), Err("not_a_date")),
            (json!("2026-02-29"), Err("not_a_date")),
        ],
    );
    check(
        &FieldType::Duration,
        vec![
            (json!("PT1H30M"), Ok(json!("PT1H30M"))),
            (json!("90m"), Ok(json!("PT1H30M"))),
            (json!("1h 30m"), Ok(json!("PT1H30M"))),
            (json!("2d"), Ok(json!("PT48H"))),
            (json!("P1D"), Ok(json!("PT24H"))),
            (json!("1 month"), Err("not_a_duration")),
            (json!("90"), Err("not_a_duration")),
        ],
    );
}

#[test]
fn numbers_are_taken_exactly_or_not_at_all() {
    check(
        &FieldType::Decimal { scale: 2 },
        vec![
            (json!("12.50"), Ok(json!("12.50"))),
            (json!(0.1), Ok(json!("0.1"))),
            (json!(12), Ok(json!("12"))),
            (json!("-1e3"), Ok(json!("-1000"))),
            (serde_json::from_str("0.12345678901234567").unwrap(), Err("too_precise")),
            (json!("1,5"), Err("not_a_decimal")),
            (json!("NaN"), Err("not_a_decimal")),
            (json!(true), Err("wrong_type")),
        ],
    );
    check(
        &FieldType::Integer,
        vec![
            (json!(12), Ok(json!(12))),
            (json!(12.5), Err("wrong_type")),
            (json!("12"), Err("wrong_type")),
            (json!(u64::MAX), Err("out_of_range")),
        ],
    );
}

#[test]
fn money_is_read_as_people_write_it_and_written_in_minor_units() {
    let minor = |amount: i64, currency: &str| Ok(json!({ "amount_minor": amount, "currency": currency }));
    check(
        &FieldType::Money,
        vec![
            (json!({ "amount_minor": 150_000, "currency": "RUB" }), minor(150_000, "RUB")),
            (json!(1500), minor(150_000, "RUB")),
            (json!(15.5), minor(1550, "RUB")),
            (json!("15.50 EUR"), minor(1550, "EUR")),
            (json!("eur 15.50"), minor(1550, "EUR")),
            (json!("-0.01"), minor(-1, "RUB")),
            (json!("1500 JPY"), minor(1500, "JPY")),
            (json!("1.234 KWD"), minor(1234, "KWD")),
            (json!("1.5 JPY"), Err("too_precise")),
            (json!("1.555 EUR"), Err("too_precise")),
            (json!("99999999999999999999"), Err("out_of_range")),
            (json!("many EUR"), Err("not_money")),
            (json!({ "amount_minor": 1.5, "currency": "RUB" }), Err("not_money")),
            (json!({ "amount": 1 }), Err("not_money")),
            (json!([1]), Err("wrong_type")),
        ],
    );
}

#[test]
fn a_manifests_default_must_name_what_a_workspace_would_know() {
    let read = |kind, text: &str| {
        let field = field(kind);
        let toml = toml::Value::String(text.to_owned());
        value_from_toml(&field, &toml)
            .and_then(|value| normalise(&field, value, &neutral_locale()))
            .map_err(|issue| issue.code)
    };
    assert_eq!(read(FieldType::Money, "15"), Err("not_money".to_owned()));
    assert!(read(FieldType::Money, "15 EUR").is_ok());
    assert_eq!(read(FieldType::Phone, "8 912 345-67-89"), Err("not_a_phone".to_owned()));
    assert!(read(FieldType::Phone, "+7 912 345-67-89").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_normal_value_comes_back_from_json_as_itself(kind in normal::tests::any_kind(), value in normal::tests::any_value()) {
        let field = field(kind);
        if let Ok(value) = normalise(&field, value, &locale()) {
            let json = value_to_json(&value);
            let text = serde_json::to_string(&json).unwrap();
            let json: Json = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value_from_json(&field, &json, &locale()).and_then(|value| normalise(&field, value, &locale())), Ok(value));
        }
    }

    #[test]
    fn any_json_is_read_or_refused(kind in normal::tests::any_kind(), json in normal::tests::any_json()) {
        let field = field(kind);
        if let Ok(value) = value_from_json(&field, &json, &locale()) {
            // A value that was read may still be over a limit, which is normalising's to say.
            let _either = normalise(&field, value, &locale());
        }
    }
}
