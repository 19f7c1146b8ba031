//! The bare rows in an SQLite file.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};

use super::{COLUMNS, Contact, INDEXED};

/// Rows in one commit, as in Pergola's store.
const GROUP_MAX: usize = 64;

/// A row on its way to the writer, and who waits for it.
type Job = (Contact, oneshot::Sender<()>);

#[derive(Clone)]
pub(super) struct Rows {
    writer: mpsc::Sender<Job>,
    readers: SqlitePool,
}

impl Rows {
    pub(super) async fn new(file: &Path, first: Vec<Contact>) -> Self {
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
        let mut tx = connection.begin().await.unwrap();
        for contact in first {
            insert(&mut tx, contact).await;
        }
        tx.commit().await.unwrap();
        let (writer, jobs) = mpsc::channel(1_024);
        tokio::spawn(write(connection, jobs));
        Self { writer, readers: SqlitePoolOptions::new().max_connections(8).connect_with(options).await.unwrap() }
    }

    pub(super) async fn insert(&self, contact: Contact) {
        let (answer, answered) = oneshot::channel();
        self.writer.send((contact, answer)).await.unwrap();
        answered.await.unwrap();
    }

    pub(super) async fn find(&self, id: uuid::Uuid) -> Contact {
        let sql = format!("SELECT {COLUMNS} FROM contact WHERE id = ?");
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().as_slice());
        query.fetch_one(&self.readers).await.unwrap()
    }

    pub(super) async fn list(&self, source: String) -> Vec<Contact> {
        let sql = format!("SELECT {COLUMNS} FROM contact WHERE source = ? ORDER BY id LIMIT 51");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(source).fetch_all(&self.readers).await.unwrap()
    }
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
