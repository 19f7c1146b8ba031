//! `GET /api/v1/search`: records of all objects by words, beginnings of words, misspelt names and parts of numbers.

use std::sync::Arc;

use axum::{extract::State, http::Uri, response::Response};
use pergola_model::{Catalog, ObjectName, nearest, search::is_searchable};
use pergola_service::workspace::{HITS_MAX, Hit, SearchRequest};
use serde_json::{Value as Json, json};

use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem, routes::records};

/// Hits when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

pub(crate) async fn list(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["q", "objects", "limit"])?;
    let catalog = app.workspace.catalog();
    let objects = parameters.get("objects").unwrap_or_default();
    let objects: Result<_, Problem> =
        objects.split(',').filter(|name| !name.is_empty()).map(|name| object(&catalog, name)).collect();
    let request = SearchRequest {
        text: parameters.get("q").unwrap_or_default().to_owned(),
        objects: objects?,
        limit: parameters.limit(LIMIT_DEFAULT, HITS_MAX)?,
    };
    let hits = app.workspace.search(&actor, &request).await?;
    let items: Vec<Json> = hits.iter().map(hit).collect();
    records::json_response(&json!({ "items": items, "next": null }))
}

fn object(catalog: &Catalog, name: &str) -> Result<ObjectName, Problem> {
    let found = catalog.find_object(name).filter(|object| is_searchable(object));
    found.map(|object| object.name.clone()).ok_or_else(|| {
        let known: Vec<&str> = catalog
            .objects
            .values()
            .filter(|object| is_searchable(object))
            .map(|object| object.name.as_str())
            .collect();
        let hint = nearest::hint(name, known.iter().copied());
        let message = format!("{name:?} is not an object that is searched; these are: {}.{hint}", known.join(", "));
        Problem::bad_request("bad_parameter", message)
    })
}

fn hit(hit: &Hit) -> Json {
    json!({
        "object": hit.object.name,
        "id": hit.record.id,
        "title": hit.title(),
        "field": hit.matched.field,
        "snippet": hit.matched.text,
    })
}
