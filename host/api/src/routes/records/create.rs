//! `POST …`: a new record, once for each `Idempotency-Key`.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use pergola_model::{
    Actor, Change, Fields, Object,
    json::{RecordJson, fields_from_json},
};
use pergola_service::{
    Error,
    workspace::{Keyed, KeyedAnswer},
};
use serde::Deserialize;
use sha2::Digest as _;

use super::{collection_path, only};
use crate::{app::App, body, conditions, parameters::Parameters, problem::Problem};

/// What the headers of an answer are made of, also of one that was kept.
#[derive(Deserialize)]
struct Head {
    id: String,
    version: i64,
}

pub(super) async fn create(
    app: &App,
    actor: &Actor,
    object: &std::sync::Arc<Object>,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::none(request.uri())?;
    let key = conditions::idempotency_key(request.headers())?.map(str::to_owned);
    let bytes = body::read_json(request, app.limits.body_bytes_max).await?;
    let fields = fields(app, object, &bytes)?;
    let change = Change::create(object.name.clone(), fields);
    let Some(key) = key else {
        let record = only(app.workspace.apply(actor, vec![change]).await?)?;
        let head = Head { id: record.id.to_string(), version: record.version };
        let body = serde_json::to_vec(&RecordJson { object, record: &record })
            .map_err(|error| Problem::internal(error.to_string()))?;
        return Ok(created(object, &head, body));
    };
    let keyed = Keyed { key: format!("{}\n{key}", actor.label()), request_sha256: fingerprint(object, &bytes) };
    let shown = std::sync::Arc::clone(object);
    let render = move |records: &[(pergola_model::ObjectName, pergola_model::Record)]| {
        let json = records.first().map(|(_, record)| serde_json::to_vec(&RecordJson { object: &shown, record }));
        KeyedAnswer { status: StatusCode::CREATED.as_u16(), body: json.and_then(Result::ok).unwrap_or_default() }
    };
    let answer = app.workspace.apply_once(actor, keyed, vec![change], render).await?;
    let head: Head = serde_json::from_slice(&answer.body).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(created(object, &head, answer.body))
}

fn fields(app: &App, object: &Object, bytes: &[u8]) -> Result<Fields, Problem> {
    let json = body::parse_object(bytes)?;
    Ok(fields_from_json(object, &json, &app.workspace.locale()).map_err(Error::Invalid)?)
}

/// What makes two requests the same.
fn fingerprint(object: &Object, body: &[u8]) -> Vec<u8> {
    let mut hash = sha2::Sha256::new();
    hash.update("POST ");
    hash.update(collection_path(object));
    hash.update("\n");
    hash.update(body);
    hash.finalize().to_vec()
}

fn created(object: &Object, head: &Head, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ETAG, conditions::etag(head.version));
    if let Ok(location) = HeaderValue::from_str(&format!("{}/{}", collection_path(object), head.id)) {
        headers.insert(header::LOCATION, location);
    }
    response
}
