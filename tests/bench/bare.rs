//! The yardstick: the same row written and read by axum and sqlx with nothing in between.
//!
//! The bare handler does what a careful author would do by hand: the columns and indexes that Pergola's contact has, JSON of
//! the same shape, and on SQLite one writing connection that commits in groups and eight reading ones, on PostgreSQL a pool of
//! sixteen.

mod postgres;
mod sqlite;

use std::{net::SocketAddr, path::Path};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::client;

/// The columns of Pergola's contact, system fields first.
const COLUMNS: &str = "id, version, created_at, updated_at, name, phone, email, birthday, gender, organization, address, \
    source, language, tags, notes";
/// Of these, the ones that have an index.
const INDEXED: [&str; 5] = ["name", "phone", "email", "organization", "source"];

#[derive(Clone)]
enum Bare {
    Sqlite(sqlite::Rows),
    Postgres(sqlx::PgPool),
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
    listen(Bare::Sqlite(sqlite::Rows::new(file, first_rows(rows)).await)).await
}

/// The same on a new schema of a server.
pub(crate) async fn serve_on_postgres(url: &str, rows: usize) -> SocketAddr {
    listen(Bare::Postgres(postgres::pool(url, first_rows(rows)).await)).await
}

fn first_rows(count: usize) -> Vec<Contact> {
    (0..count).map(|number| new_row(serde_json::from_str(&crate::contact(number as u64)).unwrap())).collect()
}

async fn listen(bare: Bare) -> SocketAddr {
    let router =
        Router::new().route("/contacts", post(create).get(list)).route("/contacts/{id}", get(read)).with_state(bare);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn new_row(mut contact: Contact) -> Contact {
    contact.id = uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).as_bytes().to_vec();
    contact.version = 1;
    contact
}

async fn create(State(bare): State<Bare>, Json(contact): Json<Contact>) -> (StatusCode, Json<Contact>) {
    let contact = new_row(contact);
    match bare {
        Bare::Sqlite(rows) => rows.insert(contact.clone()).await,
        Bare::Postgres(pool) => postgres::insert(&pool, contact.clone()).await,
    }
    (StatusCode::CREATED, Json(contact))
}

async fn read(State(bare): State<Bare>, UrlPath(id): UrlPath<uuid::Uuid>) -> Json<Contact> {
    Json(match bare {
        Bare::Sqlite(rows) => rows.find(id).await,
        Bare::Postgres(pool) => postgres::find(&pool, id).await,
    })
}

#[derive(Deserialize)]
struct Wanted {
    source: String,
}

async fn list(State(bare): State<Bare>, Query(wanted): Query<Wanted>) -> Json<Page> {
    let mut items = match bare {
        Bare::Sqlite(rows) => rows.list(wanted.source).await,
        Bare::Postgres(pool) => postgres::list(&pool, wanted.source).await,
    };
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
