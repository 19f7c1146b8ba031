//! `GET …`: one page of records.

use axum::{http::Uri, response::Response};
use pergola_model::{
    Actor, Catalog, Object, Page, Query,
    json::RecordJson,
    query::{LIMIT_DEFAULT, LIMIT_MAX},
};
use pergola_service::guest::{compile_filter, decode_cursor, parse_sort};

use super::json_bytes;
use crate::{app::App, parameters::Parameters, problem::Problem};

/// What can be asked of a list.
pub(crate) const PARAMETERS: [&str; 5] = ["filter", "sort", "limit", "after", "count"];
/// How large a record is as JSON, to begin with.
const RECORD_BYTES: usize = 600;

pub(super) async fn list(app: &App, actor: &Actor, object: &Object, uri: &Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(uri, &PARAMETERS)?;
    let catalog = app.workspace.catalog();
    let query = query(app, &catalog, object, &parameters)?;
    let total = match parameters.flag("count")? {
        true => Some(app.workspace.count(actor, &query).await?),
        false => None,
    };
    let page = app.workspace.list(actor, &query).await?;
    let bytes = render(object, &page, total).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(json_bytes(bytes))
}

fn query(app: &App, catalog: &Catalog, object: &Object, parameters: &Parameters) -> Result<Query, Problem> {
    let filter = match parameters.get("filter") {
        None | Some("") => None,
        Some(text) => Some(compile_filter(catalog, object, text, &[])?),
    };
    let sort = parse_sort(object, parameters.get("sort").unwrap_or_default())?;
    let after = match parameters.get("after") {
        None | Some("") => None,
        Some(text) => Some(decode_cursor(object, text, &sort)?),
    };
    Ok(Query {
        object: object.name.clone(),
        filter,
        parameters: Vec::new(),
        now: app.workspace.now(),
        sort,
        fields: None,
        limit: parameters.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
        after,
    })
}

/// The answer, a record at a time: a page of 500 as one tree would be megabytes of small allocations.
fn render(object: &Object, page: &Page, total: Option<u64>) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(page.records.len().saturating_mul(RECORD_BYTES).saturating_add(64));
    bytes.extend_from_slice(b"{\"items\":[");
    for (place, record) in page.records.iter().enumerate() {
        if place > 0 {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut bytes, &RecordJson { object, record })?;
    }
    bytes.extend_from_slice(b"],\"next\":");
    serde_json::to_writer(&mut bytes, &page.next.as_ref().map(pergola_model::query::Cursor::encode))?;
    if let Some(total) = total {
        bytes.extend_from_slice(format!(",\"total\":{total}").as_bytes());
    }
    bytes.push(b'}');
    Ok(bytes)
}
