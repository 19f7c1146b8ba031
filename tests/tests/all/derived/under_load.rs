//! Many writers at once, and any order of writes: the invariants hold; with a rule broken, they do not.

use std::sync::Arc;

use pergola_model::ChangeKind;
use pergola_service::{ApplyMode, mutants::Rule};
use pergola_testkit::TestHost;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value as Json, json};

use super::{complaints, contact, shop};

/// One thing that somebody does to the sales; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Sell { contact: usize, till: usize, status: usize, price: i64, day: i64 },
    Batch { contact: usize, count: usize, is_spoiled: bool },
    Change { sale: usize, contact: usize, status: usize },
    Price { sale: usize, price: Option<i64> },
    Delete { sale: usize },
    Move { sale: usize, till: usize },
}

const STATUS: [&str; 3] = ["open", "done", "void"];

fn step() -> impl Strategy<Value = Step> {
    let number = 0_usize..1_000;
    prop_oneof![
        4 => (number.clone(), number.clone(), number.clone(), 0_i64..500, 1_i64..28)
            .prop_map(|(contact, till, status, price, day)| Step::Sell { contact, till, status, price, day }),
        1 => (number.clone(), 1_usize..6, any::<bool>())
            .prop_map(|(contact, count, is_spoiled)| Step::Batch { contact, count, is_spoiled }),
        3 => (number.clone(), number.clone(), number.clone())
            .prop_map(|(sale, contact, status)| Step::Change { sale, contact, status }),
        2 => (number.clone(), prop::option::of(0_i64..500)).prop_map(|(sale, price)| Step::Price { sale, price }),
        2 => number.clone().prop_map(|sale| Step::Delete { sale }),
        1 => (number.clone(), number).prop_map(|(sale, till)| Step::Move { sale, till }),
    ]
}

struct Scene {
    host: TestHost,
    contacts: Vec<Json>,
    tills: Vec<Json>,
}

impl Scene {
    async fn open() -> Arc<Self> {
        let host = shop().await;
        let mut contacts = Vec::new();
        let mut tills = Vec::new();
        for number in 0..4 {
            contacts.push(contact(&host, &format!("Client {number}")).await);
            let till = host.create("shop.till", &json!({"name": format!("Till {number}")})).await.unwrap();
            tills.push(till["id"].clone());
        }
        Arc::new(Self { host, contacts, tills })
    }

    /// Does one step; what is gone meanwhile or was changed by others is no fault.
    async fn take(&self, step: &Step) {
        let host = &self.host;
        let contact = |n: usize| self.contacts[n % self.contacts.len()].clone();
        let till = |n: usize| self.tills[n % self.tills.len()].clone();
        let result = match step.clone() {
            Step::Sell { contact: of, till: at, status, price, day } => {
                let sale = json!({
                    "contact": contact(of), "till": till(at), "status": STATUS[status % 3], "price_minor": price,
                    "quantity": price % 4, "ends_at": format!("2026-11-{day:02}T10:00:00Z"),
                    "price": {"amount_minor": price, "currency": if price % 7 == 0 { "EUR" } else { "RUB" }},
                });
                host.create("shop.sale", &sale).await.map(|_| ())
            }
            Step::Batch { contact: of, count, is_spoiled } => {
                let mut rows = vec![json!({"contact": contact(of), "status": "done"}); count];
                if is_spoiled {
                    rows.push(json!({"contact": "01890000-0000-7000-8000-000000000000", "status": "done"}));
                }
                let change = |row: &Json| host.read_change(ChangeKind::Create, "shop.sale", None, row).unwrap();
                let groups = rows.iter().map(|row| vec![change(row)]).collect();
                host.workspace.apply_each(&TestHost::owner(), groups, ApplyMode::Commit).await.map(|_| ())
            }
            Step::Change { sale, contact: to, status } => {
                self.update(sale, json!({"contact": contact(to), "status": STATUS[status % 3]})).await
            }
            Step::Price { sale, price } => self.update(sale, json!({"price_minor": price})).await,
            Step::Move { sale, till: to } => self.update(sale, json!({"till": till(to)})).await,
            Step::Delete { sale } => match self.sale(sale).await {
                Some(id) => host.delete("shop.sale", &id).await.map(|_| ()),
                None => Ok(()),
            },
        };
        if let Err(error) = result {
            assert!(["not_found", "stale", "busy"].contains(&error.code()), "{step:?}: {error}");
        }
    }

    async fn update(&self, sale: usize, fields: Json) -> Result<(), pergola_service::Error> {
        match self.sale(sale).await {
            Some(id) => self.host.update("shop.sale", &id, &fields).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn sale(&self, n: usize) -> Option<Json> {
        let sales = self.host.list("shop.sale", "").await.unwrap();
        (!sales.is_empty()).then(|| sales[n % sales.len()]["id"].clone())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// Runs rounds of generated steps by some writers at once, and answers what is wrong afterwards.
fn run(writers: usize, broken: Option<Rule>, steps: &[Step]) -> Vec<String> {
    runtime().block_on(async {
        let scene = Scene::open().await;
        if let Some(rule) = broken {
            scene.host.workspace.switch_off(rule);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            let (scene, steps) = (Arc::clone(&scene), steps.to_vec());
            tasks.spawn(async move {
                for step in steps.iter().skip(writer).step_by(writers) {
                    scene.take(step).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let report = scene.host.workspace.check_derived(false).await.unwrap();
        let found = complaints(&scene.host).await;
        assert_eq!(report.wrong == 0, found.is_empty(), "the engine's own check sees what the test sees: {found:?}");
        found
    })
}

fn generated(count: usize) -> Vec<Step> {
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), count);
    strategy.new_tree(&mut runner).unwrap().current()
}

#[test]
fn any_order_of_writes_leaves_what_the_rows_say() {
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..30), |steps| {
            prop_assert_eq!(run(1, None, &steps), Vec::<String>::new());
            Ok(())
        })
        .unwrap();
}

#[test]
fn writers_at_once_leave_what_the_rows_say() {
    assert_eq!(run(8, None, &generated(240)), Vec::<String>::new());
}

#[test]
fn with_deletes_forgotten_the_invariants_are_broken() {
    assert_ne!(run(8, Some(Rule::Rollup), &generated(240)), Vec::<String>::new());
}
