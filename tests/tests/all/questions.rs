//! Plugins count, sum and read balances without listing, within their rights, and inside a transaction.

use pergola_model::{Actor, ChangeKind, Role};
use pergola_service::{ApplyMode, Error};
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::{ask, probe, told};

struct Asked {
    host: TestHost,
    ann: Json,
    bob: Json,
}

impl Asked {
    async fn open() -> Self {
        let host = probe(super::backend()).await;
        let ann = host.create("contact", &json!({"name": "Ann"})).await.unwrap()["id"].clone();
        let bob = host.create("contact", &json!({"name": "Bob"})).await.unwrap()["id"].clone();
        Self { host, ann, bob }
    }

    async fn visits(&self, contact: &Json, prices: &[&str]) -> Result<(), Error> {
        let change = |price: &&str| {
            let fields = json!({"contact": contact, "price": price});
            self.host.read_change(ChangeKind::Create, "probe.visit", None, &fields).unwrap()
        };
        let changes = prices.iter().map(change).collect();
        self.host.workspace.apply(&TestHost::owner(), changes).await.map(|_| ())
    }

    async fn ask(&self, input: Json) -> Result<Json, Error> {
        ask(&self.host, &TestHost::owner(), "groups", &input).await
    }
}

#[tokio::test]
async fn a_plugin_is_told_groups_as_rest_is() {
    let asked = Asked::open().await;
    asked.visits(&asked.ann, &["10", "20.50"]).await.unwrap();
    asked.visits(&asked.bob, &["5"]).await.unwrap();
    let answer = asked
        .ask(json!({"object": "probe.visit", "groups": ["contact", "contact.name"],
            "measures": ["count", "sum(price)", "avg(price)"], "sort": "-sum(price)"}))
        .await
        .unwrap();
    let row = |id: &Json, name: &str, count: i64, sum: i64, avg: i64| {
        json!({"contact": id, "contact.name": name, "count": count,
            "sum(price)": [sum, "RUB"], "avg(price)": [avg, "RUB"]})
    };
    assert_eq!(answer["rows"], json!([row(&asked.ann, "Ann", 2, 3050, 1525), row(&asked.bob, "Bob", 1, 500, 500)]));
    let none = json!({"object": "probe.visit", "filter": "contact.name == p0", "parameters": ["Zoe"],
        "measures": ["count", "sum(price)"]});
    assert_eq!(asked.ask(none).await.unwrap(), json!({"rows": [{"count": 0}], "more": false}));
}

#[tokio::test]
async fn what_a_plugin_asks_wrongly_is_told_with_its_code() {
    let asked = Asked::open().await;
    for (input, code) in [
        (json!({"object": "probe.visit", "measures": []}), "bad_measure"),
        (json!({"object": "probe.visit", "measures": ["count"], "filter": "colour == 1"}), "bad_filter"),
        (json!({"object": "probe.visit", "measures": ["count"], "groups": ["price"]}), "bad_group"),
        (json!({"object": "probe.visit", "measures": ["count"], "sort": "price"}), "bad_sort"),
        (json!({"object": "probe.visit", "measures": ["count"], "limit": 1_001}), "bad_limit"),
        (json!({"object": "probe.nothing", "measures": ["count"]}), "not_found"),
    ] {
        assert_eq!(asked.ask(input.clone()).await.unwrap_err().code(), code, "{input}");
    }
    let limited = json!({"object": "contact", "groups": ["name"], "measures": ["count"], "limit": 1});
    let answer = asked.ask(limited).await.unwrap();
    assert_eq!(answer, json!({"rows": [{"name": "Ann", "count": 1}], "more": true}));
}

#[tokio::test]
async fn a_plugin_is_told_only_what_it_and_its_caller_may_read() {
    let asked = Asked::open().await;
    let deals = json!({"object": "deal", "measures": ["count"]});
    assert!(told(asked.ask(deals).await).contains("add \"deal\" = \"read\""));
    let through = json!({"object": "contact", "groups": ["organization.name"], "measures": ["count"]});
    assert!(told(asked.ask(through).await).contains("add \"organization\" = \"read\""));
    let visits = json!({"object": "probe.visit", "measures": ["count"]});
    let viewer = Actor::User { name: "vera".to_owned(), role: Role::Viewer };
    assert_eq!(ask(&asked.host, &viewer, "groups", &visits).await.unwrap()["rows"], json!([{"count": 0}]));
    assert_eq!(ask(&asked.host, &Actor::Public, "groups", &visits).await.unwrap_err().code(), "forbidden");
    let points = json!({"object": "probe.point"});
    assert_eq!(ask(&asked.host, &Actor::Public, "balances", &points).await.unwrap_err().code(), "forbidden");
}

#[tokio::test]
async fn a_hook_counts_what_its_transaction_wrote() {
    let asked = Asked::open().await;
    let refused = told(asked.visits(&asked.ann, &["1", "1", "1", "1"]).await);
    assert!(refused.contains("4 open visits are more than 3"), "{refused}");
    asked.visits(&asked.ann, &["1", "1", "1"]).await.unwrap();
    assert!(told(asked.visits(&asked.ann, &["1"]).await).contains("4 open visits"));
    asked.visits(&asked.bob, &["1"]).await.unwrap();
    let count = asked.ask(json!({"object": "probe.visit", "measures": ["count"]})).await.unwrap();
    assert_eq!(count["rows"], json!([{"count": 4}]));
    // Groups that stand or fall on their own: the hook of the second counts what the first wrote.
    let group = |prices: &[&str]| {
        let change = |price: &&str| {
            let fields = json!({"contact": asked.bob, "price": price});
            asked.host.read_change(ChangeKind::Create, "probe.visit", None, &fields).unwrap()
        };
        prices.iter().map(change).collect::<Vec<_>>()
    };
    let groups = vec![group(&["1", "1"]), group(&["1"])];
    let outcomes = asked.host.workspace.apply_each(&TestHost::owner(), groups, ApplyMode::Commit).await.unwrap();
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_plugin_reads_the_balances_of_a_ledger() {
    let asked = Asked::open().await;
    for (contact, points, program) in
        [(&asked.ann, 100, "bonus"), (&asked.ann, -30, "bonus"), (&asked.ann, 1, "visits"), (&asked.bob, 7, "bonus")]
    {
        let entry = json!({"contact": contact, "points": points, "program": program});
        asked.host.create("probe.point", &entry).await.unwrap();
    }
    let balances = |input: Json| {
        let host = &asked.host;
        async move { ask(host, &TestHost::owner(), "balances", &input).await }
    };
    let of_ann = balances(json!({"object": "probe.point", "account": asked.ann})).await.unwrap();
    let row = |id: &Json, unit: &str, amount: i64| json!({"account": id, "unit": unit, "amount": amount});
    assert_eq!(of_ann, json!([row(&asked.ann, "bonus", 70), row(&asked.ann, "visits", 1)]));
    let all = balances(json!({"object": "probe.point"})).await.unwrap();
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert!(told(balances(json!({"object": "contact"})).await).contains("no entries of a ledger"));
}
