//! `check`: what must hold for every record, told in the workspace's language.

use insta::assert_snapshot;
use pergola_model::{ChangeKind, Locale};
use pergola_service::{ApplyMode, mutants::Rule};
use pergola_testkit::TestHost;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{host_with, run};
use crate::told;

const YARD: &str = r#"
id = "yard"
[object.box]
fields.name = { type = "text" }
fields.size = { type = "integer" }
[object.parcel]
fields.box = { type = "ref", to = "yard.box" }
fields.width = { type = "integer" }
fields.height = { type = "integer" }
check = [
    { rule = "height > width", field = "height", message = { en = "A parcel stands upright.", ru = "Посылка стоит." } },
    { rule = "box == null || width <= box.size", field = "width", message = { en = "It must fit its box." } },
    { rule = "width * width >= 0", field = "width" },
]
"#;

#[tokio::test]
async fn all_that_does_not_hold_is_told_with_its_field() {
    let host = host_with(YARD).await;
    let small = host.create("yard.box", &json!({"size": 3})).await.unwrap()["id"].clone();
    let parcel = |width: i64, height: i64| json!({"box": small, "width": width, "height": height});
    assert_snapshot!(told(host.create("yard.parcel", &parcel(5, 5)).await), @r#"invalid ["height", "width"]: height: A parcel stands upright.; width: It must fit its box."#);
    let stored = host.create("yard.parcel", &parcel(3, 5)).await.unwrap();
    // The rule is about the record as it will be: stored fields count along with those that are written.
    assert_snapshot!(told(host.update("yard.parcel", &stored["id"], &json!({"height": 2})).await), @r#"invalid ["height"]: height: A parcel stands upright."#);
    host.update("yard.parcel", &stored["id"], &json!({"height": 20})).await.unwrap();
    let russian = Locale { language: "ru-RU".to_owned(), ..Locale::default() };
    host.workspace.put_locale(russian).await.unwrap();
    assert_snapshot!(told(host.create("yard.parcel", &parcel(2, 1)).await), @r#"invalid ["height"]: height: Посылка стоит."#);
}

#[tokio::test]
async fn what_cannot_be_computed_names_the_rule_and_the_cause() {
    let host = host_with(YARD).await;
    let huge = json!({"width": i64::MAX - 1, "height": i64::MAX});
    let refused = told(host.create("yard.parcel", &huge).await);
    assert_snapshot!(refused, @r#"invalid ["width"]: width: the rule width * width >= 0 cannot be computed for this record: integer * integer is out of range"#);
}

#[tokio::test]
async fn a_batch_is_refused_for_one_record_and_a_group_for_its_own() {
    let host = host_with(YARD).await;
    let group = |width: i64| {
        let fields = json!({"width": width, "height": 10});
        vec![host.read_change(ChangeKind::Create, "yard.parcel", None, &fields).unwrap()]
    };
    let batch: Vec<_> = [1, 10, 2].into_iter().flat_map(group).collect();
    host.workspace.apply(&TestHost::owner(), batch).await.unwrap_err();
    assert_eq!(host.list("yard.parcel", "").await.unwrap().len(), 0);
    let groups = [1, 10, 2].map(group).to_vec();
    let results = host.workspace.apply_each(&TestHost::owner(), groups, ApplyMode::Commit).await.unwrap();
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

/// Parcels that are stored though they do not stand.
async fn lying(host: &TestHost) -> Vec<Json> {
    let parcels = host.list("yard.parcel", "").await.unwrap();
    parcels.into_iter().filter(|one| one["height"].as_i64() <= one["width"].as_i64()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn only_what_holds_is_stored(writes in prop::collection::vec((0_usize..4, 0_i64..4, 0_i64..4), 1..20)) {
        run(async {
            let host = host_with(YARD).await;
            let mut stored: Vec<(Json, i64, i64)> = Vec::new();
            for (place, width, height) in writes {
                let fields = json!({"width": width, "height": height});
                let done = match stored.get_mut(place) {
                    Some((id, w, h)) => {
                        let done = host.update("yard.parcel", id, &fields).await.is_ok();
                        let unchanged = (*w, *h) == (width, height);
                        assert_eq!(done, height > width || unchanged);
                        if done { (*w, *h) = (width, height) };
                        done
                    }
                    None => match host.create("yard.parcel", &fields).await {
                        Ok(parcel) => { stored.push((parcel["id"].clone(), width, height)); true }
                        Err(_) => false,
                    },
                };
                assert_eq!(done, height > width, "{width} {height}");
            }
            assert_eq!(host.list("yard.parcel", "").await.unwrap().len(), stored.len());
            assert!(lying(&host).await.is_empty());
        });
    }
}

#[tokio::test]
async fn the_checker_of_checks_notices_when_they_are_off() {
    let host = host_with(YARD).await;
    host.workspace.switch_off(Rule::Check);
    host.create("yard.parcel", &json!({"width": 2, "height": 1})).await.unwrap();
    assert_eq!(lying(&host).await.len(), 1);
}
