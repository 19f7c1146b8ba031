//! Ledgers and numbers without gaps, on a real store and under many writers.

use std::{collections::BTreeMap, sync::Arc};

use insta::assert_snapshot;
use pergola_model::{ChangeKind, Id, Money, Value};
use pergola_service::{
    ApplyMode, Error,
    balances::{AccountBalance, BalanceQuery},
    mutants::Rule,
};
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::{derived::declare, told};

const CLUB: &str = r#"
id = "club"
version = "0.1.0"
api = "0.1"
[object.till]
fields.name = { type = "text" }
[object.entry]
plural = "entries"
fields.contact = { type = "ref", to = "contact", required = true }
fields.points = { type = "integer", required = true }
fields.program = { type = "choice", of = ["points", "visits"] }
fields.transfer = { type = "text" }
ledger = { account = "contact", amount = "points", unit = "program", floor = 0, transfer = "transfer" }
[object.payment]
fields.contact = { type = "ref", to = "contact", required = true }
fields.amount = { type = "money", required = true }
ledger = { account = "contact", amount = "amount" }
[object.receipt]
fields.till = { type = "ref", to = "club.till" }
fields.number = { type = "integer", sequence = { per = "till", start = 1 } }
fields.label = { type = "integer", formula = "number * 10" }
fields.title = { type = "text", required = true }
"#;

struct Club {
    host: TestHost,
    people: Vec<Json>,
    tills: Vec<Json>,
}

impl Club {
    async fn open() -> Arc<Self> {
        let host = TestHost::start().await.unwrap();
        declare(&host, CLUB).await.unwrap();
        let (mut people, mut tills) = (Vec::new(), Vec::new());
        for number in 0..3 {
            people.push(host.create("contact", &json!({"name": format!("C{number}")})).await.unwrap()["id"].clone());
            tills.push(host.create("club.till", &json!({"name": format!("T{number}")})).await.unwrap()["id"].clone());
        }
        Arc::new(Self { host, people, tills })
    }

    fn entry(&self, person: usize, points: i64) -> Json {
        json!({"contact": self.people[person], "points": points, "program": "points"})
    }

    /// Applies new records of one object, all or nothing.
    async fn create(
        &self,
        object: &str,
        rows: Vec<Json>,
    ) -> Result<Vec<(pergola_model::ObjectName, pergola_model::Record)>, Error> {
        let change = |row: &Json| self.host.read_change(ChangeKind::Create, object, None, row);
        let changes = rows.iter().map(change).collect::<Result<_, _>>()?;
        self.host.workspace.apply(&TestHost::owner(), changes).await
    }

    /// Applies new records of one object, each on its own.
    async fn create_each(&self, object: &str, rows: &[Json]) {
        let change = |row: &Json| vec![self.host.read_change(ChangeKind::Create, object, None, row).unwrap()];
        let groups = rows.iter().map(change).collect();
        self.host.workspace.apply_each(&TestHost::owner(), groups, ApplyMode::Commit).await.unwrap();
    }

    /// What is wrong with balances, transfers and numbers, from the stored rows alone.
    async fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let (mut sums, mut transfers): (BTreeMap<String, i64>, BTreeMap<String, i64>) = Default::default();
        for entry in self.host.list("club.entry", "").await.unwrap() {
            let points = entry["points"].as_i64().unwrap();
            *sums
                .entry(format!("{} {}", entry["contact"].as_str().unwrap(), entry["program"].as_str().unwrap()))
                .or_default() += points;
            if let Some(transfer) = entry["transfer"].as_str() {
                *transfers.entry(transfer.to_owned()).or_default() += points;
            }
        }
        let stored = self.balances("club.entry").await;
        if stored != sums {
            complaints.push(format!("balances are {stored:?}, entries come to {sums:?}"));
        }
        complaints.extend(
            sums.iter().filter(|(_, sum)| **sum < 0).map(|(key, sum)| format!("{key} is below the floor: {sum}")),
        );
        complaints.extend(
            transfers.iter().filter(|(_, sum)| **sum != 0).map(|(key, sum)| format!("transfer {key} comes to {sum}")),
        );
        let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for receipt in self.host.list("club.receipt", "").await.unwrap() {
            numbers.entry(receipt["till"].to_string()).or_default().push(receipt["number"].as_i64().unwrap());
        }
        for (till, mut numbers) in numbers {
            numbers.sort_unstable();
            let expected: Vec<i64> = (1..).take(numbers.len()).collect();
            if numbers != expected {
                complaints.push(format!("{till} has the numbers {numbers:?}"));
            }
        }
        complaints
    }

    async fn balances(&self, object: &str) -> BTreeMap<String, i64> {
        let object = TestHost::object(object).unwrap();
        let query = BalanceQuery { object, account: None, after: None, limit: 500 };
        let found = self.host.workspace.list_balances(&TestHost::owner(), &query).await.unwrap();
        let balance = |one: AccountBalance| match one.amount {
            Value::Integer(amount) => (format!("{} {}", one.account, one.unit), amount),
            Value::Money(Money { amount_minor, currency }) => {
                (format!("{} {}{currency}", one.account, one.unit), amount_minor)
            }
            other => panic!("{other:?} is no amount here"),
        };
        found.balances.into_iter().map(balance).collect()
    }
}

