//! What is wrong with a manifest, told by place.

use std::fmt;

use crate::PROBLEMS_MAX;

/// Everything that is wrong with one manifest.
///
/// Displays as a line for each problem: `plugin.toml:12:9: object.visit.fields.master: unknown field "tpye"; did you mean "type"?`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The file's name, as given.
    pub file: String,
    /// In the order of their places; at least one, at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// `object.visit.fields.master.to`; empty for the whole file.
    pub path: String,
    /// What is wrong, and often what to do; may have further lines that point into an expression.
    pub message: String,
    /// What to do, where that is not in the message.
    pub mend: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        let (first, rest) = self.message.split_once('\n').unwrap_or((&self.message, ""));
        f.write_str(first)?;
        if let Some(mend) = &self.mend {
            write!(f, "; {mend}")?;
        }
        rest.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().enumerate() {
            let line_break = if place == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{problem}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

/// Collects problems and knows which line a byte is on.
pub(crate) struct Problems<'t> {
    text: &'t str,
    error: ManifestError,
}

impl<'t> Problems<'t> {
    pub(crate) fn new(text: &'t str, file: &str) -> Self {
        Self { text, error: ManifestError { file: file.to_owned(), problems: Vec::new() } }
    }

    /// Adds a problem at a byte of the text.
    pub(crate) fn add(&mut self, at: usize, path: &str, message: impl Into<String>, mend: Option<String>) {
        if self.error.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let before: String = self.text.char_indices().take_while(|(place, _)| *place < at).map(|(_, c)| c).collect();
        let line_start = before.rfind('\n').map_or(0, |place| place.saturating_add(1));
        self.error.problems.push(Problem {
            line: before.matches('\n').count().saturating_add(1),
            column: before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1),
            path: path.to_owned(),
            message: message.into(),
            mend,
        });
    }

    /// Whether there are problems so far.
    pub(crate) fn check(&mut self) -> Result<(), ManifestError> {
        if self.error.problems.is_empty() {
            Ok(())
        } else {
            Err(std::mem::replace(self, Self::new("", "")).into_error())
        }
    }

    /// The answer at the end.
    pub(crate) fn finish(mut self) -> Result<(), ManifestError> {
        self.check()
    }

    /// All problems, in the order of their places.
    pub(crate) fn into_error(mut self) -> ManifestError {
        self.error.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.error
    }
}
