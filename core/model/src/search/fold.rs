//! Text to words: without case, accents and script, so that Ёлкина, Елкина and Elkina are one word.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The longest word, in letters; the rest of a longer one is not looked at.
const WORD_CHARS_MAX: usize = 40;
/// How many last digits of a number find it. The country code is one to three digits, so nine or ten are the number as
/// it is dialled at home; seven and four are what people remember.
const LAST_DIGITS: [usize; 4] = [10, 9, 7, 4];

/// The words of a text in order, each of `a–z` and `0–9` alone.
pub(super) fn words(text: &str, chars_max: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars().take(chars_max).flat_map(char::to_lowercase).nfkd() {
        if is_accent(c) || is_within_a_word(c) {
            continue;
        }
        if c.is_alphanumeric() || is_combining_mark(c) {
            push(c, &mut word);
        } else {
            end(&mut word, &mut words);
        }
    }
    end(&mut word, &mut words);
    words
}

fn end(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        word.truncate(WORD_CHARS_MAX);
        words.push(std::mem::take(word));
    }
}

/// Marks of Latin, Greek and Cyrillic letters. Vowel signs of Indic scripts are marks too, but letters to their readers.
fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// O'Neil is one word, and so is Наталья.
fn is_within_a_word(c: char) -> bool {
    matches!(c, '\'' | '’' | 'ʼ' | '`' | 'ь' | 'ъ')
}

/// Adds a letter of any script in Latin ones.
fn push(c: char, word: &mut String) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    let latin = deunicode::deunicode_char(c).unwrap_or_default().chars();
    word.extend(latin.filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
}

/// A phone number and the ends of it by which people know it.
pub(super) fn number_words(text: &str) -> Vec<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let ends = LAST_DIGITS.into_iter().filter_map(|last| digits.len().checked_sub(last).filter(|start| *start > 0));
    let ends: Vec<String> = ends.filter_map(|start| digits.get(start..).map(str::to_owned)).collect();
    if digits.is_empty() { ends } else { [vec![digits], ends].concat() }
}
