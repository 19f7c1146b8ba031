//! Versions of records as `ETag`, `If-Match` and `If-None-Match`, and `Idempotency-Key`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::problem::Problem;

/// The key under which a repeated POST gets the first one's answer.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// What a caller demands of the record's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing, or only that there is a record.
    Any,
    /// That it is this one.
    Version(i64),
}

impl IfMatch {
    /// Reads `If-Match`: one `ETag`, or `*`. A weak one is taken for its strong sister: proxies that
    /// compress make it so, and the version names the content all the same.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::IF_MATCH) else { return Ok(Self::Any) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        version(text).map(Self::Version).ok_or_else(|| {
            Problem::bad_request("bad_if_match", "If-Match is one ETag as an answer gave it, such as \"3\", or *")
        })
    }

    pub(crate) fn version(self) -> Option<i64> {
        if let Self::Version(version) = self { Some(version) } else { None }
    }
}

/// Whether the caller has this version already, by `If-None-Match`.
pub(crate) fn has_already(headers: &HeaderMap, current: i64) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|text| text.split(',').map(str::trim).any(|tag| tag == "*" || version(tag) == Some(current)))
}

/// The version as an `ETag`.
pub(crate) fn etag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The key of `Idempotency-Key`, if there is one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let detail = format!("Idempotency-Key is 1 to {KEY_BYTES_MAX} printable ASCII characters, a UUID for instance");
        return Err(Problem::bad_request("bad_idempotency_key", detail));
    }
    Ok(Some(key))
}

fn version(tag: &str) -> Option<i64> {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    quoted.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn if_match_takes_one_etag_strong_or_weak_or_a_star() {
        for (text, expected) in [
            ("\"3\"", Some(IfMatch::Version(3))),
            ("W/\"3\"", Some(IfMatch::Version(3))),
            ("*", Some(IfMatch::Any)),
            ("3", None),
            ("\"x\"", None),
            ("\"1\", \"2\"", None),
        ] {
            assert_eq!(IfMatch::read(&with(header::IF_MATCH, text)).ok(), expected, "{text}");
        }
        assert_eq!(IfMatch::read(&HeaderMap::new()).ok(), Some(IfMatch::Any));
    }

    #[test]
    fn if_none_match_takes_a_list() {
        assert!(has_already(&with(header::IF_NONE_MATCH, "\"1\", W/\"3\""), 3));
        assert!(has_already(&with(header::IF_NONE_MATCH, "*"), 3));
        assert!(!has_already(&with(header::IF_NONE_MATCH, "\"1\""), 3));
        assert!(!has_already(&HeaderMap::new(), 3));
    }
}
