//! Requests to a plugin's routes, and its answers.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// A request to one of the plugin's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// The declared path that matched: `/slots`.
    pub path: String,
    /// Decoded query parameters, in order.
    pub query: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Request {
    /// Method and path, to match on: `("GET", "/slots")`.
    #[must_use]
    pub fn route(&self) -> (&str, &str) {
        (&self.method, &self.path)
    }

    /// The first query parameter with this name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads a query parameter as an `Id`, `Date`, `DateTime`, number or other type with a text form.
    ///
    /// # Errors
    /// `invalid_input`: it is missing or cannot be read; names the parameter as the field.
    pub fn read_param<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        let text = self
            .param(name)
            .ok_or_else(|| Failure::invalid_input(format!("Give the query parameter {name}.")).field(name))?;
        text.parse().map_err(|_| {
            Failure::invalid_input(format!("The query parameter {name} cannot be read; look at how it is written."))
                .field(name)
        })
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `invalid_input`: the body is no JSON or has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::invalid_input(error.to_string()))
    }
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200–599.
    pub status: u16,
    /// Such as `application/json`; empty for no body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON answer.
    ///
    /// # Errors
    /// `unserializable`: the value has no JSON form, such as a map whose keys are not texts.
    pub fn json(status: u16, value: &(impl Serialize + ?Sized)) -> Result<Self, Failure> {
        let body = serde_json::to_vec(value).map_err(|error| Failure::refused("unserializable", error.to_string()))?;
        Ok(Self { status, content_type: "application/json".to_owned(), body })
    }

    /// A plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        Self { status, content_type: "text/plain; charset=utf-8".to_owned(), body }
    }

    /// A page. Escape what comes from people.
    pub fn html(status: u16, html: impl Into<String>) -> Self {
        let body = html.into().into_bytes();
        Self { status, content_type: "text/html; charset=utf-8".to_owned(), body }
    }

    /// An answer without a body: 204.
    #[must_use]
    pub const fn empty() -> Self {
        Self { status: 204, content_type: String::new(), body: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Date;

    #[test]
    fn parameters_are_read_by_type_and_failures_name_them() {
        let query = vec![("date".to_owned(), "2026-03-08".to_owned()), ("days".to_owned(), "x".to_owned())];
        let request = Request { method: "GET".to_owned(), path: "/slots".to_owned(), query, body: Vec::new() };
        assert_eq!(request.read_param::<Date>("date").unwrap().day(), 8);
        assert_eq!(request.read_param::<u8>("days").unwrap_err().field.as_deref(), Some("days"));
        assert_eq!(request.read_param::<u8>("master").unwrap_err().message, "Give the query parameter master.");
        assert_eq!(request.route(), ("GET", "/slots"));
    }

    #[test]
    fn a_body_of_another_shape_is_invalid_input() {
        let request = Request { method: String::new(), path: String::new(), query: Vec::new(), body: b"{".to_vec() };
        assert_eq!(request.json::<Vec<i64>>().unwrap_err().code, "invalid_input");
    }
}
