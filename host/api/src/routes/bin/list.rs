//! `GET /api/v1/bin`: what was deleted, newest first.

use std::sync::Arc;

use axum::{Json, extract::State, http::Uri};
use jiff::{SignedDuration, Timestamp};
use pergola_model::{
    Id, ObjectName,
    query::{LIMIT_DEFAULT, LIMIT_MAX},
};
use pergola_service::ports::bin::{BinQuery, Deletion};
use serde::Serialize;

use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem};

/// What can be asked of the bin.
const PARAMETERS: [&str; 3] = ["object", "limit", "after"];

/// A page of the bin.
#[derive(Serialize)]
pub(crate) struct Bin {
    items: Vec<Item>,
    next: Option<Id>,
    keep_days: u32,
}

/// A deletion as clients see it.
#[derive(Serialize)]
struct Item {
    id: Id,
    deleted_at: Timestamp,
    /// When it is emptied.
    ends_at: Timestamp,
    actor: String,
    plugin: Option<String>,
    object: ObjectName,
    record: Id,
    title: String,
    records: i64,
}

impl Item {
    fn new(deletion: Deletion, keep_days: u32) -> Self {
        let kept = SignedDuration::from_hours(i64::from(keep_days) * 24);
        Self {
            id: deletion.id,
            deleted_at: deletion.at,
            ends_at: deletion.at.checked_add(kept).unwrap_or(Timestamp::MAX),
            actor: deletion.actor,
            plugin: deletion.plugin.map(|plugin| plugin.to_string()),
            object: deletion.object,
            record: deletion.record,
            title: deletion.title,
            records: deletion.records,
        }
    }
}

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, uri: Uri) -> Result<Json<Bin>, Problem> {
    let parameters = Parameters::read(&uri, &PARAMETERS)?;
    let limit = parameters.limit(LIMIT_DEFAULT, LIMIT_MAX)?;
    let object = match parameters.get("object") {
        None | Some("") => None,
        Some(name) => Some(
            ObjectName::new(name).map_err(|error| Problem::bad_request("bad_parameter", format!("object: {error}")))?,
        ),
    };
    let after = match parameters.get("after") {
        None | Some("") => None,
        Some(text) => Some(text.parse().map_err(|_| {
            Problem::bad_request("bad_cursor", "after is the `next` of the page before; begin again without it")
        })?),
    };
    // One more tells whether there is a next page.
    let query = BinQuery { object, after, limit: limit.saturating_add(1) };
    let mut found = app.workspace.list_bin(&caller.0, &query).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| has_more).map(|deletion| deletion.id);
    let keep_days = app.workspace.bin_keep_days().await?;
    Ok(Json(Bin { items: found.into_iter().map(|one| Item::new(one, keep_days)).collect(), next, keep_days }))
}
