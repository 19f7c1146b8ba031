//! `/p/{plugin}/…`: what plugins serve themselves, to users or to anybody.
//!
//! What a plugin answers is shown by a browser under the same origin as the screens. A sandbox without
//! that origin keeps its scripts away from the screens' tokens.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use pergola_model::{Actor, Catalog, PluginId, catalog::Route, decl::RouteAuth};
use pergola_service::ports::plugins::{RouteRequest, RouteResponse};

use crate::{app::App, auth, body, parameters, problem::Problem, request::LoggedPath};

/// What a page of a plugin may do in a browser.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups");

/// All routes of one path.
struct Found {
    plugin: PluginId,
    path: String,
    routes: Vec<Route>,
}

pub(super) async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    let found = match resolve(&app.workspace.catalog(), request.uri().path()) {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    let logged = LoggedPath(format!("/p/{}{}", found.plugin, found.path));
    let public = match found.route(request.method()) {
        Some(route) => route.auth == RouteAuth::Public,
        None => found.has_public(),
    };
    let mut response = serve(&app, &found, request).await.unwrap_or_else(IntoResponse::into_response);
    if public {
        allow_other_origins(response.headers_mut());
    }
    response.extensions_mut().insert(logged);
    response
}

async fn serve(app: &App, found: &Found, request: Request) -> Result<Response, Problem> {
    let allow = found.allow();
    if request.method() == Method::OPTIONS {
        return Ok(found.preflight(&allow));
    }
    let route = found.route(request.method()).ok_or_else(|| Problem::method_not_allowed(&allow))?;
    let (actor, slot, bytes_max) = match route.auth {
        RouteAuth::User => (auth::caller(app, request.headers()).await?, None, app.limits.body_bytes_max),
        RouteAuth::Public => {
            let slot = app.public_slots.try_acquire().map_err(|_| Problem::too_many_requests_at_once())?;
            (auth::anybody(app, request.headers()).await?, Some(slot), app.limits.public_body_bytes_max)
        }
    };
    let response = call(app, &actor, route, request, bytes_max).await;
    drop(slot);
    response
}

async fn call(
    app: &App,
    actor: &Actor,
    route: &Route,
    request: Request,
    bytes_max: usize,
) -> Result<Response, Problem> {
    let query = parameters::pairs(request.uri())?;
    let bytes = body::read(request.into_body(), bytes_max).await?;
    let asked = RouteRequest { method: route.method.clone(), path: route.path.clone(), query, body: bytes.into() };
    let answer = app.workspace.serve_route(actor, &route.plugin, asked).await?;
    response(answer).ok_or_else(|| {
        let detail = format!("plugin {} failed in route: its answer has no usable status or media type", route.plugin);
        let failed = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "plugin_failed", detail);
        failed.with_plugin(route.plugin.as_str()).with_member("handler", "route")
    })
}

fn response(answer: RouteResponse) -> Option<Response> {
    let status = Some(answer.status).filter(|status| (200..=599).contains(status))?;
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let headers = response.headers_mut();
    if !answer.content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&answer.content_type).ok()?);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    Some(response)
}

fn resolve(catalog: &Catalog, path: &str) -> Result<Found, Problem> {
    let rest = path.strip_prefix("/p/").unwrap_or_default();
    let (plugin, path) = rest.find('/').map(|at| rest.split_at(at)).ok_or_else(Problem::no_route)?;
    let routes: Vec<Route> =
        catalog.routes.iter().filter(|route| route.plugin.as_str() == plugin && route.path == path).cloned().collect();
    match routes.first() {
        Some(first) => Ok(Found { plugin: first.plugin.clone(), path: path.to_owned(), routes }),
        None => Err(Problem::no_route()),
    }
}

impl Found {
    /// The route for a method; HEAD is a GET without a body.
    fn route(&self, method: &Method) -> Option<&Route> {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        self.routes.iter().find(|route| route.method == method)
    }

    fn has_public(&self) -> bool {
        self.routes.iter().any(|route| route.auth == RouteAuth::Public)
    }

    fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.routes.iter().map(|route| route.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }

    /// The answer to OPTIONS; for a public route also what a browser asks before it calls from elsewhere.
    fn preflight(&self, allow: &str) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        if let Ok(allow) = HeaderValue::from_str(allow) {
            headers.insert(header::ALLOW, allow.clone());
            if self.has_public() {
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
                let allowed = HeaderValue::from_static("authorization, content-type, x-request-id");
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
                headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            }
        }
        response
    }
}

/// Anybody's page may call a public route: there are no cookies, so a call from elsewhere can do no more than any other.
fn allow_other_origins(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-request-id, retry-after"));
}
