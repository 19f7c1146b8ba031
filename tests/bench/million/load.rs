//! Contacts, appointments and deals, written through the store in batches without hooks and audit: the data are what counts
//! here, not how they came to be.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pergola_model::{Fields, Id, Object, Record, Value, search};
use pergola_service::ports::{search::IndexRow, store::Store};
use pergola_store::{Options, PostgresOptions, PostgresStore, SqliteStore};
use pergola_testkit::{Backend, TestHost};

const BATCH: u64 = 1_000;
const BATCHES_PER_COMMIT: u64 = 20;

/// Appointments of each contact.
pub(super) const VISITS: u64 = 5;
pub(super) const MASTERS: u64 = 50;
const SERVICES: u64 = 20;
/// Appointments of a master in a day.
const A_DAY: u64 = 10;
/// Deals in the pipeline, and its stages.
pub(super) const DEALS: u64 = 50_000;
pub(super) const STAGES: u64 = 6;

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

/// What ids begin with, so that each can be told from its number.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Contact = 1,
    Master,
    Service,
    Appointment,
    Pipeline,
    Stage,
    Deal,
}

pub(super) fn id(kind: Kind, number: u64) -> Id {
    let millis = 1_700_000_000_000 + number;
    Id(uuid::Builder::from_unix_timestamp_millis(millis, &[kind as u8; 10]).into_uuid())
}

/// When the first appointments are.
pub(super) fn begin() -> Timestamp {
    "2020-01-01T06:00:00Z".parse().unwrap()
}

/// Writes everything, as another process would.
pub(super) async fn load(host: &TestHost, backend: &Backend, count: u64) {
    let store: Arc<dyn Store> = match backend {
        Backend::Sqlite => SqliteStore::open(&host.folder().join("test.db"), Options::default()).await.unwrap(),
        Backend::Postgres(url) => PostgresStore::open(url, "test", PostgresOptions::default()).await.unwrap(),
    };
    let catalog = host.workspace.catalog();
    let of = |name: &str| Arc::clone(catalog.object(&name.parse().unwrap()).unwrap());
    write(store.as_ref(), &of("contact"), count, contact).await;
    write(store.as_ref(), &of("booking.resource"), MASTERS, |n| named(Kind::Master, n, "Master")).await;
    let service = |n| named(Kind::Service, n, "Service").and("minutes", 60);
    write(store.as_ref(), &of("booking.service"), SERVICES, service).await;
    write(store.as_ref(), &of("booking.appointment"), count * VISITS, |n| appointment(n, count)).await;
    write(store.as_ref(), &of("pipeline"), 1, |n| named(Kind::Pipeline, n, "Sales")).await;
    let stage = |n| named(Kind::Stage, n, "Stage").and("pipeline", id(Kind::Pipeline, 0)).and("position", n as i64);
    write(store.as_ref(), &of("stage"), STAGES, stage).await;
    write(store.as_ref(), &of("deal"), DEALS, |n| deal(n, count)).await;
    store.close().await;
}

async fn write(store: &dyn Store, object: &Object, count: u64, record: impl Fn(u64) -> Record) {
    let mut next = 0;
    while next < count {
        let mut tx = store.write().await.unwrap();
        for _ in 0..BATCHES_PER_COMMIT {
            let records: Vec<Record> = (next..(next + BATCH).min(count)).map(&record).collect();
            let row = |record: &Record| IndexRow {
                object: object.name.clone(),
                record: record.id,
                entry: search::entry(object, &record.fields),
            };
            let rows: Vec<IndexRow> = records.iter().map(row).filter(is_found).collect();
            tx.insert(object, &records).await.unwrap();
            tx.index(&rows).await.unwrap();
            next += BATCH;
        }
        tx.commit().await.unwrap();
    }
}

/// Whether there is anything to be found by.
fn is_found(row: &IndexRow) -> bool {
    !(row.entry.title.is_empty() && row.entry.body.is_empty() && row.entry.keys.is_empty())
}

/// Adds a field to a record that is being made.
trait And {
    fn and(self, key: &str, value: impl Into<Value>) -> Self;
}

impl And for Record {
    fn and(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields = std::mem::take(&mut self.fields).with(key, value);
        self
    }
}

fn record(kind: Kind, number: u64) -> Record {
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    Record { id: id(kind, number), version: 1, created_at: at, updated_at: at, fields: Fields::new() }
}

fn named(kind: Kind, number: u64, what: &str) -> Record {
    record(kind, number).and("name", format!("{what} {number}"))
}

pub(super) fn number_of(number: u64) -> String {
    // Scattered over the operator's numbers, as real ones are, and no two alike.
    format!("+79{:09}", number * 7_919 % 1_000_000_007)
}

fn contact(number: u64) -> Record {
    let first = FIRST[(number * 31 % 40) as usize];
    let last = LAST[(number * 17 / 40 % 40) as usize];
    record(Kind::Contact, number)
        .and("name", format!("{first} {last}{}", ENDING[(number % 7) as usize]))
        .and("phone", number_of(number))
        .and("email", format!("c{number}@example.com"))
        .and("source", ["web", "street", "friends", "ads"][(number % 4) as usize])
}

/// Day after day, ten for each master.
fn appointment(number: u64, contacts: u64) -> Record {
    let (day, place) = (number / (MASTERS * A_DAY), number % (MASTERS * A_DAY));
    let hours = i64::try_from(day * 24 + place / MASTERS).unwrap();
    let starts_at = begin() + SignedDuration::from_hours(hours);
    record(Kind::Appointment, number)
        .and("contact", id(Kind::Contact, number * 7_919 % contacts))
        .and("service", id(Kind::Service, number % SERVICES))
        .and("master", id(Kind::Master, place % MASTERS))
        .and("starts_at", starts_at)
        .and("ends_at", starts_at + SignedDuration::from_hours(1))
        .and("status", if number.is_multiple_of(9) { "cancelled" } else { "done" })
        .and("source", "desk")
}

fn deal(number: u64, contacts: u64) -> Record {
    record(Kind::Deal, number)
        .and("title", format!("Deal {number}"))
        .and("contact", id(Kind::Contact, number * 31 % contacts))
        .and("stage", id(Kind::Stage, number % STAGES))
        .and("owner", ["kim", "alex", "sam"][(number % 3) as usize])
}
