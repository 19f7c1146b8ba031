//! Errors as clients see them: RFC 9457 problem documents with a stable `code`.
//!
//! A handler gives a [`Problem`]; the layer around every request makes the document, because it knows
//! the request's id, and logs the cause. What a client did wrong is told in full; what went wrong
//! inside has a fixed text.

mod mapping;

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use pergola_model::FieldIssue;
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// The media type of RFC 9457.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Members that a plugin's detail cannot replace.
const RESERVED: [&str; 9] = ["type", "title", "status", "detail", "instance", "code", "request_id", "plugin", "errors"];

/// Why a request was not done.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    plugin: Option<String>,
    errors: Vec<FieldIssue>,
    members: Map<String, Json>,
    headers: HeaderMap,
    /// For the log only.
    cause: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldIssue],
    #[serde(flatten)]
    members: &'a Map<String, Json>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            code: code.into(),
            detail: detail.into(),
            plugin: None,
            errors: Vec::new(),
            members: Map::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Nobody knows the path.
    pub(crate) fn no_route() -> Self {
        Self::not_found("there is nothing at this path; /api/v1/openapi.json lists all that there is")
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The path is known, the method is not; `allow` is the list of those that are.
    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let detail = if allow.is_empty() {
            "this method is not for this path".to_owned()
        } else {
            format!("this method is not for this path; use one of {allow}")
        };
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        match HeaderValue::from_str(allow) {
            Ok(value) if !allow.is_empty() => problem.with_header(header::ALLOW, value),
            _ => problem,
        }
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("the body is larger than {bytes_max} bytes: send less at once");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    pub(crate) fn too_many_requests_at_once() -> Self {
        Self::come_again("busy", "too many requests at once; try again in a second")
    }

    /// 503 with a hint when.
    pub(crate) fn come_again(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// A fault of ours: a fixed text for the client, the cause for the log.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail =
            "something went wrong inside Pergola; whoever runs it finds the cause in the log by the request_id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).with_cause(cause)
    }

    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldIssue>) -> Self {
        self.0.errors = errors;
        self
    }

    pub(crate) fn with_plugin(mut self, plugin: impl Into<String>) -> Self {
        self.0.plugin = Some(plugin.into());
        self
    }

    pub(crate) fn with_member(mut self, name: &str, value: impl Into<Json>) -> Self {
        if !RESERVED.contains(&name) {
            self.0.members.insert(name.to_owned(), value.into());
        }
        self
    }

    pub(crate) fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// A changed record is 412 for a caller who named the version, 409 for one who did not.
    pub(crate) fn of_condition(mut self, named_version: bool) -> Self {
        if named_version && self.0.code == "stale" {
            self.0.status = StatusCode::PRECONDITION_FAILED;
        }
        self
    }

    /// Logs what whoever runs the server should know; what a client did wrong is the client's affair.
    pub(crate) fn log(&self, request_id: &str) {
        let Parts { status, code, detail, plugin, cause, .. } = &*self.0;
        if !status.is_server_error() {
            return;
        }
        match cause {
            Some(cause) => tracing::error!(request_id, %code, cause, "a request failed"),
            None => tracing::warn!(request_id, %code, plugin, detail, "a request could not be done"),
        }
    }

    /// The document, complete.
    pub(crate) fn document(&self, request_id: &str) -> Response {
        let parts = &*self.0;
        let document = Document {
            r#type: format!("urn:pergola:problem:{}", urn_safe(&parts.code)),
            title: title(parts.status, parts.plugin.is_some()),
            status: parts.status.as_u16(),
            detail: &parts.detail,
            code: &parts.code,
            request_id,
            plugin: parts.plugin.as_deref(),
            errors: &parts.errors,
            members: &parts.members,
        };
        // Maps with text keys always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (parts.status, Body::from(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, MEDIA_TYPE);
        response.headers_mut().extend(parts.headers.clone());
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn title(status: StatusCode, by_plugin: bool) -> &'static str {
    match (status.as_u16(), by_plugin) {
        (500, true) => "A plugin failed",
        (503, true) => "A plugin cannot be called",
        (_, true) => "A plugin refused",
        (400, _) => "The request makes no sense",
        (401, _) => "Sign in first",
        (403, _) => "Not allowed",
        (404, _) => "Not found",
        (409, _) => "Not with the data as they are",
        (412, _) => "Changed meanwhile",
        (422, _) => "Fields cannot be taken as they are",
        (500, _) => "Something went wrong",
        (503, _) => "Too much to do",
        (504, _) => "Took too long",
        (507, _) => "No space left",
        _ => status.canonical_reason().unwrap_or("Problem"),
    }
}

/// Codes of plugins are theirs to choose; in a URN only some characters may stand.
fn urn_safe(code: &str) -> String {
    code.chars().map(|char| if char.is_ascii_alphanumeric() || "_-.".contains(char) { char } else { '_' }).collect()
}
