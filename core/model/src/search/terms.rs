//! What a search text asks for.

use super::{SEARCH_CHARS_MAX, SEARCH_WORDS_MAX, fold, keys};
use crate::{field::FieldType, normal, value::Locale};

/// Beginnings shorter than this are found by their keys, longer ones by the words themselves.
const PREFIX_CHARS_MIN: usize = 4;
/// So many digits alone are the end of a number, more may be a part of it.
const NUMBER_DIGITS_MIN: usize = 4;

/// A search text that cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// No letter and no digit.
    #[error("there is nothing to search for: write a name, a word or a part of a phone number")]
    Empty,
    /// Longer than [`SEARCH_CHARS_MAX`].
    #[error("the search text has more than {SEARCH_CHARS_MAX} characters: write fewer words")]
    TooLong,
    /// More words than [`SEARCH_WORDS_MAX`].
    #[error("the search text has more than {SEARCH_WORDS_MAX} words: write fewer")]
    TooManyWords,
}

/// One way in which a record can have a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alternative {
    /// In its title.
    Title {
        /// The word, of `a–z` and `0–9`.
        word: String,
        /// Or a longer word that begins so.
        begins: bool,
    },
    /// In its title or another field.
    Anywhere {
        /// The word, of `a–z` and `0–9`.
        word: String,
        /// Or a longer word that begins so.
        begins: bool,
    },
    /// One of its keys.
    Key(String),
}

/// A record has to fulfil one of these.
pub type Term = Vec<Alternative>;

/// A search text, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub(super) words: Vec<Word>,
}

/// A word of a search text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// The ways in which it may be written: several for a phone number.
    pub(super) spellings: Vec<String>,
    /// How it sounds, if it may be a name.
    pub(super) sound: Option<String>,
}

impl Search {
    /// Reads a search text.
    ///
    /// # Errors
    /// [`SearchError`], with what to write instead.
    pub fn parse(text: &str, locale: &Locale) -> Result<Self, SearchError> {
        if text.chars().count() > SEARCH_CHARS_MAX {
            return Err(SearchError::TooLong);
        }
        let mut words: Vec<Word> = Vec::new();
        let mut digits: Vec<String> = Vec::new();
        for word in fold::words(text, SEARCH_CHARS_MAX) {
            if keys::is_number(&word) {
                digits.push(word);
                continue;
            }
            words.extend(Word::numbers(&std::mem::take(&mut digits), locale));
            words.push(Word::new(word));
        }
        words.extend(Word::numbers(&digits, locale));
        match words.len() {
            0 => Err(SearchError::Empty),
            count if count > SEARCH_WORDS_MAX => Err(SearchError::TooManyWords),
            _ => Ok(Self { words }),
        }
    }

    /// What to ask the index for, one list of terms after the other, the best hits first. A record has to fulfil every
    /// term of a list. Once there are hits enough, the further lists need not be asked for.
    #[must_use]
    pub fn stages(&self) -> Vec<Vec<Term>> {
        let stage = |term: fn(&Word) -> Term| -> Vec<Term> { self.words.iter().map(term).collect() };
        let mut stages = vec![stage(Word::in_title), stage(Word::begins_title), stage(Word::anywhere)];
        if self.words.iter().any(|word| word.sound.is_some()) {
            stages.push(stage(Word::nearly));
        }
        stages
    }
}

impl Word {
    fn new(word: String) -> Self {
        let sound = Some(keys::sound(&word)).filter(|_| !keys::near(&word).is_empty());
        Self { spellings: vec![word], sound }
    }

    /// Digits that stood together: a phone number or a part of one, however it is grouped, or numbers of their own.
    fn numbers(digits: &[String], locale: &Locale) -> Vec<Self> {
        let joined = digits.concat();
        let whole =
            if digits.len() > 1 || joined.len() > NUMBER_DIGITS_MIN { spellings(&joined, locale) } else { vec![] };
        let one = |own: &String| {
            let mut spellings = whole.clone();
            if !spellings.contains(own) {
                spellings.push(own.clone());
            }
            Self { spellings, sound: None }
        };
        digits.iter().map(one).collect()
    }

    fn in_title(&self) -> Term {
        self.spellings.iter().map(|word| Alternative::Title { word: word.clone(), begins: false }).collect()
    }

    fn begins_title(&self) -> Term {
        let begins = |word: &String| match word.len() {
            length if keys::PREFIX_CHARS.contains(&length) => {
                keys::title_prefix(word, length).map_or_else(Vec::new, |key| vec![Alternative::Key(key)])
            }
            length => vec![Alternative::Title { word: word.clone(), begins: length >= PREFIX_CHARS_MIN }],
        };
        self.spellings.iter().flat_map(begins).collect()
    }

    fn anywhere(&self) -> Term {
        let mut term = Term::new();
        for word in &self.spellings {
            // Four digits are an end of every thousandth number and the beginning of every tenth.
            let begins = word.len() >= PREFIX_CHARS_MIN;
            term.push(Alternative::Anywhere { word: word.clone(), begins });
            if keys::PREFIX_CHARS.contains(&word.len()) && !keys::is_number(word) {
                let both = [keys::title_prefix(word, word.len()), keys::body_prefix(word, word.len())];
                term.extend(both.into_iter().flatten().map(Alternative::Key));
            }
        }
        term
    }

    fn nearly(&self) -> Term {
        let mut term = self.anywhere();
        for word in self.spellings.iter().filter(|_| self.sound.is_some()) {
            term.extend(keys::near(word).into_iter().map(Alternative::Key));
        }
        term
    }
}

/// The ways in which a phone number, or a part of one, is stored that was dialled so.
fn spellings(digits: &str, locale: &Locale) -> Vec<String> {
    let mut spellings = vec![digits.to_owned()];
    // The 8 or 0 that is dialled inside a country is not part of the number as it is stored.
    spellings.extend(digits.strip_prefix("00").or_else(|| digits.strip_prefix(['8', '0'])).map(str::to_owned));
    let whole = normal::address(&FieldType::Phone, digits, locale).ok();
    spellings.extend(whole.and_then(|number| number.strip_prefix('+').map(str::to_owned)));
    spellings.retain(|one| !one.is_empty());
    spellings.dedup();
    spellings
}
