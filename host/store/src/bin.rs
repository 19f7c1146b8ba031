//! The bin: deletions and what they took along.

use jiff::Timestamp;
use pergola_model::{Id, ObjectName, PluginId};
use pergola_service::ports::{
    bin::{BinContent, BinItem, BinQuery, Deletion},
    store::StoreError,
};

use crate::{dialect::Row, error::unexpected, row::Cells, session::Session, sql::Sql};

const DELETION: &str = "SELECT id, at, actor, plugin, object, record, title, records FROM pergola_bin";
/// Rows per statement, largest first; see `records`.
const ROWS: [usize; 4] = [64, 16, 4, 1];

/// A page, newest first: ids sort by time.
pub(crate) async fn list(session: &mut Session, query: &BinQuery) -> Result<Vec<Deletion>, StoreError> {
    let mut sql = Sql::new(DELETION);
    sql.push(" WHERE 1 = 1");
    if let Some(object) = &query.object {
        sql.push(" AND object = ").bind(object.as_str());
    }
    if let Some(after) = query.after {
        sql.push(" AND id < ").bind(after);
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(query.limit));
    session.fetch_all(sql).await?.iter().map(deletion).collect()
}

/// When the oldest one was: ids sort by time.
pub(crate) async fn find_oldest(session: &mut Session) -> Result<Option<Timestamp>, StoreError> {
    let row = session.fetch_optional(Sql::new("SELECT at FROM pergola_bin ORDER BY id LIMIT 1")).await?;
    row.map(|row| Cells::new(&row).take_time()).transpose()
}

/// A deletion and its items in order.
pub(crate) async fn find(session: &mut Session, id: Id) -> Result<Option<(Deletion, Vec<BinItem>)>, StoreError> {
    let mut sql = Sql::new(DELETION);
    sql.push(" WHERE id = ").bind(id);
    let Some(row) = session.fetch_optional(sql).await? else { return Ok(None) };
    let mut items =
        Sql::new("SELECT deletion, place, object, record, field, content FROM pergola_bin_item WHERE deletion = ");
    items.bind(id).push(" ORDER BY place");
    let items: Vec<BinItem> = session.fetch_all(items).await?.iter().map(item).collect::<Result<_, _>>()?;
    Ok(Some((deletion(&row)?, items)))
}

fn deletion(row: &Row) -> Result<Deletion, StoreError> {
    let mut cells = Cells::new(row);
    let (id, at, actor) = (cells.take_id()?, cells.take_time()?, cells.take()?);
    let plugin: Option<String> = cells.take()?;
    let plugin = plugin.map(PluginId::new).transpose().map_err(|error| StoreError::Backend(Box::new(error)))?;
    Ok(Deletion {
        id,
        at,
        actor,
        plugin,
        object: cells.take_name(ObjectName::new)?,
        record: cells.take_id()?,
        title: cells.take()?,
        records: cells.take()?,
    })
}

fn item(row: &Row) -> Result<BinItem, StoreError> {
    let mut cells = Cells::new(row);
    let (deletion, place) = (cells.take_id()?, cells.take()?);
    let (object, record) = (cells.take_name(ObjectName::new)?, cells.take_id()?);
    let field: Option<String> = cells.take()?;
    let content = match field {
        None => BinContent::Record(cells.take_json()?),
        Some(field) => {
            let to: String = cells.take()?;
            let to = to.parse().map_err(|_| unexpected("a reference in the bin is no id"))?;
            BinContent::Reference { field, to }
        }
    };
    Ok(BinItem { deletion, place, object, record, content })
}

/// Puts deletions into the bin.
pub(crate) async fn insert(session: &mut Session, deletions: &[Deletion], items: &[BinItem]) -> Result<(), StoreError> {
    for deletion in deletions {
        let mut sql = Sql::new(
            "INSERT INTO pergola_bin (id, at, actor, plugin, object, record, title, records) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        );
        sql.value(deletion.id).value(deletion.at).value(deletion.actor.as_str());
        sql.value(deletion.plugin.as_ref().map(PluginId::as_str)).value(deletion.object.as_str());
        sql.value(deletion.record).value(deletion.title.as_str()).value(deletion.records);
        session.execute(sql).await?;
    }
    let mut rest = items;
    for size in ROWS {
        while let Some((rows, others)) = rest.split_at_checked(size) {
            session.execute(insert_items(rows)).await?;
            rest = others;
        }
    }
    Ok(())
}

fn insert_items(items: &[BinItem]) -> Sql {
    let mut sql = Sql::new("INSERT INTO pergola_bin_item (deletion, place, object, record, field, content) VALUES ");
    for (index, item) in items.iter().enumerate() {
        sql.push(if index == 0 { "(?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?)" });
        sql.value(item.deletion).value(item.place).value(item.object.as_str()).value(item.record);
        match &item.content {
            BinContent::Record(json) => sql.value(None::<&str>).value(json.to_string()),
            BinContent::Reference { field, to } => sql.value(field.as_str()).value(to.to_string()),
        };
    }
    sql
}

/// Takes a deletion out, its items with it; whether it was there.
pub(crate) async fn remove(session: &mut Session, id: Id) -> Result<bool, StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_bin WHERE id = ");
    sql.bind(id);
    Ok(session.execute(sql).await? > 0)
}

/// Drops the oldest deletions from before that time; how many.
pub(crate) async fn empty(session: &mut Session, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_bin WHERE id IN (SELECT id FROM pergola_bin WHERE at <= ");
    sql.bind(before).push(" ORDER BY at LIMIT ").bind(i64::from(limit)).push(")");
    session.execute(sql).await
}
