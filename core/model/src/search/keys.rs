//! Keys beside the words: an exact match on a key is quick at any size, where a scan of words would not be.
//!
//! - `0` and the start of a name as it sounds, or that with one letter left out: two spellings of a name that differ in
//!   one letter share such a key, whichever letter it is (the symmetric deletes of `SymSpell`, bounded to a name's start).
//! - `2an`, `3ann`: how a word of the title begins; `4an`, `5ann`: how another word does.

use std::collections::BTreeSet;

use super::PREFIX_WORDS_MAX;

/// Letters of a name's start that make keys.
const START_CHARS: usize = 7;
/// Initials and the like have no sound of their own.
const NAME_CHARS_MIN: usize = 3;
/// Names that sound shorter are not found with a slip: every other one would be near.
const SLIP_CHARS_MIN: usize = 4;
/// The shortest and the longest beginning that has a key.
pub(super) const PREFIX_CHARS: [usize; 2] = [2, 3];

/// All keys of a record, separated by spaces.
pub(super) fn of(title: &[String], body: &[String], names: &[String]) -> String {
    let mut keys = BTreeSet::new();
    for word in names {
        keys.extend(near(word));
    }
    for word in title.iter().take(PREFIX_WORDS_MAX) {
        keys.extend(PREFIX_CHARS.into_iter().filter_map(|length| title_prefix(word, length)));
    }
    for word in body.iter().filter(|word| !is_number(word)).take(PREFIX_WORDS_MAX) {
        keys.extend(PREFIX_CHARS.into_iter().filter_map(|length| body_prefix(word, length)));
    }
    keys.into_iter().collect::<Vec<_>>().join(" ")
}

/// Whether it is digits alone.
pub(super) fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The key of titles with a word that begins with the first `length` letters of this one.
pub(super) fn title_prefix(word: &str, length: usize) -> Option<String> {
    word.get(..length).map(|start| format!("{length}{start}"))
}

/// The same for other words.
pub(super) fn body_prefix(word: &str, length: usize) -> Option<String> {
    let mark = length.saturating_add(PREFIX_CHARS.len());
    word.get(..length).map(|start| format!("{mark}{start}"))
}

/// The keys that a name shares with those that sound nearly like it; none for a number and for what is too short.
pub(super) fn near(word: &str) -> Vec<String> {
    if word.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let sound = sound(word);
    if sound.len() < NAME_CHARS_MIN {
        return Vec::new();
    }
    let start = sound.get(..START_CHARS).unwrap_or(&sound);
    let mut keys = vec![format!("0{start}")];
    if sound.len() >= SLIP_CHARS_MIN {
        for place in 0..start.len() {
            let without: String =
                start.char_indices().filter(|(other, _)| *other != place).map(|(_, letter)| letter).collect();
            keys.push(format!("0{without}"));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// How a name sounds, roughly: Yulia, Julia and Юлия are `iulia`, Anna and Ana are `ana`.
pub(super) fn sound(word: &str) -> String {
    const CLUSTERS: [(&str, &str); 9] = [
        ("shch", "sh"),
        ("sch", "sh"),
        ("tch", "ch"),
        ("ch", "ch"),
        ("kh", "h"),
        ("ph", "f"),
        ("ck", "k"),
        ("ts", "c"),
        ("tz", "c"),
    ];
    let mut sound = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(letter) = rest.chars().next() {
        let cluster = CLUSTERS.into_iter().find(|(written, _)| rest.starts_with(written));
        let single;
        let (length, spoken) = match cluster {
            Some((written, spoken)) => (written.len(), spoken),
            None => {
                single = letter.to_string();
                (letter.len_utf8(), spoken_letter(letter, &single))
            }
        };
        for letter in spoken.chars().filter(|letter| letter.is_ascii_alphanumeric()) {
            if !sound.ends_with(letter) {
                sound.push(letter);
            }
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    sound
}

fn spoken_letter(letter: char, itself: &str) -> &str {
    match letter {
        'c' | 'q' => "k",
        'w' => "v",
        'x' => "ks",
        'y' | 'j' => "i",
        _ => itself,
    }
}
