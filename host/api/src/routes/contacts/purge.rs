//! `…/contacts/{id}/purge`: a person gone for good; `GET` tells what would go.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
};
use pergola_model::{Id, ObjectName};
use pergola_service::workspace::PurgeReport;
use serde::Serialize;

use crate::{
    app::App,
    auth::Caller,
    parameters::Parameters,
    problem::Problem,
    routes::records::{find_object, parse_id},
};

/// What went, or would go.
#[derive(Serialize)]
pub(crate) struct Report {
    object: ObjectName,
    record: Id,
    deleted: BTreeMap<ObjectName, u64>,
    cleared: BTreeMap<ObjectName, u64>,
    traces: BTreeMap<&'static str, u64>,
    scrubbed: bool,
}

impl From<PurgeReport> for Report {
    fn from(report: PurgeReport) -> Self {
        let PurgeReport { object, record, deleted, cleared, traces, scrubbed } = report;
        Self { object, record, deleted, cleared, traces, scrubbed }
    }
}

pub(crate) async fn plan(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Report>, Problem> {
    let (object, id) = target(&app, &caller, &id, &uri)?;
    Ok(Json(app.workspace.plan_purge(&caller.0, &object, id).await?.into()))
}

pub(crate) async fn purge(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Report>, Problem> {
    let (object, id) = target(&app, &caller, &id, &uri)?;
    Ok(Json(app.workspace.purge(&caller.0, &object, id).await?.into()))
}

fn target(app: &App, caller: &Caller, id: &str, uri: &Uri) -> Result<(ObjectName, Id), Problem> {
    Parameters::none(uri)?;
    caller.check_owner("purge a contact")?;
    let object = find_object(&app.workspace.catalog(), "contact")?;
    let id = parse_id(&object, id)?;
    Ok((object.name.clone(), id))
}
