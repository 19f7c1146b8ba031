//! The yardstick: the same row written and read by axum and sqlx with nothing in between.
//!
//! The bare handler does what a careful author would do by hand: one writing connection that commits in groups,
//! eight reading ones, the columns and indexes that Pergola's contact has, and JSON of the same shape.

use std::{net::SocketAddr, path::Path, str::FromStr, time::Duration};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::client;

/// The columns of Pergola's contact, system fields first.
const COLUMNS: &str = "id, version, created_at, updated_at, name, phone, email, birthday, gender, organization, address, \
    source, language, tags, notes";
/// Of these, the ones that have an index.
const INDEXED: [&str; 5] = ["name", "phone", "email", "organization", "source"];
/// Rows in one commit, as in Pergola's store.
const GROUP_MAX: usize = 64;

/// A row on its way to the writer, and who waits for it.
type Job = (Contact, oneshot::Sender<()>);

#[derive(Clone)]
struct Bare {
    writer: mpsc::Sender<Job>,
    readers: SqlitePool,
}

#[derive(Clone, Default, Serialize, Deserialize, sqlx::FromRow)]
#[serde(default)]
struct Contact {
    #[serde(serialize_with = "as_uuid", skip_deserializing)]
    id: Vec<u8>,
    version: i64,
    created_at: i64,
    updated_at: i64,
    name: String,
    phone: Option<String>,
    email: Option<String>,
    birthday: Option<String>,
    gender: Option<String>,
    organization: Option<Vec<u8>>,
    address: Option<String>,
    source: Option<String>,
    language: Option<String>,
    tags: Option<String>,
    notes: Option<String>,
}

/// Ids are text in answers, as people expect.
fn as_uuid<S: serde::Serializer>(id: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    uuid::Uuid::from_slice(id).unwrap().serialize(serializer)
}

/// One page of contacts.
#[derive(Serialize)]
struct Page {
    items: Vec<Contact>,
    next: Option<uuid::Uuid>,
}

/// Serves on a new file, with `rows` contacts in it already.
pub(crate) async fn serve(file: &Path, rows: usize) -> SocketAddr {
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", file.display()))
        .unwrap()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let table = format!("CREATE TABLE contact ({COLUMNS}, PRIMARY KEY (id)) WITHOUT ROWID");
    sqlx::query(sqlx::AssertSqlSafe(table)).execute(&mut connection).await.unwrap();
    for index in INDEXED {
        let index = format!("CREATE INDEX contact_{index} ON contact ({index})");
        sqlx::query(sqlx::AssertSqlSafe(index)).execute(&mut connection).await.unwrap();
    }
    fill(&mut connection, rows).await;
    let (writer, jobs) = mpsc::channel(1_024);
    tokio::spawn(write(connection, jobs));
    let readers = SqlitePoolOptions::new().max_connections(8).connect_with(options).await.unwrap();
    let router = Router::new()
        .route("/contacts", post(create).get(list))
        .route("/contacts/{id}", get(read))
        .with_state(Bare { writer, readers });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn fill(connection: &mut SqliteConnection, rows: usize) {
    let mut tx = connection.begin().await.unwrap();
    for number in 0..rows {
        insert(&mut tx, new_row(serde_json::from_str(&crate::contact(number as u64)).unwrap())).await;
    }
    tx.commit().await.unwrap();
}

/// One commit for all that queued up meanwhile, and answers after it.
async fn write(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let mut waiting = Vec::new();
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let mut next = Some(first);
        while let Some((contact, answer)) = next.take() {
            insert(&mut tx, contact).await;
            waiting.push(answer);
            next = if waiting.len() < GROUP_MAX { jobs.try_recv().ok() } else { None };
        }
        tx.commit().await.unwrap();
        waiting.into_iter().for_each(|answer| answer.send(()).unwrap_or_default());
    }
}

async fn insert(connection: &mut SqliteConnection, contact: Contact) {
    let sql = format!("INSERT INTO contact ({COLUMNS}) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(contact.id)
        .bind(contact.created_at)
        .bind(contact.updated_at)
        .bind(contact.name)
        .bind(contact.phone)
        .bind(contact.email)
        .bind(contact.birthday)
        .bind(contact.gender)
        .bind(contact.organization)
        .bind(contact.address)
        .bind(contact.source)
        .bind(contact.language)
        .bind(contact.tags)
        .bind(contact.notes)
        .execute(connection)
        .await
        .unwrap();
}

fn new_row(mut contact: Contact) -> Contact {
    contact.id = uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).as_bytes().to_vec();
    contact.version = 1;
    contact
}

async fn create(State(bare): State<Bare>, Json(contact): Json<Contact>) -> (StatusCode, Json<Contact>) {
    let contact = new_row(contact);
    let (answer, answered) = oneshot::channel();
    bare.writer.send((contact.clone(), answer)).await.unwrap();
    answered.await.unwrap();
    (StatusCode::CREATED, Json(contact))
}

async fn read(State(bare): State<Bare>, UrlPath(id): UrlPath<uuid::Uuid>) -> Json<Contact> {
    let sql = format!("SELECT {COLUMNS} FROM contact WHERE id = ?");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().as_slice());
    Json(query.fetch_one(&bare.readers).await.unwrap())
}

#[derive(Deserialize)]
struct Wanted {
    source: String,
}

async fn list(State(bare): State<Bare>, Query(wanted): Query<Wanted>) -> Json<Page> {
    let sql = format!("SELECT {COLUMNS} FROM contact WHERE source = ? ORDER BY id LIMIT 51");
    let mut items: Vec<Contact> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(wanted.source).fetch_all(&bare.readers).await.unwrap();
    let next = items.get(50).map(|last| uuid::Uuid::from_slice(&last.id).unwrap());
    items.truncate(50);
    Json(Page { items, next })
}

/// Creates a row and answers its id.
pub(crate) async fn create_one(address: SocketAddr, body: &str) -> uuid::Uuid {
    let (_, answer) = client::once(address, "POST", "/contacts", None, body).await.unwrap();
    let contact: serde_json::Value = serde_json::from_str(&answer).unwrap();
    contact["id"].as_str().unwrap().parse().unwrap()
}
