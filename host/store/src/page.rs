//! Pages of records in an order, and how many there are.
//!
//! The order: absent values first, largest last, texts by code point; `-key` is the reverse. Ties are broken by id, in
//! the direction of the last key, so that an index on one key (which ends with the id) gives the whole order.

#[cfg(test)]
mod plans;

use pergola_model::{
    Catalog, Object, Page, Query, Record, Value,
    query::{Cursor, SortKey},
};
use pergola_service::ports::store::StoreError;

use crate::{
    error::unexpected,
    filter::Filter,
    layout::{Column, Holds, Layout, Layouts, currency_column, select_list},
    row,
    session::Session,
    sql::{Bind, Kind, Sql, quote},
};

/// One page of what the query asks.
pub(crate) async fn list(session: &mut Session, catalog: &Catalog, query: &Query) -> Result<Page, StoreError> {
    let layout = session.layouts().of(object(catalog, query)?);
    let wanted = Wanted::new(&layout, query);
    let sql = list_sql(session.layouts(), catalog, query, &layout, &wanted)?;
    let rows = session.fetch_all(sql).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push(row::decode(row, wanted.columns.iter().copied())?);
    }
    let limit = query.limit as usize;
    let next =
        if records.len() > limit { records.get(limit.saturating_sub(1)).map(|last| cursor(query, last)) } else { None };
    records.truncate(limit);
    for key in &wanted.only_for_sort {
        for record in &mut records {
            record.fields.remove(key);
        }
    }
    Ok(Page { records, next })
}

/// How many records match the query's filter.
pub(crate) async fn count(session: &mut Session, catalog: &Catalog, query: &Query) -> Result<u64, StoreError> {
    let layout = session.layouts().of(object(catalog, query)?);
    let mut filter = Filter::new(session.layouts(), catalog, &layout, query.now, &query.parameters);
    let condition = query.filter.as_ref().map(|filter_by| filter.compile(filter_by.root())).transpose()?;
    let mut sql = Sql::new(format!("SELECT count(*) FROM {} AS t{}", layout.table, filter.joins()));
    if let Some(condition) = condition {
        sql.push(" WHERE ").append(condition);
    }
    let row = session.fetch_optional(sql).await?.ok_or_else(|| unexpected("a count gives one row"))?;
    let count: i64 = row::Cells::new(&row).take()?;
    u64::try_from(count).map_err(|_| unexpected("a count is not negative"))
}

fn object<'a>(catalog: &'a Catalog, query: &Query) -> Result<&'a Object, StoreError> {
    let object = catalog.object(&query.object);
    object.map(AsRef::as_ref).ok_or_else(|| unexpected(format!("no object {}", query.object)))
}

/// The columns that are read.
struct Wanted<'a> {
    columns: Vec<&'a Column>,
    /// Read for the cursor, not asked for.
    only_for_sort: Vec<String>,
}

impl<'a> Wanted<'a> {
    fn new(layout: &'a Layout, query: &Query) -> Self {
        let Some(fields) = &query.fields else {
            return Self { columns: layout.columns.iter().collect(), only_for_sort: Vec::new() };
        };
        let is_sort_key = |column: &Column| query.sort.iter().any(|key| key.field == column.key);
        let columns: Vec<&Column> =
            layout.columns.iter().filter(|column| fields.contains(&column.key) || is_sort_key(column)).collect();
        let only_for_sort =
            columns.iter().filter(|column| !fields.contains(&column.key)).map(|column| column.key.clone()).collect();
        Self { columns, only_for_sort }
    }
}

fn list_sql(
    layouts: &Layouts,
    catalog: &Catalog,
    query: &Query,
    layout: &Layout,
    wanted: &Wanted<'_>,
) -> Result<Sql, StoreError> {
    let keys = keys(layout, query)?;
    let mut filter = Filter::new(layouts, catalog, layout, query.now, &query.parameters);
    let condition = query.filter.as_ref().map(|filter_by| filter.compile(filter_by.root())).transpose()?;
    let select = select_list(wanted.columns.iter().copied());
    let mut sql = Sql::new(format!("SELECT {select} FROM {} AS t{}", layout.table, filter.joins()));
    let after = query.after.as_ref().map(|_| after(&keys));
    for (index, part) in condition.into_iter().chain(after).enumerate() {
        sql.push(if index == 0 { " WHERE " } else { " AND " }).append(part);
    }
    for (index, key) in keys.iter().enumerate() {
        sql.push(if index == 0 { " ORDER BY " } else { ", " });
        let direction = if key.descending { " DESC" } else { "" };
        sql.push(&key.name);
        sql.push(if key.nullable { layouts.dialect().order(key.descending) } else { direction });
    }
    sql.push(" LIMIT ").bind(i64::from(query.limit).saturating_add(1));
    Ok(sql)
}

