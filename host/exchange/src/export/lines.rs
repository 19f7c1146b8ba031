//! JSON Lines: each record as REST shows it.

use pergola_model::{Object, Record, json::RecordJson};

use super::ExportError;

/// Makes lines of pages.
#[derive(Default)]
pub(super) struct Lines {
    /// With only those fields that are wanted.
    object: Option<Box<Object>>,
}

impl Lines {
    pub(super) fn new(object: &Object, fields: Option<&[String]>) -> Self {
        let mut object = object.clone();
        if let Some(fields) = fields {
            object.fields.retain(|key, _| fields.contains(key));
        }
        Self { object: Some(Box::new(object)) }
    }

    pub(super) fn rows(&self, records: &[Record]) -> Result<Vec<u8>, ExportError> {
        let mut bytes = Vec::new();
        let Some(object) = &self.object else { return Ok(bytes) };
        for record in records {
            serde_json::to_writer(&mut bytes, &RecordJson { object, record }).map_err(std::io::Error::from)?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}
