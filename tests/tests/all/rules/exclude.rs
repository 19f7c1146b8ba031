//! `exclude` over several fields: whoever shares a resource in whichever of them, no two overlap.

use std::{collections::BTreeSet, sync::Arc};

use pergola_model::{Change, ChangeKind};
use pergola_service::mutants::Rule;
use pergola_testkit::TestHost;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{code, host_with, hour, run};
use crate::told;

const CLINIC: &str = r#"
id = "clinic"
[object.resource]
fields.name = { type = "text" }
[object.visit]
fields.master = { type = "ref", to = "clinic.resource" }
fields.assistant = { type = "ref", to = "clinic.resource" }
fields.room = { type = "ref", to = "clinic.resource" }
fields.starts_at = { type = "datetime", required = true }
fields.ends_at = { type = "datetime", required = true }
fields.status = { type = "choice", of = ["booked", "cancelled"], default = "booked" }
exclude = [{ on = ["master", "assistant", "room"], during = ["starts_at", "ends_at"], when = "status != 'cancelled'" }]
[object.stay]
fields.room = { type = "ref", to = "clinic.resource", required = true }
fields.first = { type = "date", required = true }
fields.last = { type = "date", required = true }
exclude = [{ on = "room", during = ["first", "last"] }]
"#;

const FIELDS: [&str; 3] = ["master", "assistant", "room"];

/// A clinic with three resources.
async fn clinic() -> (TestHost, Vec<Json>) {
    let host = host_with(CLINIC).await;
    let mut resources = Vec::new();
    for name in ["Anna", "Boris", "Blue room"] {
        resources.push(host.create("clinic.resource", &json!({"name": name})).await.unwrap()["id"].clone());
    }
    (host, resources)
}

