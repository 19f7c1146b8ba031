//! Units of work: all or nothing, and nobody disturbs another.

use pergola_model::{Fields, Record, Value};
use pergola_service::ports::store::StoreError;

use crate::world::World;

pub(crate) async fn a_dropped_unit_wrote_nothing(world: &World) {
    let record = world.record(Fields::new());
    let mut tx = world.store.write().await.unwrap();
    tx.insert(world.sample(), std::slice::from_ref(&record)).await.unwrap();
    assert!(tx.find(world.sample(), record.id).await.unwrap().is_some());
    drop(tx);
    assert_eq!(world.find("lab.sample", record.id).await, None);
    world.insert("lab.sample", &[record]).await.unwrap();
}

pub(crate) async fn a_unit_of_one_step_is_all_or_nothing_and_so_is_the_next(world: &World) {
    let object = world.catalog.object(&"lab.sample".parse().unwrap()).unwrap();
    let (first, second) = (world.record(Fields::new()), world.record(Fields::new()));
    for (record, fits) in [(&first, true), (&first, false), (&second, true)] {
        let mut tx = world.store.write().await.unwrap();
        tx.insert_late(object, record).await.unwrap();
        let done = tx.commit().await;
        assert!(if fits { done.is_ok() } else { matches!(done, Err(StoreError::Taken { .. })) }, "{done:?}");
        // What is there can still be asked after a refusal.
        assert_eq!(tx.find(object, first.id).await.is_ok(), !fits);
    }
    // Two at once, so that one of them cannot be the connection that wrote.
    let mut readers = [world.store.read().await.unwrap(), world.store.read().await.unwrap()];
    for reader in &mut readers {
        assert_eq!(reader.find(object, second.id).await.unwrap().as_ref(), Some(&second));
    }
}

pub(crate) async fn what_waits_is_seen_by_whoever_asks(world: &World) {
    let object = world.catalog.object(&"lab.sample".parse().unwrap()).unwrap();
    let [kept, undone]: [Record; 2] = std::array::from_fn(|n| world.record(Fields::new().with("amount", n as i64)));
    let mut tx = world.store.write().await.unwrap();
    tx.insert_late(object, &kept).await.unwrap();
    assert_eq!(tx.find(object, kept.id).await.unwrap().as_ref(), Some(&kept));
    tx.savepoint().await.unwrap();
    tx.insert_late(object, &undone).await.unwrap();
    tx.rollback_savepoint().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.count("lab.sample").await, 1);
}

/// Units of one step that queue up run together; one that does not fit fails alone.
pub(crate) async fn of_units_that_run_together_only_those_fail_that_do_not_fit(world: &World) {
    let object = world.catalog.object(&"lab.sample".parse().unwrap()).unwrap();
    let taken = world.record(Fields::new());
    world.insert("lab.sample", std::slice::from_ref(&taken)).await.unwrap();
    let records: Vec<Record> =
        (0..40).map(|n| if n % 7 == 3 { taken.clone() } else { world.record(Fields::new()) }).collect();
    let writes = records.iter().map(|record| async {
        let mut tx = world.store.write().await?;
        tx.insert_late(object, record).await?;
        tx.commit().await
    });
    for (record, done) in records.iter().zip(futures::future::join_all(writes).await) {
        assert_eq!(done.is_ok(), record.id != taken.id, "{done:?}");
        assert!(world.find("lab.sample", record.id).await.is_some());
    }
    assert_eq!(world.count("lab.sample").await, 35);
}

pub(crate) async fn savepoints_nest(world: &World) {
    let [kept, inner, outer]: [Record; 3] =
        std::array::from_fn(|n| world.record(Fields::new().with("amount", n as i64)));
    let mut tx = world.store.write().await.unwrap();
    tx.insert(world.sample(), std::slice::from_ref(&kept)).await.unwrap();
    tx.savepoint().await.unwrap();
    tx.insert(world.sample(), std::slice::from_ref(&outer)).await.unwrap();
    tx.savepoint().await.unwrap();
    tx.insert(world.sample(), std::slice::from_ref(&inner)).await.unwrap();
    tx.release_savepoint().await.unwrap();
    assert!(tx.find(world.sample(), inner.id).await.unwrap().is_some());
    tx.rollback_savepoint().await.unwrap();
    assert!(tx.release_savepoint().await.is_err());
    tx.commit().await.unwrap();
    assert_eq!(world.find("lab.sample", kept.id).await, Some(kept));
    assert_eq!(world.find("lab.sample", outer.id).await, None);
    assert_eq!(world.find("lab.sample", inner.id).await, None);
}

pub(crate) async fn a_reader_sees_one_state(world: &World) {
    let (first, second) = (world.record(Fields::new()), world.record(Fields::new()));
    world.insert("lab.sample", std::slice::from_ref(&first)).await.unwrap();
    let mut reader = world.store.read().await.unwrap();
    assert!(reader.find(world.sample(), first.id).await.unwrap().is_some());
    world.insert("lab.sample", std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(reader.find(world.sample(), second.id).await.unwrap(), None);
    drop(reader);
    assert_eq!(world.find("lab.sample", second.id).await, Some(second));
}

pub(crate) async fn concurrent_units_are_all_kept_and_a_failing_one_is_undone_alone(world: &World) {
    world.insert("lab.sample", &[world.record(Fields::new().with("phone", "+7"))]).await.unwrap();
    let units = (0..200_i64).map(|n| async move {
        let record = world.record(Fields::new().with("amount", n));
        let mut tx = world.store.write().await?;
        tx.insert(world.sample(), std::slice::from_ref(&record)).await?;
        match n % 4 {
            0 => Ok(None),
            1 => {
                let taken = world.record(Fields::new().with("phone", "+7"));
                tx.insert(world.sample(), &[taken]).await.map(|()| None)
            }
            _ => tx.commit().await.map(|()| Some(record)),
        }
    });
    let results = futures::future::join_all(units).await;
    let taken = results.iter().filter(|result| matches!(result, Err(StoreError::Taken { .. }))).count();
    let kept: Vec<Record> = results.into_iter().filter_map(|result| result.ok().flatten()).collect();
    assert_eq!((taken, kept.len()), (50, 100));
    assert_eq!(world.count("lab.sample").await, 101);
    for record in kept {
        assert_eq!(world.find("lab.sample", record.id).await, Some(record));
    }
}

pub(crate) async fn an_error_leaves_the_rest_of_the_unit_usable(world: &World) {
    let [first, second, third]: [Record; 3] =
        std::array::from_fn(|n| world.record(Fields::new().with("amount", n as i64)));
    let missing = world.record(Fields::new().with("room", Value::Ref(world.record(Fields::new()).id)));
    let mut tx = world.store.write().await.unwrap();
    for record in [&first, &second] {
        assert!(tx.insert(world.sample(), std::slice::from_ref(&missing)).await.is_err());
        tx.insert(world.sample(), std::slice::from_ref(record)).await.unwrap();
    }
    tx.savepoint().await.unwrap();
    assert!(tx.insert(world.sample(), std::slice::from_ref(&missing)).await.is_err());
    tx.insert(world.sample(), std::slice::from_ref(&third)).await.unwrap();
    assert!(tx.insert(world.sample(), &[missing]).await.is_err());
    tx.release_savepoint().await.unwrap();
    tx.commit().await.unwrap();
    for record in [first, second, third] {
        assert_eq!(world.find("lab.sample", record.id).await, Some(record));
    }
}
