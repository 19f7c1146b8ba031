//! Which column is which field: what the caller says, else the field's key, its labels, the usual headings.

use std::collections::HashMap;

use pergola_model::{FieldType, Object, nearest};

use super::{
    ImportError, ImportOptions,
    fold::{squeeze, words},
    survey::Survey,
    words::WORDS,
};
use crate::reference_id_heading;

/// Parts that are joined into `name`.
const NAME_PARTS: [&str; 3] = ["first_name", "middle_name", "last_name"];
/// Where a part of a name, a second phone or another surplus value goes.
pub(crate) const NOTES: &str = "notes";
/// How many names a message lists.
const LISTED_MAX: usize = 30;

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// It is this field.
    Field(String),
    /// It is a part of `name`.
    NamePart,
    /// It is the id to which this reference leads, beside the column with the other record's title.
    RefId(String),
    /// It is the record's own id.
    RecordId,
    /// It is left out.
    None,
}

/// What becomes of all columns, in their order.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) targets: Vec<Target>,
}

impl Mapping {
    /// Heading → field, for summaries.
    pub(crate) fn pairs(&self, survey: &Survey) -> Vec<(String, String)> {
        let named = |target: &Target| match target {
            Target::Field(key) => Some(key.clone()),
            Target::NamePart => Some("name".to_owned()),
            Target::RefId(key) => Some(reference_id_heading(key)),
            Target::RecordId => Some("id".to_owned()),
            Target::None => None,
        };
        let columns = survey.columns.iter().zip(&self.targets);
        columns.filter_map(|(column, target)| Some((column.heading.clone(), named(target)?))).collect()
    }

    /// Headings of the columns that have content and are left out.
    pub(crate) fn ignored(&self, survey: &Survey) -> Vec<String> {
        let columns = survey.columns.iter().zip(&self.targets).skip(survey.report_columns);
        columns
            .filter(|(column, target)| column.filled && **target == Target::None)
            .map(|(column, _)| column.heading.clone())
            .collect()
    }
}

/// What a heading was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Field(String),
    Part(String),
    RefId(String),
    RecordId,
    Ignored,
}

/// Finds a target for every column.
///
/// Several columns may be one field: parts of an address are joined, of phones and other fields the first
/// filled one counts and the others go to the notes. Without a notes field they are left out.
pub(crate) fn map_columns(object: &Object, survey: &Survey, options: &ImportOptions) -> Result<Mapping, ImportError> {
    let named = named_columns(object, survey, &options.map)?;
    let labels = labels_of(object);
    let known_by_id = options.matches.iter().any(|key| key == "id");
    let mut meanings: Vec<Option<Meaning>> = Vec::with_capacity(survey.columns.len());
    for (index, column) in survey.columns.iter().enumerate() {
        let said = named.get(&squeeze(&column.heading)).cloned();
        let meaning = match said {
            Some(meaning) => Some(meaning),
            None if index < survey.report_columns => Some(Meaning::Ignored),
            None if known_by_id && column.heading.trim().eq_ignore_ascii_case("id") => Some(Meaning::RecordId),
            None => guess(object, &labels, &column.heading),
        };
        meanings.push(meaning);
    }
    let has_last_name = meanings.iter().any(|meaning| is_part(meaning.as_ref(), "last_name"));
    let mut used: Vec<String> = Vec::new();
    let mut targets = Vec::with_capacity(meanings.len());
    for (meaning, column) in meanings.into_iter().zip(&survey.columns) {
        let target = match meaning {
            // "Name" beside "Last name" is the first name.
            Some(Meaning::Field(key)) if key == "name" && has_last_name && is_plain_name(object, &column.heading) => {
                Target::NamePart
            }
            Some(Meaning::Part(_)) => Target::NamePart,
            Some(Meaning::RefId(key)) => Target::RefId(key),
            Some(Meaning::RecordId) => Target::RecordId,
            Some(Meaning::Field(key)) if used.contains(&key) && !takes_more(object, &key) => Target::None,
            Some(Meaning::Field(key)) => {
                used.push(key.clone());
                Target::Field(key)
            }
            Some(Meaning::Ignored) | None => Target::None,
        };
        targets.push(target);
    }
    check_required(object, survey, &targets)?;
    if known_by_id && !targets.contains(&Target::RecordId) {
        let message = "records are to be known by their id, but no column is headed \"id\"".to_owned();
        return Err(ImportError::Options(message));
    }
    Ok(Mapping { targets })
}

/// What the caller says, by squeezed heading.
fn named_columns(
    object: &Object,
    survey: &Survey,
    wanted: &[(String, String)],
) -> Result<HashMap<String, Meaning>, ImportError> {
    let mut named = HashMap::new();
    for (heading, field) in wanted {
        let squeezed = squeeze(heading);
        if !survey.columns.iter().any(|column| squeeze(&column.heading) == squeezed) {
            let headings: Vec<&str> = survey.columns.iter().map(|column| column.heading.as_str()).collect();
            return Err(unknown("heading", heading, &headings));
        }
        let meaning = if field == "-" {
            Meaning::Ignored
        } else if object.field(field).is_some() {
            Meaning::Field(field.clone())
        } else if NAME_PARTS.contains(&field.as_str()) && object.field("name").is_some() {
            Meaning::Part(field.clone())
        } else {
            let keys: Vec<&str> = object.fields.keys().map(String::as_str).collect();
            return Err(unknown("field", field, &keys));
        };
        named.insert(squeezed, meaning);
    }
    Ok(named)
}

