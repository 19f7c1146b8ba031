//! Which of two hits is better: one order for both databases.

use super::{
    keys,
    terms::{Search, Word},
};
use crate::nearest;

/// Names that sound so short must sound alike, others may differ by a letter; the longest by two.
const SLIP_CHARS_MIN: usize = 4;
const TWO_SLIPS_CHARS_MIN: usize = 8;

/// How a word of the search was found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// A word of the title.
    Title,
    /// The beginning of a word of the title.
    TitleBegins,
    /// A word of another field.
    Body,
    /// The beginning of such a word.
    BodyBegins,
    /// A word that sounds so.
    Sounds,
    /// A word with one letter otherwise.
    Slip,
    /// A long word with two letters otherwise.
    TwoSlips,
}

/// How good a hit is; less is better.
///
/// The worst word decides first, then all of them together; then titles that begin with the first word, then short ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    worst: Found,
    total: usize,
    begins_elsewhere: bool,
    title_words: usize,
}

impl Search {
    /// How good a hit the record with this entry is, or none if it is not one.
    #[must_use]
    pub fn rank(&self, title: &str, body: &str) -> Option<Score> {
        let title: Vec<&str> = title.split_ascii_whitespace().collect();
        let body: Vec<&str> = body.split_ascii_whitespace().collect();
        let mut worst = Found::Title;
        let mut total = 0_usize;
        for word in &self.words {
            let found = word.found_in(&title, &body)?;
            worst = worst.max(found);
            total = total.saturating_add(found as usize);
        }
        let first = self.words.first().and_then(|word| word.spellings.first());
        let begins_elsewhere = !first.is_some_and(|first| title.first().is_some_and(|word| word.starts_with(first)));
        Some(Score { worst, total, begins_elsewhere, title_words: title.len() })
    }
}

impl Word {
    pub(super) fn found_in(&self, title: &[&str], body: &[&str]) -> Option<Found> {
        let is = |word: &&str| self.spellings.iter().any(|spelling| spelling == word);
        let begins = |word: &&str| self.spellings.iter().any(|spelling| word.starts_with(spelling.as_str()));
        if title.iter().any(is) {
            return Some(Found::Title);
        }
        if title.iter().any(begins) {
            return Some(Found::TitleBegins);
        }
        if body.iter().any(is) {
            return Some(Found::Body);
        }
        if body.iter().any(begins) {
            return Some(Found::BodyBegins);
        }
        let sound = self.sound.as_deref()?;
        title.iter().chain(body).filter_map(|word| slips(sound, word)).min()
    }
}

/// How far a word is from a sound, if it is near.
fn slips(sound: &str, word: &str) -> Option<Found> {
    let other = keys::sound(word);
    let (longest, shortest) = (sound.len().max(other.len()), sound.len().min(other.len()));
    let slips_max = match shortest {
        length if length < SLIP_CHARS_MIN => usize::from(longest >= SLIP_CHARS_MIN),
        length if length < TWO_SLIPS_CHARS_MIN => 1,
        _ => 2,
    };
    if longest.saturating_sub(shortest) > slips_max {
        return None;
    }
    match nearest::slips_between(sound, &other) {
        0 => Some(Found::Sounds),
        1 if slips_max >= 1 => Some(Found::Slip),
        2 if slips_max >= 2 => Some(Found::TwoSlips),
        _ => None,
    }
}
