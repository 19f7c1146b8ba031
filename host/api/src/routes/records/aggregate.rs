//! `GET …/aggregate`: groups of records and what is asked of them.

use axum::{http::Uri, response::Response};
use pergola_model::{
    Actor, Object,
    json::value_to_json,
    query::aggregate::{AggregateText, ROWS, Table},
};
use pergola_service::guest::compile_aggregate;
use serde_json::{Map, Value as Json, json};

use super::json_response;
use crate::{app::App, parameters::Parameters, problem::Problem};

/// What can be asked.
pub(crate) const PARAMETERS: [&str; 5] = ["measure", "group", "filter", "sort", "limit"];

pub(super) async fn aggregate(app: &App, actor: &Actor, object: &Object, uri: &Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(uri, &PARAMETERS)?;
    let text = |name| parameters.get(name).unwrap_or_default();
    let asked = AggregateText {
        filter: text("filter"),
        groups: text("group"),
        measures: text("measure"),
        sort: text("sort"),
        limit: parameters.limit(ROWS.0, ROWS.1)?,
    };
    let catalog = app.workspace.catalog();
    let asked = compile_aggregate(&catalog, object, asked, Vec::new(), app.workspace.now())?;
    let table = app.workspace.aggregate(actor, &asked).await?;
    json_response(&render(&table))
}

/// Each row as an object whose keys are the groups and measures as they were asked for.
fn render(table: &Table) -> Json {
    let row = |row: &Vec<pergola_model::Value>| -> Map<String, Json> {
        table.columns.iter().cloned().zip(row.iter().map(value_to_json)).collect()
    };
    json!({ "items": table.rows.iter().map(row).collect::<Vec<_>>(), "more": table.more })
}
