//! Schema changes: additive ones are planned and applied, others refused by name.

use pergola_model::{Catalog, Fields, Record, upgrade::Upgrade};
use pergola_service::ports::store::StoreError;

use crate::world::{LAB, World, catalog};

fn changed(from: &str, to: &str) -> Catalog {
    let manifest = LAB.replace(from, to);
    assert_ne!(manifest, LAB, "{from} is not in the manifest");
    catalog(&manifest)
}

async fn summaries(world: &World, catalog: &Catalog) -> Vec<String> {
    world.store.plan(catalog, &Upgrade::default()).await.unwrap().into_iter().map(|step| step.summary).collect()
}

pub(crate) async fn a_plan_is_empty_once_applied(world: &World) {
    assert_eq!(summaries(world, &world.catalog).await, [""; 0]);
    // Without the plugin its tables and columns stay, and no step touches them.
    let core_alone = Catalog::build(&[]).unwrap();
    assert_eq!(summaries(world, &core_alone).await, [""; 0]);
}

pub(crate) async fn added_fields_become_columns_and_records_stay(world: &World) {
    let record = world.record(Fields::new().with("amount", 1));
    world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
    let more = changed(
        "fields.card = { type = \"text\", unique = true }",
        "fields.card = { type = \"text\", unique = true }\nfields.since = { type = \"date\", indexed = true }\n\
         fields.debt = { type = \"money\" }",
    );
    let steps = summaries(world, &more).await;
    assert_eq!(
        steps,
        ["add column lab.since to contact", "add column lab.debt to contact", "add index lab.since to contact"]
    );
    world.apply(&more).await.unwrap();
    assert_eq!(summaries(world, &more).await, [""; 0]);

    let contact: Record = world.record(
        Fields::new()
            .with("name", "A")
            .with("lab.since", pergola_model::Value::Date("2026-01-01".parse().unwrap()))
            .with(
                "lab.debt",
                pergola_model::Value::Money(pergola_model::Money { amount_minor: 1, currency: "RUB".to_owned() }),
            ),
    );
    let object = more.find_object("contact").unwrap();
    let mut tx = world.store.write().await.unwrap();
    tx.insert(object, std::slice::from_ref(&contact)).await.unwrap();
    tx.commit().await.unwrap();
    let mut reader = world.store.read().await.unwrap();
    assert_eq!(reader.find(object, contact.id).await.unwrap(), Some(contact));
    assert_eq!(reader.find(world.sample(), record.id).await.unwrap(), Some(record));
}

pub(crate) async fn a_changed_type_is_refused_by_name(world: &World) {
    for (from, to, wanted) in [
        ("amount = { type = \"integer\", indexed = true }", "amount = { type = \"text\" }", ["integer", "text"]),
        (
            "weight = { type = \"decimal\", scale = 3 }",
            "weight = { type = \"decimal\", scale = 2 }",
            ["decimal(3)", "decimal(2)"],
        ),
        ("day = { type = \"date\" }", "day = { type = \"text\" }", ["date", "text"]),
        (
            "contact = { type = \"ref\", to = \"contact\" }",
            "contact = { type = \"ref\", to = \"deal\" }",
            ["ref(contact)", "ref(deal)"],
        ),
    ] {
        let result = world.store.plan(&changed(from, to), &Upgrade::default()).await;
        let Err(StoreError::Schema(message)) = result else { panic!("{from} → {to}: {result:?}") };
        assert!(message.contains("lab.sample"), "{message}");
        assert!(wanted.iter().all(|word| message.contains(word)), "{message}");
    }
    // Text is text, however it is checked.
    let kept = changed("fields.url = { type = \"url\" }", "fields.url = { type = \"long_text\" }");
    assert_eq!(summaries(world, &kept).await, [""; 0]);
}

pub(crate) async fn a_rule_that_stored_records_break_is_refused(world: &World) {
    let twins = [0, 0].map(|n| world.record(Fields::new().with("amount", n)));
    world.insert("lab.sample", &twins).await.unwrap();
    let strict =
        changed("amount = { type = \"integer\", indexed = true }", "amount = { type = \"integer\", unique = true }");
    let result = world.apply(&strict).await;
    let Err(StoreError::Schema(message)) = result else { panic!("{result:?}") };
    assert!(message.contains("amount") && message.contains("lab.sample"), "{message}");
    assert!(twins.iter().all(|twin| message.contains(&twin.id.to_string())), "{message}");
    assert_eq!(world.count("lab.sample").await, 2);
}

pub(crate) async fn a_unique_rule_goes_with_its_declaration(world: &World) {
    let twins = [0, 0].map(|_| world.record(Fields::new().with("phone", "+7")));
    assert!(world.insert("lab.sample", &twins).await.is_err());
    let loose = changed("phone = { type = \"phone\", unique = true }", "phone = { type = \"phone\" }");
    // A phone has an index in any case, so the rule's is replaced by a plain one.
    let steps = summaries(world, &loose).await;
    assert!(steps.len() == 2 && steps.iter().any(|step| step.starts_with("drop the unique rule")), "{steps:?}");
    world.apply(&loose).await.unwrap();
    world.insert("lab.sample", &twins).await.unwrap();
}
