//! Phone numbers in one spelling: E.164, that is `+` and at most 15 digits.
//!
//! The `phonenumber` crate gives the numbering plans (country codes, trunk prefixes, possible
//! lengths). Its parser is not used: it strips the default region's trunk prefix from any number,
//! so that `+7 800 555-35-35` loses its 8 and `+49 89 …` read in Russia does too.
//!
//! A number must be *possible*, that is have a country code and a length of its plan. Being assigned is
//! not asked for: plans grow faster than tables, and a customer's true number must not be refused.

use std::{collections::HashMap, sync::LazyLock};

use phonenumber::metadata::{DATABASE, Metadata};

use super::Wrong;
use crate::value::Locale;

/// Longer texts are not one phone number.
const CHARS_MAX: usize = 40;
/// The most digits of a number. Source: ITU-T E.164, 6.2.1.
const DIGITS_MAX: usize = 15;
/// How an extension is marked.
const EXTENSION_MARKS: [&str; 7] = ["доб", "ext", "вн", "#", "x", "dahili", "εσωτ"];
/// Words before a number that say only that it is one.
const LABELS: [&str; 6] = ["tel:", "tel.", "tel", "тел.", "тел:", "тел"];

/// Possible lengths of national numbers by country code, as bits.
static LENGTHS: LazyLock<HashMap<u16, u32>> =
    LazyLock::new(|| (1..=999).filter_map(|code| Some((code, possible_lengths(&DATABASE.by_code(&code)?)))).collect());

/// The number as E.164, or what is wrong with it.
pub(super) fn normalise(text: &str, locale: &Locale) -> Result<String, Wrong> {
    if let Some(digits) = text.strip_prefix('+')
        && is_possible(digits)
    {
        return Ok(text.to_owned());
    }
    let spelling = read(text, locale)?;
    let found = match spelling {
        Spelling::International(digits) => is_possible(&digits).then(|| format!("+{digits}")),
        Spelling::National(digits) => from_national(&digits, locale),
    };
    found.ok_or_else(|| refusal(text, locale, "is not a possible phone number"))
}

/// The digits as people wrote them.
enum Spelling {
    /// With the country code, without `+`.
    International(String),
    /// As dialled in the workspace's region.
    National(String),
}

fn read(given: &str, locale: &Locale) -> Result<Spelling, Wrong> {
    let lower = given.to_lowercase();
    let text = LABELS.iter().find_map(|label| lower.strip_prefix(label)).unwrap_or(&lower).trim();
    if text.chars().count() > CHARS_MAX {
        return Err(refusal(given, locale, "is too long for one phone number"));
    }
    // The 0 in +44 (0)20 … is dialled only inside the country.
    let without_trunk = text.replacen("(0)", "", 1);
    let text = if text.starts_with(['+', '\u{ff0b}']) { without_trunk.as_str() } else { text };
    let mut digits = String::with_capacity(text.len());
    let mut plus = false;
    for (place, c) in text.char_indices() {
        match c {
            '+' | '\u{ff0b}' if digits.is_empty() && !plus => plus = true,
            _ if is_separator(c) => {}
            _ => match digit(c) {
                Some(digit) => digits.push(digit),
                None => return Err(foreign(given, text.get(place..).unwrap_or_default(), locale)),
            },
        }
    }
    if plus {
        return Ok(Spelling::International(digits));
    }
    Ok(match international(&digits, locale) {
        Some(rest) => Spelling::International(rest.to_owned()),
        None => Spelling::National(digits),
    })
}

/// What follows the prefix of calls abroad: 00 nearly everywhere, and what the region has besides.
fn international<'a>(digits: &'a str, locale: &Locale) -> Option<&'a str> {
    let own = match locale.region.as_str() {
        "RU" | "KZ" | "BY" | "TJ" | "TM" => "810",
        "US" | "CA" => "011",
        "JP" => "010",
        "AU" => "0011",
        _ => "00",
    };
    [own, "00"].iter().filter_map(|prefix| digits.strip_prefix(prefix)).find(|rest| is_possible(rest))
}

