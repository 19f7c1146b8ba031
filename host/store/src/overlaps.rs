//! Whether stored records are in one another's way: one statement for a rule and a whole batch.

use jiff::Timestamp;
use pergola_model::{Catalog, Id, Object, object::Exclude};
use pergola_service::ports::store::{Overlap, StoreError};

use crate::{
    filter::Filter,
    records::{bind_ids, id_placeholders},
    row::Cells,
    session::Session,
    sql::{Sql, quote},
};

/// One of these records and another that shares a resource with it and overlaps it. Empty intervals overlap nothing.
///
/// Each field of the rule is compared with each, one `SELECT` for a pair: so every one of them is an equality and a
/// range on one index, which an `OR` of all would not be. `CROSS JOIN` keeps SQLite from starting at the other end.
pub(crate) async fn find(
    session: &mut Session,
    catalog: &Catalog,
    object: &Object,
    rule: &Exclude,
    records: &[Id],
    now: Timestamp,
) -> Result<Option<Overlap>, StoreError> {
    if records.is_empty() {
        return Ok(None);
    }
    let layout = session.layouts().of(object);
    let (from, until) = (quote(&rule.from), quote(&rule.until));
    let mut sql = Sql::new(format!("WITH n AS (SELECT t.\"id\" AS id, t.{from} AS f, t.{until} AS u"));
    for (number, on) in rule.on.iter().enumerate() {
        sql.push(", t.").name(&on.field).push(&format!(" AS k{number}"));
    }
    sql.push(&format!(" FROM {} AS t WHERE t.{from} < t.{until} AND t.\"id\" IN ", layout.table));
    sql.push(&id_placeholders(records.len())?);
    bind_ids(&mut sql, records);
    let mut word = ") ";
    for mine in 0..rule.on.len() {
        for theirs in &rule.on {
            let mut filter = Filter::new(session.layouts(), catalog, &layout, now, &[]);
            let when = rule.when.as_ref().map(|when| filter.compile(when.root())).transpose()?;
            sql.push(word).push("SELECT n.id, t.\"id\" FROM n CROSS JOIN ");
            sql.push(&format!("{} AS t{}", layout.table, filter.joins()));
            sql.push(" WHERE t.").name(&theirs.field).push(&format!(" = n.k{mine} AND t.{until} > n.f"));
            sql.push(&format!(" AND t.{from} < n.u AND t.{from} < t.{until} AND t.\"id\" <> n.id"));
            if let Some(when) = when {
                sql.push(" AND ").append(when);
            }
            word = " UNION ALL ";
        }
    }
    sql.push(" LIMIT 1");
    let row = session.fetch_optional(sql).await?;
    row.map(|row| {
        let mut cells = Cells::new(&row);
        Ok(Overlap { record: cells.take_id()?, other: cells.take_id()? })
    })
    .transpose()
}
