//! `GET …/balances`: what the entries of a ledger come to, by account and unit.

use axum::{http::Uri, response::Response};
use pergola_model::{
    Actor, FieldType, Object, Value,
    json::value_to_json,
    query::{LIMIT_DEFAULT, LIMIT_MAX},
    rollup::from_steps,
};
use pergola_service::ports::counters::{Balance, BalanceKey};
use serde_json::{Value as Json, json};

use super::json_response;
use crate::{app::App, parameters::Parameters, problem::Problem};

/// What can be asked.
const PARAMETERS: [&str; 3] = ["account", "limit", "after"];

pub(super) async fn list(app: &App, actor: &Actor, object: &Object, uri: &Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(uri, &PARAMETERS)?;
    let limit = parameters.limit(LIMIT_DEFAULT, LIMIT_MAX)?;
    let after = parameters.get("after").filter(|text| !text.is_empty()).map(|text| read_cursor(object, text));
    let (account, after) = (parameters.get("account"), after.transpose()?);
    // One more tells whether there is a next page.
    let more = limit.saturating_add(1);
    let mut balances = app.workspace.list_balances(actor, &object.name, account, after.as_ref(), more).await?;
    let rows = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_next = balances.len() > rows;
    balances.truncate(rows);
    let next = balances.last().filter(|_| has_next).map(|last| cursor(&last.key));
    let items: Vec<Json> = balances.iter().map(|balance| shown(object, balance)).collect();
    json_response(&json!({ "items": items, "next": next }))
}

fn shown(object: &Object, balance: &Balance) -> Json {
    let ledger = object.derived.ledger.as_ref();
    let kind = ledger.and_then(|ledger| object.field(&ledger.amount)).map_or(&FieldType::Integer, |field| &field.kind);
    let key = &balance.key;
    let currency = (!key.currency.is_empty()).then_some(key.currency.as_str());
    let amount = from_steps(kind, i128::from(balance.amount), currency).unwrap_or(Value::Null);
    let unit = (!key.unit.is_empty()).then_some(&key.unit);
    json!({ "account": key.account, "unit": unit, "balance": value_to_json(&amount) })
}

fn cursor(key: &BalanceKey) -> String {
    json!([key.account, key.unit, key.currency]).to_string()
}

fn read_cursor(object: &Object, text: &str) -> Result<BalanceKey, Problem> {
    let (account, unit, currency) = serde_json::from_str(text)
        .map_err(|_| Problem::bad_request("bad_cursor", "after is the next of an earlier answer, and not this"))?;
    Ok(BalanceKey { object: object.name.clone(), account, unit, currency })
}
