//! The words of six languages that an import understands: headings, months, yes and no.
//!
//! They are data, in `headings.toml` and `words.toml`; a language is added there and not in code.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};

use serde::Deserialize;

use super::fold::squeeze;

/// Words of one meaning, by language code.
type ByLanguage = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadingsFile {
    /// Words that say only whose column it is.
    fillers: ByLanguage,
    /// Object (`any` for all) → field or part of a field → headings.
    object: BTreeMap<String, BTreeMap<String, ByLanguage>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordsFile {
    truth: BTreeMap<String, ByLanguage>,
    /// Field → code → words.
    choice: BTreeMap<String, BTreeMap<String, ByLanguage>>,
    /// Number of the month → words.
    month: BTreeMap<String, ByLanguage>,
    currency: BTreeMap<String, Vec<String>>,
    none: Vec<String>,
    date_fillers: Vec<String>,
}

/// The words, squeezed and turned round for looking up.
#[derive(Debug, Default)]
pub(crate) struct Words {
    fillers: HashSet<String>,
    /// Object → squeezed heading → fields, the likeliest first.
    headings: HashMap<String, HashMap<String, String>>,
    truth: HashMap<String, bool>,
    choices: HashMap<String, HashMap<String, String>>,
    months: HashMap<String, i8>,
    /// Longest first, so that `руб.` goes before `р`.
    currencies: Vec<(String, String)>,
    none: HashSet<String>,
    date_fillers: HashSet<String>,
}

/// All words.
pub(crate) static WORDS: LazyLock<Words> = LazyLock::new(|| {
    // The files are part of the program; a test holds that they parse.
    load(include_str!("headings.toml"), include_str!("words.toml")).unwrap_or_default()
});

fn load(headings: &str, words: &str) -> Result<Words, toml::de::Error> {
    let headings: HeadingsFile = toml::from_str(headings)?;
    let words: WordsFile = toml::from_str(words)?;
    let mut currencies: Vec<(String, String)> = words
        .currency
        .iter()
        .flat_map(|(code, signs)| signs.iter().map(move |sign| (sign.to_lowercase(), code.clone())))
        .collect();
    currencies.sort_by_key(|(sign, _)| std::cmp::Reverse(sign.len()));
    Ok(Words {
        fillers: flat(&headings.fillers).collect(),
        headings: headings.object.iter().map(|(object, fields)| (object.clone(), turned(fields))).collect(),
        truth: turned(&words.truth).into_iter().map(|(word, truth)| (word, truth == "true")).collect(),
        choices: words.choice.iter().map(|(field, codes)| (field.clone(), turned(codes))).collect(),
        months: turned(&words.month)
            .into_iter()
            .filter_map(|(word, month)| Some((word, month.parse().ok()?)))
            .collect(),
        currencies,
        none: words.none.iter().map(|word| word.to_lowercase()).collect(),
        date_fillers: words.date_fillers.iter().map(|word| squeeze(word)).collect(),
    })
}

fn flat(words: &ByLanguage) -> impl Iterator<Item = String> {
    words.values().flatten().map(|word| squeeze(word))
}

/// Meaning → words becomes word → meaning.
fn turned(meanings: &BTreeMap<String, ByLanguage>) -> HashMap<String, String> {
    meanings.iter().flat_map(|(meaning, words)| flat(words).map(move |word| (word, meaning.clone()))).collect()
}

impl Words {
    /// The field, or part of a field, that such a heading usually means for records of the object.
    pub(crate) fn heading(&self, object: &str, squeezed: &str) -> Option<&str> {
        [object, "any"].iter().find_map(|object| self.headings.get(*object)?.get(squeezed)).map(String::as_str)
    }

    /// Whether the word says only whose column it is: `client's`.
    pub(crate) fn is_filler(&self, squeezed: &str) -> bool {
        self.fillers.contains(squeezed)
    }

    /// Yes or no.
    pub(crate) fn truth(&self, text: &str) -> Option<bool> {
        match text.trim() {
            "+" | "✓" | "✔" => Some(true),
            other => self.truth.get(&squeeze(other)).copied(),
        }
    }

    /// The code of a choice field that a word means; an extension field is known by the last part of its key.
    pub(crate) fn choice(&self, field: &str, text: &str) -> Option<&str> {
        self.choices.get(field.rsplit('.').next()?)?.get(&squeeze(text)).map(String::as_str)
    }

    /// 1–12.
    pub(crate) fn month(&self, squeezed: &str) -> Option<i8> {
        self.months.get(squeezed).copied()
    }

    /// Signs and words of currencies in lower case, longest first, and their ISO 4217 codes.
    pub(crate) fn currencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.currencies.iter().map(|(sign, code)| (sign.as_str(), code.as_str()))
    }

    /// Whether the text only says that there is no value: `-`, `n/a`.
    pub(crate) fn is_none(&self, text: &str) -> bool {
        // Longest of the words; most cells are longer and need no look-up.
        const BYTES_MAX: usize = 24;
        text.len() <= BYTES_MAX && self.none.contains(&text.trim().to_lowercase())
    }

    /// Whether the word may stand in a date and says nothing: `года`, `of`.
    pub(crate) fn is_date_filler(&self, squeezed: &str) -> bool {
        self.date_fillers.contains(squeezed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_files_parse_and_no_heading_has_two_meanings() {
        load(include_str!("headings.toml"), include_str!("words.toml")).unwrap();
        let file: HeadingsFile = toml::from_str(include_str!("headings.toml")).unwrap();
        for (object, fields) in &file.object {
            let mut seen: HashMap<String, &str> = HashMap::new();
            for (field, words) in fields {
                for word in flat(words) {
                    let other = seen.insert(word.clone(), field);
                    assert!(other.is_none_or(|other| other == field), "{object}: {word} is {field} and {other:?}");
                }
            }
        }
        let file: WordsFile = toml::from_str(include_str!("words.toml")).unwrap();
        assert_eq!(turned(&file.month).values().collect::<HashSet<_>>().len(), 12);
    }
}
