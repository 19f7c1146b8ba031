//! `POST /api/v1/{plugin}/actions/{id}`: a named command of a plugin; JSON in, JSON out.

use axum::{
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use pergola_model::{Actor, PluginId};
use serde::de::IgnoredAny;

use super::json_bytes;
use crate::{app::App, body, parameters::Parameters, problem::Problem};

pub(super) async fn run(
    app: &App,
    actor: &Actor,
    plugin: &PluginId,
    id: &str,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::none(request.uri())?;
    let bytes = body::read_json(request, app.limits.body_bytes_max).await?;
    body::parse::<IgnoredAny>(&bytes)?;
    let input = std::str::from_utf8(&bytes).map_err(|error| Problem::bad_request("bad_json", error.to_string()))?;
    let answer = app.workspace.run_action(actor, plugin, id, input.to_owned()).await?;
    if answer.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&answer) {
        let detail = format!("plugin {plugin} failed in action: it answered something that is not JSON ({error})");
        let failed = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "plugin_failed", detail);
        return Err(failed.with_plugin(plugin.as_str()).with_member("handler", "action"));
    }
    Ok(json_bytes(answer.into_bytes()))
}
