//! Records of all objects: the path names the object, the file is the verb.
//!
//! `/api/v1/{plural}` and `/api/v1/{plural}/{id}` are the core's objects, `/api/v1/{plugin}/{plural}` and
//! `/api/v1/{plugin}/{plural}/{id}` the plugins'. What a path of two parts means only the catalog can
//! tell, so paths are told apart here and not in the router.

mod aggregate;
mod balances;
mod create;
mod delete;
mod export;
mod get;
mod list;
mod run_action;
mod update;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use pergola_model::{Catalog, Id, Object, PluginId, Record, json::RecordJson, nearest};
use serde::Serialize;

use crate::{app::App, auth, conditions, problem::Problem, request::LoggedPath};

/// The last part of an export's path, where a record's has its id.
const EXPORT: &str = "export";

/// What a path means.
enum Target {
    Collection(Arc<Object>),
    Export(Arc<Object>),
    Aggregate(Arc<Object>),
    Record(Arc<Object>, Id),
    Balances(Arc<Object>),
    Action(PluginId, String),
}

impl Target {
    /// The methods that are for it.
    fn allow(&self) -> &'static str {
        match self {
            Self::Collection(_) => "GET, HEAD, POST, OPTIONS",
            // A HEAD would be an export that nobody sees.
            Self::Export(_) => "GET, OPTIONS",
            Self::Aggregate(_) => "GET, HEAD, OPTIONS",
            Self::Record(..) => "GET, HEAD, PATCH, DELETE, OPTIONS",
            Self::Balances(_) => "GET, HEAD, OPTIONS",
            Self::Action(..) => "POST, OPTIONS",
        }
    }

    fn logged_path(&self) -> String {
        match self {
            Self::Collection(object) => collection_path(object),
            Self::Export(object) => export_path(object),
            Self::Aggregate(object) => format!("{}/aggregate", collection_path(object)),
            Self::Record(object, _) => format!("{}/{{id}}", collection_path(object)),
            Self::Balances(object) => format!("{}/balances", collection_path(object)),
            Self::Action(plugin, id) => format!("/api/v1/{plugin}/actions/{id}"),
        }
    }
}

pub(super) async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    let target = match resolve(&app.workspace.catalog(), &request) {
        Ok(target) => target,
        Err(problem) => return problem.into_response(),
    };
    let logged = LoggedPath(target.logged_path());
    let mut response = serve(&app, target, request).await.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(logged);
    response
}

