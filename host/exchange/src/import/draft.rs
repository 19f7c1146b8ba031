//! Puts a row's cells together into the fields of a record.

use std::{collections::BTreeMap, sync::Arc};

use pergola_model::{Field, FieldType, Fields, Id, Object, Value, normal};

use super::{
    convert::{Habits, convert},
    fold::squeeze,
    headings::{Mapping, NOTES, Target},
    merge,
    read::{Cell, Row},
    references::{Found, References},
    survey::{DateOrder, Survey},
};

/// A row on its way to become a record.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// As it stands in the file.
    pub(crate) row: Row,
    /// Its values, in the model's spelling.
    pub(crate) fields: Fields,
    /// The record's own id, if the file knows it.
    pub(crate) id: Option<Id>,
    /// Whether the notes are only what no other field took.
    pub(crate) notes_are_surplus: bool,
    /// References whose record has still to be found, by field.
    pub(crate) links: BTreeMap<String, Link>,
    /// Why it cannot be taken; empty if it can.
    pub(crate) issues: Vec<String>,
}

/// A reference whose record has still to be found: by its id, or else by the value of one of its fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    pub(crate) id: Option<Id>,
    pub(crate) found_by: Option<FoundBy>,
    pub(crate) heading: String,
}

/// The other record's field, and its value.
#[derive(Debug, Clone)]
pub(crate) struct FoundBy {
    pub(crate) field: String,
    pub(crate) value: Value,
    /// As it stands in the file.
    pub(crate) text: String,
}

/// Makes drafts of rows.
pub(crate) struct Drafter {
    object: Arc<Object>,
    references: References,
    columns: Vec<Column>,
    habits: Habits,
}

pub(super) struct Column {
    pub(super) heading: String,
    target: Target,
    pub(super) order: DateOrder,
}

/// What a row's parts come to before they are joined.
#[derive(Default)]
struct Parts {
    name: Vec<(String, String)>,
    address: Vec<String>,
    notes: Vec<String>,
}

impl Drafter {
    pub(crate) fn new(
        object: Arc<Object>,
        survey: &Survey,
        mapping: &Mapping,
        references: References,
        habits: Habits,
    ) -> Self {
        let columns = survey.columns.iter().zip(&mapping.targets).map(|(column, target)| Column {
            heading: column.heading.clone(),
            target: target.clone(),
            order: column.date_order(&habits.locale.region),
        });
        Self { columns: columns.collect(), object, references, habits }
    }

    /// Reads all mapped cells; what is wrong with them is all told at once.
    pub(crate) fn draft(&self, row: Row) -> Draft {
        let mut draft = Draft::default();
        let mut parts = Parts::default();
        for (column, cell) in self.columns.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_blank()) {
            match &column.target {
                Target::None => {}
                Target::NamePart => parts.name.push((column.heading.clone(), cell.text())),
                Target::RecordId => draft.id = read_id(column, cell, &mut draft.issues),
                Target::RefId(key) => {
                    let id = read_id(column, cell, &mut draft.issues);
                    let link = draft.links.entry(key.clone()).or_insert_with(|| Link::of(column));
                    link.id = id.or(link.id);
                }
                Target::Field(key) => {
                    if let Some(field) = self.object.field(key) {
                        self.take(field, column, cell, &mut draft, &mut parts);
                    }
                }
            }
        }
        self.join(&mut draft, parts);
        draft.row = row;
        draft
    }

    fn take(&self, field: &Field, column: &Column, cell: &Cell, draft: &mut Draft, parts: &mut Parts) {
        if field.key == "address" && field.kind == FieldType::Text {
            parts.address.push(cell.text());
            return;
        }
        if matches!(field.kind, FieldType::Ref { .. }) {
            let link = draft.links.entry(field.key.clone()).or_insert_with(|| Link::of(column));
            match self.references.read(field, column, cell, &self.habits) {
                Ok(found) => link.take(found),
                Err(message) => draft.issues.push(format!("{}: {message}", column.heading)),
            }
            return;
        }
        match convert(field, cell, column.order, &self.habits) {
            Ok(converted) => {
                let mut surplus = converted.rest;
                if !merge::fill(&mut draft.fields, field, converted.value) {
                    surplus.insert(0, cell.text());
                }
                parts.notes.extend(surplus.iter().map(|text| note_line(&column.heading, text)));
            }
            Err(message) => draft.issues.push(format!("{}: {message}", column.heading)),
        }
    }

    fn join(&self, draft: &mut Draft, mut parts: Parts) {
        let name: Vec<&str> = parts.name.iter().map(|(_, part)| part.as_str()).collect();
        let name = name.join(" ");
        match draft.fields.get("name").as_text().map(squeeze) {
            None => self.set_text(draft, "name", name),
            Some(whole) => {
                let said = |part: &str| whole.contains(&squeeze(part));
                let surplus = parts.name.iter().filter(|(_, part)| !said(part));
                parts.notes.extend(surplus.map(|(heading, part)| note_line(heading, part)));
            }
        }
        self.set_text(draft, "address", parts.address.join(", "));
        if !parts.notes.is_empty() {
            draft.notes_are_surplus = draft.fields.get(NOTES).is_null();
            add_notes(&self.object, draft, parts.notes);
        }
    }

    fn set_text(&self, draft: &mut Draft, key: &str, text: String) {
        let Some(field) = self.object.field(key).filter(|_| !text.is_empty()) else {
            return;
        };
        match normal::normalise(field, Value::Text(text), &self.habits.locale) {
            Ok(value) => {
                draft.fields.set(key, value);
            }
            Err(issue) => draft.issues.push(format!("{key}: {}", issue.message)),
        }
    }
}

impl Link {
    fn of(column: &Column) -> Self {
        Self { heading: column.heading.clone(), ..Self::default() }
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Id(id) => self.id = Some(id),
            Found::By(found_by) => self.found_by = Some(found_by),
        }
    }
}

fn read_id(column: &Column, cell: &Cell, issues: &mut Vec<String>) -> Option<Id> {
    let text = cell.text();
    let id = text.parse().ok();
    if id.is_none() {
        issues.push(format!("{}: \"{text}\" is not the id of a record", column.heading));
    }
    id
}

/// What a value without a field of its own looks like in the notes.
pub(crate) fn note_line(heading: &str, text: &str) -> String {
    format!("{heading}: {text}")
}

/// Adds lines to the notes; an object without notes cannot take the row.
pub(crate) fn add_notes(object: &Object, draft: &mut Draft, lines: Vec<String>) {
    match object.field(NOTES).filter(|notes| notes.kind == FieldType::LongText) {
        Some(notes) => {
            merge::fill(&mut draft.fields, notes, Value::Text(lines.join("\n")));
        }
        None => draft.issues.extend(lines.into_iter().map(|line| format!("there is no field for \"{line}\""))),
    }
}
