//! Parts of a JSON text, each with its place, so that an error says where: `visits[0].starts_at`.

use std::fmt::Display;
use std::str::FromStr;

use pergola_plugin::prelude::*;

/// A value in a JSON text, or the place of one that is missing.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    /// Empty for the whole.
    path: String,
    value: Option<&'a Json>,
}

impl<'a> Part<'a> {
    /// The whole text.
    pub(crate) fn whole(value: &'a Json) -> Self {
        Self { path: String::new(), value: Some(value) }
    }

    /// A member; `null` counts as missing.
    pub(crate) fn member(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let value = self.value.and_then(|value| value.get(name)).filter(|value| !value.is_null());
        Self { path, value }
    }

    /// The elements of a list of a permitted length.
    pub(crate) fn elements(&self, at_least: usize, at_most: usize) -> Result<Vec<Self>, Failure> {
        let list = self.needed()?.as_array().ok_or_else(|| self.wrong("must be a list"))?;
        if !(at_least..=at_most).contains(&list.len()) {
            return Err(self.wrong(format!("must have {at_least} to {at_most} elements")));
        }
        let part = |(place, value)| Self { path: format!("{}[{place}]", self.path), value: Some(value) };
        Ok(list.iter().enumerate().map(part).collect())
    }

    /// A text that is not blank.
    pub(crate) fn text(&self) -> Result<&'a str, Failure> {
        let text = self.needed()?.as_str().ok_or_else(|| self.wrong("must be a text"))?.trim();
        if text.is_empty() { Err(self.missing()) } else { Ok(text) }
    }

    /// A text, if there is one; a blank one counts as missing.
    pub(crate) fn text_if_given(&self) -> Result<Option<&'a str>, Failure> {
        match self.value.and_then(Json::as_str).map(str::trim) {
            Some("") => Ok(None),
            Some(text) => Ok(Some(text)),
            None if self.value.is_none() => Ok(None),
            None => Err(self.wrong("must be a text")),
        }
    }

    /// A value that is written as text: an id, a time.
    pub(crate) fn read<T: FromStr<Err = Failure>>(&self) -> Result<T, Failure> {
        self.text()?.parse().map_err(|failure: Failure| self.wrong(format!("cannot be read: {}", failure.message)))
    }

    /// The same, if it is given.
    pub(crate) fn read_if_given<T: FromStr<Err = Failure>>(&self) -> Result<Option<T>, Failure> {
        if self.value.is_some() { self.read().map(Some) } else { Ok(None) }
    }

    fn needed(&self) -> Result<&'a Json, Failure> {
        self.value.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Failure {
        Failure::invalid_input(format!("Give {}.", self.path)).field(&self.path)
    }

    fn wrong(&self, what: impl Display) -> Failure {
        Failure::invalid_input(format!("{} {what}.", self.path).replace("..", ".")).field(&self.path)
    }
}
