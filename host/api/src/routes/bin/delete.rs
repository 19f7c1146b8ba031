//! `DELETE /api/v1/bin/{deletion}`: gone for good.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{StatusCode, Uri},
};

use super::parse_id;
use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem};

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    Parameters::none(&uri)?;
    app.workspace.drop_deletion(&caller.0, parse_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
