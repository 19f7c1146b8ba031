//! `GET /api/v1/contacts/{id}/timeline`: what happened with a contact, newest first.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use pergola_model::{Actor, Catalog, Id, Object, Query, Record, Value, expr::Type, json::record_to_json};
use pergola_service::{
    Error,
    guest::{compile_filter, parse_sort},
};
use serde_json::json;

use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem, routes::records};

/// Entries when the caller does not say, and the most.
const LIMIT: (u32, u32) = (50, 100);

/// The parts that are merged: object, filter, order. An activity stands at the time when it happened,
/// which may be long before it was written down; whatever has no such time stands where it was created.
const PARTS: [(&str, &str, &str); 3] = [
    ("activity", "contact == p0 && happened_at != null", "-happened_at"),
    ("activity", "contact == p0 && happened_at == null", "-created_at"),
    ("message", "contact == p0", "-created_at"),
];

struct Entry {
    at: Timestamp,
    object: Arc<Object>,
    record: Record,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["limit"])?;
    let limit = parameters.limit(LIMIT.0, LIMIT.1)?;
    let catalog = app.workspace.catalog();
    let contacts = records::find_object(&catalog, "contact")?;
    let id = records::parse_id(&contacts, &id)?;
    let contact = app.workspace.find(&actor, &contacts.name, id).await?;
    contact.ok_or_else(|| records::no_record(&contacts, id))?;
    let mut entries = Vec::new();
    for part in PARTS {
        entries.extend(read(&app, &catalog, &actor, id, part, limit).await?);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.record.id)));
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let items: Vec<_> = entries
        .iter()
        .map(|entry| json!({ "object": entry.object.name, "record": record_to_json(&entry.object, &entry.record) }))
        .collect();
    records::json_response(&json!({ "items": items, "next": null }))
}

/// The newest entries of one part; the newest of all are among these.
async fn read(
    app: &App,
    catalog: &Catalog,
    actor: &Actor,
    contact: Id,
    (object, filter, sort): (&str, &str, &str),
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let object =
        Arc::clone(catalog.find_object(object).ok_or_else(|| Error::NotFound(format!("there is no object {object}")))?);
    let query = Query {
        object: object.name.clone(),
        filter: Some(compile_filter(catalog, &object, filter, &[Type::Id])?),
        parameters: vec![Value::Ref(contact)],
        now: app.workspace.now(),
        sort: parse_sort(&object, sort)?,
        fields: None,
        limit,
        after: None,
    };
    let page = app.workspace.list(actor, &query).await?;
    let entry = |record: Record| {
        let at = record.fields.get("happened_at").as_datetime().unwrap_or(record.created_at);
        Entry { at, object: Arc::clone(&object), record }
    };
    Ok(page.records.into_iter().map(entry).collect())
}
