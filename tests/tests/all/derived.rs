//! Computed values on a real store: rollups, formulas and first values follow every kind of write.

mod invariants;
mod under_load;

use std::sync::Arc;

use insta::assert_snapshot;
use pergola_model::decl::Manifest;
use pergola_service::{ApplyMode, Error, workspace::Package};
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::told;
use invariants::complaints;

/// A shop whose sales count for contacts and tills.
pub(crate) const SHOP: &str = r#"
id = "shop"
version = "0.1.0"
api = "0.1"
[object.till]
fields.name = { type = "text" }
fields.takings = { type = "integer", rollup = { of = "shop.sale", via = "till", sum = "total", when = "status == 'done'" } }
[object.product]
fields.name = { type = "text" }
fields.price = { type = "money" }
[object.sale]
fields.contact = { type = "ref", to = "contact", on_delete = "cascade" }
fields.till = { type = "ref", to = "shop.till" }
fields.product = { type = "ref", to = "shop.product" }
fields.status = { type = "choice", of = ["open", "done", "void"], default = "open" }
fields.quantity = { type = "integer", default = 1 }
fields.price_minor = { type = "integer" }
fields.price = { type = "money", initial = "product.price" }
fields.ends_at = { type = "datetime" }
fields.total = { type = "integer", formula = "quantity * price_minor" }
[extend.contact]
fields.visits = { type = "integer", rollup = { of = "shop.sale", via = "contact", count = true, when = "status == 'done'" } }
fields.last_visit = { type = "datetime", rollup = { of = "shop.sale", via = "contact", last = "ends_at", when = "status == 'done'" } }
fields.first_visit = { type = "datetime", rollup = { of = "shop.sale", via = "contact", first = "ends_at", when = "status == 'done'" } }
fields.spent = { type = "money", rollup = { of = "shop.sale", via = "contact", sum = "price", when = "status == 'done'" } }
fields.average = { type = "money", rollup = { of = "shop.sale", via = "contact", avg = "price", when = "status == 'done'" } }
fields.largest = { type = "integer", rollup = { of = "shop.sale", via = "contact", max = "total" } }
fields.points = { type = "integer", formula = "shop.visits * 10" }
[[event]]
on = "contact"
when = ["update"]
[[timer]]
on = "contact"
at = "shop.last_visit + days(60)"
action = "miss"
"#;

/// Installs a plugin without code.
pub(crate) async fn declare(host: &TestHost, text: &str) -> Result<(), Error> {
    let manifest: Manifest = toml::from_str(text).unwrap();
    let package = Package { manifest: Arc::new(manifest), manifest_text: text.to_owned(), digest: String::new() };
    host.workspace.install(package).await.map(|_| ())
}

async fn shop() -> TestHost {
    let host = TestHost::start().await.unwrap();
    declare(&host, SHOP).await.unwrap();
    host
}

async fn contact(host: &TestHost, name: &str) -> Json {
    host.create("contact", &json!({"name": name})).await.unwrap()["id"].clone()
}

/// The contact's computed fields, as the shop names them.
async fn counted(host: &TestHost, id: &Json) -> Json {
    let filter = format!("id == '{}'", id.as_str().unwrap());
    host.list("contact", &filter).await.unwrap()[0]["shop"].clone()
}

fn sale(contact: &Json, status: &str, price: &str, day: u32) -> Json {
    json!({"contact": contact, "status": status, "price": price, "ends_at": format!("2026-11-{day:02}T10:00:00Z")})
}

