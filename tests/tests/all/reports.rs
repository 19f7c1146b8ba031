//! The reports of a salon come out of one question each.

use pergola_model::query::aggregate::{AggregateText, Table};
use pergola_service::guest::compile_aggregate;
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::{Salon, at, hours};

/// The rows of an answer as JSON, in their order.
async fn ask(host: &TestHost, object: &str, text: AggregateText<'_>) -> Vec<Vec<Json>> {
    let catalog = host.workspace.catalog();
    let object = catalog.find_object(object).unwrap();
    let asked = compile_aggregate(&catalog, object, text, Vec::new(), host.workspace.now()).unwrap();
    let Table { rows, .. } = host.workspace.aggregate(&TestHost::owner(), &asked).await.unwrap();
    rows.iter().map(|row| row.iter().map(pergola_model::json::value_to_json).collect()).collect()
}

fn rubles(amount: i64) -> Json {
    json!({"amount_minor": amount * 100, "currency": "RUB"})
}

#[tokio::test]
async fn visits_revenue_and_average_check_by_master_and_month() {
    let salon = Salon::open(super::backend()).await;
    let start = at(0, 0, 0).to_zoned(jiff::tz::TimeZone::get("Europe/Moscow").unwrap());
    let days_left = i64::from(start.days_in_month() - start.day());
    let visits = [(1, &salon.anna, &salon.haircut), (2, &salon.anna, &salon.nails), (3, &salon.boris, &salon.haircut)];
    let later = [(days_left + 3, &salon.anna, &salon.haircut)];
    for (number, (days, master, service)) in visits.into_iter().chain(later).enumerate() {
        let visit = json!([{"service": service, "master": master, "starts_at": at(days, 12, 0)}]);
        let (_, booked) = salon.book("Masha", &format!("+7912345678{number}"), visit).await.unwrap();
        salon.host.advance(at(days, 14, 0).duration_since(salon.host.workspace.now())).await.unwrap();
        let id = &booked["appointments"][0]["id"];
        let status = if number == 2 { "no_show" } else { "done" };
        salon.host.update("booking.appointment", id, &json!({"status": status})).await.unwrap();
    }
    salon.host.advance(hours(1)).await.unwrap();
    let rows = ask(
        &salon.host,
        "booking.appointment",
        AggregateText {
            filter: "status == 'done'",
            groups: "month(starts_at),master.name",
            measures: "count,sum(price),avg(price)",
            ..AggregateText::default()
        },
    )
    .await;
    let month = |days: i64| at(days, 12, 0).to_zoned(start.time_zone().clone()).date().first_of_month().to_string();
    assert_eq!(
        rows,
        [
            vec![json!(month(0)), json!("Anna"), json!(2), rubles(5000), rubles(2500)],
            vec![json!(month(days_left + 3)), json!("Anna"), json!(1), rubles(2500), rubles(2500)],
        ]
    );
    let period = json!({"from": at(0, 0, 0), "until": at(days_left + 30, 0, 0)}).to_string();
    let plugin = "salon".parse().unwrap();
    let report = salon.host.workspace.run_action(&TestHost::owner(), &plugin, "report", period).await.unwrap();
    let line = |id: &Json, name: &str, visits: i64, no_shows: i64, revenue: Json, average: Json| {
        json!({"master": id, "name": name, "visits": visits, "no_shows": no_shows,
            "revenue": revenue, "average_check": average})
    };
    let masters = [
        line(&salon.anna, "Anna", 3, 0, rubles(7500), rubles(2500)),
        line(&salon.boris, "Boris", 0, 1, Json::Null, Json::Null),
    ];
    assert_eq!(serde_json::from_str::<Json>(&report).unwrap(), json!({"masters": masters}));
    let shown = AggregateText {
        groups: "master.name",
        measures: "count,count(status == 'done'),distinct(contact)",
        ..AggregateText::default()
    };
    assert_eq!(
        ask(&salon.host, "booking.appointment", shown).await,
        [vec![json!("Anna"), json!(3), json!(3), json!(3)], vec![json!("Boris"), json!(1), json!(0), json!(1)]]
    );
}

#[tokio::test]
async fn conversion_by_stage() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let pipeline = host.create("pipeline", &json!({"name": "Sales"})).await.unwrap()["id"].clone();
    for (name, kind, deals) in [("New", "open", 3), ("Won", "won", 2), ("Lost", "lost", 1)] {
        let stage = host.create("stage", &json!({"name": name, "pipeline": pipeline, "kind": kind})).await.unwrap();
        for number in 0..deals {
            let deal = json!({"title": format!("{name} {number}"), "stage": stage["id"]});
            host.create("deal", &deal).await.unwrap();
        }
    }
    let by_stage =
        AggregateText { groups: "stage.name", measures: "count", sort: "-count", ..AggregateText::default() };
    assert_eq!(
        ask(&host, "deal", by_stage).await,
        [vec![json!("New"), json!(3)], vec![json!("Won"), json!(2)], vec![json!("Lost"), json!(1)]]
    );
    let conversion = AggregateText {
        filter: "stage.kind != 'open'",
        measures: "avg(stage.kind == 'won' ? 100 : 0)",
        ..AggregateText::default()
    };
    assert_eq!(ask(&host, "deal", conversion).await, [vec![json!("66.6667")]]);
}
