//! What people look at, over REST on a large base: `cargo bench -p pergola-tests --bench bench -- million`.
//!
//! A number after that says how many contacts (a million if not), each with five appointments; `sqlite` or `postgres` after
//! it, which database. Reads and lists are compared with those of a hundredth of the base in the same run.

mod load;

use std::{path::Path, time::Instant};

use jiff::SignedDuration;
use pergola_testkit::Backend;

use self::load::{Kind, id, number_of};
use crate::{
    CONNECTIONS, LIST, ROUND, Served,
    client::{Load, Outcome},
    cluster, serve_on,
};

pub(crate) async fn measure() {
    let count = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let named = std::env::args().nth(3);
    for database in ["sqlite", "postgres"] {
        if named.as_deref().is_none_or(|named| named == database) {
            measure_on(database, count).await;
        }
    }
}

async fn measure_on(database: &str, count: u64) {
    let small = loaded(database, (count / 100).max(1_000)).await;
    let few = rates(&small).await;
    drop(small);
    let began = Instant::now();
    let served = loaded(database, count).await;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "| {database}: loading {count} contacts, {} appointments, {} deals | | {seconds:.0} s | | |",
        count * load::VISITS,
        load::DEALS
    );
    let many = rates(&served).await;
    for (what, few, many) in [("read by id", few.0, many.0), ("list of 50", few.1, many.1)] {
        println!(
            "| {database}: {what}, 8 connections | {few:.0}/s of a hundredth | {many:.0}/s | {:.2} | ≥ 0.8 |",
            many / few
        );
    }
    searches(database, &served).await;
    lookups(database, &served, count).await;
    screens(database, &served, count).await;
}

async fn loaded(database: &str, count: u64) -> Served {
    let backend = match database {
        "sqlite" => Backend::Sqlite,
        _ => Backend::Postgres(cluster().new_url()),
    };
    let served = serve_on(backend.clone()).await;
    served.host.install(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/booking")).await.unwrap();
    load::load(&served.host, &backend, count).await;
    served
}

/// Reads and lists in a second.
async fn rates(served: &Served) -> (f64, f64) {
    let path = format!("/api/v1/contacts/{}", id(Kind::Contact, 500));
    let mut rates = [0.0; 2];
    for (rate, path) in rates.iter_mut().zip([path.as_str(), LIST]) {
        *rate = Load::get(served.address, path, Some(&served.token)).run(CONNECTIONS, ROUND).await.rate();
    }
    (rates[0], rates[1])
}

async fn searches(database: &str, served: &Served) {
    let searches = [
        ("a common first name", "%D0%90%D0%BD%D0%BD%D0%B0"),
        ("two letters", "%D0%BC%D0%BE"),
        ("beginnings of two names", "%D0%BC%D0%BE%D1%80%D0%BE+%D0%B0%D0%BD"),
        ("a number nobody shares", "77-12-34-5"),
        ("the last four digits", "1234"),
        ("a name with a slip", "%D0%9C%D0%BE%D1%80%D0%B7%D0%BE%D0%B2"),
        ("a slip and another name", "%D0%9C%D1%80%D0%BE%D0%B7%D0%BE%D0%B2+%D0%AE%D0%BB%D0%B8%D1%8F"),
        ("nothing is near", "qqqwwweee"),
    ];
    for (what, text) in searches {
        let path = format!("/api/v1/search?q={text}");
        tell(&format!("{database}: search: {what}"), &run(served, &[&path]).await, 50);
    }
}

async fn lookups(database: &str, served: &Served, count: u64) {
    let number = number_of(count / 2).replace('+', "%2B");
    let lookups = [
        ("caller lookup, one holder", format!("phone={number}")),
        ("caller lookup, nobody", "phone=%2B4915112345678".to_owned()),
        ("e-mail lookup", format!("email=c{}@example.com", count / 3)),
    ];
    for (what, query) in lookups {
        tell(&format!("{database}: {what}"), &run(served, &[&format!("/api/v1/lookup?{query}")]).await, 5);
    }
}

/// What a board and a calendar ask for.
async fn screens(database: &str, served: &Served, count: u64) {
    let mut board = vec!["/api/v1/deals/aggregate?measure=count,sum(amount)&group=stage".to_owned()];
    for stage in 0..load::STAGES {
        let stage = id(Kind::Stage, stage);
        board.push(format!("/api/v1/deals?limit=50&sort=-id&filter=stage%20==%20'{stage}'"));
    }
    let board: Vec<&str> = board.iter().map(String::as_str).collect();
    tell(&format!("{database}: board: totals, and 50 deals of each of 6 stages"), &run(served, &board).await, 50);
    // A month in the middle of the appointments.
    let days = i64::try_from(count * load::VISITS / (load::MASTERS * 10) / 2).unwrap();
    let from = load::begin() + SignedDuration::from_hours(24 * days);
    let until = from + SignedDuration::from_hours(24 * 30);
    let month = format!("starts_at%20%3E=%20timestamp('{from}')%20%26%26%20starts_at%20%3C%20timestamp('{until}')");
    let days = format!("/api/v1/booking/appointments/aggregate?measure=count&group=day(starts_at)&filter={month}");
    tell(&format!("{database}: month of 50 masters: visits a day"), &run(served, &[&days]).await, 50);
    let master = id(Kind::Master, 7);
    let one = format!(
        "/api/v1/booking/appointments?limit=500&sort=starts_at&filter=master%20==%20'{master}'%20%26%26%20{month}"
    );
    tell(&format!("{database}: month of one master: all visits"), &run(served, &[&one]).await, 50);
}

async fn run(served: &Served, paths: &[&str]) -> Outcome {
    let token = Some(served.token.as_str());
    // Once before, so that the first disk reads are not the figure.
    Load::get_all(served.address, paths, token).run(1, ROUND / 8).await;
    Load::get_all(served.address, paths, token).run(CONNECTIONS / 4, ROUND / 2).await
}

fn tell(what: &str, outcome: &Outcome, wanted_ms: u32) {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "| {what}, 2 connections | | p50 {:.1} ms | p95 {:.1} ms | ≤ {wanted_ms} ms |",
        ms(outcome.p50()),
        ms(outcome.p95())
    );
}
