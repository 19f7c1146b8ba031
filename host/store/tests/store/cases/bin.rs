//! The bin: deletions and what they took along.

use pergola_model::{Fields, Id};
use pergola_service::ports::bin::{BinContent, BinItem, BinQuery, Deletion};
use serde_json::json;

use crate::world::{World, after};

/// A deletion of a sample, so many seconds after the tests' beginning, with an item for each content.
fn deletion(world: &World, seconds: i64, contents: Vec<BinContent>) -> (Deletion, Vec<BinItem>) {
    let record = world.record(Fields::new()).id;
    let object = world.sample().name.clone();
    let id = world.record(Fields::new()).id;
    let items = contents
        .into_iter()
        .zip(0..)
        .map(|(content, place)| BinItem { deletion: id, place, object: object.clone(), record, content })
        .collect();
    let plugin = (seconds > 0).then(|| "lab".parse().unwrap());
    let (title, actor) = (format!("sample {seconds}"), "Kim".to_owned());
    (Deletion { id, at: after(seconds), actor, plugin, object, record, title, records: 1 }, items)
}

async fn keep(world: &World, (deletion, items): &(Deletion, Vec<BinItem>)) {
    let mut tx = world.store.write().await.unwrap();
    tx.insert_deletions(std::slice::from_ref(deletion), items).await.unwrap();
    tx.commit().await.unwrap();
}

async fn titles(world: &World, object: Option<&str>, after: Option<Id>, limit: u32) -> Vec<String> {
    let query = BinQuery { object: object.map(|name| name.parse().unwrap()), after, limit };
    let found = world.store.read().await.unwrap().list_deletions(&query).await.unwrap();
    found.into_iter().map(|deletion| deletion.title).collect()
}

pub(crate) async fn a_deletion_is_kept_listed_and_taken_out_with_its_items(world: &World) {
    let reference = BinContent::Reference { field: "room".to_owned(), to: world.record(Fields::new()).id };
    let record = || BinContent::Record(json!({"fields": {"title": "ä\"'"}}));
    // More items than one statement takes.
    let contents: Vec<BinContent> = std::iter::once(reference).chain((0..150).map(|_| record())).collect();
    let first = deletion(world, 0, contents);
    let second = deletion(world, 5, vec![record()]);
    keep(world, &first).await;
    keep(world, &second).await;
    assert_eq!(titles(world, None, None, 10).await, ["sample 5", "sample 0"]);
    assert_eq!(titles(world, None, None, 1).await, ["sample 5"]);
    assert_eq!(titles(world, Some("lab.sample"), Some(second.0.id), 10).await, ["sample 0"]);
    assert!(titles(world, Some("contact"), None, 10).await.is_empty());
    let found = world.store.read().await.unwrap().find_deletion(first.0.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&first));

    let mut tx = world.store.write().await.unwrap();
    assert!(tx.remove_deletion(first.0.id).await.unwrap());
    assert!(!tx.remove_deletion(first.0.id).await.unwrap(), "only once");
    assert_eq!(tx.find_deletion(first.0.id).await.unwrap(), None);
    // The same places are free again only if the items went too.
    tx.insert_deletions(std::slice::from_ref(&first.0), &first.1).await.unwrap();
}

pub(crate) async fn the_oldest_deletions_are_emptied_first(world: &World) {
    for seconds in [30, 10, 20] {
        keep(world, &deletion(world, seconds, vec![BinContent::Record(json!({}))])).await;
    }
    let empty = async |before, limit| {
        let mut tx = world.store.write().await.unwrap();
        let emptied = tx.empty_bin(before, limit).await.unwrap();
        tx.commit().await.unwrap();
        emptied
    };
    assert_eq!(empty(after(20), 1).await, 1);
    assert_eq!(titles(world, None, None, 10).await, ["sample 20", "sample 30"]);
    assert_eq!(empty(after(20), 10).await, 1);
    assert_eq!(titles(world, None, None, 10).await, ["sample 30"]);
}
