//! `GET /healthz`: whether the store can be read.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::{app::App, problem::Problem};

pub(super) async fn check(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    app.workspace.find_setting("locale").await?;
    Ok(Json(json!({ "status": "ok" })))
}
