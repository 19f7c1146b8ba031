//! Which path leads where. One file for each resource and verb.

mod bin;
mod contacts;
mod docs;
mod health;
mod lookup;
mod plugins;
mod public;
mod purge;
mod records;
mod search;
mod session;

use std::sync::Arc;

use axum::{
    Router, middleware,
    response::Redirect,
    routing::{any, delete, get, patch, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{app::App, problem::Problem, request};

pub(crate) use records::{collection_path, export_path, resource};

/// The page to which `/` leads until there are screens.
const FRONT_PAGE: &str = "/api/v1/docs/";

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary(FRONT_PAGE) }))
        .route("/healthz", get(health::check))
        .route("/api/v1/openapi.json", get(docs::document))
        .route("/api/v1/docs", get(|| async { Redirect::temporary(FRONT_PAGE) }))
        .route("/api/v1/docs/", get(docs::page))
        .route("/api/v1/docs/{file}", get(docs::page))
        .route("/api/v1/search", get(search::list))
        .route("/api/v1/session", post(session::create::create))
        .route("/api/v1/lookup", get(lookup::list))
        .route("/api/v1/plugins", get(plugins::list::list))
        .route("/api/v1/plugins/{id}/settings", patch(plugins::settings::update))
        .route("/api/v1/bin", get(bin::list::list).patch(bin::update::update))
        .route("/api/v1/bin/{id}", delete(bin::delete::delete))
        .route("/api/v1/bin/{id}/restore", post(bin::restore::restore))
        .route("/api/v1/contacts/{id}/purge", purge::of("contact"))
        .route("/api/v1/organizations/{id}/purge", purge::of("organization"))
        .route("/api/v1/contacts/{id}/timeline", get(contacts::timeline::list))
        .route("/api/v1/{resource}", any(records::handle))
        .route("/api/v1/{resource}/{part}", any(records::handle))
        .route("/api/v1/{resource}/{part}/{id}", any(records::handle))
        .route("/p/{plugin}/", any(public::handle))
        .route("/p/{plugin}/{*path}", any(public::handle))
        .fallback(|| async { Problem::no_route() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed("") })
        .layer(CatchPanicLayer::custom(request::panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), request::around))
        .with_state(app)
}
