//! What upgrades have dropped, where SQLite would write a whole table anew to take it out: it has another name at once, is
//! cleared in portions, and is taken out when the table is small, or when the database is compacted.

use std::collections::BTreeMap;

use pergola_model::Id;
use pergola_service::ports::store::StoreError;

use crate::{
    row::Cells,
    session::Session,
    sql::{Sql, quote},
};

/// What `pergola_column` notes of a whole table in the place of a field.
pub(super) const WHOLE: &str = "$table";
/// What a dropped column is noted to hold.
const DROPPED: &str = "dropped";
/// The same, once it holds nothing.
const CLEARED: &str = "cleared";
/// Rows that are cleared at once.
const ROWS: u32 = 1_000;
/// Rows of a table that is written anew beside other writers: for some hundredths of a second.
const REWRITTEN_MAX: u32 = 10_000;

/// The name of a dropped column. `$` cannot stand in a field's key.
pub(super) fn column(number: u32) -> String {
    format!("$old${number}")
}

/// The name of a dropped table.
pub(super) fn table(number: u32) -> String {
    format!("$old${number}")
}

/// Notes that a column is to be cleared.
pub(super) fn note(table: &str, column: &str) -> String {
    format!("INSERT INTO pergola_column (object, field, holds) VALUES ('{table}', '{column}', '{DROPPED}'); ")
}

/// Clears a portion; whether there may be more. Columns come before tables, so that nothing refers to what goes.
pub(crate) async fn clear(session: &mut Session) -> Result<bool, StoreError> {
    let noted = noted(session, DROPPED).await?;
    let columns = noted.iter().find(|(_, column, _)| column != WHOLE);
    let Some((table, column, after)) = columns.or(noted.first()) else { return Ok(false) };
    let name = quote(table);
    let mut sql = Sql::new(format!("SELECT id FROM {name}"));
    if let Some(after) = after {
        sql.push(" WHERE id > ").bind(*after);
    }
    sql.push(&format!(" ORDER BY id LIMIT {ROWS}"));
    let rows = session.fetch_all(sql).await?;
    let ids = rows.iter().map(|row| Cells::new(row).take_id()).collect::<Result<Vec<Id>, _>>()?;
    let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else {
        return end(session, table, column).await.map(|()| true);
    };
    let mut sql = if column == WHOLE {
        Sql::new(format!("DELETE FROM {name} WHERE id BETWEEN "))
    } else {
        let column = quote(column);
        Sql::new(format!("UPDATE {name} SET {column} = NULL WHERE {column} IS NOT NULL AND id BETWEEN "))
    };
    sql.bind(first).push(" AND ").bind(last);
    session.execute(sql).await?;
    if column != WHOLE {
        set(session, table, column, &format!("{DROPPED} {last}")).await?;
    }
    Ok(true)
}

/// Nothing is left in it: a small table is written anew at once.
async fn end(session: &mut Session, table: &str, column: &str) -> Result<(), StoreError> {
    if column == WHOLE {
        session.run(&format!("DROP TABLE {}", quote(table))).await?;
        let mut sql = Sql::new("DELETE FROM pergola_column WHERE object = ");
        sql.bind(table);
        return session.execute(sql).await.map(|_| ());
    }
    let name = quote(table);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT {})", REWRITTEN_MAX.saturating_add(1));
    let row = session.fetch_optional(Sql::new(sql)).await?;
    let rows: i64 = row.map(|row| Cells::new(&row).take()).transpose()?.unwrap_or_default();
    // A column of a table that goes itself goes with it.
    if table.starts_with('$') || rows > i64::from(REWRITTEN_MAX) {
        return set(session, table, column, CLEARED).await;
    }
    take_out(session, table, column).await
}

/// Takes out columns that were left for this.
pub(crate) async fn drop_cleared(session: &mut Session) -> Result<(), StoreError> {
    for (table, column, _) in noted(session, CLEARED).await? {
        take_out(session, &table, &column).await?;
    }
    Ok(())
}

async fn take_out(session: &mut Session, table: &str, column: &str) -> Result<(), StoreError> {
    session.run(&format!("ALTER TABLE {} DROP COLUMN {}", quote(table), quote(column))).await?;
    let mut sql = Sql::new("DELETE FROM pergola_column WHERE object = ");
    sql.bind(table).push(" AND field = ").bind(column);
    session.execute(sql).await.map(|_| ())
}

async fn set(session: &mut Session, table: &str, column: &str, holds: &str) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE pergola_column SET holds = ");
    sql.bind(holds).push(" WHERE object = ").bind(table).push(" AND field = ").bind(column);
    session.execute(sql).await.map(|_| ())
}

/// Table, column, and the last record that was cleared.
async fn noted(session: &mut Session, what: &str) -> Result<Vec<(String, String, Option<Id>)>, StoreError> {
    let sql = Sql::new("SELECT object, field, holds FROM pergola_column WHERE object LIKE '$%' OR field LIKE '$%'");
    let mut found = BTreeMap::new();
    for row in session.fetch_all(sql).await? {
        let mut cells = Cells::new(&row);
        let (table, column, holds): (String, String, String) = (cells.take()?, cells.take()?, cells.take()?);
        if let Some(after) = holds.strip_prefix(what) {
            found.insert((table, column), after.trim().parse().ok());
        }
    }
    Ok(found.into_iter().map(|((table, column), after)| (table, column, after)).collect())
}