async fn serve(app: &App, target: Target, request: Request) -> Result<Response, Problem> {
    let allow = target.allow();
    let method = request.method().clone();
    if method == Method::OPTIONS {
        return Ok((StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response());
    }
    let methods = allow.split(", ");
    if !methods.into_iter().any(|one| one == method.as_str()) {
        return Err(Problem::method_not_allowed(allow));
    }
    let actor = auth::caller(app, request.headers()).await?;
    match (target, method) {
        (Target::Collection(object), Method::POST) => create::create(app, &actor, &object, request).await,
        (Target::Collection(object), _) => list::list(app, &actor, &object, request.uri()).await,
        (Target::Export(object), _) => export::export(app, &actor, &object, request.uri()).await,
        (Target::Aggregate(object), _) => aggregate::aggregate(app, &actor, &object, request.uri()).await,
        (Target::Record(object, id), Method::PATCH) => update::update(app, &actor, &object, id, request).await,
        (Target::Record(object, id), Method::DELETE) => {
            delete::delete(app, &actor, &object, id, &request.into_parts().0).await
        }
        (Target::Balances(object), _) => balances::list(app, &actor, &object, request.uri()).await,
        (Target::Record(object, id), _) => get::get(app, &actor, &object, id, &request.into_parts().0).await,
        (Target::Action(plugin, id), _) => run_action::run(app, &actor, &plugin, &id, request).await,
    }
}

fn resolve(catalog: &Catalog, request: &Request) -> Result<Target, Problem> {
    let path = request.uri().path().strip_prefix("/api/v1/").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    match *parts.as_slice() {
        [plural] => find(catalog, None, plural).map(Target::Collection),
        [first, second] => match catalog.find_by_plural(None, first) {
            Some(object) if second == EXPORT => Ok(Target::Export(Arc::clone(object))),
            Some(object) if second == "aggregate" => Ok(Target::Aggregate(Arc::clone(object))),
            Some(object) => record_or_balances(object, second),
            None => find(catalog, Some(first), second).map(Target::Collection),
        },
        [plugin, "actions", id] if request.method() == Method::POST || !has(catalog, plugin, "actions") => {
            let plugin = PluginId::new(plugin).map_err(|_| Problem::no_route())?;
            Ok(Target::Action(plugin, id.to_owned()))
        }
        [plugin, plural, EXPORT] => find(catalog, Some(plugin), plural).map(Target::Export),
        [plugin, plural, "aggregate"] => find(catalog, Some(plugin), plural).map(Target::Aggregate),
        [plugin, plural, id] => record_or_balances(&find(catalog, Some(plugin), plural)?, id),
        _ => Err(Problem::no_route()),
    }
}

/// What stands below a collection.
fn record_or_balances(object: &Arc<Object>, part: &str) -> Result<Target, Problem> {
    if part == "balances" && object.derived.ledger.is_some() {
        return Ok(Target::Balances(Arc::clone(object)));
    }
    Ok(Target::Record(Arc::clone(object), parse_id(object, part)?))
}

fn has(catalog: &Catalog, plugin: &str, plural: &str) -> bool {
    catalog.find_by_plural(Some(plugin), plural).is_some()
}

fn find(catalog: &Catalog, plugin: Option<&str>, plural: &str) -> Result<Arc<Object>, Problem> {
    catalog.find_by_plural(plugin, plural).cloned().ok_or_else(|| {
        let path = plugin.map_or_else(|| plural.to_owned(), |plugin| format!("{plugin}/{plural}"));
        let known: Vec<String> = catalog.objects.values().map(|object| resource(object)).collect();
        let hint = nearest::hint(&path, known.iter().map(String::as_str));
        Problem::not_found(format!(
            "there is nothing at /api/v1/{path}; /api/v1/openapi.json lists all that there is.{hint}"
        ))
    })
}

/// `contacts`, `booking/appointments`.
pub(crate) fn resource(object: &Object) -> String {
    object.name.plugin().map_or_else(|| object.plural.clone(), |plugin| format!("{plugin}/{}", object.plural))
}

/// `/api/v1/contacts`, `/api/v1/booking/appointments`.
pub(crate) fn collection_path(object: &Object) -> String {
    format!("/api/v1/{}", resource(object))
}

/// `/api/v1/contacts/export`.
pub(crate) fn export_path(object: &Object) -> String {
    format!("{}/{EXPORT}", collection_path(object))
}

/// The object, which the core has.
pub(super) fn find_object(catalog: &Catalog, name: &str) -> Result<Arc<Object>, Problem> {
    catalog.find_object(name).cloned().ok_or_else(|| Problem::internal(format!("the core has no object {name}")))
}

pub(super) fn parse_id(object: &Object, text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("there is no {} {text:?}; an id is a UUID", object.name)))
}

pub(super) fn no_record(object: &Object, id: Id) -> Problem {
    Problem::not_found(format!("there is no {} {id}; it may have been deleted", object.name))
}

/// 200 with a JSON body.
pub(super) fn json_response(body: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(json_bytes(bytes))
}

fn json_bytes(bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 200 with a record and its version.
fn record_response(object: &Object, record: &Record) -> Result<Response, Problem> {
    let mut response = json_response(&RecordJson { object, record })?;
    response.headers_mut().insert(header::ETAG, conditions::etag(record.version));
    Ok(response)
}

/// The only record of a unit of work with one change.
fn only(written: Vec<(pergola_model::ObjectName, Record)>) -> Result<Record, Problem> {
    written.into_iter().next().map(|(_, record)| record).ok_or_else(|| Problem::internal("a change gave no record"))
}
