//! Where a hit matched: the field, and its text around the word.

use super::{searchable, terms::Search, words_of};
use crate::{object::Object, record::Fields};

/// The longest snippet, in characters.
const CHARS_MAX: usize = 120;
/// Characters before the word that was found.
const CHARS_BEFORE: usize = 40;

/// Where a record matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The field's key.
    pub field: String,
    /// Its text, or the part of a long one where the word is.
    pub text: String,
}

impl Search {
    /// The field that has most of the words, the title before others.
    #[must_use]
    pub fn snippet(&self, object: &Object, fields: &Fields) -> Option<Snippet> {
        let mut best: Option<(usize, Snippet)> = None;
        for field in searchable(object) {
            let Some(text) = fields.get(&field.key).as_text() else { continue };
            let words = words_of(&field.kind, text);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let count = self.words.iter().filter(|word| word.found_in(&words, &[]).is_some()).count();
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, Snippet { field: field.key.clone(), text: self.excerpt(text) }));
            }
        }
        best.map(|(_, snippet)| snippet)
    }

    fn excerpt(&self, text: &str) -> String {
        if text.chars().count() <= CHARS_MAX {
            return text.to_owned();
        }
        let start = self.place_in(text).saturating_sub(CHARS_BEFORE);
        let part: String = text.chars().skip(start).take(CHARS_MAX).collect();
        let before = if start > 0 { "…" } else { "" };
        let after = if start.saturating_add(CHARS_MAX) < text.chars().count() { "…" } else { "" };
        format!("{before}{}{after}", part.trim())
    }

    /// How many characters stand before the first word that was found.
    fn place_in(&self, text: &str) -> usize {
        let mut place = 0_usize;
        for part in text.split_inclusive(char::is_whitespace) {
            let words = super::fold::words(part, CHARS_MAX);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if self.words.iter().any(|word| word.found_in(&words, &[]).is_some()) {
                return place;
            }
            place = place.saturating_add(part.chars().count());
        }
        0
    }
}
