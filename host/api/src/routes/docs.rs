//! `GET /api/v1/openapi.json`, and Swagger UI as a page that shows it.

use std::sync::{Arc, OnceLock};

use axum::{
    body::Body,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use utoipa_swagger_ui::Config;

use crate::{app::App, problem::Problem};

pub(super) async fn document(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let bytes = app.documents.of(&app.workspace.catalog())?;
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from(bytes)).into_response())
}

pub(super) async fn page(file: Option<Path<String>>) -> Result<Response, Problem> {
    let path = file.as_deref().map_or("", String::as_str);
    let file = utoipa_swagger_ui::serve(path, config()).map_err(|error| Problem::internal(error.to_string()))?;
    let file = file.ok_or_else(Problem::no_route)?;
    let headers = [(header::CONTENT_TYPE, file.content_type), (header::CACHE_CONTROL, "no-cache".to_owned())];
    Ok((headers, Body::from(file.bytes.into_owned())).into_response())
}

fn config() -> Arc<Config<'static>> {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    // Without this word the page asks a validator on the internet what it thinks of the document.
    let offline = || Config::from("/api/v1/openapi.json").validator_url("none").try_it_out_enabled(true);
    Arc::clone(CONFIG.get_or_init(|| Arc::new(offline().doc_expansion("none").filter(true))))
}
