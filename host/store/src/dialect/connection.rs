//! A connection to either database, and the rows that it gives.

use pergola_service::ports::store::StoreError;
use sqlx::{
    Arguments, AssertSqlSafe, Connection as _, Database, Decode, Encode, Executor as _, PgConnection, Postgres,
    Row as _, Sqlite, SqliteConnection, Type, postgres::PgRow, query::Query, sqlite::SqliteRow,
};

use super::{Dialect, translate::translate};
use crate::sql::{Bind, Kind, Sql};

/// A connection.
pub(crate) enum Connection {
    /// To a file.
    Sqlite(SqliteConnection),
    /// To a server, with the workspace's schema.
    Postgres(Box<PgConnection>, Dialect),
}

/// A row.
pub(crate) enum Row {
    /// Of a file.
    Sqlite(SqliteRow),
    /// Of a server.
    Postgres(PgRow),
}

/// What can be read from a column of both databases.
pub(crate) trait Cell<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}

impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Cell<'r> for T {}

impl Row {
    /// The value of a column. Which type it is was settled when the statement was written, so it is not checked again.
    pub(crate) fn get<'r, T: Cell<'r>>(&'r self, index: usize) -> Result<T, StoreError> {
        let value = match self {
            Self::Sqlite(row) => row.try_get_unchecked(index),
            Self::Postgres(row) => row.try_get_unchecked(index),
        };
        value.map_err(|error| StoreError::Backend(Box::new(error)))
    }
}

impl Connection {
    /// All rows.
    pub(crate) async fn fetch_all(&mut self, sql: Sql) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let rows = connection.fetch_all(for_sqlite(sql)?).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(connection, dialect) => {
                let rows = connection.fetch_all(for_postgres(sql, dialect)?).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The first row.
    pub(crate) async fn fetch_optional(&mut self, sql: Sql) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => Ok(connection.fetch_optional(for_sqlite(sql)?).await?.map(Row::Sqlite)),
            Self::Postgres(connection, dialect) => {
                Ok(connection.fetch_optional(for_postgres(sql, dialect)?).await?.map(Row::Postgres))
            }
        }
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute(for_sqlite(sql)?).await?.rows_affected()),
            Self::Postgres(connection, dialect) => {
                Ok(connection.execute(for_postgres(sql, dialect)?).await?.rows_affected())
            }
        }
    }

    /// Statements without values, several perhaps.
    pub(crate) async fn run(&mut self, text: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => self.execute(Sql::new(text)).await.map(|_| ()),
            Self::Postgres(connection, dialect) => {
                let text = for_dialect(text, &[], dialect);
                connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.map(|_| ())
            }
        }
    }

    /// Returns when the other side has nothing more to do.
    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.ping().await,
            Self::Postgres(connection, _) => connection.ping().await,
        }
    }

    /// Ends the connection, in order.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection, _) => connection.close().await,
        }
    }
}

fn for_sqlite(sql: Sql) -> Result<Query<'static, Sqlite, <Sqlite as Database>::Arguments>, sqlx::Error> {
    let (text, binds) = sql.into_parts();
    Ok(sqlx::query_with(AssertSqlSafe(text), arguments::<Sqlite>(binds)?))
}

fn for_postgres(
    sql: Sql,
    dialect: &Dialect,
) -> Result<Query<'static, Postgres, <Postgres as Database>::Arguments>, sqlx::Error> {
    let (text, binds) = sql.into_parts();
    let text = for_dialect(&text, &binds, dialect);
    Ok(sqlx::query_with(AssertSqlSafe(text), arguments::<Postgres>(binds)?))
}

fn for_dialect(text: &str, binds: &[Bind], dialect: &Dialect) -> String {
    match dialect {
        Dialect::Postgres(schema) => translate(text, binds, schema),
        Dialect::Sqlite => text.to_owned(),
    }
}

/// The values as a database takes them.
fn arguments<DB: Database>(binds: Vec<Bind>) -> Result<DB::Arguments, sqlx::Error>
where
    bool: Encode<'static, DB> + Type<DB>,
    i64: Encode<'static, DB> + Type<DB>,
    f64: Encode<'static, DB> + Type<DB>,
    String: Encode<'static, DB> + Type<DB>,
    Vec<u8>: Encode<'static, DB> + Type<DB>,
    uuid::Uuid: Encode<'static, DB> + Type<DB>,
    Option<bool>: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    Option<f64>: Encode<'static, DB> + Type<DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'static, DB> + Type<DB>,
    Option<uuid::Uuid>: Encode<'static, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    arguments.reserve(binds.len(), 0);
    for bind in binds {
        match bind {
            Bind::Bool(flag) => arguments.add(flag),
            Bind::Integer(number) => arguments.add(number),
            Bind::Real(number) => arguments.add(number),
            Bind::Text(text) => arguments.add(text),
            Bind::Bytes(bytes) => arguments.add(bytes),
            Bind::Id(id) => arguments.add(id.0),
            Bind::Null(Kind::Bool) => arguments.add(None::<bool>),
            Bind::Null(Kind::Integer) => arguments.add(None::<i64>),
            Bind::Null(Kind::Real) => arguments.add(None::<f64>),
            Bind::Null(Kind::Text) => arguments.add(None::<String>),
            Bind::Null(Kind::Bytes) => arguments.add(None::<Vec<u8>>),
            Bind::Null(Kind::Id) => arguments.add(None::<uuid::Uuid>),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
