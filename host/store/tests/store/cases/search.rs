//! The index of search: what is written is found, what is taken out is not.

use pergola_model::{
    Id,
    search::{Alternative, Entry, Term},
};
use pergola_service::ports::search::{IndexQuery, IndexRow, IndexState};

use crate::world::World;

fn row(world: &World, object: &str, title: &str, body: &str, keys: &str) -> IndexRow {
    let id = world.record(Default::default()).id;
    let entry = Entry { title: title.to_owned(), body: body.to_owned(), keys: keys.to_owned() };
    IndexRow { object: object.parse().unwrap(), record: id, entry }
}

async fn index(world: &World, rows: &[IndexRow]) {
    let mut tx = world.store.write().await.unwrap();
    tx.index(rows).await.unwrap();
    tx.commit().await.unwrap();
}

fn title(word: &str, begins: bool) -> Alternative {
    Alternative::Title { word: word.to_owned(), begins }
}

fn anywhere(word: &str, begins: bool) -> Alternative {
    Alternative::Anywhere { word: word.to_owned(), begins }
}

async fn found(world: &World, terms: &[Term], objects: &[&str], limit: u32) -> Vec<Id> {
    let objects = objects.iter().map(|name| name.parse().unwrap()).collect();
    let query = IndexQuery { terms: terms.to_vec(), objects, limit };
    let rows = world.store.read().await.unwrap().search(&query).await.unwrap();
    rows.into_iter().map(|row| row.record).collect()
}

pub(crate) async fn entries_are_found_by_words_beginnings_and_keys_newest_first(world: &World) {
    let rows = [
        row(world, "contact", "anna petrova", "79123456789 6789", "0ana 2an"),
        row(world, "contact", "petr annin", "anna example", "0anin 2an"),
        row(world, "deal", "annabel", "", "0anabel 2an"),
    ];
    let [first, second, third] = [rows[0].record, rows[1].record, rows[2].record];
    index(world, &rows).await;
    let all = ["contact", "deal"];
    let key = |key: &str| Alternative::Key(key.to_owned());
    for (terms, wanted) in [
        (vec![vec![title("anna", false)]], vec![first]),
        (vec![vec![title("anna", true)]], vec![third, first]),
        (vec![vec![anywhere("anna", false)]], vec![second, first]),
        (vec![vec![anywhere("anna", true)]], vec![third, second, first]),
        (vec![vec![anywhere("anna", false)], vec![title("petr", true)]], vec![second, first]),
        (vec![vec![anywhere("anna", false)], vec![title("petr", false)]], vec![second]),
        (vec![vec![key("2an")]], vec![third, second, first]),
        (vec![vec![key("0ana"), title("annabel", false)]], vec![third, first]),
        (vec![vec![anywhere("6789", false)]], vec![first]),
        (vec![vec![anywhere("7912", true)]], vec![first]),
        (vec![vec![anywhere("0ana", false)]], vec![]),
        (vec![vec![title("example", false)]], vec![]),
        (vec![vec![key("2an")], vec![title("nobody", true)]], vec![]),
    ] {
        assert_eq!(found(world, &terms, &all, 10).await, wanted, "{terms:?}");
    }
    let key = [vec![key("2an")]];
    assert_eq!(found(world, &key, &["deal"], 10).await, [third]);
    assert_eq!(found(world, &key, &[], 10).await, []);
    assert_eq!(found(world, &key, &all, 2).await, [third, second]);
}

pub(crate) async fn an_entry_is_replaced_and_taken_out(world: &World) {
    let mut rows: Vec<IndexRow> = (0..300).map(|n| row(world, "contact", &format!("name{n}"), "", "")).collect();
    index(world, &rows).await;
    rows[7].entry.title = "other".to_owned();
    index(world, &rows).await;
    assert_eq!(found(world, &[vec![title("name7", false)]], &["contact"], 10).await, []);
    assert_eq!(found(world, &[vec![title("other", false)]], &["contact"], 10).await, [rows[7].record]);
    let mut reader = world.store.read().await.unwrap();
    let stored = reader.find_index_rows(&rows[7].object, &[rows[7].record]).await.unwrap();
    assert_eq!(stored, [rows[7].clone()]);
    drop(reader);

    let mut tx = world.store.write().await.unwrap();
    let gone: Vec<Id> = rows.iter().take(100).map(|row| row.record).collect();
    tx.unindex(&rows[0].object, &gone).await.unwrap();
    assert_eq!(tx.unindex_some(&"deal".parse().unwrap(), 10).await.unwrap(), 0);
    assert_eq!(tx.unindex_some(&rows[0].object, 150).await.unwrap(), 150);
    tx.commit().await.unwrap();
    assert_eq!(found(world, &[vec![title("name", true)]], &["contact"], 500).await.len(), 50);
    let mut reader = world.store.read().await.unwrap();
    let left = reader.list_indexed(&rows[0].object, None, 30).await.unwrap();
    let more = reader.list_indexed(&rows[0].object, left.last().copied(), 30).await.unwrap();
    assert_eq!((left.len(), more.len()), (30, 20));
    assert!([left, more].concat().is_sorted());
}

pub(crate) async fn an_undone_unit_leaves_no_entry(world: &World) {
    let (kept, undone) = (row(world, "contact", "kept", "", ""), row(world, "contact", "undone", "", ""));
    let mut tx = world.store.write().await.unwrap();
    tx.index(std::slice::from_ref(&kept)).await.unwrap();
    tx.savepoint().await.unwrap();
    tx.index(&[undone]).await.unwrap();
    tx.rollback_savepoint().await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.store.write().await.unwrap();
    tx.index(&[row(world, "contact", "dropped", "", "")]).await.unwrap();
    drop(tx);
    let word = |word| [vec![title(word, false)]];
    assert_eq!(found(world, &word("kept"), &["contact"], 10).await, [kept.record]);
    assert_eq!(found(world, &word("undone"), &["contact"], 10).await, []);
    assert_eq!(found(world, &word("dropped"), &["contact"], 10).await, []);
}

pub(crate) async fn how_far_an_object_is_indexed_is_kept(world: &World) {
    let state = |done: bool, after: Option<Id>| IndexState {
        object: "deal".parse().unwrap(),
        fingerprint: "1; title".to_owned(),
        done,
        after,
    };
    let after = Some(world.record(Default::default()).id);
    let mut tx = world.store.write().await.unwrap();
    for state in [state(false, None), state(false, after), state(true, None)] {
        tx.put_index_state(&state).await.unwrap();
        assert_eq!(tx.list_index_states().await.unwrap(), [state]);
    }
    tx.remove_index_state(&"deal".parse().unwrap()).await.unwrap();
    assert_eq!(tx.list_index_states().await.unwrap(), []);
}