#[tokio::test]
async fn a_balance_follows_its_entries_and_stops_at_the_floor() {
    let club = Club::open().await;
    club.create("club.entry", vec![club.entry(0, 100), club.entry(0, -30)]).await.unwrap();
    assert_snapshot!(told(club.create("club.entry", vec![club.entry(0, -71)]).await), @r#"insufficient ["points"]: the balance is 70 and 71 was asked; it may not go below 0"#);
    let other = json!({"contact": club.people[0], "points": -1, "program": "visits"});
    assert!(told(club.create("club.entry", vec![other]).await).starts_with("insufficient"), "each unit has its own");
    club.create("club.entry", vec![club.entry(0, -70)]).await.unwrap();
    assert_eq!(club.balances("club.entry").await.into_values().collect::<Vec<_>>(), [0]);
    assert_eq!(club.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn entries_stay_as_they_are() {
    let club = Club::open().await;
    let entry = club.host.create("club.entry", &club.entry(0, 5)).await.unwrap()["id"].clone();
    assert_snapshot!(told(club.host.update("club.entry", &entry, &json!({"points": 6})).await), @"append_only []: entries are entries of a ledger and stay as they are; to reverse one, create another");
    assert!(told(club.host.delete("club.entry", &entry).await).starts_with("append_only"));
    assert!(
        told(club.host.delete("contact", &club.people[0]).await).starts_with("in_use"),
        "nor does a client take them along"
    );
    assert_eq!(club.host.list("club.entry", "").await.unwrap()[0]["points"], 5);
}

#[tokio::test]
async fn a_transfer_comes_to_zero_at_once_or_not_at_all() {
    let club = Club::open().await;
    club.create("club.entry", vec![club.entry(0, 100)]).await.unwrap();
    let part = |person: usize, points: i64, transfer: &str| {
        let mut entry = club.entry(person, points);
        entry["transfer"] = json!(transfer);
        entry
    };
    assert_snapshot!(told(club.create("club.entry", vec![part(0, -10, "t1"), part(1, 9, "t1")]).await), @"unbalanced []: the entries of club.entry in transfer t1 must come to 0 and come to -1");
    club.create("club.entry", vec![part(0, -10, "t1"), part(1, 10, "t1")]).await.unwrap();
    assert_snapshot!(told(club.create("club.entry", vec![part(0, -5, "t1"), part(1, 5, "t1")]).await), @r#"append_only ["transfer"]: transfer t1 was written already and cannot be added to; take a new one"#);
    club.create_each("club.entry", &[part(0, -1, "t2"), club.entry(2, 7)]).await;
    assert_eq!(club.host.list("club.entry", "").await.unwrap().len(), 4, "the group out of balance failed alone");
    assert_eq!(club.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn money_of_two_currencies_has_two_balances_and_may_be_owed() {
    let club = Club::open().await;
    for amount in ["10", "-25", "3 EUR"] {
        club.create("club.payment", vec![json!({"contact": club.people[0], "amount": amount})]).await.unwrap();
    }
    assert_eq!(club.balances("club.payment").await.into_values().collect::<Vec<_>>(), [300, -1500]);
}

#[tokio::test]
async fn numbers_are_given_in_order_and_nobody_else_gives_them() {
    let club = Club::open().await;
    let receipt = |till: usize| json!({"till": club.tills[till], "title": "Bread"});
    let written = club.create("club.receipt", vec![receipt(0), receipt(1), receipt(0)]).await.unwrap();
    let numbers: Vec<&pergola_model::Value> = written.iter().map(|(_, record)| record.fields.get("number")).collect();
    assert_eq!(numbers, [&1_i64.into(), &1_i64.into(), &2_i64.into()]);
    assert_eq!(written[2].1.fields.get("label"), &20_i64.into(), "formulas see it");
    let mut own = receipt(0);
    own["number"] = json!(9);
    assert_snapshot!(told(club.create("club.receipt", vec![own]).await), @r#"invalid ["number"]: number: number is a number that Pergola gives; leave it out"#);
    let moved = club.host.update("club.receipt", &json!(written[0].1.id), &json!({"till": club.tills[1]})).await;
    assert_snapshot!(told(moved), @r#"invalid ["till"]: till: number is numbered by it and stays there; create another record"#);
}

#[tokio::test]
async fn a_number_stays_with_a_record_that_was_deleted_and_restored() {
    let club = Club::open().await;
    let receipt = json!({"till": club.tills[0], "title": "Bread"});
    let first = club.host.create("club.receipt", &receipt).await.unwrap();
    club.host.delete("club.receipt", &first["id"]).await.unwrap();
    assert_eq!(club.host.create("club.receipt", &receipt).await.unwrap()["number"], 2, "it is not given again");
    let deletions = club
        .host
        .workspace
        .list_bin(&TestHost::owner(), &pergola_service::ports::bin::BinQuery { object: None, after: None, limit: 9 })
        .await
        .unwrap();
    club.host.workspace.restore(&TestHost::owner(), deletions[0].id).await.unwrap();
    assert_eq!(club.complaints().await, Vec::<String>::new());
    assert_eq!(club.host.list("club.receipt", "number == 1").await.unwrap().len(), 1);
}

/// Writers at once who give, spend, transfer and print, with a part of it failing; then what is wrong.
async fn run(broken: Option<Rule>) -> Vec<String> {
    let club = Club::open().await;
    if let Some(rule) = broken {
        club.host.workspace.switch_off(rule);
    }
    club.create("club.entry", (0..3).map(|person| club.entry(person, 20)).collect()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8_usize {
        let club = Arc::clone(&club);
        tasks.spawn(async move {
            for step in 0..12_usize {
                club.take(writer, step).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    club.complaints().await
}

impl Club {
    async fn take(&self, writer: usize, step: usize) {
        let (from, to) = ((writer + step) % 3, (writer + step + 1) % 3);
        let result = match (writer * 7 + step) % 4 {
            0 => self.create("club.entry", vec![self.entry(from, -9)]).await,
            1 => {
                let transfer = format!("{writer}-{step}");
                // Every third one loses a point on the way.
                let lost = i64::from(step.is_multiple_of(3));
                let part = |person: usize, points: i64| {
                    let mut entry = self.entry(person, points);
                    entry["transfer"] = json!(transfer);
                    entry
                };
                self.create("club.entry", vec![part(from, -4), part(to, 4 - lost)]).await
            }
            2 => self.create("club.entry", vec![self.entry(from, 3)]).await,
            _ => {
                let receipt = |title: Option<&str>| json!({"till": self.tills[from], "title": title});
                // A record without its title fails after others took numbers.
                self.create_each("club.receipt", &[receipt(Some("a")), receipt(None), receipt(Some("b"))]).await;
                let bad = json!({"till": self.tills[to], "title": "c", "contact": Id(uuid::Uuid::nil())});
                self.create("club.receipt", vec![receipt(Some("d")), receipt(None)])
                    .await
                    .and(self.create("club.receipt", vec![bad]).await)
            }
        };
        if let Err(error) = result {
            assert!(["insufficient", "unbalanced", "invalid", "busy"].contains(&error.code()), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_leave_balances_transfers_and_numbers_whole() {
    assert_eq!(run(None).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_a_rule_broken_the_invariants_are_broken() {
    for (rule, word) in [(Rule::Floor, "floor"), (Rule::Transfer, "transfer"), (Rule::Sequence, "numbers")] {
        let found = run(Some(rule)).await;
        assert!(found.iter().any(|line| line.contains(word)), "{rule:?}: {found:?}");
    }
}
