//! No bytes of deleted rows in the files of the tables: they are written anew. The server's log and its backups have
//! times of their own.

use pergola_service::ports::store::StoreError;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::Raw;
use crate::{error::from_sqlx, sql::quote};

/// Rewrites the tables if they are not larger than that; whether nothing is left.
pub(super) async fn scrub(mut connection: Raw, schema: &str, bytes_max: u64) -> Result<bool, StoreError> {
    let question = "SELECT c.relname::text, pg_total_relation_size(c.oid) FROM pg_class AS c \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'";
    let rows = sqlx::query(question).bind(schema).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| from_sqlx(error, None))?;
    let (mut tables, mut bytes) = (Vec::new(), 0_u64);
    for row in &rows {
        tables.push(row.try_get::<String, _>(0).map_err(|error| from_sqlx(error, None))?);
        let size: i64 = row.try_get(1).map_err(|error| from_sqlx(error, None))?;
        bytes = bytes.saturating_add(size.unsigned_abs());
    }
    if bytes > bytes_max {
        tracing::warn!(bytes, "the tables are too large to be rewritten while they are in use; run pergola compact");
        return Ok(false);
    }
    run(&mut connection, "SET statement_timeout = 0").await?;
    for table in tables {
        match run(&mut connection, &format!("VACUUM (FULL) {}.{}", quote(schema), quote(&table))).await {
            Ok(()) => {}
            // Somebody holds the table for long.
            Err(StoreError::Interrupted) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    connection.close().await.map_err(|error| from_sqlx(error, None))?;
    Ok(true)
}

async fn run(connection: &mut Raw, statement: &str) -> Result<(), StoreError> {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    connection.execute(statement).await.map(|_| ()).map_err(|error| from_sqlx(error, None))
}
