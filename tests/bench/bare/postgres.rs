//! The bare rows in a schema of PostgreSQL: each insert is its own transaction, and the server puts commits together.

use std::str::FromStr;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{COLUMNS, Contact, INDEXED};

const CONNECTIONS: u32 = 16;

pub(super) async fn pool(url: &str, first: Vec<Contact>) -> PgPool {
    // Without the schema that the URL may name for Pergola.
    let options = PgConnectOptions::from_str(url.split("&schema").next().unwrap()).unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_with(options.options([("search_path", "bare")]))
        .await
        .unwrap();
    let columns = "id BYTEA PRIMARY KEY, version BIGINT, created_at BIGINT, updated_at BIGINT, name TEXT, phone TEXT, \
                   email TEXT, birthday TEXT, gender TEXT, organization BYTEA, address TEXT, source TEXT, language TEXT, \
                   tags TEXT, notes TEXT";
    run(&pool, "CREATE SCHEMA bare").await;
    run(&pool, &format!("CREATE TABLE contact ({columns})")).await;
    for index in INDEXED {
        run(&pool, &format!("CREATE INDEX contact_{index} ON contact ({index})")).await;
    }
    for contact in first {
        insert(&pool, contact).await;
    }
    pool
}

async fn run(pool: &PgPool, sql: &str) {
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

pub(super) async fn insert(pool: &PgPool, contact: Contact) {
    let sql = format!(
        "INSERT INTO contact ({COLUMNS}) VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    );
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
        .execute(pool)
        .await
        .unwrap();
}

pub(super) async fn find(pool: &PgPool, id: uuid::Uuid) -> Contact {
    let sql = format!("SELECT {COLUMNS} FROM contact WHERE id = $1");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().to_vec());
    query.fetch_one(pool).await.unwrap()
}

pub(super) async fn list(pool: &PgPool, source: String) -> Vec<Contact> {
    let sql = format!("SELECT {COLUMNS} FROM contact WHERE source = $1 ORDER BY id LIMIT 51");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(source).fetch_all(pool).await.unwrap()
}
