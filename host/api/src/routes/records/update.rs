//! `PATCH …/{id}`: the named fields change, the others stay; `null` clears.

use axum::{extract::Request, response::Response};
use pergola_model::{Actor, Change, Id, Object, json::fields_from_json};
use pergola_service::Error;

use super::{only, record_response};
use crate::{app::App, body, conditions::IfMatch, parameters::Parameters, problem::Problem};

pub(super) async fn update(
    app: &App,
    actor: &Actor,
    object: &Object,
    id: Id,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::none(request.uri())?;
    let if_version = IfMatch::read(request.headers())?.version();
    let bytes = body::read_json(request, app.limits.body_bytes_max).await?;
    let json = body::parse_object(&bytes)?;
    let fields = fields_from_json(object, &json, &app.workspace.locale()).map_err(Error::Invalid)?;
    let change = Change { if_version, ..Change::update(object.name.clone(), id, fields) };
    let written = app.workspace.apply(actor, vec![change]).await;
    let record = only(written.map_err(|error| Problem::from(error).of_condition(if_version.is_some()))?)?;
    record_response(object, &record)
}
