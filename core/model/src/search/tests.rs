//! What is one word, what is near, what comes first.

use proptest::prelude::*;

use super::*;
use crate::{catalog::Catalog, nearest, value::Locale};

fn contact(fields: &[(&str, &str)]) -> Entry {
    let catalog = Catalog::build(&[]).unwrap();
    let fields = fields.iter().fold(Fields::new(), |fields, (key, text)| fields.with(*key, *text));
    entry(catalog.find_object("contact").unwrap(), &fields)
}

fn search(text: &str) -> Search {
    Search::parse(text, &Locale::default()).unwrap()
}

/// Whether a store would give the entry as a candidate at that stage.
fn fulfils(entry: &Entry, terms: &[Term]) -> bool {
    let has = |text: &str, wanted: &str, begins: bool| {
        text.split(' ').any(|word| word == wanted || begins && word.starts_with(wanted))
    };
    let holds = |alternative: &Alternative| match alternative {
        Alternative::Title { word, begins } => has(&entry.title, word, *begins),
        Alternative::Anywhere { word, begins } => has(&entry.title, word, *begins) || has(&entry.body, word, *begins),
        Alternative::Key(key) => has(&entry.keys, key, false),
    };
    terms.iter().all(|term| term.iter().any(holds))
}

/// The first stage at which the contact is found, and whether it is ranked then.
fn stage(entry: &Entry, text: &str) -> Option<usize> {
    let search = search(text);
    let stage = search.stages().iter().position(|terms| fulfils(entry, terms))?;
    search.rank(&entry.title, &entry.body).map(|_| stage)
}

#[test]
fn words_are_one_in_any_case_accent_and_script() {
    for (one, other) in [
        ("Ёлкина", "елкина"),
        ("Елкина", "Elkina"),
        ("MÜLLER", "muller"),
        ("Ümit İnan", "umit inan"),
        ("O’Neil", "oneil"),
        ("Наталья", "natalia"),
        ("Παπαδόπουλος", "Papadopoulos"),
        ("ﬁn", "fin"),
    ] {
        assert_eq!(fold::words(one, 100), fold::words(other, 100), "{one} {other}");
    }
    assert_eq!(fold::words(" --Anna,Petrova/2 ", 100), ["anna", "petrova", "2"]);
    assert_eq!(fold::words("আনা রহমান", 100).len(), 2, "vowel signs are within words");
}

#[test]
fn a_contact_is_found_by_words_beginnings_slips_and_ends_of_numbers() {
    let contact = contact(&[("name", "Анна Морозова"), ("phone", "+79123456789"), ("email", "morozova.a@example.com")]);
    for (text, wanted) in [
        ("анна", Some(0)),
        ("МОРОЗОВА Анна", Some(0)),
        ("Morozova", Some(0)),
        ("ан", Some(1)),
        ("мор", Some(1)),
        ("Моро анн", Some(1)),
        ("example", Some(2)),
        ("exa", Some(2)),
        ("morozova.a@example.com", Some(2)),
        ("6789", Some(2)),
        ("345-67-89", Some(2)),
        ("8 (912) 345-67-89", Some(2)),
        ("+7 912 345", Some(2)),
        ("8912345", Some(2)),
        ("Анна 67 89", Some(2)),
        ("Ана", Some(3)),
        ("Морозва", Some(3)),
        ("Мрозова", Some(3)),
        ("Moroozowa", Some(3)),
        ("Морозова Аана", Some(3)),
        ("Мaрозива", None),
        ("Петров", None),
        ("Анна Петрова", None),
        ("6780", None),
    ] {
        assert_eq!(stage(&contact, text), wanted, "{text}");
    }
}

#[test]
fn names_are_near_that_sound_alike() {
    for (one, other) in
        [("Юлия", "Julia"), ("Yulia", "Юлия"), ("Дмитрий", "Dmitry"), ("Хабибуллин", "Habibulin"), ("Ксения", "Xenia")]
    {
        assert!(stage(&contact(&[("name", one)]), other).is_some(), "{one} {other}");
    }
}

