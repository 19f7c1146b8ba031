//! Computed values: what is linked, and what is refused with a mend.

use super::*;
use crate::object::{Aggregate, Feed};

const SHOP: &str = r#"
    [settings]
    rate = { type = "integer", default = 5 }
    [object.product]
    fields.price = { type = "money" }
    [object.sale]
    fields.contact = { type = "ref", to = "contact" }
    fields.product = { type = "ref", to = "shop.product" }
    fields.quantity = { type = "integer" }
    fields.status = { type = "choice", of = ["open", "done"] }
    fields.at = { type = "datetime" }
"#;

fn with(fields: &str) -> String {
    format!("{SHOP}\n{fields}")
}

/// The issues of one field of a sale.
fn told(field: &str) -> String {
    issues(&[("shop", &with(field))])
}

#[test]
fn formulas_stand_after_what_they_read_and_rollups_are_fed() {
    let text = with(
        r#"
        fields.third = { type = "integer", formula = "second + 1" }
        fields.second = { type = "integer", formula = "first + 1" }
        fields.first = { type = "integer", formula = "quantity + 1" }
        [extend.contact]
        fields.bought = { type = "integer", rollup = { of = "shop.sale", via = "contact", sum = "third", when = "status == 'done'" } }
        "#,
    );
    let source = source(&format!("id = \"shop\"\nversion = \"1.0.0\"\napi = \"0.1\"\n{text}"));
    let catalog = build(&[source], &jiff::tz::TimeZone::UTC).unwrap();
    let sale = catalog.find_object("shop.sale").unwrap();
    let keys: Vec<&str> = sale.derived.formulas.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["first", "second", "third"]);
    let contact = ObjectName::new("contact").unwrap();
    assert_eq!(sale.derived.feeds, [Feed { object: contact.clone(), key: "shop.bought".to_owned() }]);
    let derived = &catalog.object(&contact).unwrap().derived;
    assert_eq!(derived.rollup("shop.bought").unwrap().what, Aggregate::Sum);
    assert!(derived.read_only("shop.bought").is_some());
    assert!(derived.read_only("name").is_none());
}

#[test]
fn what_is_stored_looks_at_nothing_that_changes_without_it() {
    for (field, part) in [
        ("fields.x = { type = 'bool', formula = 'at < now' }", "cannot look at now"),
        ("fields.x = { type = 'integer', formula = 'product.price.amount_minor' }", "cannot look at other records"),
        ("fields.x = { type = 'integer', formula = 'quantity * settings.rate' }", "cannot look at settings"),
        ("fields.x = { type = 'integer', formula = 'version' }", "cannot look at version"),
        (
            "[extend.contact]\nfields.x = { type = 'integer', rollup = { of = 'shop.sale', via = 'contact', count = true, when = 'at < now' } }",
            "cannot look at now",
        ),
    ] {
        let told = told(field);
        assert!(told.contains(part), "{field}: {told}");
    }
}

#[test]
fn a_circle_is_refused_by_its_names() {
    let own = told("fields.a = { type = 'integer', formula = 'b' }\nfields.b = { type = 'integer', formula = 'a' }");
    assert!(own.contains("shop.sale.a → shop.sale.b → shop.sale.a"), "{own}");
    let over_two = told(
        "fields.parent = { type = 'ref', to = 'shop.sale' }
        fields.a = { type = 'integer', rollup = { of = 'shop.sale', via = 'parent', sum = 'b' } }
        fields.b = { type = 'integer', formula = 'a + 1' }",
    );
    assert!(over_two.contains("shop.sale.a → shop.sale.b → shop.sale.a"), "{over_two}");
}

#[test]
fn mistakes_in_computed_values_are_told_with_their_mend() {
    for (field, part) in [
        ("fields.x = { type = 'integer', default = 1, formula = 'quantity' }", "from one place"),
        ("fields.x = { type = 'integer', required = true, formula = 'quantity' }", "cannot be required"),
        ("fields.x = { type = 'tags', formula = 'quantity' }", "cannot be computed"),
        ("fields.x = { type = 'text', sequence = {} }", "numbers are integers"),
        ("fields.x = { type = 'integer', sequence = { per = 'at' } }", "use a ref, a choice"),
        ("fields.x = { type = 'integer', sequence = { per = 'quantitty' } }", "Did you mean \"quantity\"?"),
        (
            "fields.a = { type = 'integer', formula = 'quantity' }\nfields.b = { type = 'integer', initial = 'a' }",
            "use other fields",
        ),
        (
            "[extend.contact]\nfields.x = { type = 'integer', rollup = { of = 'shop.sale', via = 'product', count = true } }",
            "does not refer to contact",
        ),
        (
            "[extend.contact]\nfields.x = { type = 'text', rollup = { of = 'shop.sale', via = 'contact', count = true } }",
            "a count is an integer",
        ),
        (
            "[extend.contact]\nfields.x = { type = 'integer', rollup = { of = 'shop.sale', via = 'contact', avg = 'quantity' } }",
            "gives a decimal",
        ),
        (
            "[extend.contact]\nfields.x = { type = 'integer', rollup = { of = 'shop.sale', via = 'contact' } }",
            "name one",
        ),
        ("ledger = { account = 'contact', amount = 'quantity' }", "add required = true"),
        ("ledger = { account = 'contact', amount = 'status' }", "an amount is an integer"),
        (
            "fields.x = { type = 'ref', to = 'contact', on_delete = 'clear' }\nledger = { account = 'contact', amount = 'quantity' }",
            "take on_delete out",
        ),
    ] {
        let told = told(field);
        assert!(told.contains(part), "{field}: {told}");
    }
}
