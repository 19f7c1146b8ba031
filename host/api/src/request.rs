//! What happens around every request: a place in the queue, a time limit, an id, a line in the log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{app::App, problem::Problem};

/// The request's id, taken from the caller or made here, and told in every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Makes ids of requests: a random part for the process and a count.
pub(crate) struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        // Without randomness the ids of two processes look alike, which is no reason not to start.
        Self { process: getrandom::u32().unwrap_or_default(), next: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{:08x}-{:x}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A resource's path with placeholders, for the log; the router's own pattern if absent.
#[derive(Debug, Clone)]
pub(crate) struct LoggedPath(pub(crate) String);

/// The outermost layer.
pub(crate) async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers()).unwrap_or_else(|| app.request_ids.next());
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let answer = answer(&app, request, next).await;
    let mut response = told(answer, &id);
    if method == Method::HEAD {
        response = without_body(response);
    }
    let logged = response.extensions().get::<LoggedPath>();
    let path = logged.map(|path| path.0.as_str()).or(matched.as_ref().map(MatchedPath::as_str)).unwrap_or("unmatched");
    let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let workspace = &*app.name;
    tracing::info!(workspace, request_id = id, %method, path, status = response.status().as_u16(), duration_ms, "answered a request");
    response
}

/// What becomes of a request that comes to no workspace.
pub(crate) fn refuse(ids: &RequestIds, request: &Request, problem: Problem) -> Response {
    let id = request_id(request.headers()).unwrap_or_else(|| ids.next());
    let response = told(problem.into_response(), &id);
    let method = request.method();
    tracing::info!(request_id = id, %method, status = response.status().as_u16(), "refused a request");
    if method == Method::HEAD { without_body(response) } else { response }
}

async fn answer(app: &App, request: Request, next: Next) -> Response {
    let Ok(_slot) = app.slots.try_acquire() else {
        return Problem::too_many_requests_at_once().into_response();
    };
    let limit = app.limits.request_timeout;
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| timed_out(limit).into_response())
}

fn timed_out(limit: Duration) -> Problem {
    let detail = format!(
        "there was no answer within {} s; a write may have happened nevertheless: repeat it with the same Idempotency-Key",
        limit.as_secs_f64()
    );
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail)
}

/// Gives the answer its id; a problem gets its document here, because only here the id is known.
fn told(mut answer: Response, id: &str) -> Response {
    if let Some(problem) = answer.extensions_mut().remove::<Problem>() {
        problem.log(id);
        let logged = answer.extensions_mut().remove::<LoggedPath>();
        let headers = std::mem::take(answer.headers_mut());
        answer = problem.document(id);
        answer.headers_mut().extend(headers);
        if let Some(logged) = logged {
            answer.extensions_mut().insert(logged);
        }
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// The same head, as HEAD wants it.
fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact()
        && !response.headers().contains_key(header::CONTENT_LENGTH)
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::empty();
    response
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(is_plain)).then(|| id.to_owned())
}

/// What becomes of a handler that panicked.
pub(crate) fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::internal(format!("a handler panicked: {}", text.unwrap_or("without a text"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_caller_is_taken_only_if_it_is_plain() {
        for (given, taken) in
            [("abc-1.2_3", true), ("", false), ("a b", false), ("a\"b", false), (&"x".repeat(65), false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(given).unwrap());
            assert_eq!(request_id(&headers).is_some(), taken, "{given:?}");
        }
    }
}
