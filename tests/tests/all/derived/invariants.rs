//! What must hold of the stored rows, computed here from the rows alone and not by the engine.

use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

/// Contacts and tills whose stored values are not what the stored sales say.
pub(super) async fn complaints(host: &TestHost) -> Vec<String> {
    let sales = host.list("shop.sale", "").await.unwrap();
    let mut complaints = Vec::new();
    let mut compare = |what: String, stored: &Json, expected: Json| {
        if *stored != expected {
            complaints.push(format!("{what}: {stored} is stored, {expected} is right"));
        }
    };
    for sale in &sales {
        let total = sale["quantity"].as_i64().zip(sale["price_minor"].as_i64()).map(|(a, b)| a * b);
        compare(format!("total of {}", sale["id"]), &sale["total"], json!(total));
    }
    for contact in host.list("contact", "").await.unwrap() {
        let of_contact: Vec<&Json> = sales.iter().filter(|sale| sale["contact"] == contact["id"]).collect();
        let done: Vec<&Json> = of_contact.iter().copied().filter(|sale| sale["status"] == "done").collect();
        let mut ends: Vec<&str> = done.iter().filter_map(|sale| sale["ends_at"].as_str()).collect();
        ends.sort_unstable();
        let shop = &contact["shop"];
        let of = |field: &str| format!("{field} of {}", contact["name"]);
        compare(of("visits"), &shop["visits"], json!(done.len()));
        compare(of("points"), &shop["points"], json!(done.len() * 10));
        compare(of("first_visit"), &shop["first_visit"], json!(ends.first()));
        compare(of("last_visit"), &shop["last_visit"], json!(ends.last()));
        compare(
            of("largest"),
            &shop["largest"],
            json!(of_contact.iter().filter_map(|sale| sale["total"].as_i64()).max()),
        );
        let (sum, mean) = money(&done);
        compare(of("spent"), &shop["spent"], sum);
        compare(of("average"), &shop["average"], mean);
    }
    for till in host.list("shop.till", "").await.unwrap() {
        let of_till = sales.iter().filter(|sale| sale["till"] == till["id"] && sale["status"] == "done");
        let takings: i64 = of_till.filter_map(|sale| sale["total"].as_i64()).sum();
        compare(format!("takings of {}", till["name"]), &till["takings"], json!(takings));
    }
    complaints
}

/// Sum and mean of the prices; nothing of several currencies.
fn money(sales: &[&Json]) -> (Json, Json) {
    let prices: Vec<&Json> = sales.iter().map(|sale| &sale["price"]).filter(|price| !price.is_null()).collect();
    let Some(currency) = prices.first().map(|price| &price["currency"]) else { return (Json::Null, Json::Null) };
    if prices.iter().any(|price| price["currency"] != *currency) {
        return (Json::Null, Json::Null);
    }
    let sum: i64 = prices.iter().filter_map(|price| price["amount_minor"].as_i64()).sum();
    let count = i64::try_from(prices.len()).unwrap();
    // Prices are not negative here, so half away from zero is half up.
    let money = |amount: i64| json!({"amount_minor": amount, "currency": currency});
    (money(sum), money((2 * sum + count) / (2 * count)))
}
