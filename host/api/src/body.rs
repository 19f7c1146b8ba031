//! Reading the bodies of requests: as large as allowed, of the type that is understood.

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::problem::Problem;

/// The body, if it is not larger than that.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(Problem::too_large(bytes_max));
    }
    axum::body::to_bytes(body, bytes_max).await.map_err(|error| {
        if is_too_long(&error) {
            Problem::too_large(bytes_max)
        } else {
            Problem::bad_request("bad_body", "the body did not arrive whole")
        }
    })
}

/// The JSON body of a request.
pub(crate) async fn read_json(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    check_json(request.headers())?;
    read(request.into_body(), bytes_max).await
}

/// A JSON object.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Json>, Problem> {
    parse(bytes)
}

/// JSON of a known shape.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = if bytes.is_empty() {
            "the body is empty: send JSON".to_owned()
        } else {
            format!("this is not the JSON that is expected: {error}")
        };
        Problem::bad_request("bad_json", detail).with_member("line", line).with_member("column", column)
    })
}

fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json")) {
        return Ok(());
    }
    let detail = "send JSON, with the header Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

fn is_too_long(error: &axum::Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .any(|cause| cause.is::<LengthLimitError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_limit_with_and_without_a_known_length() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap(), "12345");
        let chunks = futures::stream::iter(["123", "456"].map(Ok::<_, std::convert::Infallible>));
        for body in [Body::from("123456"), Body::from_stream(chunks)] {
            let problem = read(body, 5).await.unwrap_err();
            assert_eq!(problem.document("1").status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
    }
}
