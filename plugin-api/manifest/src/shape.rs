//! From a TOML document to a manifest, with serde's complaints in words that help.
//!
//! Serde stops at its first complaint. Here what it complained about is taken out, or what it missed put
//! in, and reading goes on, so that an author sees all mistakes at once.

use pergola_model::nearest::nearest;

use crate::{
    Manifest, PROBLEMS_MAX,
    place::{Document, Step, shown},
    problem::Problems,
};

/// What to write for a key that is missing.
const EXAMPLES: [(&str, &str); 26] = [
    ("id", "id = \"booking\""),
    ("version", "version = \"0.1.0\""),
    ("api", "api = \"0.1\""),
    ("type", "type = \"text\""),
    ("fields", "fields.name = { type = \"text\" }"),
    ("on", "on = \"contact\""),
    ("when", "when = [\"create\", \"update\"]"),
    ("at", "at = \"starts_at - duration('24h')\""),
    ("action", "action = \"remind\""),
    ("method", "method = \"GET\""),
    ("path", "path = \"/slots\""),
    ("from", "from = \"booked\""),
    ("to", "to = \"done\""),
    ("rule", "rule = \"until > from\""),
    ("field", "field = \"until\""),
    ("max", "max = \"session.seats\""),
    ("value", "value = \"held\""),
    ("then", "then = \"booked\""),
    ("until", "until = \"held_until\""),
    ("minutes", "minutes = 15"),
    ("during", "during = [\"starts_at\", \"ends_at\"]"),
    ("records", "records = { contact = \"read\" }"),
    ("of", "of = \"booking.appointment\""),
    ("via", "via = \"contact\""),
    ("account", "account = \"contact\""),
    ("amount", "amount = \"points\""),
];

/// The manifest, or none with at least one problem added.
pub(crate) fn read(document: &Document<'_>, problems: &mut Problems<'_>) -> Option<Manifest> {
    let mut patched: Option<Document<'_>> = None;
    // Keys that have been told of under another name: their absence is no news.
    let mut told: Vec<Vec<Step>> = Vec::new();
    // Each round mends one place, so a manifest needs at most a few rounds for each problem told.
    for _ in 0..PROBLEMS_MAX.saturating_mul(3) {
        let current = patched.as_ref().unwrap_or(document);
        let error = match current.read::<Manifest>() {
            Ok(manifest) => return patched.is_none().then_some(manifest),
            Err(error) => error,
        };
        // Places are the original's: what is put in has none.
        let span = error.span().unwrap_or_default();
        let path = document.path_of(&span);
        let complaint = Complaint::read(error.message());
        patched = match &complaint {
            Complaint::Missing(key) => {
                let whole: Vec<Step> = path.iter().cloned().chain([Step::Key(key.clone())]).collect();
                if !told.contains(&whole) {
                    tell(&complaint, &path, document.at(&shown(&path)), problems);
                }
                EXAMPLES.iter().find(|(name, _)| name == key).and_then(|(_, example)| current.with(&path, example))
            }
            _ => {
                tell(&complaint, &path, span.start, problems);
                let key_path = up_to_key(&path);
                told.extend(complaint.meant(key_path));
                current.without(key_path)
            }
        };
        patched.as_ref()?;
    }
    None
}

fn tell(complaint: &Complaint, path: &[Step], at: usize, problems: &mut Problems<'_>) {
    let shown_path = match (complaint, path.split_last()) {
        (Complaint::UnknownKey { .. }, Some((_, parent))) => shown(parent),
        _ => shown(path),
    };
    let (message, mend) = complaint.told(path);
    problems.add(at, &shown_path, message, mend);
}

/// The path without elements of arrays at its end.
fn up_to_key(path: &[Step]) -> &[Step] {
    match path.split_last() {
        Some((Step::Element(_), rest)) => up_to_key(rest),
        _ => path,
    }
}

/// What serde complains about, read from its words: it gives nothing but text.
enum Complaint {
    UnknownKey { key: String, known: Vec<String> },
    UnknownWord { word: String, known: Vec<String> },
    Missing(String),
    Other(String),
}

impl Complaint {
    fn read(message: &str) -> Self {
        let mut names = message.split('`').skip(1).step_by(2).map(str::to_owned);
        let first = names.next().unwrap_or_default();
        if message.starts_with("unknown field `") {
            Self::UnknownKey { key: first, known: names.collect() }
        } else if message.starts_with("unknown variant `") {
            Self::UnknownWord { word: first, known: names.collect() }
        } else if message.starts_with("missing field `") {
            Self::Missing(first)
        } else {
            Self::Other(message.replace('`', "\""))
        }
    }

    /// The keys whose absence follows from this.
    fn meant(&self, path: &[Step]) -> Vec<Vec<Step>> {
        let mut meant = vec![path.to_vec()];
        if let (Self::UnknownKey { key, known }, Some((_, parent))) = (self, path.split_last()) {
            let nearest = nearest(key, known.iter().map(String::as_str));
            let unquoted = unquoted_object(path).map(|_| "fields");
            let names = nearest.into_iter().chain(unquoted);
            meant.extend(names.map(|name| parent.iter().cloned().chain([Step::Key(name.to_owned())]).collect()));
        }
        meant
    }

    /// The message and the mend.
    fn told(&self, path: &[Step]) -> (String, Option<String>) {
        match self {
            Self::UnknownKey { key, known } => {
                (format!("unknown field \"{key}\""), unquoted_object(path).or_else(|| choose(key, known)))
            }
            Self::UnknownWord { word, known } => (format!("unknown word \"{word}\""), choose(word, known)),
            Self::Missing(key) => {
                let example =
                    EXAMPLES.iter().find(|(name, _)| name == key).map(|(_, example)| format!("add {example}"));
                (format!("missing field \"{key}\""), example)
            }
            Self::Other(message) if message.contains("is not a name") => (message.clone(), None),
            Self::Other(message) => (message.clone(), mend_of_value(path)),
        }
    }
}

fn choose(name: &str, known: &[String]) -> Option<String> {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(one) => Some(format!("did you mean \"{one}\"?")),
        None if known.is_empty() => None,
        None => Some(format!("known here: {}", known.join(", "))),
    }
}

/// `[extend.booking.visit]` is a table in a table in a table; the object's name needs quotes.
fn unquoted_object(path: &[Step]) -> Option<String> {
    match path {
        [Step::Key(table), Step::Key(plugin), Step::Key(object)] if table == "extend" => {
            Some(format!("write [extend.\"{plugin}.{object}\"], with the object's name in quotes"))
        }
        _ => None,
    }
}

fn mend_of_value(path: &[Step]) -> Option<String> {
    let first = path.first().and_then(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
    let mend = match (first?, path.len()) {
        ("version", 1) => "write it like \"1.2.0\"",
        ("api", 1) => "write it like \"0.1\"",
        ("requires", 2) => "write a range of versions, such as \"1.2\" or \">=1.2, <3\"",
        ("label" | "description", 1) => "write it like { en = \"Booking\" }",
        _ => return None,
    };
    Some(mend.to_owned())
}
