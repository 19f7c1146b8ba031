//! What is wrong with an expression, told so that its author can mend it.

use std::fmt;

/// The most characters of a line that an excerpt shows.
const EXCERPT_CHARS: usize = 72;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprError {
    /// For people: what is wrong and what to write instead.
    pub message: String,
    /// The place in the text, in characters from 0.
    pub position: Option<usize>,
    /// The line of the text and, under it, a caret at the place; empty without a place.
    pub excerpt: String,
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.position {
            Some(position) => write!(f, " (at character {})", position.saturating_add(1)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExprError {}

/// A fault at a byte of the text: the inner form of [`ExprError`].
#[derive(Debug)]
pub(super) struct Fault {
    /// Byte offset.
    pub(super) at: usize,
    /// What is wrong and what to write instead.
    pub(super) message: String,
}

impl Fault {
    /// A fault at a byte of the text.
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// The error for the author of `source`.
    pub(super) fn of(self, source: &str) -> ExprError {
        let at = floor_boundary(source, self.at);
        let (before, after) = source.split_at_checked(at).unwrap_or((source, ""));
        ExprError { message: self.message, position: Some(before.chars().count()), excerpt: excerpt(before, after) }
    }
}

fn floor_boundary(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    at
}

fn excerpt(before: &str, after: &str) -> String {
    let line_before: Vec<char> = before.rsplit('\n').next().unwrap_or_default().chars().collect();
    let skipped = line_before.len().saturating_sub(EXCERPT_CHARS / 2);
    let mut line: String = if skipped > 0 { "…".to_owned() } else { String::new() };
    line.extend(line_before.iter().skip(skipped));
    let caret = line.chars().count();
    line.extend(after.chars().take_while(|c| *c != '\n').take(EXCERPT_CHARS.saturating_sub(caret)));
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{}\n{}^", line.trim_end(), " ".repeat(caret))
}
