//! Keys of records under unique rules that compare otherwise than by stored values: a hidden column, written with the
//! record, with a unique index over it.
//!
//! The key is the model's, so that both databases agree on what is alike; here it becomes short enough for an index.

use pergola_model::{Id, Object, Record, object::Unique};
use pergola_service::ports::store::StoreError;
use sha2::{Digest as _, Sha256};

use crate::{
    error::unexpected,
    layout::keyed,
    row,
    session::Session,
    sql::{Bind, Kind, Sql, hash, quote},
};

/// Bytes of a key that is stored as it is; of a longer one, its hash is. PostgreSQL's indexes take about 2,600.
const BYTES_MAX: usize = 200;
/// Records that get their keys in one statement.
const FILL_ROWS: usize = 256;
/// Records that a refusal names.
const NAMED_MAX: usize = 10;
/// Characters of a record's title that a refusal shows.
const TITLE_CHARS_MAX: usize = 60;

/// The columns that no two records have alike.
pub(crate) fn columns(rule: &Unique) -> &[String] {
    rule.key.as_ref().map_or(rule.fields.as_slice(), |key| std::slice::from_ref(&key.column))
}

/// What is stored of a record's key.
pub(crate) fn bind(rule: &Unique, record: &Record) -> Result<Bind, StoreError> {
    let key = rule.key_of(record).map_err(|error| {
        let when = rule.key.as_ref().and_then(|key| key.when.as_ref()).map_or("", |when| when.source());
        StoreError::Range(format!("{when} cannot be computed for {}: {error}", record.id))
    })?;
    Ok(match key {
        None => Bind::Null(Kind::Text),
        Some(key) if key.len() <= BYTES_MAX => key.into(),
        // A key as it is begins with a bracket.
        Some(key) => format!("#{}", hex(&Sha256::digest(key.as_bytes()))).into(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a key's column is noted to hold: for which declaration, so that another one has it filled anew.
pub(crate) fn label(rule: &Unique) -> String {
    format!("key({})#{:016x}", rule.fields.join(","), hash(&rule.declaration()))
}

/// The fields of a rule, from such a label.
pub(crate) fn labelled(label: &str) -> Option<Vec<&str>> {
    let (fields, _) = label.strip_prefix("key(")?.split_once(')')?;
    Some(fields.split(',').collect())
}

/// Gives all records of an object their keys under a rule.
pub(crate) async fn fill(session: &mut Session, object: &Object, rule: &str) -> Result<(), StoreError> {
    let (rule, key) = keyed(object)
        .find(|(one, _)| one.name == rule)
        .ok_or_else(|| unexpected(format!("{} has no rule {rule} with keys", object.name)))?;
    let layout = session.layouts().of(object);
    let mut after: Option<Id> = None;
    loop {
        let mut sql = Sql::new(format!("SELECT {} FROM {} AS t", layout.select, layout.table));
        if let Some(after) = after {
            sql.push(" WHERE t.\"id\" > ").bind(after);
        }
        sql.push(&format!(" ORDER BY t.\"id\" LIMIT {FILL_ROWS}"));
        let rows = session.fetch_all(sql).await?;
        let records =
            rows.iter().map(|row| row::decode(row, layout.columns.iter())).collect::<Result<Vec<Record>, _>>()?;
        let Some(last) = records.last() else { return Ok(()) };
        after = Some(last.id);
        let mut sql = Sql::new("UPDATE ");
        sql.push(&layout.table).push(" SET ").name(&key.column).push(" = v.column2 FROM (VALUES ");
        for (index, record) in records.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" }).bind(record.id).push(", ");
            sql.bind(bind(rule, record)?).push(")");
        }
        sql.push(&format!(") AS v WHERE {}.\"id\" = v.column1", layout.table));
        session.execute(sql).await?;
    }
}

/// Passes when no two records break a unique rule; else names some that do.
pub(crate) async fn check(session: &mut Session, object: &Object, rule: &str) -> Result<(), StoreError> {
    let rule = object
        .uniques
        .iter()
        .find(|one| one.name == rule)
        .ok_or_else(|| unexpected(format!("{} has no rule {rule}", object.name)))?;
    let layout = session.layouts().of(object);
    let columns: Vec<String> = columns(rule).iter().map(|column| quote(column)).collect();
    let all = |prefix: &str, between: &str, after: &str| {
        columns.iter().map(|column| format!("{prefix}{column}{after}")).collect::<Vec<_>>().join(between)
    };
    let twins = format!(
        "SELECT {} FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1",
        all("", ", ", ""),
        layout.table,
        all("", " AND ", " IS NOT NULL"),
        all("", ", ", ""),
    );
    let same = columns.iter().map(|column| format!("t.{column} = w.{column}")).collect::<Vec<_>>().join(" AND ");
    let sql = Sql::new(format!(
        "SELECT {} FROM {} AS t JOIN ({twins}) AS w ON {same} ORDER BY {}, t.\"id\" LIMIT {}",
        layout.select,
        layout.table,
        all("t.", ", ", ""),
        NAMED_MAX.saturating_add(1),
    ));
    let rows = session.fetch_all(sql).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let records = rows.iter().map(|row| row::decode(row, layout.columns.iter())).collect::<Result<Vec<Record>, _>>()?;
    Err(StoreError::Schema(refusal(object, rule, &records)))
}

fn refusal(object: &Object, rule: &Unique, records: &[Record]) -> String {
    let named = records.iter().take(NAMED_MAX).map(|record| {
        let title = object.title.as_ref().and_then(|title| record.fields.get(title).as_text());
        match title {
            Some(title) => format!("{} ({})", record.id, title.chars().take(TITLE_CHARS_MAX).collect::<String>()),
            None => record.id.to_string(),
        }
    });
    let more = if records.len() > NAMED_MAX { " and others" } else { "" };
    format!(
        "cannot make {} of {} unique: these records have the same already: {}{more}. Change or delete all but one of each, \
         and install again",
        rule.fields.join(", "),
        object.name,
        named.collect::<Vec<_>>().join(", ")
    )
}
