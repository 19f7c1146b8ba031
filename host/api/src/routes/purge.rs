//! `…/contacts/{id}/purge`: a person, or an organization, gone for good; `GET` tells what would go.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
    routing::{MethodRouter, get},
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

/// The verbs of an object's purges.
pub(super) fn of(object: &'static str) -> MethodRouter<Arc<App>> {
    get(move |State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>, uri: Uri| async move {
        let (object, id) = target(&app, &caller, object, &id, &uri)?;
        Ok::<_, Problem>(Json(Report::from(app.workspace.plan_purge(&caller.0, &object, id).await?)))
    })
    .post(move |State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>, uri: Uri| async move {
        let (object, id) = target(&app, &caller, object, &id, &uri)?;
        Ok::<_, Problem>(Json(Report::from(app.workspace.purge(&caller.0, &object, id).await?)))
    })
}

fn target(app: &App, caller: &Caller, object: &str, id: &str, uri: &Uri) -> Result<(ObjectName, Id), Problem> {
    Parameters::none(uri)?;
    caller.check_owner("purge a contact or an organization")?;
    let object = find_object(&app.workspace.catalog(), object)?;
    let id = parse_id(&object, id)?;
    Ok((object.name.clone(), id))
}
