//! Search without a database: what of a record is found, what a search text asks for, and which hit is better.
//!
//! Both databases index the same folded words ([`Entry`]) and give candidates for the same terms ([`Term`]); what comes
//! first is decided here ([`Search::rank`]), so that the answer does not depend on where the data are.
//!
//! Reading order: `fold` makes words of text; `keys` lets short beginnings and misspelt names find them; `terms` reads a
//! search text; `rank` compares hits; `snippet` shows where one matched.

mod fold;
mod keys;
mod rank;
mod snippet;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use rank::Score;
pub use snippet::Snippet;
pub use terms::{Alternative, Search, SearchError, Term};

use crate::{
    field::{Field, FieldType},
    object::Object,
    record::Fields,
};

/// The longest search text, in characters.
pub const SEARCH_CHARS_MAX: usize = 200;
/// The most words of a search text.
pub const SEARCH_WORDS_MAX: usize = 8;
/// Of each field, so many characters are found.
pub const FIELD_CHARS_MAX: usize = 10_000;
/// Of each record, so many different words are found.
pub const RECORD_WORDS_MAX: usize = 1_000;
/// Of each record, so many words of names are found although they are misspelt.
const NAME_WORDS_MAX: usize = 24;
/// Of each record, so many words are found by their first two or three letters.
const PREFIX_WORDS_MAX: usize = 100;
/// Grows when words are folded otherwise, so that records are indexed again.
const FOLDING: u32 = 1;

/// What is indexed of a record: folded words, separated by one space each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Words of the field that names the record to people.
    pub title: String,
    /// Words of the other searchable fields.
    pub body: String,
    /// Short beginnings of all words and misspellings of names; see `keys`.
    pub keys: String,
}

/// The object's searchable fields.
fn searchable(object: &Object) -> impl Iterator<Item = &Field> {
    object.fields.values().filter(|field| field.searchable)
}

/// The keys of the object's searchable fields.
#[must_use]
pub fn fields(object: &Object) -> Vec<String> {
    searchable(object).map(|field| field.key.clone()).collect()
}

/// Whether records of the object are found at all.
#[must_use]
pub fn is_searchable(object: &Object) -> bool {
    searchable(object).next().is_some()
}

/// What an object's entries are made of: entries that were made of something else are out of date.
#[must_use]
pub fn fingerprint(object: &Object) -> String {
    let title = object.title.as_deref().unwrap_or_default();
    let fields: Vec<String> = searchable(object).map(|field| format!("{} {}", field.key, field.kind.name())).collect();
    format!("{FOLDING}; {title}; {}", fields.join(", "))
}

/// The keys of changed fields that an entry is made of.
#[must_use]
pub fn concerns(object: &Object, changed: &[String]) -> bool {
    changed.iter().any(|key| object.field(key).is_some_and(|field| field.searchable))
}

/// What is indexed of a record of the object; empty if it has nothing that is found.
#[must_use]
pub fn entry(object: &Object, fields: &Fields) -> Entry {
    let (mut title, mut body, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for field in searchable(object) {
        let Some(text) = fields.get(&field.key).as_text() else { continue };
        let is_title = object.title.as_deref() == Some(field.key.as_str());
        for word in words_of(&field.kind, text) {
            if field.kind == FieldType::Text && names.len() < NAME_WORDS_MAX {
                names.push(word.clone());
            }
            if seen.len() < RECORD_WORDS_MAX && seen.insert((is_title, word.clone())) {
                if is_title { title.push(word) } else { body.push(word) }
            }
        }
    }
    body.retain(|word| !title.contains(word));
    Entry { keys: keys::of(&title, &body, &names), title: title.join(" "), body: body.join(" ") }
}

/// The words by which a field's value is found.
fn words_of(kind: &FieldType, text: &str) -> Vec<String> {
    match kind {
        FieldType::Phone => fold::number_words(text),
        _ => fold::words(text, FIELD_CHARS_MAX),
    }
}
