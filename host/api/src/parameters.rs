//! The query string of a request: only known parameters, each at most once.

use axum::{extract::Query, http::Uri};
use pergola_model::nearest;

use crate::problem::Problem;

/// The parameters of a request, by name.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// Decodes a query string, in order.
pub(crate) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
    query.map(|query| query.0).map_err(|error| Problem::bad_request("bad_query", error.to_string()))
}

impl Parameters {
    /// Takes the known ones.
    ///
    /// # Errors
    /// `unknown_parameter`, naming those that are known; `repeated_parameter`.
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        if uri.query().is_none_or(str::is_empty) {
            return Ok(Self(Vec::new()));
        }
        let pairs = pairs(uri)?;
        for (place, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(Problem::bad_request("unknown_parameter", unknown(name, known)));
            }
            if pairs.iter().take(place).any(|(other, _)| other == name) {
                return Err(Problem::bad_request("repeated_parameter", format!("{name} is given twice: take one out")));
            }
        }
        Ok(Self(pairs))
    }

    /// Refuses all parameters.
    pub(crate) fn none(uri: &Uri) -> Result<(), Problem> {
        Self::read(uri, &[]).map(|_| ())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A limit on rows: a whole number from 1 to `max`.
    pub(crate) fn limit(&self, default: u32, max: u32) -> Result<u32, Problem> {
        let Some(text) = self.get("limit") else { return Ok(default) };
        text.parse().ok().filter(|limit| (1..=max).contains(limit)).ok_or_else(|| {
            Problem::bad_request("bad_limit", format!("limit is a whole number from 1 to {max}, not {text:?}"))
        })
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                Err(Problem::bad_request("bad_parameter", format!("{name} is true or false, not {other:?}")))
            }
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("there is no parameter {name:?} here; this path takes none");
    }
    let hint = nearest::hint(name, known.iter().copied());
    format!("there is no parameter {name:?} here; known are {}.{hint}", known.join(", "))
}
