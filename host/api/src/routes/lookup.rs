//! `GET /api/v1/lookup`: who has a phone number or an e-mail address.

use std::sync::Arc;

use axum::{extract::State, http::Uri, response::Response};
use pergola_model::json::record_to_json;
use pergola_service::lookup::{Address, Holder};
use serde_json::{Value as Json, json};

use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem, routes::records};

pub(crate) async fn list(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["phone", "email"])?;
    let locale = app.workspace.locale();
    let (name, address) = match (parameters.get("phone"), parameters.get("email")) {
        (Some(phone), None) => ("phone", Address::phone(phone, &locale)?),
        (None, Some(email)) => ("email", Address::email(email, &locale)?),
        _ => return Err(Problem::bad_request("bad_parameter", "give a phone or an email, one of the two")),
    };
    let holders = app.workspace.lookup(&actor, &address).await?;
    let items: Vec<Json> = holders.iter().map(holder).collect();
    records::json_response(&json!({ name: address.as_str(), "items": items, "next": null }))
}

fn holder(holder: &Holder) -> Json {
    json!({
        "object": holder.object.name,
        "id": holder.record.id,
        "title": holder.title(),
        "field": holder.field,
        "record": record_to_json(&holder.object, &holder.record),
    })
}
