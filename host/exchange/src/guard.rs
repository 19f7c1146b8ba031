//! Cells that a spreadsheet would take for formulas, and how they are kept from it.
//!
//! A `'` before the text makes it text for every spreadsheet. Reading takes it away again, so nothing is changed by
//! going out and coming back.
//!
//! Source: OWASP, "CSV Injection".

/// How a cell must not begin lest a spreadsheet take it for a formula; the wide forms are so in Japanese ones.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Whether a spreadsheet might take the text for a formula.
pub(crate) fn is_formula(text: &str) -> bool {
    text.starts_with(FORMULA_STARTS)
}

/// Whether the text looks as if it had been [`guarded`].
pub(crate) fn is_guarded(text: &str) -> bool {
    text.starts_with('\'') && is_formula(text.trim_start_matches('\''))
}

/// The text with a `'` before it where a spreadsheet would take it for a formula, or where it looks guarded already.
pub(crate) fn guarded(text: String) -> String {
    if is_formula(&text) || is_guarded(&text) { format!("'{text}") } else { text }
}

/// Undoes [`guarded`], which other programs do likewise.
pub(crate) fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|_| is_guarded(text)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_text() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("+79123456789", "'+79123456789"),
            ("-5", "'-5"),
            ("@sum", "'@sum"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("Anna", "Anna"),
            ("", ""),
        ] {
            assert_eq!(guarded(text.to_owned()), written);
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "['=+@\\-\t]{0,4}.{0,4}") {
            let written = guarded(text.clone());
            prop_assert!(!is_formula(&written));
            prop_assert_eq!(unguarded(&written), text);
        }
    }
}
