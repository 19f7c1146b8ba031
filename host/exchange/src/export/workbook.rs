//! A workbook of one sheet, in constant memory: rows go to a temporary file as they come.
//!
//! Numbers, amounts, days and instants are cells of their kind where a spreadsheet holds them exactly, else text in
//! the form of [`cells`]. A text that looks like a formula is marked as text, the way a person does it by a leading
//! `'`: the mark is the cell's format, and the text is whole.

use std::{
    fs::File,
    io::{BufWriter, Seek as _, Write as _},
    str::FromStr as _,
    sync::Arc,
};

use jiff::{Timestamp, civil, tz::TimeZone};
use pergola_model::{FieldType, Locale, Money, Object, Record, Value, normal::minor_digits};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook as Book, Worksheet, XlsxError};

use super::{
    ExportError, cells,
    columns::{Column, Columns, Content},
    titles::Titles,
};
use crate::guard::{guarded, is_formula, is_guarded};

/// Rows of a sheet below its heading.
pub(super) const RECORDS_MAX: u64 = 1_048_575;
/// The longest text of a cell, in UTF-16 units.
const CELL_UNITS_MAX: usize = 32_767;
/// Whole numbers up to here are exact.
const EXACT_MAX: i64 = 1 << 53;
/// The longest name of a sheet.
const SHEET_NAME_MAX: usize = 31;
/// The first year of a spreadsheet's calendar without its mistake about 1900.
const FIRST_YEAR: i16 = 1901;

/// A workbook under way.
pub(super) struct Workbook {
    book: Book,
    row: u32,
    locale: Locale,
    formats: Formats,
}

struct Formats {
    formula_like: Format,
    date: Format,
    date_time: Format,
    money: Format,
}

impl Workbook {
    pub(super) fn new(object: &Arc<Object>, columns: &Columns, locale: &Locale) -> Result<Self, ExportError> {
        let mut book = Book::new();
        let sheet = book.add_worksheet_with_constant_memory().map_err(problem)?;
        let name: String = object.plural.chars().take(SHEET_NAME_MAX).collect();
        sheet.set_name(name).map_err(problem)?;
        sheet.set_freeze_panes(1, 0).map_err(problem)?;
        let bold = Format::new().set_bold();
        for (column, heading) in (0..).zip(columns.headings()) {
            sheet.write_string_with_format(0, column, heading, &bold).map_err(problem)?;
        }
        let decimals = match minor_digits(&locale.currency) {
            0 => String::new(),
            digits => format!(".{}", "0".repeat(usize::try_from(digits).unwrap_or_default())),
        };
        let formats = Formats {
            formula_like: Format::new().set_quote_prefix(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            date_time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            money: Format::new().set_num_format(format!("#,##0{decimals} \"{}\"", locale.currency)),
        };
        Ok(Self { book, row: 0, locale: locale.clone(), formats })
    }

    pub(super) fn rows(&mut self, columns: &Columns, records: &[Record], titles: &Titles) -> Result<(), ExportError> {
        let sheet = self.book.worksheet_from_index(0).map_err(problem)?;
        for record in records {
            self.row = self.row.saturating_add(1);
            let writing = Writing { sheet: &mut *sheet, formats: &self.formats, locale: &self.locale, row: self.row };
            write_row(writing, columns, record, titles)?;
        }
        Ok(())
    }

    /// Puts the parts together in a temporary file, which is read from its beginning.
    pub(super) async fn finish(self) -> Result<File, ExportError> {
        let mut book = self.book;
        let saved = tokio::task::spawn_blocking(move || {
            let mut file = BufWriter::new(tempfile::tempfile()?);
            book.save_to_writer(&mut file).map_err(problem)?;
            file.flush()?;
            let mut file = file.into_inner().map_err(|error| error.into_error())?;
            file.rewind()?;
            Ok(file)
        });
        saved.await.unwrap_or_else(|error| Err(ExportError::Io(std::io::Error::other(error))))
    }
}

fn write_row(mut writing: Writing<'_>, columns: &Columns, record: &Record, titles: &Titles) -> Result<(), ExportError> {
    for (column, content) in (0..).zip(&columns.columns) {
        writing.cell(column, content, record, titles).map_err(|error| match error {
            XlsxError::MaxStringLengthExceeded => ExportError::Format(format!(
                "{} of the record {} is longer than a cell of a workbook may be (32,767 characters); take csv",
                content.heading, record.id
            )),
            other => problem(other),
        })?;
    }
    Ok(())
}

/// A row that is being written.
struct Writing<'a> {
    sheet: &'a mut Worksheet,
    formats: &'a Formats,
    locale: &'a Locale,
    row: u32,
}

