//! vCard 4.0 (RFC 6350) of contacts and organizations: what address books have a word for.
//!
//! Fields without a word, such as those of plugins, are not written; the other formats have them.

use jiff::{civil::Date, tz::TimeZone};
use pergola_model::{Object, Record, Value};

use super::{ExportError, titles::Titles};

/// Octets in a line, its end not counted; longer ones are folded.
///
/// Source: RFC 6350, section 3.2.
const LINE_OCTETS_MAX: usize = 75;

/// Makes cards of pages.
pub(super) struct Cards {
    is_company: bool,
}

impl Cards {
    pub(super) fn new(object: &Object) -> Result<Self, ExportError> {
        match object.name.as_str() {
            "contact" => Ok(Self { is_company: false }),
            "organization" => Ok(Self { is_company: true }),
            other => Err(ExportError::Options(format!(
                "only contacts and organizations have cards, not {other}; take csv, xlsx or jsonl"
            ))),
        }
    }

    pub(super) fn rows(&self, records: &[Record], titles: &Titles) -> Vec<u8> {
        let mut text = String::new();
        for record in records {
            self.card(record, titles, &mut text);
        }
        text.into_bytes()
    }

    fn card(&self, record: &Record, titles: &Titles, out: &mut String) {
        let field = |key: &str| record.fields.get(key);
        let name = field("name").as_text().unwrap_or_default();
        line(out, "BEGIN", "VCARD");
        line(out, "VERSION", "4.0");
        line(out, "KIND", if self.is_company { "org" } else { "individual" });
        line(out, "UID", &format!("urn:uuid:{}", record.id));
        line(out, "FN", &escaped(name));
        let company = if self.is_company { name } else { titles.get(field("organization").as_ref_id()) };
        text_line(out, "ORG", company);
        text_line(out, "TEL", field("phone").as_text().unwrap_or_default());
        text_line(out, "EMAIL", field("email").as_text().unwrap_or_default());
        if let Some(url) = field("website").as_text() {
            // A URI is not escaped.
            line(out, "URL", url);
        }
        if let Value::Date(day) = field("birthday") {
            line(out, "BDAY", &basic_date(*day));
        }
        if let Some(letter) = field("gender").as_text().and_then(gender) {
            line(out, "GENDER", letter);
        }
        if let Some(address) = field("address").as_text() {
            // Nobody has taken it apart, so all of it is the street.
            line(out, "ADR", &format!(";;{};;;;", escaped(address)));
        }
        if let Some(language) = field("language").as_text().filter(|text| is_language(text)) {
            line(out, "LANG", language);
        }
        if let Value::Tags(tags) = field("tags") {
            let tags: Vec<String> = tags.iter().map(|tag| escaped(tag)).collect();
            line(out, "CATEGORIES", &tags.join(","));
        }
        text_line(out, "NOTE", field("notes").as_text().unwrap_or_default());
        let changed = record.updated_at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        line(out, "REV", &changed);
        line(out, "END", "VCARD");
    }
}

/// `19900201`: RFC 6350 takes the basic format only.
fn basic_date(day: Date) -> String {
    format!("{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

fn gender(code: &str) -> Option<&'static str> {
    match code {
        "female" => Some("F"),
        "male" => Some("M"),
        "other" => Some("O"),
        _ => None,
    }
}

/// Whether it may be a language tag: `ru`, `pt-BR`. The field takes any text.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let is_word = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic()) && parts.all(is_word)
}

fn text_line(out: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        line(out, name, &escaped(text));
    }
}

/// A text in which nothing ends it or separates its parts.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' => escaped.push_str("\\n"),
            '\r' => {}
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A line, folded between characters: the next line begins with a space, which counts.
fn line(out: &mut String, name: &str, value: &str) {
    let mut octets: usize = 0;
    let whole = [name, ":", value];
    for c in whole.iter().flat_map(|part| part.chars()) {
        if octets.saturating_add(c.len_utf8()) > LINE_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets = octets.saturating_add(c.len_utf8());
    }
    out.push_str("\r\n");
}
