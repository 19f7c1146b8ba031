//! How a column tells to which record it refers: by the other record's title, its id, or a field that was chosen.

use std::collections::HashMap;

use pergola_model::{Catalog, Field, FieldType, Id, Object, ObjectName, Value};

use super::{
    ImportError, ImportOptions,
    convert::{Habits, convert},
    draft::{Column, FoundBy},
    fold::squeeze,
    read::Cell,
    survey::Survey,
};

/// Which field of which other object a reference is looked up by.
pub(crate) struct References {
    /// The other object's title, by the reference's key.
    titles: HashMap<String, String>,
    /// What was chosen, by squeezed heading.
    chosen: HashMap<String, (ObjectName, Field)>,
}

/// What a cell says of the other record.
pub(crate) enum Found {
    Id(Id),
    By(FoundBy),
}

impl References {
    /// Checks what was chosen against the file and the catalog.
    pub(crate) fn new(
        catalog: &Catalog,
        object: &Object,
        survey: &Survey,
        options: &ImportOptions,
    ) -> Result<Self, ImportError> {
        let mut titles = HashMap::new();
        for field in object.fields.values() {
            if let FieldType::Ref { to, .. } = &field.kind
                && let Some(title) = catalog.object(to).and_then(|to| to.title.clone())
            {
                titles.insert(field.key.clone(), title);
            }
        }
        let mut chosen = HashMap::new();
        for (heading, by) in &options.refs {
            let squeezed = squeeze(heading);
            if !survey.columns.iter().any(|column| squeeze(&column.heading) == squeezed) {
                return Err(ImportError::Options(format!("there is no heading \"{heading}\" to refer by")));
            }
            chosen.insert(squeezed, find(catalog, by)?);
        }
        Ok(Self { titles, chosen })
    }

    /// What the cell says of the record to which the field refers.
    pub(super) fn read(&self, field: &Field, column: &Column, cell: &Cell, habits: &Habits) -> Result<Found, String> {
        let text = cell.text();
        if let Some((object, by)) = self.chosen.get(&squeeze(&column.heading)) {
            if !matches!(&field.kind, FieldType::Ref { to, .. } if to == object) {
                return Err(format!("the column is the field {}, which does not refer to {object}", field.key));
            }
            let value = convert(by, cell, column.order, habits)?.value;
            return Ok(Found::By(FoundBy { field: by.key.clone(), value, text }));
        }
        if let Ok(id) = text.parse() {
            return Ok(Found::Id(id));
        }
        let Some(title) = self.titles.get(&field.key) else {
            return Err(format!("\"{text}\" is not the id of a record, and such records have no title"));
        };
        Ok(Found::By(FoundBy { field: title.clone(), value: Value::Text(text.clone()), text }))
    }
}

/// The field that `booking.resource.name` names: an object, a point, one of its fields.
fn find(catalog: &Catalog, by: &str) -> Result<(ObjectName, Field), ImportError> {
    let found = by.match_indices('.').rev().find_map(|(point, _)| {
        let (object, field) = (catalog.find_object(by.get(..point)?)?, by.get(point.saturating_add(1)..)?);
        Some((object, object.field(field)?))
    });
    let Some((object, field)) = found else {
        return Err(ImportError::Options(format!(
            "\"{by}\" is not a field of an object; write it like organization.name or booking.resource.name"
        )));
    };
    if !identifies(&field.kind) {
        let kind = field.kind.name();
        return Err(ImportError::Options(format!("no record can be found by \"{by}\", because it is {kind}")));
    }
    Ok((object.name.clone(), field.clone()))
}

/// Whether records can be found by one value of such a field.
pub(crate) fn identifies(kind: &FieldType) -> bool {
    match kind {
        FieldType::Text
        | FieldType::Phone
        | FieldType::Email
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Integer
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Ref { .. } => true,
        FieldType::LongText
        | FieldType::Decimal { .. }
        | FieldType::Money
        | FieldType::Bool
        | FieldType::Duration
        | FieldType::Json
        | FieldType::Tags => false,
    }
}
