//! How each database is asked for entries of search. Words are of `a–z` and `0–9` (`core/model/src/search`), so none of them
//! can mean anything else in either language.

use pergola_model::search::{Alternative, Term};

use super::Dialect;

/// Brings new entries into SQLite's full-text index. PostgreSQL does that by itself.
const INDEX_WORDS: &str = "INSERT INTO pergola_search_word (rowid, title, body, keys) \
     SELECT s.doc, s.title, s.body, s.keys FROM pergola_search_new AS n CROSS JOIN pergola_search AS s ON s.doc = n.doc; \
     DELETE FROM pergola_search_new";

impl Dialect {
    /// Ends a transaction that wrote.
    pub(crate) fn commit(&self) -> String {
        self.index_words().map_or_else(|| "COMMIT".to_owned(), |words| format!("{words}; COMMIT"))
    }

    /// What must run before a search sees what its own transaction has written.
    pub(crate) fn index_words(&self) -> Option<&'static str> {
        (*self == Self::Sqlite).then_some(INDEX_WORDS)
    }

    /// After `FROM`, up to the value that [`Dialect::search_text`] gives.
    pub(crate) fn search_from(&self) -> &'static str {
        match self {
            // CROSS keeps the order of the loops: the other way round, every entry of an object would be looked at.
            Self::Sqlite => {
                "pergola_search_word CROSS JOIN pergola_search AS s ON s.doc = pergola_search_word.rowid \
                 WHERE pergola_search_word MATCH "
            }
            Self::Postgres(_) => "pergola_search AS s WHERE s.terms @@ CAST(",
        }
    }

    /// After that value.
    pub(crate) fn search_after(&self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres(_) => " AS tsquery)",
        }
    }

    /// By what entries are ordered as they were written. FTS5 gives its own rows in order, so nothing is sorted.
    pub(crate) fn search_order(&self) -> &'static str {
        match self {
            Self::Sqlite => "pergola_search_word.rowid",
            Self::Postgres(_) => "s.doc",
        }
    }

    /// All terms, in the database's own language.
    pub(crate) fn search_text(&self, terms: &[Term]) -> String {
        let (one, and, or) = match self {
            Self::Sqlite => (fts5 as fn(&Alternative) -> String, " AND ", " OR "),
            Self::Postgres(_) => (tsquery as fn(&Alternative) -> String, " & ", " | "),
        };
        let term = |term: &Term| format!("({})", term.iter().map(one).collect::<Vec<_>>().join(or));
        terms.iter().map(term).collect::<Vec<_>>().join(and)
    }
}

fn fts5(alternative: &Alternative) -> String {
    let star = |begins: &bool| if *begins { " *" } else { "" };
    match alternative {
        Alternative::Title { word, begins } => format!("title : \"{word}\"{}", star(begins)),
        Alternative::Anywhere { word, begins } => format!("{{title body}} : \"{word}\"{}", star(begins)),
        Alternative::Key(key) => format!("keys : \"{key}\""),
    }
}

fn tsquery(alternative: &Alternative) -> String {
    let star = |begins: &bool| if *begins { ":*" } else { "" };
    match alternative {
        Alternative::Title { word, begins } => format!("'={word}'{}", star(begins)),
        Alternative::Anywhere { word, begins } => format!("'{word}'{}", star(begins)),
        Alternative::Key(key) => format!("'/{key}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_said_in_both_languages() {
        let title = Alternative::Title { word: "anna".to_owned(), begins: true };
        let anywhere = Alternative::Anywhere { word: "6789".to_owned(), begins: false };
        let terms = [vec![title, Alternative::Key("0ana".to_owned())], vec![anywhere]];
        let said = Dialect::Sqlite.search_text(&terms);
        assert_eq!(said, r#"(title : "anna" * OR keys : "0ana") AND ({title body} : "6789")"#);
        let said: Vec<String> = terms.concat().iter().map(tsquery).collect();
        assert_eq!(said, ["'=anna':*", "'/0ana'", "'6789'"]);
    }
}
