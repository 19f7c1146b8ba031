//! `PATCH /api/v1/plugins/{id}/settings`: what the business decides about a plugin.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
};
use pergola_model::PluginId;

use super::list::{Plugin, plugin};
use crate::{app::App, auth::Caller, body, parameters::Parameters, problem::Problem};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Plugin>, Problem> {
    Parameters::none(request.uri())?;
    caller.check_owner("change a plugin's settings")?;
    let not_installed = || Problem::not_found(format!("there is no plugin {id} in this workspace"));
    let name = PluginId::new(id.as_str()).map_err(|_| not_installed())?;
    let bytes = body::read_json(request, app.limits.body_bytes_max).await?;
    let values = body::parse(&bytes)?;
    app.workspace.put_plugin_settings(&name, values).await?;
    let catalog = app.workspace.catalog();
    let installed = catalog.plugins.get(&name).ok_or_else(not_installed)?;
    Ok(Json(plugin(installed, true)))
}
