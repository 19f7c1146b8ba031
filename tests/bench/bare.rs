//! The yardstick: the same row written and read by axum and sqlx with nothing in between.

use std::{net::SocketAddr, path::Path, str::FromStr, time::Duration};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::net::TcpListener;

use crate::client;

/// One writer and eight readers: more writers would only wait for each other.
#[derive(Clone)]
struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
struct Contact {
    #[serde(default)]
    id: Vec<u8>,
    name: String,
    phone: Option<String>,
    email: Option<String>,
    #[serde(default)]
    version: i64,
    #[serde(default)]
    created_at: i64,
}

pub(crate) async fn serve(file: &Path) -> SocketAddr {
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", file.display()))
        .unwrap()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10));
    let pool = |connections| SqlitePoolOptions::new().max_connections(connections).connect_with(options.clone());
    let pools = Pools { writer: pool(1).await.unwrap(), readers: pool(8).await.unwrap() };
    let table = "CREATE TABLE contact (id BLOB PRIMARY KEY, version INTEGER, created_at INTEGER, name TEXT, phone TEXT, email TEXT)";
    sqlx::query(table).execute(&pools.writer).await.unwrap();
    for index in ["name", "phone", "email"] {
        let index = format!("CREATE INDEX contact_{index} ON contact ({index})");
        sqlx::query(sqlx::AssertSqlSafe(index)).execute(&pools.writer).await.unwrap();
    }
    let router = Router::new().route("/contacts", post(create)).route("/contacts/{id}", get(read)).with_state(pools);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn create(State(pools): State<Pools>, Json(mut contact): Json<Contact>) -> (StatusCode, Json<Contact>) {
    contact.id = uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).as_bytes().to_vec();
    sqlx::query("INSERT INTO contact (id, version, created_at, name, phone, email) VALUES (?, 1, ?, ?, ?, ?)")
        .bind(&contact.id)
        .bind(contact.created_at)
        .bind(&contact.name)
        .bind(&contact.phone)
        .bind(&contact.email)
        .execute(&pools.writer)
        .await
        .unwrap();
    (StatusCode::CREATED, Json(contact))
}

async fn read(State(pools): State<Pools>, UrlPath(id): UrlPath<uuid::Uuid>) -> Json<Contact> {
    let query = sqlx::query_as("SELECT id, version, created_at, name, phone, email FROM contact WHERE id = ?");
    Json(query.bind(id.as_bytes().as_slice()).fetch_one(&pools.readers).await.unwrap())
}

/// Creates a row and answers its id.
pub(crate) async fn create_one(address: SocketAddr, body: &str) -> uuid::Uuid {
    let (_, answer) = client::once(address, "POST", "/contacts", None, body).await.unwrap();
    let contact: Contact = serde_json::from_str(&answer).unwrap();
    uuid::Uuid::from_slice(&contact.id).unwrap()
}
