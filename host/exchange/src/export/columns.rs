//! Which columns a table has, and what their headings are.

use std::{collections::HashMap, sync::Arc};

use pergola_model::{Catalog, Field, FieldType, Object, nearest, object::SYSTEM_FIELDS};

use super::{ExportError, ExportFormat, ExportOptions};
use crate::reference_id_heading;

/// What stands in a column.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// One of the fields that every record has.
    System(&'static str),
    /// A field's value; of a reference, the other record's title.
    Field(Field),
    /// A reference's id.
    RefId(Field),
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) heading: String,
    pub(super) content: Content,
}

/// All columns, in their order.
pub(super) struct Columns {
    pub(super) columns: Vec<Column>,
    /// The objects whose titles are wanted, by the key of the reference.
    pub(super) referred: Vec<(String, Arc<Object>)>,
}

impl Columns {
    /// The id and all fields, or those that were asked for.
    pub(super) fn new(catalog: &Catalog, object: &Object, options: &ExportOptions) -> Result<Self, ExportError> {
        let contents = match &options.fields {
            None => {
                std::iter::once(Content::System("id")).chain(object.fields.values().flat_map(contents_of)).collect()
            }
            Some(keys) => named(object, keys)?,
        };
        let labels = labels(object, options);
        let columns: Vec<Column> =
            contents.into_iter().map(|content| Column { heading: heading(&content, &labels), content }).collect();
        let mut referred: Vec<(String, Arc<Object>)> = Vec::new();
        for column in &columns {
            if let Content::Field(Field { key, kind: FieldType::Ref { to, .. }, .. }) = &column.content
                && let Some(to) = catalog.object(to)
            {
                referred.push((key.clone(), Arc::clone(to)));
            }
        }
        Ok(Self { columns, referred })
    }

    /// The fields that are read.
    pub(super) fn read(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            if let Content::Field(field) | Content::RefId(field) = &column.content
                && keys.last() != Some(&field.key)
            {
                keys.push(field.key.clone());
            }
        }
        keys
    }

    pub(super) fn headings(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.heading.as_str()).collect()
    }
}

fn contents_of(field: &Field) -> Vec<Content> {
    match field.kind {
        FieldType::Ref { .. } => vec![Content::Field(field.clone()), Content::RefId(field.clone())],
        _ => vec![Content::Field(field.clone())],
    }
}

fn named(object: &Object, keys: &[String]) -> Result<Vec<Content>, ExportError> {
    let mut contents = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        if keys.iter().take(place).any(|other| other == key) {
            return Err(ExportError::Options(format!("the field \"{key}\" is named twice: take one out")));
        }
        if let Some(system) = SYSTEM_FIELDS.into_iter().find(|system| system == key) {
            contents.push(Content::System(system));
        } else if let Some(field) = object.field(key) {
            contents.extend(contents_of(field));
        } else {
            let known: Vec<&str> = SYSTEM_FIELDS.into_iter().chain(object.fields.keys().map(String::as_str)).collect();
            let hint = nearest::hint(key, known.iter().copied());
            let message = format!("{} has no field \"{key}\".{hint} There are: {}", object.name, known.join(", "));
            return Err(ExportError::Options(message));
        }
    }
    if contents.is_empty() {
        return Err(ExportError::Options("an export needs at least one field".to_owned()));
    }
    Ok(contents)
}

/// The fields' labels by key, without those that two fields share: an import could not tell them apart.
fn labels<'a>(object: &'a Object, options: &ExportOptions) -> HashMap<&'a str, &'a str> {
    let Some(language) = options.labels.as_deref().filter(|_| options.format != ExportFormat::JsonLines) else {
        return HashMap::new();
    };
    let labelled = object.fields.values().filter_map(|field| Some((field.key.as_str(), field.label.get(language)?)));
    let labelled: Vec<(&str, &String)> = labelled.collect();
    let is_own = |label: &String| labelled.iter().filter(|(_, other)| other.eq_ignore_ascii_case(label)).count() == 1;
    labelled.iter().filter(|(_, label)| is_own(label)).map(|(key, label)| (*key, label.as_str())).collect()
}

fn heading(content: &Content, labels: &HashMap<&str, &str>) -> String {
    match content {
        Content::System(name) => (*name).to_owned(),
        Content::Field(field) => {
            labels.get(field.key.as_str()).map_or_else(|| field.key.clone(), |label| (*label).to_owned())
        }
        Content::RefId(field) => reference_id_heading(&field.key),
    }
}
