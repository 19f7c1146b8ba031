//! `POST /api/v1/bin/{deletion}/restore`: what was deleted comes back.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
};
use pergola_model::{Id, ObjectName};
use serde::Serialize;

use super::parse_id;
use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem};

/// What came back.
#[derive(Serialize)]
pub(crate) struct Restored {
    object: ObjectName,
    record: Id,
    records: usize,
    references: usize,
}

pub(crate) async fn restore(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Restored>, Problem> {
    Parameters::none(&uri)?;
    let restored = app.workspace.restore(&caller.0, parse_id(&id)?).await?;
    Ok(Json(Restored {
        object: restored.object,
        record: restored.record,
        records: restored.records,
        references: restored.references,
    }))
}
