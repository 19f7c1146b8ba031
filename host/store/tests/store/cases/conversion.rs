//! Converting values beside the old ones: a walk that goes on where it was cut off, and writes that are noted meanwhile.

use std::sync::Arc;

use pergola_model::{
    Fields, Id, Value,
    decl::OnError,
    upgrade::{Conversion, Converted},
};
use pergola_service::ports::store::{ConvertedRow, ToConvert, Transaction};

use crate::world::{LAB, World, catalog};

fn conversion(world: &World) -> Conversion {
    let typed = LAB.replace("amount = { type = \"integer\", indexed = true }", "amount = { type = \"text\" }");
    let to = catalog(&typed).find_object("lab.sample").unwrap().field("amount").unwrap().clone();
    let from = world.sample().field("amount").unwrap().clone();
    let fields = vec![Converted { from, to, on_error: OnError::Refuse }];
    Conversion { object: Arc::new(world.sample().clone()), fields }
}

async fn unit(world: &World) -> Box<dyn Transaction> {
    world.store.write().await.unwrap()
}

/// Converts a portion with a commit of its own.
async fn portion(world: &World, conversion: &Conversion, limit: u32) -> ToConvert {
    let mut tx = unit(world).await;
    let which = tx.list_to_convert(&conversion.object, limit).await.unwrap();
    let row = |id: &Id| ConvertedRow { record: *id, values: vec![Value::from("converted")] };
    let rows: Vec<ConvertedRow> = which.ids().iter().map(row).collect();
    tx.put_converted(conversion, &which, &rows).await.unwrap();
    tx.commit().await.unwrap();
    which
}

pub(crate) async fn a_conversion_goes_on_where_it_was_cut_off_and_takes_in_what_was_written_since(world: &World) {
    let records: Vec<_> = (0..5).map(|n| world.record(Fields::new().with("amount", n))).collect();
    world.insert("lab.sample", &records).await.unwrap();
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let conversion = conversion(world);
    let begin = async || {
        let mut tx = unit(world).await;
        tx.begin_conversion(&conversion).await.unwrap();
        tx.commit().await.unwrap();
    };
    begin().await;
    assert_eq!(portion(world, &conversion, 2).await, ToConvert::Next(ids[..2].to_vec()));
    // As after a crash: the walk goes on.
    begin().await;
    let mut first = records[0].clone();
    (first.version, _) = (2, first.fields.set("amount", 7));
    let late = world.record(Fields::new().with("amount", 8));
    let mut tx = unit(world).await;
    tx.update(world.sample(), &first, &["amount".to_owned()]).await.unwrap();
    let mut other = records[1].clone();
    (other.version, _) = (2, other.fields.set("title", "of another field"));
    tx.update(world.sample(), &other, &["title".to_owned()]).await.unwrap();
    tx.insert(world.sample(), std::slice::from_ref(&late)).await.unwrap();
    tx.commit().await.unwrap();
    let all: Vec<Id> = ids[2..].iter().copied().chain([late.id]).collect();
    assert_eq!(portion(world, &conversion, 10).await, ToConvert::Next(all));
    assert_eq!(portion(world, &conversion, 10).await, ToConvert::Again(vec![first.id, late.id]));
    assert_eq!(portion(world, &conversion, 10).await, ToConvert::Again(vec![]));
    // What an undone unit wrote is no news.
    let mut tx = unit(world).await;
    (first.version, _) = (3, first.fields.set("amount", 9));
    tx.update(world.sample(), &first, &["amount".to_owned()]).await.unwrap();
    drop(tx);
    assert_eq!(portion(world, &conversion, 10).await, ToConvert::Again(vec![]));
}

pub(crate) async fn an_abandoned_conversion_leaves_the_old_values_and_begins_anew(world: &World) {
    let record = world.record(Fields::new().with("amount", 1));
    world.insert("lab.sample", std::slice::from_ref(&record)).await.unwrap();
    let conversion = conversion(world);
    for _ in 0..2 {
        let mut tx = unit(world).await;
        tx.begin_conversion(&conversion).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(portion(world, &conversion, 10).await, ToConvert::Next(vec![record.id]));
        let mut tx = unit(world).await;
        tx.abandon_conversion(&conversion).await.unwrap();
        tx.commit().await.unwrap();
        let more = world.record(Fields::new().with("amount", 2));
        world.insert("lab.sample", std::slice::from_ref(&more)).await.unwrap();
        let mut tx = unit(world).await;
        assert_eq!(tx.list_to_convert(&conversion.object, 10).await.unwrap(), ToConvert::Again(vec![]));
        tx.delete(world.sample(), more.id, 1).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(world.find("lab.sample", record.id).await, Some(record));
    while {
        let mut tx = unit(world).await;
        let is_more = tx.clear_dropped().await.unwrap();
        tx.commit().await.unwrap();
        is_more
    } {}
}