impl Writing<'_> {
    fn cell(&mut self, at: u16, column: &Column, record: &Record, titles: &Titles) -> Result<(), XlsxError> {
        match &column.content {
            Content::System("id") => self.text(at, record.id.to_string()),
            Content::System("version") => self.integer(at, record.version),
            Content::System("created_at") => self.instant(at, record.created_at),
            Content::System(_) => self.instant(at, record.updated_at),
            Content::RefId(field) => self.text(at, cells::text(record.fields.get(&field.key))),
            Content::Field(field) => match (&field.kind, record.fields.get(&field.key)) {
                (FieldType::Ref { .. }, value) => self.text(at, titles.get(value.as_ref_id()).to_owned()),
                (_, value) => self.value(at, value),
            },
        }
    }

    fn value(&mut self, at: u16, value: &Value) -> Result<(), XlsxError> {
        match value {
            Value::Integer(number) => self.integer(at, *number),
            Value::Decimal(number) => match exact(*number) {
                Some(float) => self.sheet.write_number(self.row, at, float).map(|_| ()),
                None => self.text(at, number.to_string()),
            },
            Value::Money(amount) => self.money(at, amount),
            Value::Bool(flag) => self.sheet.write_boolean(self.row, at, *flag).map(|_| ()),
            Value::Date(day) if day.year() >= FIRST_YEAR => {
                let date = excel_date(*day)?;
                self.sheet.write_datetime_with_format(self.row, at, &date, &self.formats.date).map(|_| ())
            }
            Value::DateTime(instant) => self.instant(at, *instant),
            other => self.text(at, cells::text(other)),
        }
    }

    fn integer(&mut self, at: u16, number: i64) -> Result<(), XlsxError> {
        match number.to_f64().filter(|_| (-EXACT_MAX..=EXACT_MAX).contains(&number)) {
            Some(float) => self.sheet.write_number(self.row, at, float).map(|_| ()),
            None => self.text(at, number.to_string()),
        }
    }

    /// Amounts in the workspace's currency can be added up; others keep their code, as text.
    fn money(&mut self, at: u16, amount: &Money) -> Result<(), XlsxError> {
        match exact(cells::major_units(amount)).filter(|_| amount.currency == self.locale.currency) {
            Some(float) => self.sheet.write_number_with_format(self.row, at, float, &self.formats.money).map(|_| ()),
            None => self.text(at, cells::text(&Value::Money(amount.clone()))),
        }
    }

    /// The wall clock's time, if that tells the instant; in the hour that comes twice it does not.
    fn instant(&mut self, at: u16, instant: Timestamp) -> Result<(), XlsxError> {
        match wall_clock(instant, &self.locale.zone) {
            Some(wall) => {
                let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
                let date = excel_date(wall.date())?.and_hms(number(hour)?, number(minute)?, f64::from(second))?;
                self.sheet.write_datetime_with_format(self.row, at, &date, &self.formats.date_time).map(|_| ())
            }
            None => self.text(at, cells::instant(instant, &self.locale.zone)),
        }
    }

    fn text(&mut self, at: u16, text: String) -> Result<(), XlsxError> {
        if text.is_empty() {
            return Ok(());
        }
        // What an import would take for a mark is marked, so that it is whole again afterwards.
        let text = if is_guarded(&text) { guarded(text) } else { text };
        if text.encode_utf16().count() > CELL_UNITS_MAX {
            return Err(XlsxError::MaxStringLengthExceeded);
        }
        if is_formula(&text) {
            self.sheet.write_string_with_format(self.row, at, text, &self.formats.formula_like).map(|_| ())
        } else {
            self.sheet.write_string(self.row, at, text).map(|_| ())
        }
    }
}

/// The number as a float that shows the same digits.
fn exact(number: Decimal) -> Option<f64> {
    let float = number.to_f64()?;
    (Decimal::from_str(&float.to_string()).ok()? == number).then_some(float)
}

fn wall_clock(at: Timestamp, zone: &TimeZone) -> Option<civil::DateTime> {
    let wall = zone.to_datetime(at);
    let is_exact = wall.subsec_nanosecond() == 0 && wall.year() >= FIRST_YEAR;
    let back = wall.to_zoned(zone.clone()).ok()?.timestamp();
    (is_exact && back == at).then_some(wall)
}

fn excel_date(day: civil::Date) -> Result<ExcelDateTime, XlsxError> {
    ExcelDateTime::from_ymd(number(day.year())?, number(day.month())?, number(day.day())?)
}

fn number<A: TryInto<B> + Copy + std::fmt::Display, B>(number: A) -> Result<B, XlsxError> {
    number.try_into().map_err(|_| XlsxError::DateTimeRangeError(number.to_string()))
}

fn problem(error: XlsxError) -> ExportError {
    match error {
        XlsxError::IoError(error) => ExportError::Io(error),
        other => ExportError::Format(format!("the workbook cannot be written: {other}")),
    }
}