fn unknown(what: &str, given: &str, known: &[&str]) -> ImportError {
    let hint = nearest::hint(given, known.iter().copied());
    let listed: Vec<&str> = known.iter().copied().take(LISTED_MAX).collect();
    let more = if known.len() > LISTED_MAX { ", …" } else { "" };
    ImportError::Options(format!("there is no {what} \"{given}\".{hint} There are: {}{more}", listed.join(", ")))
}

/// Squeezed keys and labels in all languages; keys win, then fields in their order.
fn labels_of(object: &Object) -> HashMap<String, &str> {
    let mut labels = HashMap::new();
    // A column of what the engine computes, as an export has it, is left out.
    let written = || object.fields.iter().filter(|(key, _)| object.derived.read_only(key).is_none());
    for (key, _) in written() {
        labels.entry(squeeze(key)).or_insert(key.as_str());
    }
    for (key, field) in written() {
        for label in field.label.values() {
            labels.entry(squeeze(label)).or_insert(key.as_str());
        }
        // `salon.allergies` is also simply `allergies`.
        if let Some((_, name)) = field.extension() {
            labels.entry(squeeze(name)).or_insert(key.as_str());
        }
    }
    labels
}

fn guess(object: &Object, labels: &HashMap<String, &str>, heading: &str) -> Option<Meaning> {
    spellings(heading).iter().find_map(|spelling| look_up(object, labels, spelling))
}

fn look_up(object: &Object, labels: &HashMap<String, &str>, squeezed: &str) -> Option<Meaning> {
    if let Some(key) = labels.get(squeezed) {
        return Some(Meaning::Field((*key).to_owned()));
    }
    let mut references = object.fields.values().filter(|field| matches!(field.kind, FieldType::Ref { .. }));
    if let Some(field) = references.find(|field| squeeze(&reference_id_heading(&field.key)) == squeezed) {
        return Some(Meaning::RefId(field.key.clone()));
    }
    let meaning = WORDS.heading(object.name.as_str(), squeezed)?;
    if object.field(meaning).is_some() {
        return Some(Meaning::Field(meaning.to_owned()));
    }
    let is_part = NAME_PARTS.contains(&meaning) && object.field("name").is_some();
    is_part.then(|| Meaning::Part(meaning.to_owned()))
}

/// The heading, then without what stands in brackets, without numbers, without words like "client's".
fn spellings(heading: &str) -> Vec<String> {
    let outside: String = heading.split(['(', '[', '/']).next().unwrap_or_default().to_owned();
    let mut spellings = vec![squeeze(heading), squeeze(&outside)];
    let said = words(&outside);
    let unnumbered = |word: &&String| !word.chars().all(char::is_numeric);
    spellings.push(said.iter().filter(unnumbered).map(String::as_str).collect());
    spellings.push(said.iter().filter(unnumbered).filter(|word| !WORDS.is_filler(word)).map(String::as_str).collect());
    let trimmed = spellings.first().map(|all| all.trim_end_matches(char::is_numeric).to_owned());
    spellings.extend(trimmed);
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

fn is_part(meaning: Option<&Meaning>, part: &str) -> bool {
    matches!(meaning, Some(Meaning::Part(found)) if found == part)
}

/// Whether the heading is only the label "Name" and not, say, "Full name".
fn is_plain_name(object: &Object, heading: &str) -> bool {
    let squeezed = squeeze(heading);
    let label = |label: &String| squeeze(label) == squeezed;
    squeezed == "name" || object.field("name").is_some_and(|field| field.label.values().any(label))
}

/// Whether a second column of the field has somewhere to go.
fn takes_more(object: &Object, key: &str) -> bool {
    let joins = object.field(key).is_some_and(|field| matches!(field.kind, FieldType::LongText | FieldType::Tags));
    joins || key == "address" || object.field(NOTES).is_some_and(|notes| notes.kind == FieldType::LongText)
}

fn check_required(object: &Object, survey: &Survey, targets: &[Target]) -> Result<(), ImportError> {
    let has = |key: &str| {
        targets.iter().any(|target| match target {
            Target::Field(field) | Target::RefId(field) => field == key,
            Target::NamePart => key == "name",
            Target::RecordId | Target::None => false,
        })
    };
    let lacking = object.fields.values().find(|field| field.required && field.default.is_null() && !has(&field.key));
    let Some(field) = lacking else {
        return Ok(());
    };
    let headings: Vec<&str> = survey.columns.iter().take(LISTED_MAX).map(|column| column.heading.as_str()).collect();
    Err(ImportError::Options(format!(
        "no column is the {0} of a {1}, which every {1} needs; say which one is: --map \"heading={2}\". The headings are: {3}",
        field.label.get("en").unwrap_or(&field.key).to_lowercase(),
        object.label.get("en").map_or_else(|| object.name.as_str().to_owned(), |label| label.to_lowercase()),
        field.key,
        headings.join(", "),
    )))
}