/// A column of the order and, if there is a cursor, the value there.
struct Key {
    name: String,
    descending: bool,
    /// Whether the column may be null: system columns may not.
    nullable: bool,
    at: Bind,
}

fn keys(layout: &Layout, query: &Query) -> Result<Vec<Key>, StoreError> {
    let cursor = query.after.as_ref();
    if let Some(cursor) =
        cursor.filter(|cursor| cursor.sort != sort_text(&query.sort) || cursor.values.len() != query.sort.len())
    {
        return Err(unexpected(format!("the cursor belongs to the order {:?}", cursor.sort)));
    }
    let mut keys = Vec::with_capacity(query.sort.len().saturating_add(1));
    for (index, SortKey { field, descending }) in query.sort.iter().enumerate() {
        let at = cursor.and_then(|cursor| cursor.values.get(index)).unwrap_or(&Value::Null);
        let name = format!("t.{}", quote(field));
        if let Some(at) = system_bind(field, at)? {
            keys.push(Key { name, descending: *descending, nullable: false, at });
            continue;
        }
        let column =
            layout.column(field).ok_or_else(|| unexpected(format!("{} has no field {field}", query.object)))?;
        keys.push(Key { name, descending: *descending, nullable: true, at: row::bind(column, at)? });
        if column.holds == Holds::Money {
            let name = format!("t.{}", quote(&currency_column(field)));
            keys.push(Key { name, descending: *descending, nullable: true, at: row::currency(at) });
        }
    }
    let descending = query.sort.last().is_some_and(|key| key.descending);
    let at = cursor.map_or(Bind::Null(Kind::Id), |cursor| cursor.id.into());
    keys.push(Key { name: "t.\"id\"".to_owned(), descending, nullable: false, at });
    Ok(keys)
}

/// A system field's value in a cursor; none for a declared field.
fn system_bind(field: &str, at: &Value) -> Result<Option<Bind>, StoreError> {
    let bind = match (field, at) {
        ("id", Value::Null) => Bind::Null(Kind::Id),
        ("version" | "created_at" | "updated_at", Value::Null) => Bind::Null(Kind::Integer),
        ("id", Value::Ref(id)) => (*id).into(),
        ("version", Value::Integer(number)) => (*number).into(),
        ("created_at" | "updated_at", Value::DateTime(at)) => (*at).into(),
        ("id" | "version" | "created_at" | "updated_at", _) => {
            return Err(unexpected(format!("the cursor's {field} cannot be {}", at.kind())));
        }
        _ => return Ok(None),
    };
    Ok(Some(bind))
}

/// The condition that a row comes after the cursor.
fn after(keys: &[Key]) -> Sql {
    let Some((key, rest)) = keys.split_first() else { return Sql::new("FALSE") };
    let mut sql = Sql::new("(");
    let name = key.name.as_str();
    match (key.descending, key.at.is_null() && key.nullable) {
        // Absent values stand at one end, so after one come all others, or none.
        (false, true) => sql.push(name).push(" IS NOT NULL OR ").append(after(rest)),
        (true, true) => sql.push(name).push(" IS NULL AND ").append(after(rest)),
        // The bound comes first and alone, because it is what an index can start from.
        (false, false) if rest.is_empty() => sql.push(name).push(" > ").bind(key.at.clone()),
        (false, false) => {
            sql.push(name).push(" >= ").bind(key.at.clone());
            sql.push(" AND (").push(name).push(" > ").bind(key.at.clone());
            sql.push(" OR ").append(after(rest)).push(")")
        }
        (true, false) if rest.is_empty() => sql.push(name).push(" < ").bind(key.at.clone()),
        (true, false) if !key.nullable => {
            sql.push(name).push(" <= ").bind(key.at.clone());
            sql.push(" AND (").push(name).push(" < ").bind(key.at.clone());
            sql.push(" OR ").append(after(rest)).push(")")
        }
        (true, false) => {
            sql.push(name).push(" IS NULL OR ").push(name).push(" < ").bind(key.at.clone());
            sql.push(" OR (").push(name).push(" = ").bind(key.at.clone());
            sql.push(" AND ").append(after(rest)).push(")")
        }
    };
    sql.push(")");
    sql
}

/// The order as text: `-created_at,name`.
fn sort_text(sort: &[SortKey]) -> String {
    let keys: Vec<String> =
        sort.iter().map(|key| format!("{}{}", if key.descending { "-" } else { "" }, key.field)).collect();
    keys.join(",")
}

fn cursor(query: &Query, record: &Record) -> Cursor {
    let value = |key: &SortKey| match key.field.as_str() {
        "id" => Value::Ref(record.id),
        "version" => Value::Integer(record.version),
        "created_at" => Value::DateTime(record.created_at),
        "updated_at" => Value::DateTime(record.updated_at),
        field => record.fields.get(field).clone(),
    };
    Cursor { sort: sort_text(&query.sort), values: query.sort.iter().map(value).collect(), id: record.id }
}
