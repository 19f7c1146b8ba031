//! One spelling for words that people write in many: case, accents, spaces and punctuation away.
//!
//! For comparing only; nothing folded is ever stored.

/// The letters and digits of a text, in lower case and without accents: `E-Mail ` → `email`.
pub(crate) fn squeeze(text: &str) -> String {
    let mut squeezed = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        push_plain(&mut squeezed, c);
    }
    squeezed
}

/// The squeezed words of a text.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| {
        c.is_whitespace() || (c.is_ascii_punctuation() && c != '\'') || matches!(c, '—' | '–' | '«' | '»' | '№')
    })
    .map(squeeze)
    .filter(|word| !word.is_empty())
    .collect()
}

fn push_plain(squeezed: &mut String, c: char) {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' => squeezed.push('a'),
        'ç' | 'č' | 'ć' => squeezed.push('c'),
        'è' | 'é' | 'ê' | 'ë' | 'ē' => squeezed.push('e'),
        'ğ' => squeezed.push('g'),
        'ì' | 'í' | 'î' | 'ï' | 'ı' => squeezed.push('i'),
        'ñ' => squeezed.push('n'),
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => squeezed.push('o'),
        'ş' | 'š' | 'ș' => squeezed.push('s'),
        'ù' | 'ú' | 'û' | 'ü' => squeezed.push('u'),
        'ž' => squeezed.push('z'),
        'ά' => squeezed.push('α'),
        'έ' => squeezed.push('ε'),
        'ή' => squeezed.push('η'),
        'ί' | 'ϊ' | 'ΐ' => squeezed.push('ι'),
        'ό' => squeezed.push('ο'),
        'ύ' | 'ϋ' | 'ΰ' => squeezed.push('υ'),
        'ώ' => squeezed.push('ω'),
        'ς' => squeezed.push('σ'),
        'ё' => squeezed.push('е'),
        'й' => squeezed.push('и'),
        // Bengali letters with a dot come composed or not, depending on the keyboard.
        '\u{9dc}' => squeezed.push('\u{9a1}'),
        '\u{9dd}' => squeezed.push('\u{9a2}'),
        '\u{9df}' => squeezed.push('\u{9af}'),
        '\u{9cb}' => squeezed.push_str("\u{9c7}\u{9be}"),
        '\u{9cc}' => squeezed.push_str("\u{9c7}\u{9d7}"),
        '০'..='৯' => squeezed.push(ascii_digit(c)),
        // Accents written apart from their letter.
        '\u{300}'..='\u{36f}' => {}
        _ if c.is_alphanumeric() => squeezed.push(c),
        _ => {}
    }
}

/// A Bengali digit as ASCII; any other character as it is.
pub(crate) fn ascii_digit(c: char) -> char {
    match u32::from(c).checked_sub(u32::from('০')) {
        Some(value @ 0..=9) => char::from_digit(value, 10).unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_become_one() {
        for (a, b) in [
            ("E-Mail ", "e mail"),
            ("ТЕЛЕФОН", "телефон:"),
            ("Ёлка", "елка"),
            ("й", "и\u{306}"),
            ("Sähköposti", "SA\u{308}HKO\u{308}POSTI"),
            ("DOĞUM GÜNÜ", "Doğum günü"),
            ("İSİM", "isim"),
            ("Τηλέφωνο", "ΤΗΛΕΦΩΝΟ"),
            ("নোট", "ন\u{9c7}\u{9be}ট"),
            ("ঠিকানা", "ঠিকানা"),
            ("বাড়ি", "বাড\u{9bc}ি"),
        ] {
            assert_eq!(squeeze(a), squeeze(b), "{a} / {b}");
        }
        assert_ne!(squeeze("নাম"), squeeze("নোট"));
        assert_eq!(words("Телефон (моб.) №2"), ["телефон", "моб", "2"]);
    }
}
