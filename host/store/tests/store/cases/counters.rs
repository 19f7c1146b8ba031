//! What is counted: tallies of referring records, numbers given out, balances.

use pergola_model::{
    Fields, Id, Money, Record, Value,
    expr::Type,
    object::{Aggregate, Rollup},
    rollup::Tally,
};
use pergola_service::ports::counters::{Balance, BalanceKey, SequenceKey};

use crate::world::World;

fn rollup(world: &World, what: Aggregate, source: Option<&str>, when: Option<&str>) -> Rollup {
    let sample = world.sample();
    let source = source.map(|key| (key.to_owned(), sample.fields[key].kind.clone()));
    Rollup {
        key: "card".to_owned(),
        kind: source.as_ref().map_or(pergola_model::FieldType::Integer, |(_, kind)| kind.clone()),
        of: sample.name.clone(),
        via: "contact".to_owned(),
        what,
        source,
        when: when.map(|text| world.expression("lab.sample", text, &[] as &[Type])),
    }
}

async fn tallies(world: &World, rollups: &[Rollup], parents: &[Id]) -> Vec<Option<Vec<Tally>>> {
    let rollups: Vec<&Rollup> = rollups.iter().collect();
    let mut reader = world.store.read().await.unwrap();
    let mut found = reader.tally(&world.catalog, &rollups, parents).await.unwrap();
    parents.iter().map(|id| found.remove(id)).collect()
}

pub(crate) async fn referring_records_are_tallied_by_parent_and_condition(world: &World) {
    let contacts: [Record; 3] = std::array::from_fn(|_| world.record(Fields::new().with("name", "Masha")));
    world.insert("contact", &contacts).await.unwrap();
    let money = |amount_minor: i64, code: &str| Value::Money(Money { amount_minor, currency: code.to_owned() });
    let sample = |contact: usize, amount: i64, code: &str, status: &str| {
        let fields = Fields::new().with("contact", contacts[contact].id).with("amount", amount);
        world.record(fields.with("price", money(amount, code)).with("status", status))
    };
    let rows = [
        sample(0, i64::MAX, "RUB", "booked"),
        sample(0, i64::MAX - 5, "RUB", "booked"),
        sample(0, -7, "EUR", "cancelled"),
        sample(1, -3, "EUR", "booked"),
        world.record(Fields::new().with("contact", contacts[1].id).with("status", "booked")),
    ];
    world.insert("lab.sample", &rows).await.unwrap();
    let ids: Vec<Id> = contacts.iter().map(|contact| contact.id).collect();
    let booked = Some("status == 'booked'");
    let all = [
        rollup(world, Aggregate::Count, None, booked),
        rollup(world, Aggregate::Sum, Some("amount"), None),
        rollup(world, Aggregate::Max, Some("price"), booked),
        rollup(world, Aggregate::Sum, Some("price"), None),
    ];
    let found = tallies(world, &all, &ids).await;
    let [first, second, none] = &found[..] else { panic!("three were asked") };
    let first = first.as_ref().unwrap();
    assert_eq!(first[0].count, 2);
    assert_eq!((first[1].count, first[1].sum), (3, 2 * i128::from(i64::MAX) - 12), "a sum may need more than 64 bits");
    assert_eq!(first[2].greatest, money(i64::MAX, "RUB"));
    assert_eq!(first[2].currencies, Some(("RUB".to_owned(), "RUB".to_owned())));
    assert_eq!(first[3].currencies, Some(("EUR".to_owned(), "RUB".to_owned())), "two currencies show");
    let second = second.as_ref().unwrap();
    assert_eq!(
        (second[0].count, second[1].count, second[1].sum),
        (2, 1, -3),
        "without a value it counts by itself only"
    );
    assert_eq!(none, &None);
}

pub(crate) async fn dates_and_decimals_keep_their_extremes(world: &World) {
    let contact = world.record(Fields::new().with("name", "Masha"));
    world.insert("contact", std::slice::from_ref(&contact)).await.unwrap();
    let day = |day: i8| Value::Date(jiff::civil::date(2026, 3, day));
    let rows: Vec<Record> = [3, 1, 2]
        .map(|n| {
            let fields = Fields::new().with("contact", contact.id).with("day", day(n));
            world.record(fields.with("weight", Value::Decimal(rust_decimal::Decimal::new(i64::from(n), 3))))
        })
        .into();
    world.insert("lab.sample", &rows).await.unwrap();
    let all = [rollup(world, Aggregate::Min, Some("day"), None), rollup(world, Aggregate::Max, Some("weight"), None)];
    let found = tallies(world, &all, &[contact.id]).await[0].clone().unwrap();
    assert_eq!(found[0].least, day(1));
    assert_eq!(found[1].greatest, Value::Decimal(rust_decimal::Decimal::new(3, 3)));
}

pub(crate) async fn numbers_are_taken_with_the_unit_and_not_without(world: &World) {
    let key = |per: &str| SequenceKey {
        object: world.sample().name.clone(),
        field: "amount".to_owned(),
        per: per.to_owned(),
    };
    let mut tx = world.store.write().await.unwrap();
    assert_eq!(tx.take_numbers(&key("a"), 5, 3).await.unwrap(), 5);
    tx.savepoint().await.unwrap();
    assert_eq!(tx.take_numbers(&key("a"), 5, 2).await.unwrap(), 8);
    tx.rollback_savepoint().await.unwrap();
    assert_eq!(tx.take_numbers(&key("a"), 5, 1).await.unwrap(), 8);
    tx.commit().await.unwrap();
    let mut dropped = world.store.write().await.unwrap();
    assert_eq!(dropped.take_numbers(&key("a"), 5, 1).await.unwrap(), 9);
    drop(dropped);
    let mut tx = world.store.write().await.unwrap();
    assert_eq!(tx.take_numbers(&key("a"), 5, 1).await.unwrap(), 9);
    assert_eq!(tx.take_numbers(&key("b"), 1, 1).await.unwrap(), 1, "each has its own");
    tx.commit().await.unwrap();
}

pub(crate) async fn balances_are_set_found_and_listed_in_order(world: &World) {
    let balance = |account: &str, unit: &str, currency: &str, amount: i64| Balance {
        key: BalanceKey {
            object: world.sample().name.clone(),
            account: account.to_owned(),
            unit: unit.to_owned(),
            currency: currency.to_owned(),
        },
        amount,
    };
    let all =
        [balance("a", "", "RUB", 1), balance("a", "x", "", 2), balance("b", "", "EUR", -3), balance("b", "", "RUB", 4)];
    let mut tx = world.store.write().await.unwrap();
    let reversed: Vec<Balance> = all.iter().rev().cloned().collect();
    tx.put_balances(&reversed).await.unwrap();
    tx.put_balances(&[balance("a", "x", "", 7)]).await.unwrap();
    tx.commit().await.unwrap();
    let mut reader = world.store.read().await.unwrap();
    let object = &world.sample().name;
    let listed = reader.list_balances(object, None, None, 2).await.unwrap();
    assert_eq!(listed, [all[0].clone(), balance("a", "x", "", 7)]);
    let rest = reader.list_balances(object, None, Some(&listed[1].key), 9).await.unwrap();
    assert_eq!(rest, all[2..]);
    assert_eq!(reader.list_balances(object, Some("b"), None, 9).await.unwrap(), all[2..]);
    let found = reader.find_balances(&[all[2].key.clone(), balance("c", "", "", 0).key]).await.unwrap();
    assert_eq!(found, [all[2].clone()]);
}
