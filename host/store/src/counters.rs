//! Numbers given out, and balances of accounts.

use pergola_model::ObjectName;
use pergola_service::ports::{
    counters::{Balance, BalanceKey, SequenceKey},
    store::StoreError,
};

use crate::{dialect::Row, error::unexpected, row::Cells, session::Session, sql::Sql};

/// Balances in one statement.
const BALANCES_PER_STATEMENT: usize = 64;
const BALANCE: &str = "SELECT object, account, unit, currency, amount FROM pergola_balance";
const KEY_IS: &str = "(object = ? AND account = ? AND unit = ? AND currency = ?)";

/// Takes so many numbers; answers the first of them. The row stays locked until the end of the transaction.
pub(crate) async fn take_numbers(
    session: &mut Session,
    key: &SequenceKey,
    start: i64,
    count: i64,
) -> Result<i64, StoreError> {
    let mut sql = Sql::new("INSERT INTO pergola_sequence AS s (object, field, per, next) VALUES (?, ?, ?, ?) ");
    sql.value(key.object.as_str()).value(key.field.as_str()).value(key.per.as_str());
    sql.value(start.saturating_add(count));
    sql.push("ON CONFLICT (object, field, per) DO UPDATE SET next = s.next + ").bind(count).push(" RETURNING next");
    let row = session.fetch_optional(sql).await?.ok_or_else(|| unexpected("a sequence has a next number"))?;
    let next: i64 = Cells::new(&row).take()?;
    Ok(next.saturating_sub(count))
}

/// The balances that are there among these.
pub(crate) async fn find_balances(session: &mut Session, keys: &[BalanceKey]) -> Result<Vec<Balance>, StoreError> {
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(BALANCES_PER_STATEMENT) {
        let mut sql = Sql::new(BALANCE);
        for (place, key) in chunk.iter().enumerate() {
            sql.push(if place == 0 { " WHERE " } else { " OR " }).push(KEY_IS);
            bind_key(&mut sql, key);
        }
        for row in session.fetch_all(sql).await? {
            found.push(balance(&row)?);
        }
    }
    Ok(found)
}

/// Balances of an object in the order of their keys: of one account, or of all after a key.
pub(crate) async fn list_balances(
    session: &mut Session,
    object: &ObjectName,
    account: Option<&str>,
    after: Option<&BalanceKey>,
    limit: u32,
) -> Result<Vec<Balance>, StoreError> {
    let mut sql = Sql::new(BALANCE);
    sql.push(" WHERE object = ").bind(object.as_str());
    if let Some(account) = account {
        sql.push(" AND account = ").bind(account);
    }
    if let Some(after) = after {
        sql.push(" AND (account, unit, currency) > (?, ?, ?)");
        sql.value(after.account.as_str()).value(after.unit.as_str()).value(after.currency.as_str());
    }
    sql.push(" ORDER BY account, unit, currency LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(balance).collect()
}

/// Sets balances.
pub(crate) async fn put_balances(session: &mut Session, balances: &[Balance]) -> Result<(), StoreError> {
    for chunk in balances.chunks(BALANCES_PER_STATEMENT) {
        let mut sql = Sql::new("INSERT INTO pergola_balance (object, account, unit, currency, amount) VALUES ");
        for (place, balance) in chunk.iter().enumerate() {
            sql.push(if place == 0 { "(?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?)" });
            bind_key(&mut sql, &balance.key);
            sql.value(balance.amount);
        }
        sql.push(" ON CONFLICT (object, account, unit, currency) DO UPDATE SET amount = excluded.amount");
        session.execute(sql).await?;
    }
    Ok(())
}

fn bind_key(sql: &mut Sql, key: &BalanceKey) {
    sql.value(key.object.as_str()).value(key.account.as_str()).value(key.unit.as_str()).value(key.currency.as_str());
}

fn balance(row: &Row) -> Result<Balance, StoreError> {
    let mut cells = Cells::new(row);
    let key = BalanceKey {
        object: cells.take_name(ObjectName::new)?,
        account: cells.take()?,
        unit: cells.take()?,
        currency: cells.take()?,
    };
    Ok(Balance { key, amount: cells.take()? })
}
