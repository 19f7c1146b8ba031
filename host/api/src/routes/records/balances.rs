//! `GET …/balances`: what the entries of a ledger come to, by account and unit.

use axum::{http::Uri, response::Response};
use pergola_model::{
    Actor, Object,
    json::value_to_json,
    query::{LIMIT_DEFAULT, LIMIT_MAX},
};
use pergola_service::balances::{AccountBalance, BalanceQuery};
use serde_json::{Value as Json, json};

use super::json_response;
use crate::{app::App, parameters::Parameters, problem::Problem};

/// What can be asked.
const PARAMETERS: [&str; 3] = ["account", "limit", "after"];

pub(super) async fn list(app: &App, actor: &Actor, object: &Object, uri: &Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(uri, &PARAMETERS)?;
    let query = BalanceQuery {
        object: object.name.clone(),
        account: parameters.get("account").map(str::to_owned),
        after: parameters.get("after").filter(|text| !text.is_empty()).map(str::to_owned),
        limit: parameters.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
    };
    let page = app.workspace.list_balances(actor, &query).await?;
    let items: Vec<Json> = page.balances.iter().map(shown).collect();
    json_response(&json!({ "items": items, "next": page.next }))
}

fn shown(balance: &AccountBalance) -> Json {
    let unit = (!balance.unit.is_empty()).then_some(&balance.unit);
    json!({ "account": balance.account, "unit": unit, "balance": value_to_json(&balance.amount) })
}
