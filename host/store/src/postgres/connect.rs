//! How connections to PostgreSQL are opened, and how a schema is made ready.

use std::{str::FromStr as _, time::Duration};

use pergola_service::ports::store::StoreError;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _, migrate::Migrator,
    postgres::PgConnectOptions,
};

use super::{PostgresOptions, Raw};
use crate::{
    connect::run_migrations,
    error::{from_sqlx, unexpected},
    sql::{hash, quote},
};

/// Statements kept prepared on each connection: a few dozen per object, and objects are a few dozen.
const STATEMENTS: usize = 1_000;
/// The oldest version that this is tested with.
const VERSION_MIN: i32 = 15_00_00;

/// Where a workspace is.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) options: PgConnectOptions,
    /// Not in quotes.
    pub(crate) schema: String,
}

impl Target {
    /// A URL without the schema that it names, and that schema.
    pub(crate) fn split(url: &str) -> (String, Option<String>) {
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (schemas, others): (Vec<&str>, Vec<&str>) =
            parameters.split('&').filter(|one| !one.is_empty()).partition(|one| one.starts_with("schema="));
        let named = schemas.first().and_then(|one| one.split_once('=')).map(|(_, name)| name.to_owned());
        (format!("{address}?{}", others.join("&")), named)
    }

    /// From a URL.
    pub(crate) fn parse(url: &str, schema: &str, limits: &PostgresOptions) -> Result<Self, StoreError> {
        let (url, named) = Self::split(url);
        let schema = named.as_deref().unwrap_or(schema);
        let is_name = schema.starts_with(|c: char| c.is_ascii_lowercase())
            && schema.len() <= 63
            && schema.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_name || schema.starts_with("pg_") {
            return Err(StoreError::Schema(format!(
                "{schema:?} cannot be a schema: take lower-case letters, digits and _, not beginning with pg_"
            )));
        }
        let options = PgConnectOptions::from_str(&url)
            .map_err(|error| StoreError::Schema(format!("this is no postgres:// URL: {error}")))?;
        Ok(Self { options: prepared(options, limits), schema: String::new() }.with_schema(schema))
    }

    /// The same database with another schema.
    pub(super) fn with_schema(&self, schema: &str) -> Self {
        let options = self.options.clone().application_name(&application(schema));
        Self { options, schema: schema.to_owned() }
    }
}

/// The name by which the server knows connections for a schema; it keeps so many bytes.
pub(super) fn application(schema: &str) -> String {
    format!("pergola {schema}").chars().take(63).collect()
}

fn prepared(options: PgConnectOptions, limits: &PostgresOptions) -> PgConnectOptions {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    options
        .statement_cache_capacity(STATEMENTS)
        .options([
            ("statement_timeout", milliseconds(limits.statement_timeout)),
            ("lock_timeout", milliseconds(limits.lock_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(limits.idle_timeout)),
            // So that the server notices in time that this process is gone, and lets go of what it held.
            ("client_connection_check_interval", "5000".to_owned()),
            ("tcp_keepalives_idle", "15".to_owned()),
            ("tcp_keepalives_interval", "5".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
        ])
        .disable_statement_logging()
}

/// Opens a connection.
pub(crate) async fn open(options: &PgConnectOptions, timeout: Duration) -> Result<Raw, StoreError> {
    let connection =
        tokio::time::timeout(timeout, PgConnection::connect_with(options)).await.map_err(|_| StoreError::Busy)?;
    connection.map(Box::new).map_err(|error| from_sqlx(error, None))
}

/// Makes the schema if it is missing, and brings its tables up to date: all or nothing, one process after the other.
pub(crate) async fn migrate(mut connection: Raw, schema: &str, mut migrator: Migrator) -> Result<(), StoreError> {
    check(&mut connection).await?;
    // Its own lock belongs to the connection, which a pooler may share; this one to the transaction.
    migrator.set_locking(false);
    let mut transaction = connection.begin().await.map_err(|error| from_sqlx(error, None))?;
    let (name, key) = (quote(schema), hash(&format!("migrate {schema}")));
    let begin = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({key}); \
         CREATE SCHEMA IF NOT EXISTS {name}; SET LOCAL search_path = {name}"
    );
    transaction.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await.map_err(|error| from_sqlx(error, None))?;
    run_migrations(&migrator, &mut *transaction).await?;
    transaction.commit().await.map_err(|error| from_sqlx(error, None))?;
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the connection that made the schema ready did not close cleanly");
    }
    Ok(())
}

async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let question = "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding')";
    let row = connection.fetch_one(question).await.map_err(|error| from_sqlx(error, None))?;
    let version: i32 = row.try_get(0).map_err(|error| from_sqlx(error, None))?;
    let encoding: String = row.try_get(1).map_err(|error| from_sqlx(error, None))?;
    if version < VERSION_MIN {
        return Err(unexpected(format!("PostgreSQL {} is too old: 15 or later is needed", version / 10_000)));
    }
    if encoding != "UTF8" {
        return Err(StoreError::Schema(format!("the database's encoding is {encoding}: make one with UTF8")));
    }
    Ok(())
}
