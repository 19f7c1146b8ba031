//! Declared changes against the versions before and after: what is planned, and what is refused with the step to write.

use std::collections::BTreeMap;

use super::*;
use crate::{
    catalog::PluginSource,
    value::{Locale, Money, Value},
};

const BEFORE: &str = r#"
    [object.visit]
    fields.note = { type = "text" }
    fields.size = { type = "text" }
    fields.price = { type = "integer" }
    fields.contact = { type = "ref", to = "contact" }
    [object.log]
    fields.line = { type = "text" }
    [extend.contact]
    fields.card = { type = "text" }
"#;

fn manifest(version: &str, rest: &str) -> Arc<Manifest> {
    let text = format!("id = \"lab\"\nversion = \"{version}\"\napi = \"0.1\"\n{rest}");
    Arc::new(toml::from_str(&text).unwrap_or_else(|error| panic!("{error}")))
}

fn catalog(manifest: &Arc<Manifest>) -> Catalog {
    let source = PluginSource { manifest: Arc::clone(manifest), digest: String::new(), settings: BTreeMap::new() };
    Catalog::build(&[source]).unwrap_or_else(|issues| panic!("{issues:#?}"))
}

/// What the upgrade does, a line each; or what is wrong with it.
fn upgrade(before: (&str, &str), after: (&str, &str)) -> String {
    let (before, after) = (manifest(before.0, before.1), manifest(after.0, after.1));
    match Upgrade::plan(&before, &catalog(&before), &after, &catalog(&after)) {
        Err(issues) => issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Ok(upgrade) => {
            let field = |change: &FieldChange| {
                let (object, key) = (&change.object.name, &change.before.key);
                match &change.fate {
                    Fate::Renamed(to) => format!("{object}: {key} is {}", to.key),
                    Fate::Retyped(to, on_error) => {
                        format!("{object}: {key} is {} {} {on_error:?}", to.key, to.kind.name())
                    }
                    Fate::Dropped => format!("{object}: {key} goes"),
                }
            };
            let dropped = upgrade.dropped.iter().map(|object| format!("{} goes", object.name));
            upgrade.fields.iter().map(field).chain(dropped).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn what_is_not_declared_is_refused_with_the_step_to_write() {
    let after = r#"
        [object.visit]
        fields.comment = { type = "text" }
        fields.size = { type = "integer" }
        fields.price = { type = "money" }
        fields.contact = { type = "ref", to = "deal" }
        [extend.contact]
        fields.number = { type = "long_text" }
    "#;
    insta::assert_snapshot!(upgrade(("1.0.0", BEFORE), ("1.1.0", after)), @r#"
    lab: object.visit.fields.note: note of lab.visit is stored and no longer declared. To lose its values, write [[change]] version = "1.1.0" drop = { object = "visit", field = "note" }; if it has another name now, rename = { object = "visit", from = "note", to = "comment" } instead
    lab: object.visit.fields.size: size of lab.visit holds text and is now declared as integer. To convert its values, write [[change]] version = "1.1.0" retype = { object = "visit", field = "size" }; with on_error = "null", those that do not fit are lost
    lab: object.visit.fields.price: price of lab.visit holds integer and cannot become money: declare a field of another name, and drop this one
    lab: object.visit.fields.contact: contact of lab.visit holds ref to contact and cannot become ref to deal: declare a field of another name, and drop this one
    lab: object.log: lab.log is stored and no longer declared. To lose its records, write [[change]] version = "1.1.0" drop = { object = "log" }
    lab: extend.contact.fields.card: lab.card of contact is stored and no longer declared. To lose its values, write [[change]] version = "1.1.0" drop = { object = "contact", field = "card" }; if it has another name now, rename = { object = "contact", from = "card", to = "…" } instead
    "#);
    let same = upgrade(("1.0.0", BEFORE), ("1.0.0", &BEFORE.replace("fields.note = { type = \"text\" }\n", "")));
    insta::assert_snapshot!(same, @r#"
    lab: object.visit.fields.note: note of lab.visit is stored and no longer declared. To lose its values, make the plugin's version 1.1.0 and write [[change]] version = "1.1.0" drop = { object = "visit", field = "note" }; if it has another name now, rename = { object = "visit", from = "note", to = "…" } instead
    "#);
}

#[test]
fn versions_that_were_passed_over_are_caught_up_in_their_order() {
    let after = r#"
        [object.visit]
        fields.remark = { type = "long_text" }
        fields.note = { type = "integer" }
        fields.price = { type = "decimal", scale = 2 }
        fields.contact = { type = "ref", to = "contact" }
        [extend.contact]
        fields.number = { type = "text" }
        [[change]]
        version = "1.3.0"
        rename = { object = "visit", from = "comment", to = "remark" }
        [[change]]
        version = "1.1.0"
        rename = { object = "visit", from = "note", to = "comment" }
        [[change]]
        version = "1.2.0"
        rename = { object = "visit", from = "size", to = "note" }
        [[change]]
        version = "1.2.0"
        retype = { object = "visit", field = "note", on_error = "null" }
        [[change]]
        version = "1.2.0"
        retype = { object = "visit", field = "price" }
        [[change]]
        version = "1.3.0"
        rename = { object = "contact", from = "card", to = "number" }
        [[change]]
        version = "1.3.0"
        drop = { object = "log" }
        [[change]]
        version = "0.9.0"
        drop = { object = "visit", field = "long_gone" }
    "#;
    insta::assert_snapshot!(upgrade(("1.0.0", BEFORE), ("1.3.0", after)), @r#"
    lab.visit: price is price decimal Refuse
    lab.visit: size is note integer Null
    lab.visit: note is remark
    contact: lab.card is lab.number
    lab.log goes
    "#);
    assert_eq!(upgrade(("1.3.0", after), ("1.3.1", after)), "");
}

#[test]
fn steps_that_do_not_fit_are_told() {
    let after = format!(
        "{BEFORE}\n[[change]]\nversion = \"1.1.0\"\nrename = {{ object = \"visit\", from = \"nothing\", to = \"x\" }}\n\
         [[change]]\nversion = \"1.1.0\"\nrename = {{ object = \"visit\", from = \"size\", to = \"note\" }}\n\
         [[change]]\nversion = \"1.1.0\"\ndrop = {{ object = \"contact\" }}\n\
         [[change]]\nversion = \"1.1.0\"\ndrop = {{ object = \"nothing\", field = \"x\" }}"
    );
    insta::assert_snapshot!(upgrade(("1.0.0", BEFORE), ("1.1.0", &after)), @r#"
    lab: change[0].rename.from: lab.visit has no field nothing by then: correct the name, or take this step out
    lab: change[1].rename.to: lab.visit has a field note by then
    lab: change[2].drop.object: contact is not this plugin's own: drop the fields that it added, one by one
    lab: change[3]: lab 1.0.0 has no nothing by then
    "#);
}

#[test]
fn values_become_those_of_the_other_type_or_are_told_apart() {
    let locale = Locale::default();
    let field = |kind: FieldType| Field {
        key: "x".to_owned(),
        kind,
        required: false,
        default: Value::Null,
        unique: false,
        indexed: false,
        searchable: false,
        on_purge: None,
        label: BTreeMap::new(),
    };
    let to = |value: Value, kind: FieldType| convert(&value, &field(kind), &locale).map_err(|issue| issue.code);
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    let choice = || FieldType::Choice { of: vec!["small".to_owned(), "large".to_owned()] };
    assert_eq!(to("Small".into(), choice()), Ok("small".into()));
    assert_eq!(to("huge".into(), choice()).unwrap_err(), "not_a_choice");
    assert_eq!(to(" 12".into(), FieldType::Integer), Ok(Value::Integer(12)));
    assert_eq!(to("12.5".into(), FieldType::Integer).unwrap_err(), "wrong_type");
    assert_eq!(to("12.5".into(), FieldType::Decimal { scale: 2 }), Ok(decimal("12.50")));
    assert_eq!(to(Value::Integer(12), FieldType::Decimal { scale: 2 }), Ok(decimal("12.00")));
    assert_eq!(to(decimal("12.00"), FieldType::Integer), Ok(Value::Integer(12)));
    assert_eq!(to(decimal("12.10"), FieldType::Integer).unwrap_err(), "wrong_type");
    assert_eq!(to(decimal("12.100"), FieldType::Decimal { scale: 1 }), Ok(decimal("12.1")));
    assert_eq!(to(decimal("12.101"), FieldType::Decimal { scale: 1 }).unwrap_err(), "too_precise");
    assert_eq!(to("2026-01-31".into(), FieldType::Date), Ok(Value::Date("2026-01-31".parse().unwrap())));
    assert!(to("31.1.".into(), FieldType::Date).is_err());
    assert_eq!(to("Yes".into(), FieldType::Bool), Ok(Value::Bool(true)));
    assert_eq!(to("8 912 345 67 89".into(), FieldType::Phone), Ok("+79123456789".into()));
    let money = Value::Money(Money { amount_minor: 1250, currency: "EUR".to_owned() });
    assert_eq!(to(money, FieldType::Text), Ok("12.50 EUR".into()));
    assert_eq!(to(Value::Tags(vec!["a".to_owned(), "b".to_owned()]), FieldType::Text), Ok("a, b".into()));
    assert_eq!(to(Value::Bool(true), FieldType::Text), Ok("true".into()));
    assert_eq!(to("ж".repeat(1001).into(), FieldType::Text).unwrap_err(), "too_long");
    assert_eq!(to(Value::Null, FieldType::Integer), Ok(Value::Null));
}
