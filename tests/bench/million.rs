//! Search and caller lookup over REST on a file of many contacts: `cargo bench -p pergola-tests --bench bench -- million`.
//!
//! A number after that says how many (a million if not). They are written through the store in batches of 1,000, with
//! their entries of search, without hooks and audit: the file is what counts here, not how it came to be.

use std::time::Instant;

use jiff::Timestamp;
use pergola_model::{Fields, Id, Record, search};
use pergola_service::ports::{search::IndexRow, store::Store as _};
use pergola_store::{Options, SqliteStore};

use crate::{
    CONNECTIONS, ROUND, Served,
    client::{Load, Outcome},
    serve,
};

const BATCH: u64 = 1_000;
const BATCHES_PER_COMMIT: u64 = 20;

const FIRST: [&str; 40] = [
    "Анна",
    "Мария",
    "Елена",
    "Ольга",
    "Наталья",
    "Ирина",
    "Светлана",
    "Татьяна",
    "Юлия",
    "Екатерина",
    "Дарья",
    "Ксения",
    "Полина",
    "Вера",
    "Алина",
    "Софья",
    "Александр",
    "Сергей",
    "Дмитрий",
    "Андрей",
    "Алексей",
    "Иван",
    "Михаил",
    "Николай",
    "Павел",
    "Роман",
    "Виктор",
    "Игорь",
    "Юрий",
    "Максим",
    "Anna",
    "Maria",
    "Elena",
    "Peter",
    "John",
    "Aino",
    "Ayşe",
    "Mehmet",
    "Γιώργος",
    "Ελένη",
];
const LAST: [&str; 40] = [
    "Морозов",
    "Иванов",
    "Смирнов",
    "Кузнецов",
    "Попов",
    "Васильев",
    "Петров",
    "Соколов",
    "Михайлов",
    "Новиков",
    "Фёдоров",
    "Волков",
    "Алексеев",
    "Лебедев",
    "Семёнов",
    "Егоров",
    "Павлов",
    "Козлов",
    "Степанов",
    "Николаев",
    "Орлов",
    "Андреев",
    "Макаров",
    "Никитин",
    "Захаров",
    "Зайцев",
    "Соловьёв",
    "Борисов",
    "Яковлев",
    "Григорьев",
    "Романов",
    "Воробьёв",
    "Кузьмин",
    "Фролов",
    "Korhonen",
    "Virtanen",
    "Yılmaz",
    "Demir",
    "Παπαδόπουλος",
    "Smith",
];
const ENDING: [&str; 7] = ["", "а", "ский", "енко", "их", "чук", "ян"];

pub(crate) async fn measure() {
    let count = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let served = serve().await;
    let began = Instant::now();
    load(&served, count).await;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("| {count} contacts with entries of search | | {rate:.0}/s | | |");
    let searches = [
        ("search: a common first name", "%D0%90%D0%BD%D0%BD%D0%B0"),
        ("search: two letters", "%D0%BC%D0%BE"),
        ("search: beginnings of two names", "%D0%BC%D0%BE%D1%80%D0%BE+%D0%B0%D0%BD"),
        ("search: a number nobody shares", "77-12-34-5"),
        ("search: the last four digits", "1234"),
        ("search: a name with a slip", "%D0%9C%D0%BE%D1%80%D0%B7%D0%BE%D0%B2"),
        ("search: a slip and another name", "%D0%9C%D1%80%D0%BE%D0%B7%D0%BE%D0%B2+%D0%AE%D0%BB%D0%B8%D1%8F"),
        ("search: nothing is near", "qqqwwweee"),
    ];
    for (what, text) in searches {
        tell(what, &run(&served, &format!("/api/v1/search?q={text}")).await, 50);
    }
    let number = number_of(count / 2).replace('+', "%2B");
    tell("caller lookup, one holder", &run(&served, &format!("/api/v1/lookup?phone={number}")).await, 5);
    tell("caller lookup, nobody", &run(&served, "/api/v1/lookup?phone=%2B4915112345678").await, 5);
    tell("e-mail lookup", &run(&served, &format!("/api/v1/lookup?email=c{}@example.com", count / 3)).await, 5);
}

async fn run(served: &Served, path: &str) -> Outcome {
    // Once before, so that the first disk reads are not the figure.
    Load::get(served.address, path, Some(&served.token)).run(1, ROUND / 8).await;
    Load::get(served.address, path, Some(&served.token)).run(CONNECTIONS / 4, ROUND / 2).await
}

fn tell(what: &str, outcome: &Outcome, wanted_ms: u32) {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "| {what}, 2 connections | | p50 {:.1} ms | p95 {:.1} ms | ≤ {wanted_ms} ms |",
        ms(outcome.p50()),
        ms(outcome.p95())
    );
}

/// Writes the contacts, as another process would.
async fn load(served: &Served, count: u64) {
    let store = SqliteStore::open(&served.host.folder().join("test.db"), Options::default()).await.unwrap();
    let catalog = served.host.workspace.catalog();
    let object = catalog.find_object("contact").unwrap();
    let mut next = 0;
    while next < count {
        let mut tx = store.write().await.unwrap();
        for _ in 0..BATCHES_PER_COMMIT {
            let records: Vec<Record> = (next..(next + BATCH).min(count)).map(contact).collect();
            let row = |record: &Record| IndexRow {
                object: object.name.clone(),
                record: record.id,
                entry: search::entry(object, &record.fields),
            };
            let rows: Vec<IndexRow> = records.iter().map(row).collect();
            tx.insert(object, &records).await.unwrap();
            tx.index(&rows).await.unwrap();
            next += BATCH;
        }
        tx.commit().await.unwrap();
    }
    store.close().await;
}

fn number_of(number: u64) -> String {
    // Scattered over the operator's numbers, as real ones are, and no two alike.
    format!("+79{:09}", number * 7_919 % 1_000_000_007)
}

fn contact(number: u64) -> Record {
    let first = FIRST[(number * 31 % 40) as usize];
    let last = LAST[(number * 17 / 40 % 40) as usize];
    let fields = Fields::new()
        .with("name", format!("{first} {last}{}", ENDING[(number % 7) as usize]))
        .with("phone", number_of(number))
        .with("email", format!("c{number}@example.com"));
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let millis = 1_700_000_000_000 + number;
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
    Record { id: Id(id), version: 1, created_at: at, updated_at: at, fields }
}