/// Pairs of stored live visits that share a resource and overlap.
async fn overlaps(host: &TestHost) -> Vec<String> {
    let visits = host.list("clinic.visit", "status != 'cancelled'").await.unwrap();
    let resources = |visit: &Json| -> BTreeSet<String> {
        FIELDS.iter().filter_map(|field| visit[field].as_str().map(str::to_owned)).collect()
    };
    let text = |visit: &Json, field: &str| visit[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let mut found = Vec::new();
    for (place, a) in visits.iter().enumerate() {
        for b in &visits[place + 1..] {
            let meet = text(a, "starts_at") < text(b, "ends_at") && text(b, "starts_at") < text(a, "ends_at");
            if meet && !resources(a).is_disjoint(&resources(b)) {
                found.push(format!("{a} {b}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_resource_is_taken_in_whichever_field() {
    let (host, resources) = clinic().await;
    let visit = |field: &str, resource: usize, from: i64| json!({field: resources[resource], "starts_at": hour(from), "ends_at": hour(from + 2)});
    host.create("clinic.visit", &visit("master", 0, 10)).await.unwrap();
    for (field, resource, from, wanted) in [
        ("assistant", 0, 11, "overlap"),
        ("room", 0, 9, "overlap"),
        ("room", 2, 11, "done"),
        ("master", 0, 12, "done"),
        ("master", 0, 8, "done"),
        ("assistant", 2, 12, "overlap"),
    ] {
        let result = host.create("clinic.visit", &visit(field, resource, from)).await;
        assert_eq!(code(&result), wanted, "{field} {resource} {from}");
    }
    let refused = told(host.create("clinic.visit", &visit("assistant", 0, 11)).await);
    assert!(refused.ends_with("of the same master or assistant or room; take another time"), "{refused}");
    assert!(overlaps(&host).await.is_empty());
}

#[tokio::test]
async fn days_exclude_as_times_do() {
    let (host, resources) = clinic().await;
    let stay = |first: &str, last: &str| json!({"room": resources[2], "first": first, "last": last});
    for (first, last, wanted) in [
        ("2026-12-01", "2026-12-04", "done"),
        ("2026-12-04", "2026-12-05", "done"),
        ("2026-12-03", "2026-12-04", "overlap"),
        ("2026-11-01", "2027-01-01", "overlap"),
        ("2026-12-10", "2026-12-10", "invalid"),
    ] {
        assert_eq!(code(&host.create("clinic.stay", &stay(first, last)).await), wanted, "{first} {last}");
    }
}

#[tokio::test]
async fn two_in_one_batch_may_change_places_and_count_for_each_other() {
    let (host, resources) = clinic().await;
    let visit = |from: i64| json!({"master": resources[0], "starts_at": hour(from), "ends_at": hour(from + 1)});
    let create = |from: i64| host.read_change(ChangeKind::Create, "clinic.visit", None, &visit(from)).unwrap();
    let both = host.workspace.apply(&TestHost::owner(), vec![create(1), create(1)]).await;
    assert_eq!(code(&both), "overlap");
    let made = host.workspace.apply(&TestHost::owner(), vec![create(1), create(2)]).await.unwrap();
    let ids: Vec<Json> = made.iter().map(|(_, record)| json!(record.id)).collect();
    let swap = |place: usize, from: i64| {
        host.read_change(ChangeKind::Update, "clinic.visit", Some(&ids[place]), &visit(from)).unwrap()
    };
    host.workspace.apply(&TestHost::owner(), vec![swap(0, 2), swap(1, 1)]).await.unwrap();
    assert!(overlaps(&host).await.is_empty());
}

/// A visit in the model: resources by field, when, and whether it is live.
#[derive(Debug, Clone, PartialEq)]
struct Visit {
    resources: [Option<usize>; 3],
    from: i64,
    hours: i64,
    live: bool,
}

impl Visit {
    fn json(&self, resources: &[Json]) -> Json {
        let id = |place: usize| self.resources[place].map(|resource| resources[resource].clone());
        json!({"master": id(0), "assistant": id(1), "room": id(2), "starts_at": hour(self.from),
            "ends_at": hour(self.from + self.hours), "status": if self.live { "booked" } else { "cancelled" }})
    }

    fn meets(&self, other: &Self) -> bool {
        let shares = self.resources.iter().flatten().any(|one| other.resources.contains(&Some(*one)));
        let overlaps = self.from < other.from + other.hours && other.from < self.from + self.hours;
        self.live && other.live && shares && overlaps
    }
}

fn visits() -> impl Strategy<Value = Visit> {
    let resources = prop::array::uniform3(prop::option::weighted(0.5, 0_usize..3));
    (resources, 0_i64..8, 1_i64..4, prop::bool::weighted(0.8)).prop_map(|(resources, from, hours, live)| Visit {
        resources,
        from,
        hours,
        live,
    })
}

/// One unit of work: new visits, or new values for stored ones, or ends of some.
#[derive(Debug, Clone)]
enum Unit {
    Create(Vec<Visit>),
    Update(Vec<(usize, Visit)>),
    Delete(usize),
}

fn units() -> impl Strategy<Value = Unit> {
    prop_oneof![
        4 => prop::collection::vec(visits(), 1..4).prop_map(Unit::Create),
        4 => prop::collection::vec((0_usize..10, visits()), 1..4).prop_map(Unit::Update),
        1 => (0_usize..10).prop_map(Unit::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_unit_is_taken_exactly_when_the_model_has_room(units in prop::collection::vec(units(), 1..15)) {
        run(async {
            let (host, resources) = clinic().await;
            let mut model: Vec<(Json, Visit)> = Vec::new();
            for unit in units {
                let mut after = model.clone();
                let mut changes: Vec<Change> = Vec::new();
                let change = |kind, id: Option<&Json>, fields: &Json| host.read_change(kind, "clinic.visit", id, fields).unwrap();
                match unit {
                    Unit::Create(new) => for visit in new {
                        changes.push(change(ChangeKind::Create, None, &visit.json(&resources)));
                        after.push((Json::Null, visit));
                    },
                    Unit::Update(new) => for (place, visit) in new {
                        let Some((id, stored)) = after.get_mut(place) else { continue };
                        // A record twice in one unit is two batches; here each is one.
                        if changes.iter().any(|one| one.id.map(|id| json!(id)) == Some(id.clone())) { continue }
                        changes.push(change(ChangeKind::Update, Some(id), &visit.json(&resources)));
                        *stored = visit;
                    },
                    Unit::Delete(place) => if place < after.len() {
                        changes.push(change(ChangeKind::Delete, Some(&after.remove(place).0), &json!({})));
                    },
                }
                let fits = !after.iter().enumerate().any(|(place, (_, a))| after[place + 1..].iter().any(|(_, b)| a.meets(b)));
                let result = host.workspace.apply(&TestHost::owner(), changes).await;
                assert_eq!(code(&result), if fits { "done" } else { "overlap" });
                if let Ok(written) = result {
                    let new = after.iter_mut().filter(|(id, _)| id.is_null());
                    for ((id, _), (_, record)) in new.zip(written) {
                        *id = json!(record.id);
                    }
                    model = after;
                }
            }
            assert_eq!(host.list("clinic.visit", "").await.unwrap().len(), model.len());
            assert!(overlaps(&host).await.is_empty());
        });
    }
}

/// Many who want the same two hours, each with a resource in another field; how many got them.
async fn rush(host: TestHost, resources: Vec<Json>) -> (Arc<TestHost>, usize) {
    let host = Arc::new(host);
    let tries = (0..60_usize).map(|number| {
        let (host, resource) = (Arc::clone(&host), resources[number % 2].clone());
        tokio::spawn(async move {
            let from = hour(10 + i64::try_from(number % 3).unwrap());
            let visit = json!({FIELDS[number % 3]: resource, "starts_at": from, "ends_at": hour(13)});
            host.create("clinic.visit", &visit).await
        })
    });
    let mut done = 0;
    for one in tries.collect::<Vec<_>>() {
        let result = one.await.unwrap();
        assert!(["done", "overlap"].contains(&code(&result).as_str()), "{}", code(&result));
        done += usize::from(result.is_ok());
    }
    (host, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_for_each_resource_gets_the_time() {
    let (host, resources) = clinic().await;
    let (host, done) = rush(host, resources).await;
    assert_eq!(done, 2, "two resources were wanted");
    assert!(overlaps(&host).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_of_overlaps_notices_when_the_rule_is_off() {
    let (host, resources) = clinic().await;
    host.workspace.switch_off(Rule::Exclude);
    let (host, _) = rush(host, resources).await;
    assert!(!overlaps(&host).await.is_empty());
}
