//! What the plugin knows about names: plain functions, without a host.

/// The name without spaces around it and with one space between its words.
pub(crate) fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether there is something to call a person by; letters of all alphabets count.
pub(crate) fn has_letters(name: &str) -> bool {
    name.chars().any(char::is_alphabetic)
}

/// A greeting by the first word of the name.
pub(crate) fn greeting(name: &str) -> String {
    let first = name.split_whitespace().next().unwrap_or(name);
    format!("Hello, {first}!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_letters_and_lose_their_spaces() {
        assert_eq!(tidy("  Анна\u{a0} Павлова\n"), "Анна Павлова");
        assert_eq!(tidy(" "), "");
    }

    #[test]
    fn letters_of_all_alphabets_count() {
        assert!(["Ann", "Анна", "Ωνάσης", "আনা"].into_iter().all(has_letters));
        assert!(!["", "42", "+7 900", "-"].into_iter().any(has_letters));
    }

    #[test]
    fn greetings_use_the_first_name() {
        assert_eq!(greeting("Ada Lovelace"), "Hello, Ada!");
    }
}