#[test]
fn better_hits_come_first() {
    let entries = [
        contact(&[("name", "Anna")]),
        contact(&[("name", "Anna Kim")]),
        contact(&[("name", "Maria Anna")]),
        contact(&[("name", "Annabel")]),
        contact(&[("name", "Olga"), ("email", "anna@example.com")]),
        contact(&[("name", "Ana")]),
    ];
    let search = search("anna");
    let scores: Vec<Score> = entries.iter().map(|one| search.rank(&one.title, &one.body).unwrap()).collect();
    assert!(scores.is_sorted(), "{scores:?}");
    assert_eq!(search.rank("petr", ""), None);
}

#[test]
fn a_search_has_bounds() {
    let parse = |text: &str| Search::parse(text, &Locale::default()).unwrap_err();
    assert_eq!(parse(" -- "), SearchError::Empty);
    assert_eq!(parse(&"a".repeat(SEARCH_CHARS_MAX + 1)), SearchError::TooLong);
    assert_eq!(parse("a b c d e f g h i"), SearchError::TooManyWords);
    assert!(Search::parse("a b c d e f g h", &Locale::default()).is_ok());
}

#[test]
fn an_entry_has_bounds() {
    let words: Vec<String> = (0..3_000).map(|number| format!("w{number}")).collect();
    let entry = contact(&[("name", &words.join(" "))]);
    assert!(entry.title.split(' ').count() <= RECORD_WORDS_MAX);
    assert!(entry.keys.len() < 5_000, "{}", entry.keys.len());
}

#[test]
fn a_snippet_is_the_field_that_matched_around_the_word() {
    let catalog = Catalog::build(&[]).unwrap();
    let object = catalog.find_object("contact").unwrap();
    let long = format!("{} Морозова {}", "x ".repeat(200), "y ".repeat(200));
    let fields = Fields::new().with("name", long.as_str()).with("phone", "+79123456789");
    let snippet = search("6789").snippet(object, &fields).unwrap();
    assert_eq!((snippet.field.as_str(), snippet.text.as_str()), ("phone", "+79123456789"));
    let snippet = search("морозова").snippet(object, &fields).unwrap();
    assert!(snippet.text.contains("Морозова") && snippet.text.starts_with('…') && snippet.text.chars().count() <= 122);
}

proptest! {
    #[test]
    fn names_that_sound_one_letter_otherwise_share_a_key(
        name in "[a-z]{5,12}",
        place in 0_usize..12,
        kind in 0..4,
        letter in "[a-z]",
    ) {
        let mut letters: Vec<char> = name.chars().collect();
        let place = place % letters.len();
        let letter = letter.chars().next().unwrap();
        match kind {
            0 => { letters.remove(place); }
            1 => letters.insert(place, letter),
            2 => letters[place] = letter,
            _ => letters.swap(place, (place + 1) % name.len()),
        }
        let other: String = letters.into_iter().collect();
        let sounds = [keys::sound(&name), keys::sound(&other)];
        prop_assume!(sounds.iter().all(|sound| sound.len() >= 4) && nearest::slips_between(&sounds[0], &sounds[1]) <= 1);
        let near = keys::near(&other);
        prop_assert!(keys::near(&name).iter().any(|key| near.contains(key)), "{} {}", name, other);
    }

    #[test]
    fn what_a_contact_is_called_finds_it(name in "\\PC{1,40}") {
        let entry = contact(&[("name", &name)]);
        if let Ok(search) = Search::parse(&name, &Locale::default()) {
            prop_assert!(search.rank(&entry.title, &entry.body).is_some(), "{:?}", entry);
            prop_assert!(search.stages().iter().any(|terms| fulfils(&entry, terms)), "{:?}", entry);
        }
    }
}
