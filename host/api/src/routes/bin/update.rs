//! `PATCH /api/v1/bin`: how long the bin keeps what was deleted.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use serde::{Deserialize, Serialize};

use crate::{app::App, auth::Caller, body, parameters::Parameters, problem::Problem};

/// What can be set.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BinSettings {
    keep_days: u32,
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Json<BinSettings>, Problem> {
    Parameters::none(request.uri())?;
    caller.check_owner("say how long the bin keeps what was deleted")?;
    let bytes = body::read_json(request, app.limits.body_bytes_max).await?;
    let settings: BinSettings = body::parse(&bytes)?;
    app.workspace.put_bin_keep_days(settings.keep_days).await?;
    Ok(Json(settings))
}
