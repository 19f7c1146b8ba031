//! Numbers and amounts as people and spreadsheets write them.

use std::str::FromStr as _;

use pergola_model::{Money, normal::minor_digits};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive as _};

use crate::import::{read::Cell, words::WORDS};

/// Digits of a number as Excel shows it in `7,91235E+10`.
const SHOWN_DIGITS_MAX: usize = 6;

/// A number's digits without exponent or needless point: `89123456789`.
pub(crate) fn plain(number: f64) -> String {
    // `Display` of f64 never uses an exponent and prints the shortest digits that mean this number.
    number.to_string()
}

/// `89123456789.0`, as some programs export, without its tail.
pub(super) fn without_point_zero(text: &str) -> &str {
    match text.strip_suffix(".0").or_else(|| text.strip_suffix(",0")) {
        Some(whole) if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) => whole,
        _ => text,
    }
}

/// A phone number that a spreadsheet took for a number: `7.9123456789E10` and `89123456789.0` get their digits back.
///
/// `7,91235E+10` has lost some, which is said.
pub(super) fn unshortened(text: &str) -> Result<String, String> {
    let text = without_point_zero(text);
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return Ok(text.to_owned());
    };
    let whole: String = mantissa.chars().filter(|c| !matches!(c, '.' | ',')).collect();
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    let Some(places) =
        exponent.trim_start_matches('+').parse::<usize>().ok().filter(|places| is_number && *places < 20)
    else {
        return Ok(text.to_owned());
    };
    let digits_max = places.saturating_add(1);
    // Only spreadsheets write the plus, and only to show a number shorter than it is.
    if exponent.starts_with('+') && whole.len() <= SHOWN_DIGITS_MAX && whole.len() < digits_max {
        return Err(format!(
            "\"{text}\" has lost its last digits in a spreadsheet; format the column as text, type the numbers again or \
             import the original .xlsx"
        ));
    }
    let point = mantissa.find(['.', ',']).unwrap_or(mantissa.len());
    if point != 1 || whole.len() > digits_max {
        return Ok(text.to_owned());
    }
    Ok(format!("{whole:0<digits_max$}"))
}

/// A whole number.
pub(super) fn integer(cell: &Cell) -> Result<i64, String> {
    let number = decimal(cell, 0)?;
    number.to_i64().ok_or_else(|| format!("{number} is too large"))
}

/// A decimal with at most `scale` digits after the point.
pub(super) fn decimal(cell: &Cell, scale: u32) -> Result<Decimal, String> {
    match cell {
        Cell::Number(number) => from_float(*number, scale),
        Cell::Bool(flag) => Ok(Decimal::from(u8::from(*flag))),
        Cell::Date(_, serial) => from_float(*serial, scale),
        Cell::Text(_) | Cell::Empty => from_text(&cell.text(), scale),
    }
}

/// An amount; without a sign or code it is in the workspace's currency.
pub(super) fn money(cell: &Cell, currency: &str) -> Result<Money, String> {
    let text = cell.text();
    let (amount, currency) = match cell {
        Cell::Text(_) => split_currency(&text, currency),
        _ => (text.clone(), currency.to_owned()),
    };
    let digits = minor_digits(&currency);
    let number = match cell {
        Cell::Text(_) => from_text(&amount, digits)?,
        other => decimal(other, digits)?,
    };
    let minor = Decimal::from(10_u64.saturating_pow(digits)).checked_mul(number).and_then(|minor| minor.to_i64());
    let amount_minor = minor.ok_or_else(|| format!("\"{text}\" is too large an amount"))?;
    Ok(Money { amount_minor, currency })
}

fn split_currency(text: &str, default: &str) -> (String, String) {
    let lower = text.to_lowercase();
    for (sign, code) in WORDS.currencies() {
        if let Some(rest) = without_affix(&lower, sign) {
            return (rest, code.to_owned());
        }
    }
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    if letters.len() == 3
        && let Some(rest) = without_affix(text, &letters)
    {
        return (rest, letters.to_ascii_uppercase());
    }
    (text.to_owned(), default.to_owned())
}

/// What remains when the text begins or ends with the sign, also behind a minus.
fn without_affix(text: &str, sign: &str) -> Option<String> {
    let (minus, bare) = match text.strip_prefix(['-', '−']) {
        Some(bare) => ("-", bare),
        None => ("", text),
    };
    let rest = bare.strip_suffix(sign).or_else(|| bare.strip_prefix(sign))?.trim();
    // The sign was a whole word, and what is left a number.
    let is_amount = rest.chars().any(|c| c.is_numeric()) && !rest.chars().any(char::is_alphabetic);
    is_amount.then(|| format!("{minus}{rest}"))
}

fn from_float(number: f64, scale: u32) -> Result<Decimal, String> {
    let exact = Decimal::from_str(&number.to_string()).map_err(|_| format!("{number} is too large"))?;
    let rounded = exact.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
    // Sums in spreadsheets end in …0000000001.
    let noise = exact.checked_sub(rounded).is_some_and(|difference| difference.abs() < Decimal::new(1, 6));
    if noise { Ok(rounded) } else { Err(too_precise(&number.to_string(), scale)) }
}

fn too_precise(text: &str, scale: u32) -> String {
    match scale {
        0 => format!("{text} is not a whole number"),
        _ => format!("{text} has more than {scale} digits after the point; round it"),
    }
}

fn from_text(text: &str, scale: u32) -> Result<Decimal, String> {
    let not_a_number = || format!("\"{text}\" is not a number");
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().map(super::super::fold::ascii_digit) {
        match c {
            '0'..='9' | '.' | ',' => plain.push(c),
            '-' | '−' if plain.is_empty() => plain.push('-'),
            '+' if plain.is_empty() => {}
            '\'' | '’' | '_' => {}
            _ if c.is_whitespace() => {}
            _ => return Err(not_a_number()),
        }
    }
    let plain = with_point(&plain, scale);
    let number = Decimal::from_str(&plain).map_err(|_| not_a_number())?.normalize();
    if number.scale() > scale { Err(too_precise(text, scale)) } else { Ok(number) }
}

/// Takes thousands' separators out and makes the decimal separator a point.
///
/// Of two kinds the last separates decimals. A single one before exactly three digits separates thousands
/// where the field has fewer than three decimals (`1,500` roubles), else decimals.
fn with_point(plain: &str, scale: u32) -> String {
    let last = plain.rfind(['.', ',']);
    let Some((last, separator)) = last.and_then(|last| Some((last, plain.get(last..)?.chars().next()?))) else {
        return plain.to_owned();
    };
    let (before, after) = plain.split_at(last);
    let after = after.trim_start_matches(separator);
    let other_before = before.contains(['.', ',']) && !before.contains(separator);
    let repeated = before.contains(separator);
    let leading_zero = before.trim_start_matches('-') == "0";
    let thousands = repeated || (!other_before && after.len() == 3 && scale < 3 && !leading_zero);
    let whole: String = before.chars().filter(|c| !matches!(c, '.' | ',')).collect();
    if thousands { format!("{whole}{after}") } else { format!("{whole}.{after}") }
}