/// The values of a database file, read past the program.
pub(crate) async fn raw(host: &TestHost, sql: &'static str) -> Vec<i64> {
    let url = format!("sqlite://{}", host.folder().join("test.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let rows = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap();
    pool.close().await;
    rows
}

#[tokio::test]
async fn rollups_follow_records_that_come_change_move_and_go() {
    let host = shop().await;
    let (masha, ivan) = (contact(&host, "Masha").await, contact(&host, "Ivan").await);
    assert_snapshot!(counted(&host, &masha).await, @r#"{"visits":0,"last_visit":null,"first_visit":null,"spent":null,"average":null,"largest":null,"points":0}"#);
    let first = host.create("shop.sale", &sale(&masha, "open", "100", 3)).await.unwrap()["id"].clone();
    let second = host.create("shop.sale", &sale(&masha, "done", "50", 5)).await.unwrap()["id"].clone();
    host.update("shop.sale", &first, &json!({"status": "done"})).await.unwrap();
    assert_snapshot!(counted(&host, &masha).await, @r#"{"visits":2,"last_visit":"2026-11-05T10:00:00Z","first_visit":"2026-11-03T10:00:00Z","spent":{"amount_minor":15000,"currency":"RUB"},"average":{"amount_minor":7500,"currency":"RUB"},"largest":null,"points":20}"#);
    host.update("shop.sale", &second, &json!({"contact": ivan, "price_minor": 7})).await.unwrap();
    assert_snapshot!(counted(&host, &masha).await, @r#"{"visits":1,"last_visit":"2026-11-03T10:00:00Z","first_visit":"2026-11-03T10:00:00Z","spent":{"amount_minor":10000,"currency":"RUB"},"average":{"amount_minor":10000,"currency":"RUB"},"largest":null,"points":10}"#);
    host.delete("shop.sale", &first).await.unwrap();
    assert_snapshot!(counted(&host, &masha).await, @r#"{"visits":0,"last_visit":null,"first_visit":null,"spent":null,"average":null,"largest":null,"points":0}"#);
    assert_snapshot!(counted(&host, &ivan).await, @r#"{"visits":1,"last_visit":"2026-11-05T10:00:00Z","first_visit":"2026-11-05T10:00:00Z","spent":{"amount_minor":5000,"currency":"RUB"},"average":{"amount_minor":5000,"currency":"RUB"},"largest":7,"points":10}"#);
    assert_eq!(complaints(&host).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_rollup_that_changes_is_a_change_of_its_record() {
    let host = shop().await;
    let masha = contact(&host, "Masha").await;
    host.create("shop.sale", &sale(&masha, "done", "50", 20)).await.unwrap();
    let now = host.list("contact", "").await.unwrap()[0].clone();
    assert_eq!(now["version"], 2);
    assert_eq!(raw(&host, "SELECT COUNT(*) FROM pergola_timer WHERE action = 'miss'").await, [1], "its timers follow");
    assert_eq!(raw(&host, "SELECT COUNT(*) FROM pergola_outbox WHERE object = 'contact'").await, [1], "it is told");
    let of_contact = "SELECT COUNT(*) FROM pergola_audit WHERE object = 'contact'";
    assert_eq!(raw(&host, of_contact).await, [1], "the audit has the contact's creation only");
    host.create("shop.sale", &sale(&masha, "open", "50", 20)).await.unwrap();
    assert_eq!(host.list("contact", "").await.unwrap()[0]["version"], 2, "what does not count changes nothing");
}

#[tokio::test]
async fn nobody_writes_what_is_computed() {
    let host = shop().await;
    let masha = contact(&host, "Masha").await;
    assert_snapshot!(told(host.update("contact", &masha, &json!({"shop": {"visits": 5}})).await), @r#"invalid ["shop.visits"]: shop.visits: shop.visits is counted from other records; leave it out"#);
    assert_snapshot!(told(host.create("shop.sale", &json!({"total": 5})).await), @r#"invalid ["total"]: total: total is computed from other fields; leave it out"#);
}

#[tokio::test]
async fn formulas_and_first_values_are_there_with_the_record() {
    let host = shop().await;
    let soap = host.create("shop.product", &json!({"name": "Soap", "price": "120"})).await.unwrap()["id"].clone();
    let sale = host.create("shop.sale", &json!({"product": soap, "quantity": 3, "price_minor": 40})).await.unwrap();
    assert_eq!((&sale["total"], &sale["price"]["amount_minor"]), (&json!(120), &json!(12000)));
    let changed = host.update("shop.sale", &sale["id"], &json!({"quantity": 4})).await.unwrap();
    assert_eq!((&changed["total"], &changed["version"]), (&json!(160), &json!(2)));
    host.update("shop.product", &soap, &json!({"price": "999"})).await.unwrap();
    let given = host.create("shop.sale", &json!({"product": soap, "price": null})).await.unwrap();
    assert_eq!(given["price"], Json::Null, "what is named is taken, also when it is nothing");
    assert_eq!(host.list("shop.sale", "").await.unwrap()[0]["price"]["amount_minor"], 12000, "it does not follow");
    let much = json!({"quantity": i64::MAX, "price_minor": 2});
    assert_snapshot!(told(host.create("shop.sale", &much).await), @r#"invalid ["total"]: total: quantity * price_minor cannot be computed: integer * integer is out of range"#);
}

#[tokio::test]
async fn money_in_two_currencies_has_no_sum() {
    let host = shop().await;
    let masha = contact(&host, "Masha").await;
    host.create("shop.sale", &sale(&masha, "done", "50", 5)).await.unwrap();
    let euros = host.create("shop.sale", &sale(&masha, "done", "7 EUR", 5)).await.unwrap();
    assert_eq!(counted(&host, &masha).await["spent"], Json::Null);
    host.delete("shop.sale", &euros["id"]).await.unwrap();
    assert_eq!(counted(&host, &masha).await["spent"], json!({"amount_minor": 5000, "currency": "RUB"}));
}

#[tokio::test]
async fn a_record_goes_with_all_that_counts_for_it() {
    let host = shop().await;
    let (masha, till) = (contact(&host, "Masha").await, host.create("shop.till", &json!({"name": "1"})).await.unwrap());
    let sale = json!({"contact": masha, "till": till["id"], "status": "done", "price_minor": 5, "quantity": 2});
    for _ in 0..3 {
        host.create("shop.sale", &sale).await.unwrap();
    }
    assert_eq!(host.list("shop.till", "").await.unwrap()[0]["takings"], 30);
    host.delete("contact", &masha).await.unwrap();
    assert_eq!(host.list("shop.sale", "").await.unwrap().len(), 0);
    assert_eq!(host.list("shop.till", "").await.unwrap()[0]["takings"], 0);
}

#[tokio::test]
async fn a_batch_moves_each_parent_once() {
    let host = shop().await;
    let masha = contact(&host, "Masha").await;
    let create = |fields: Json| {
        host.read_change(pergola_model::ChangeKind::Create, "shop.sale", None, &fields).map(|change| vec![change])
    };
    let mut groups: Vec<_> = (1..=20).map(|day| create(sale(&masha, "done", "10", day)).unwrap()).collect();
    let done = host.workspace.apply_each(&TestHost::owner(), groups.clone(), ApplyMode::Commit).await.unwrap();
    assert!(done.iter().all(Result::is_ok));
    let now = host.list("contact", "").await.unwrap()[0].clone();
    assert_eq!((&now["version"], &now["shop"]["visits"]), (&json!(2), &json!(20)));
    groups.push(create(json!({"contact": "01890000-0000-7000-8000-000000000000", "status": "done"})).unwrap());
    let done = host.workspace.apply_each(&TestHost::owner(), groups, ApplyMode::Commit).await.unwrap();
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 20, "one refers to nobody");
    assert_eq!(complaints(&host).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_has_the_version_that_rollups_made_of_its_record() {
    let host = shop().await;
    let id: pergola_model::Id = "01890000-0000-7000-8000-000000000001".parse().unwrap();
    let kind = pergola_model::ChangeKind::Create;
    let mut contact = host.read_change(kind, "contact", None, &json!({"name": "Masha"})).unwrap();
    contact.id = Some(id);
    let sale = host.read_change(kind, "shop.sale", None, &sale(&json!(id), "done", "10", 5)).unwrap();
    let written = host.workspace.apply(&TestHost::owner(), vec![contact, sale]).await.unwrap();
    assert_eq!(written[0].1.version, 2);
    assert_eq!(host.list("contact", "").await.unwrap()[0]["version"], 2);
}

#[tokio::test]
async fn an_install_fills_old_records_and_a_new_condition_fills_them_anew() {
    let host = TestHost::start().await.unwrap();
    let (without, _) = SHOP.split_once("[extend.contact]").unwrap();
    declare(&host, without).await.unwrap();
    for name in 0..450 {
        let masha = contact(&host, &format!("Masha {name}")).await;
        if name % 100 == 0 {
            host.create("shop.sale", &sale(&masha, "done", "10", 5)).await.unwrap();
            host.create("shop.sale", &sale(&masha, "open", "10", 5)).await.unwrap();
        }
    }
    let before = host.list("contact", "").await.unwrap();
    declare(&host, SHOP).await.unwrap();
    let after = host.list("contact", "").await.unwrap();
    assert_eq!(after.iter().map(|one| one["shop"]["visits"].as_i64().unwrap()).sum::<i64>(), 5);
    assert_eq!(after[449]["updated_at"], before[449]["updated_at"], "nobody changed it");
    assert_eq!(raw(&host, "SELECT COUNT(*) FROM pergola_outbox WHERE object = 'contact'").await, [0]);
    assert_eq!(complaints(&host).await, Vec::<String>::new());
    let all = SHOP.replace("count = true, when = \"status == 'done'\"", "count = true");
    declare(&host, &all).await.unwrap();
    let after = host.list("contact", "").await.unwrap();
    assert_eq!(after.iter().map(|one| one["shop"]["visits"].as_i64().unwrap()).sum::<i64>(), 10);
    assert_eq!(after[0]["shop"]["points"], 20, "formulas over it follow");
}

#[tokio::test]
async fn what_was_spoiled_is_found_and_mended() {
    let host = shop().await;
    let masha = contact(&host, "Masha").await;
    host.create("shop.sale", &sale(&masha, "done", "50", 5)).await.unwrap();
    let sound = host.workspace.check_derived(false).await.unwrap();
    assert_eq!((sound.wrong, sound.checked), (0, 2));
    raw(&host, "UPDATE contact SET \"shop.visits\" = 7 RETURNING 1").await;
    let found = host.workspace.check_derived(false).await.unwrap();
    let told: Vec<String> = found
        .listed
        .iter()
        .map(|one| format!("{}: {} → {}", one.place.split(" 0").next().unwrap(), one.stored, one.expected))
        .collect();
    assert_eq!(told, ["shop.visits of contact: 7 → 1"]);
    assert_eq!(counted(&host, &masha).await["visits"], 7, "looking changes nothing");
    assert_eq!(host.workspace.check_derived(true).await.unwrap().mended, 1);
    assert_eq!(counted(&host, &masha).await["visits"], 1);
    assert_eq!(host.workspace.check_derived(false).await.unwrap().wrong, 0);
}
