//! How many digits the minor unit of a currency has.
//!
//! Source: ISO 4217:2015, list one (current currencies), column "Minor unit"; all others have two.

/// Currencies without a minor unit.
const DIGITS_0: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
/// Currencies whose minor unit is a thousandth.
const DIGITS_3: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
/// Units of account whose minor unit is a ten-thousandth.
const DIGITS_4: [&str; 2] = ["CLF", "UYW"];

/// Digits of the minor unit: 2 for `EUR`, 0 for `JPY`, 3 for `KWD`; 2 for a code that the table does not know.
#[must_use]
pub fn minor_digits(currency: &str) -> u32 {
    if DIGITS_0.contains(&currency) {
        0
    } else if DIGITS_3.contains(&currency) {
        3
    } else if DIGITS_4.contains(&currency) {
        4
    } else {
        2
    }
}
