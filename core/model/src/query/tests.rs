//! Orders and cursors as texts, there and back.

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp, civil};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Cursor, CursorError, SortKey, parse_sort, sort_text};
use crate::{
    field::{Field, FieldType, OnDelete},
    name::{ObjectName, PluginId},
    object::Object,
    value::{Id, Value},
};

fn visit() -> Object {
    let to = ObjectName::new("contact").unwrap();
    let kinds = [
        ("name", FieldType::Text),
        ("notes", FieldType::LongText),
        ("count", FieldType::Integer),
        ("weight", FieldType::Decimal { scale: 2 }),
        ("price", FieldType::Money),
        ("paid", FieldType::Bool),
        ("day", FieldType::Date),
        ("starts_at", FieldType::DateTime),
        ("length", FieldType::Duration),
        ("contact", FieldType::Ref { to, on_delete: OnDelete::Restrict }),
        ("labels", FieldType::Tags),
        ("extra", FieldType::Json),
        ("salon.color", FieldType::Text),
    ];
    let fields: IndexMap<String, Field> = kinds
        .into_iter()
        .map(|(key, kind)| {
            let field = Field {
                key: key.to_owned(),
                kind,
                required: false,
                default: Value::Null,
                unique: false,
                indexed: false,
                searchable: false,
                on_purge: None,
                label: Default::default(),
            };
            (key.to_owned(), field)
        })
        .collect();
    Object {
        name: ObjectName::new("visit").unwrap(),
        owner: PluginId::core(),
        label: Default::default(),
        plural: "visits".to_owned(),
        title: None,
        fields,
        checks: Vec::new(),
        excludes: Vec::new(),
        capacities: Vec::new(),
        hold: None,
        uniques: Vec::new(),
        transitions: Vec::new(),
        timers: Vec::new(),
        referrers: Vec::new(),
        rooms: Vec::new(),
        derived: Default::default(),
    }
}

fn sort(text: &str) -> Vec<SortKey> {
    parse_sort(text, &visit()).unwrap()
}

#[test]
fn an_order_is_read_and_written() {
    for text in
        ["", "name", "-created_at,name", "salon.color,-id", "-count,weight,paid,day,starts_at", "length,contact"]
    {
        assert_eq!(sort_text(&sort(text)), text);
    }
    assert_eq!(sort(" -name , id "), sort("-name,id"));
}

#[test]
fn a_bad_order_is_told_with_what_to_do() {
    let bad = [
        "naem",
        "price",
        "notes",
        "labels",
        "extra",
        "name,",
        "-",
        "--name",
        "name,-name",
        "contact.name",
        "name,count,weight,paid,day,length",
    ];
    let told: Vec<String> =
        bad.iter().map(|text| format!("{text}: {}", parse_sort(text, &visit()).unwrap_err())).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    naem: visit has no field "naem" to sort by. Did you mean "name"?
    price: "price" cannot be sorted by, because it is money, and amounts in different currencies have no order
    notes: "notes" cannot be sorted by, because it is long text; sort by a short one
    labels: "labels" cannot be sorted by, because it is tags, which have no order
    extra: "extra" cannot be sorted by, because it is JSON, which has no order
    name,: the order "name," has an empty key; write fields with commas between, like -created_at,name
    -: the order "-" has an empty key; write fields with commas between, like -created_at,name
    --name: visit has no field "-name" to sort by. Did you mean "name"?
    name,-name: "name" is named twice in the order; leave one out
    contact.name: visit has no field "contact.name" to sort by.
    name,count,weight,paid,day,length: the order has more than 5 keys; leave the last ones out
    "#);
}

#[test]
fn a_cursor_of_something_else_is_refused() {
    let keys = sort("-count,name");
    let cursor = Cursor { sort: sort_text(&keys), values: vec![3.into(), "a".into()], id: Id(uuid::Uuid::nil()) };
    let text = cursor.encode();
    insta::assert_snapshot!(text, @"eyJzIjoiLWNvdW50LG5hbWUiLCJ2IjpbMywiYSJdLCJpIjoiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIn0");
    assert_eq!(Cursor::decode(&text, &visit(), &keys), Ok(cursor.clone()));
    let other = Cursor::decode(&text, &visit(), &sort("name")).unwrap_err();
    insta::assert_snapshot!(other, @r#"the cursor belongs to the order "-count,name", but the query has "name"; keep the order, or start at the first page"#);
    let wrong = Cursor { values: vec!["a".into(), 3.into()], ..cursor.clone() };
    let few = Cursor { values: vec![3.into()], ..cursor };
    for bad in ["", "x", "????", "e30", &text[1..], &"A".repeat(99_999), &wrong.encode(), &few.encode()] {
        assert_eq!(Cursor::decode(bad, &visit(), &keys), Err(CursorError::Malformed), "{bad}");
    }
}

const EVERY: &str = "name,-count,weight,paid,day";
const OTHER: &str = "starts_at,length,-contact,id";

fn or_null(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 4 => value]
}

fn cursor() -> impl Strategy<Value = Cursor> {
    let every = (
        or_null(".{0,20}".prop_map(Value::Text)),
        or_null(any::<i64>().prop_map(Value::Integer)),
        or_null((any::<i64>(), 0..10_u32).prop_map(|(digits, scale)| Value::Decimal(Decimal::new(digits, scale)))),
        or_null(any::<bool>().prop_map(Value::Bool)),
        or_null((-9999..=9999_i16, 1..=12_i8, 1..=28_i8).prop_map(|(y, m, d)| Value::Date(civil::date(y, m, d)))),
    )
        .prop_map(|(a, b, c, d, e)| (EVERY, vec![a, b, c, d, e]));
    let id = || any::<u128>().prop_map(|id| Value::Ref(Id(uuid::Uuid::from_u128(id))));
    let other = (
        or_null(
            (-99_999_999_999_999..=99_999_999_999_999_i64)
                .prop_map(|micros| Value::DateTime(Timestamp::from_microsecond(micros).unwrap())),
        ),
        or_null(any::<i64>().prop_map(|micros| Value::Duration(SignedDuration::from_micros(micros)))),
        or_null(id()),
        id(),
    )
        .prop_map(|(a, b, c, d)| (OTHER, vec![a, b, c, d]));
    (prop_oneof![every, other], any::<u128>()).prop_map(|((sort, values), id)| Cursor {
        sort: sort.to_owned(),
        values,
        id: Id(uuid::Uuid::from_u128(id)),
    })
}

proptest! {
    #[test]
    fn a_cursor_comes_back_as_it_went(cursor in cursor()) {
        let text = cursor.encode();
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        prop_assert_eq!(Cursor::decode(&text, &visit(), &sort(&cursor.sort)), Ok(cursor));
    }

    #[test]
    fn no_text_makes_decoding_panic(text in ".{0,60}", json in "[\\[\\]{}\":,svi0-9a-e-]{0,60}") {
        use base64::Engine;
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
        for text in [text, encoded] {
            prop_assert!(Cursor::decode(&text, &visit(), &sort("name")).is_err());
            prop_assert!(parse_sort(&text, &visit()).is_err() || text.trim().is_empty() || text.len() < 50);
        }
    }
}
