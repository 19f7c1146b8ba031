//! How much room is taken: one statement for a rule and all rooms of a batch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pergola_model::{Catalog, Id, Object, object::Capacity};
use pergola_service::ports::store::StoreError;

use crate::{
    filter::Filter,
    records::{bind_ids, id_placeholders},
    row::Cells,
    session::Session,
    sql::Sql,
};

/// The sums of sizes by what they take room in.
pub(crate) async fn sum_taken(
    session: &mut Session,
    catalog: &Catalog,
    object: &Object,
    rule: &Capacity,
    on: &[Id],
    now: Timestamp,
) -> Result<BTreeMap<Id, i64>, StoreError> {
    if on.is_empty() {
        return Ok(BTreeMap::new());
    }
    let layout = session.layouts().of(object);
    let mut filter = Filter::new(session.layouts(), catalog, &layout, now, &[]);
    let size = rule.size.as_ref().map(|size| filter.part(size.root())).transpose()?;
    let when = rule.when.as_ref().map(|when| filter.compile(when.root())).transpose()?;
    let mut sql = Sql::new("SELECT t.");
    // A sum of BIGINT is NUMERIC on PostgreSQL.
    sql.name(&rule.on).push(", CAST(SUM(");
    match size {
        Some(size) => sql.push("COALESCE(").append(size).push(", 1)"),
        None => sql.push("1"),
    };
    sql.push(&format!(") AS BIGINT) FROM {} AS t{} WHERE t.", layout.table, filter.joins()));
    sql.name(&rule.on).push(" IN ").push(&id_placeholders(on.len())?);
    bind_ids(&mut sql, on);
    if let Some(when) = when {
        sql.push(" AND ").append(when);
    }
    sql.push(" GROUP BY t.").name(&rule.on);
    let rows = session.fetch_all(sql).await?;
    rows.iter()
        .map(|row| {
            let mut cells = Cells::new(row);
            Ok((cells.take_id()?, cells.take()?))
        })
        .collect()
}