/// Tries the number as it stands, without the trunk prefix, and with a country code that lacks its `+`.
///
/// First those that the numbering plan knows, then those of a possible length: `040 1234567` has in
/// Finland a possible length with its trunk 0 and without, but no number there starts with 0.
fn from_national(digits: &str, locale: &Locale) -> Option<String> {
    let plan = DATABASE.by_id(locale.region.as_str())?;
    let code = plan.country_code().to_string();
    let trunk = plan.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
    // What else may stand before a number at home: Belarus' 80, Hungary's 06.
    let lead = plan
        .national_prefix_for_parsing()
        // A rule that rewrites what it takes away (Argentina's 15) is not a mere prefix.
        .filter(|_| plan.national_prefix_transform_rule().is_none())
        .and_then(|pattern| pattern.find(digits))
        .filter(|found| found.start() == 0 && found.end() > 0)
        .and_then(|found| digits.get(found.end()..));
    let bare = digits.strip_prefix(code.as_str());
    let possible: Vec<(&str, String)> = [trunk, lead, Some(digits), bare]
        .into_iter()
        .flatten()
        .map(|national| (national, format!("{code}{national}")))
        .filter(|(_, whole)| is_possible(whole))
        .collect();
    let general = plan.descriptors().general();
    let known = possible.iter().find(|(national, _)| general.is_match(national));
    known.or_else(|| possible.first()).map(|(_, whole)| format!("+{whole}"))
}

/// Whether digits are a country code and a national number of a length of its plan.
fn is_possible(digits: &str) -> bool {
    if digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    // No country code is the start of another, so the first that is known is the one.
    let split = (1..=3).filter_map(|length| digits.split_at_checked(length)).find_map(|(code, national)| {
        let code: u16 = code.parse().ok()?;
        LENGTHS.get(&code).map(|lengths| (*lengths, national.len()))
    });
    split.is_some_and(|(lengths, length)| lengths & (1 << length.min(31)) != 0)
}

fn possible_lengths(plans: &[&Metadata]) -> u32 {
    let mut bits = 0;
    for plan in plans {
        let kinds = plan.descriptors();
        let of_kinds = [
            kinds.fixed_line(),
            kinds.mobile(),
            kinds.toll_free(),
            kinds.premium_rate(),
            kinds.shared_cost(),
            kinds.personal_number(),
            kinds.voip(),
            kinds.pager(),
            kinds.uan(),
        ];
        for length in of_kinds.into_iter().flatten().flat_map(|kind| kind.possible_length()) {
            bits |= 1 << u32::from(*length).min(31);
        }
    }
    bits
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '(' | ')' | '[' | ']' | '.' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        // Invisible marks that come along with copied numbers.
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The digit that a sign stands for: ASCII, full width, Arabic-Indic, Persian, Devanagari or Bengali.
fn digit(c: char) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    [0xff10, 0x0660, 0x06f0, 0x0966, 0x09e6]
        .into_iter()
        .find_map(|zero: u32| u32::from(c).checked_sub(zero).and_then(|value| char::from_digit(value, 10)))
}

/// What is wrong with a text whose `rest` starts with a sign that is no part of a number.
fn foreign(text: &str, rest: &str, locale: &Locale) -> Wrong {
    if EXTENSION_MARKS.iter().any(|mark| rest.starts_with(mark)) {
        return refusal(text, locale, "has an extension: keep that in another field");
    }
    match rest.chars().next() {
        Some(',' | ';' | '/' | '+' | '\u{ff0b}') => {
            refusal(text, locale, "looks like several phone numbers: keep one here")
        }
        Some(c) => refusal(text, locale, &format!("has a {c:?} that no phone number has")),
        None => refusal(text, locale, "is not a phone number"),
    }
}

fn refusal(text: &str, locale: &Locale, what: &str) -> Wrong {
    let shown: String = text.chars().take(CHARS_MAX).collect();
    let example = DATABASE.by_id(locale.region.as_str()).and_then(|plan| {
        let national = plan.descriptors().mobile().and_then(|mobile| mobile.example())?;
        Some(format!("+{}{national}", plan.country_code()))
    });
    let example = example.as_deref().unwrap_or("+14155552671");
    Wrong::new("not_a_phone", format!("\"{shown}\" {what}; write it like {example}"))
}
