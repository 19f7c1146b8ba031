//! A workspace in a schema of a PostgreSQL database, where units of work run beside each other.

pub(crate) mod backup;
pub(crate) mod connect;
mod pool;
mod scrub;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pergola_model::{Catalog, upgrade::Upgrade};
use pergola_service::ports::store::{Reader, SchemaStep, Store, StoreError, Transaction};
use sqlx::PgConnection;

pub(crate) use self::{connect::Target, pool::Loan};

use self::pool::{Pool, Purpose};
use crate::{dialect::Dialect, layout::Layouts, schema, sql::quote, turn::Turn, view::View};

/// Limits of one workspace's store.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Units of work at once; each has a connection.
    pub writers_max: usize,
    /// Readers at once; each has a connection.
    pub readers_max: usize,
    /// Units and readers that wait for a connection.
    pub queue_max: usize,
    /// How long each waits.
    pub turn_timeout: Duration,
    /// How long the server may take to let a connection in.
    pub connect_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long one statement may wait for what another unit holds.
    pub lock_timeout: Duration,
    /// How long a transaction may wait for its next statement: a hook thinks less than that. For so long a lost one
    /// holds its records.
    pub idle_timeout: Duration,
    /// Beyond the statement's own time, until a server that does not answer is taken for gone.
    pub answer_grace: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            writers_max: 16,
            readers_max: 16,
            queue_max: 1_024,
            turn_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            answer_grace: Duration::from_secs(2),
        }
    }
}

/// One workspace in one schema.
pub struct PostgresStore {
    pool: Arc<Pool>,
    /// Not in quotes.
    schema: String,
}

impl PostgresStore {
    /// Connects, makes the schema if it is missing, and brings the system's tables up to date. Several processes may do
    /// so at once.
    ///
    /// `url` is `postgres://user:password@host:port/database`; `?schema=name` in it names another schema than the one given.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the URL, the database or its encoding will not do, [`StoreError::Interrupted`] or
    /// [`StoreError::Busy`] when the server cannot be reached, [`StoreError::Backend`] when it is of a newer version.
    pub async fn open(url: &str, schema: &str, options: PostgresOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_at(Target::parse(url, schema, &options)?, options).await
    }

    async fn open_at(target: Target, options: PostgresOptions) -> Result<Arc<Self>, StoreError> {
        let connection = connect::open(&target.options, options.connect_timeout).await?;
        connect::migrate(connection, &target.schema, sqlx::migrate!("../../migrations/postgres")).await?;
        let dialect = Dialect::Postgres(quote(&target.schema).into());
        let layouts = Arc::new(Layouts::new(dialect));
        let pool = Arc::new(Pool::new(target.options, layouts, options));
        Ok(Arc::new(Self { pool, schema: target.schema }))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn read(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(View::reading(self.pool.lend(Purpose::Read).await?)))
    }

    async fn read_once(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(View::reading(self.pool.lend(Purpose::ReadOnce).await?)))
    }

    async fn write(&self) -> Result<Box<dyn Transaction>, StoreError> {
        let turn = Turn::Own(self.pool.lend(Purpose::Write).await?);
        Ok(Box::new(View::writing(turn, Arc::clone(self.pool.layouts()))))
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn plan(&self, catalog: &Catalog, upgrade: &Upgrade) -> Result<Vec<SchemaStep>, StoreError> {
        schema::plan(self.pool.lend(Purpose::Read).await?.session()?, catalog, upgrade).await
    }

    async fn scrub(&self, bytes_max: u64) -> Result<bool, StoreError> {
        let options = &self.pool.options;
        let raw = connect::open(&self.pool.target, options.connect_timeout).await?;
        scrub::scrub(raw, &self.schema, bytes_max).await
    }
}

/// A connection, closed when dropped.
type Raw = Box<PgConnection>;
