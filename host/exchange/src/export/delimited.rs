//! CSV: lines end as RFC 4180 wants it, and no cell is a formula.

use csv::{Terminator, WriterBuilder};
use jiff::tz::TimeZone;
use pergola_model::{FieldType, Locale, Record, Value};

use super::{
    ExportError, ExportOptions, cells,
    columns::{Column, Columns, Content},
    titles::Titles,
};
use crate::guard::guarded;

/// What may separate cells.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Makes CSV of pages.
pub(super) struct Delimited {
    separator: u8,
    zone: TimeZone,
    byte_order_mark: bool,
    begun: bool,
}

impl Delimited {
    pub(super) fn new(locale: &Locale, options: &ExportOptions) -> Result<Self, ExportError> {
        let separator = options.separator;
        let byte = u8::try_from(separator).ok().filter(|_| SEPARATORS.contains(&separator)).ok_or_else(|| {
            let message = format!("{separator:?} cannot separate cells; use a comma, semicolon, tab or vertical bar");
            ExportError::Options(message)
        })?;
        let (zone, byte_order_mark) = (locale.zone.clone(), options.byte_order_mark);
        Ok(Self { separator: byte, zone, byte_order_mark, begun: false })
    }

    pub(super) fn rows(
        &mut self,
        columns: &Columns,
        records: &[Record],
        titles: &Titles,
    ) -> Result<Vec<u8>, ExportError> {
        let mut bytes = Vec::new();
        if !self.begun && self.byte_order_mark {
            bytes.extend_from_slice(BYTE_ORDER_MARK);
        }
        let mut writer = WriterBuilder::new().delimiter(self.separator).terminator(Terminator::CRLF).from_writer(bytes);
        if !self.begun {
            self.begun = true;
            let headings = columns.headings().into_iter().map(|heading| guarded(heading.to_owned()));
            writer.write_record(headings).map_err(into_io)?;
        }
        for record in records {
            let row = columns.columns.iter().map(|column| self.cell(column, record, titles));
            writer.write_record(row).map_err(into_io)?;
        }
        writer.into_inner().map_err(|error| ExportError::Io(error.into_error()))
    }

    fn cell(&self, column: &Column, record: &Record, titles: &Titles) -> String {
        match &column.content {
            Content::System("id") => record.id.to_string(),
            Content::System("version") => record.version.to_string(),
            Content::System("created_at") => cells::instant(record.created_at, &self.zone),
            Content::System(_) => cells::instant(record.updated_at, &self.zone),
            Content::RefId(field) => cells::text(record.fields.get(&field.key)),
            Content::Field(field) => match (&field.kind, record.fields.get(&field.key)) {
                (FieldType::Ref { .. }, value) => guarded(titles.get(value.as_ref_id()).to_owned()),
                (_, Value::DateTime(at)) => cells::instant(*at, &self.zone),
                // A number is no formula, and a `'` before it would keep programs from reading it.
                (FieldType::Integer | FieldType::Decimal { .. }, value) => cells::text(value),
                (_, value) => guarded(cells::text(value)),
            },
        }
    }
}

fn into_io(error: csv::Error) -> ExportError {
    ExportError::Io(error.into())
}
