//! `DELETE …/{id}`: the end of a record.

use axum::{
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use pergola_model::{Actor, Change, Id, Object};

use crate::{app::App, conditions::IfMatch, parameters::Parameters, problem::Problem};

pub(super) async fn delete(
    app: &App,
    actor: &Actor,
    object: &Object,
    id: Id,
    head: &Parts,
) -> Result<Response, Problem> {
    Parameters::none(&head.uri)?;
    let if_version = IfMatch::read(&head.headers)?.version();
    let change = Change { if_version, ..Change::delete(object.name.clone(), id) };
    let deleted = app.workspace.apply(actor, vec![change]).await;
    deleted.map_err(|error| Problem::from(error).of_condition(if_version.is_some()))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
