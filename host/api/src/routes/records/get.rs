//! `GET …/{id}`: one record.

use axum::{
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use pergola_model::{Actor, Id, Object};

use super::{no_record, record_response};
use crate::{app::App, conditions, parameters::Parameters, problem::Problem};

pub(super) async fn get(app: &App, actor: &Actor, object: &Object, id: Id, head: &Parts) -> Result<Response, Problem> {
    Parameters::none(&head.uri)?;
    let record = app.workspace.find(actor, &object.name, id).await?.ok_or_else(|| no_record(object, id))?;
    if conditions::has_already(&head.headers, record.version) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, conditions::etag(record.version))]).into_response());
    }
    record_response(object, &record)
}
