//! Spreadsheets (xlsx, xls and ods): the sheet that was named, or the first visible one that has anything on it.

use std::io::Cursor;

use calamine::{
    Data, DataRef, ExcelDateTime, Ods, OdsError, Range, Reader, SheetVisible, Xls, XlsError, Xlsx, XlsxError,
};
use jiff::civil;

use super::{COLUMNS_MAX, Cell, FileProblem, Row, Visit, archive};
use crate::guard::unguarded;

/// An open spreadsheet.
pub(super) enum Workbook {
    /// Read as a stream, so that a cell far out in an empty sheet costs nothing.
    Xlsx { book: Box<Xlsx<Cursor<Vec<u8>>>>, sheet: String },
    /// Older formats are only to be had as a whole.
    Whole(Range<Data>),
}

impl Workbook {
    pub(super) fn open_zip(
        bytes: Vec<u8>,
        sheet: Option<&str>,
        notices: &mut Vec<String>,
    ) -> Result<Self, FileProblem> {
        match archive::inspect(&bytes)? {
            archive::Content::Xlsx => Self::open_xlsx(bytes, sheet, notices),
            archive::Content::Ods => {
                let book: Ods<_> = Ods::new(Cursor::new(bytes)).map_err(ods_problem)?;
                whole(book, ods_problem, sheet, notices)
            }
        }
    }

    pub(super) fn open_xls(
        bytes: Vec<u8>,
        sheet: Option<&str>,
        notices: &mut Vec<String>,
    ) -> Result<Self, FileProblem> {
        if is_encrypted_package(&bytes) {
            return Err(FileProblem::Encrypted);
        }
        let book: Xls<_> = Xls::new(Cursor::new(bytes)).map_err(xls_problem)?;
        whole(book, xls_problem, sheet, notices)
    }

    fn open_xlsx(bytes: Vec<u8>, sheet: Option<&str>, notices: &mut Vec<String>) -> Result<Self, FileProblem> {
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(xlsx_problem)?;
        let sheets = sheets_in_order(&book, sheet)?;
        for sheet in &sheets {
            if has_content(&mut book, sheet)? {
                notice_sheet(sheet, &sheets, notices);
                return Ok(Self::Xlsx { book: Box::new(book), sheet: sheet.clone() });
            }
        }
        Err(FileProblem::Empty)
    }

    pub(super) fn each_row(&mut self, visit: Visit<'_>) -> Result<(), FileProblem> {
        match self {
            Self::Xlsx { book, sheet } => stream(book, sheet, visit),
            Self::Whole(range) => {
                walk(range, visit);
                Ok(())
            }
        }
    }
}

fn has_content(book: &mut Xlsx<Cursor<Vec<u8>>>, sheet: &str) -> Result<bool, FileProblem> {
    let mut cells = match book.worksheet_cells_reader(sheet) {
        Ok(cells) => cells,
        // A sheet that is only a chart.
        Err(XlsxError::WorksheetNotFound(_)) => return Ok(false),
        Err(error) => return Err(xlsx_problem(error)),
    };
    while let Some(found) = cells.next_cell().map_err(xlsx_problem)? {
        if !matches!(found.get_value(), DataRef::Empty) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn stream(book: &mut Xlsx<Cursor<Vec<u8>>>, sheet: &str, visit: Visit<'_>) -> Result<(), FileProblem> {
    let mut cells = book.worksheet_cells_reader(sheet).map_err(xlsx_problem)?;
    let mut row = Row { number: 1, cells: Vec::new() };
    while let Some(found) = cells.next_cell().map_err(xlsx_problem)? {
        let (line, column) = found.get_position();
        let number = u64::from(line).saturating_add(1);
        if number != row.number {
            let width = row.cells.len();
            let full = std::mem::replace(&mut row, Row { number, cells: Vec::with_capacity(width) });
            if visit(full).is_break() {
                return Ok(());
            }
        }
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        let value = cell(found.get_value().clone().into());
        // One column more than allowed is kept, so that the caller notices; formats of empty cells are not.
        if !value.is_blank() {
            put(&mut row.cells, column.min(COLUMNS_MAX), value);
        }
    }
    // A last row without cells is harmless: blank rows are passed over.
    let _flow = visit(row);
    Ok(())
}

fn put(cells: &mut Vec<Cell>, column: usize, value: Cell) {
    if cells.len() <= column {
        cells.resize(column.saturating_add(1), Cell::Empty);
    }
    if let Some(place) = cells.get_mut(column) {
        *place = value;
    }
}

fn walk(range: &Range<Data>, visit: Visit<'_>) {
    let (first_row, first_column) = range.start().unwrap_or_default();
    let left = usize::try_from(first_column).unwrap_or(usize::MAX).min(COLUMNS_MAX);
    let numbers = u64::from(first_row).saturating_add(1)..;
    for (number, values) in numbers.zip(range.rows()) {
        let given = values.iter().cloned().map(cell);
        let cells = std::iter::repeat_n(Cell::Empty, left).chain(given).collect();
        if visit(Row { number, cells }).is_break() {
            break;
        }
    }
}

fn whole<B>(
    mut book: B,
    problem: fn(B::Error) -> FileProblem,
    sheet: Option<&str>,
    notices: &mut Vec<String>,
) -> Result<Workbook, FileProblem>
where
    B: Reader<Cursor<Vec<u8>>>,
{
    let sheets = sheets_in_order(&book, sheet)?;
    for sheet in &sheets {
        let range = book.worksheet_range(sheet).map_err(problem)?;
        if range.used_cells().next().is_some() {
            notice_sheet(sheet, &sheets, notices);
            return Ok(Workbook::Whole(range));
        }
    }
    Err(FileProblem::Empty)
}

/// The sheet of that name or number; else visible sheets, or all if none is.
fn sheets_in_order<B: Reader<Cursor<Vec<u8>>>>(book: &B, wanted: Option<&str>) -> Result<Vec<String>, FileProblem> {
    let sheets = book.sheets_metadata();
    let all: Vec<String> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
    if let Some(wanted) = wanted {
        let named = all.iter().find(|name| name.trim().to_lowercase() == wanted.trim().to_lowercase());
        let number = wanted.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let found = named.or_else(|| all.get(number?));
        let unknown = || FileProblem::UnknownSheet(wanted.to_owned(), all.join(", "));
        return Ok(vec![found.ok_or_else(unknown)?.clone()]);
    }
    let visible: Vec<String> =
        sheets.iter().filter(|sheet| sheet.visible == SheetVisible::Visible).map(|sheet| sheet.name.clone()).collect();
    Ok(if visible.is_empty() { all } else { visible })
}

fn notice_sheet(sheet: &str, sheets: &[String], notices: &mut Vec<String>) {
    let others: Vec<&str> = sheets.iter().map(String::as_str).filter(|other| *other != sheet).collect();
    if !others.is_empty() {
        notices.push(format!("only the sheet \"{sheet}\" was read, not {}", others.join(", ")));
    }
}

fn cell(value: Data) -> Cell {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) if text.starts_with('\'') => Cell::Text(unguarded(&text).to_owned()),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Cell::Text(text),
        Data::Int(number) => Cell::Text(number.to_string()),
        Data::Float(number) => Cell::Number(number),
        Data::Bool(flag) => Cell::Bool(flag),
        Data::DateTime(at) => date(&at),
        Data::Error(error) => Cell::Text(error.to_string()),
    }
}

fn date(at: &ExcelDateTime) -> Cell {
    let serial = at.as_f64();
    civil_of(at).map_or(Cell::Number(serial), |at| Cell::Date(at, serial))
}

/// The day and time of a serial number; none for 29 February 1900, which only Excel knows.
pub(crate) fn civil_of(at: &ExcelDateTime) -> Option<civil::DateTime> {
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    civil::DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        i32::from(milli).saturating_mul(1_000_000),
    )
    .ok()
}

/// An xlsx with a password is an OLE file with a stream of this name, in UTF-16.
fn is_encrypted_package(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.windows(name.len()).any(|window| window == name)
}

fn xlsx_problem(error: XlsxError) -> FileProblem {
    match error {
        XlsxError::Password => FileProblem::Encrypted,
        other => FileProblem::Damaged(other.to_string()),
    }
}

fn xls_problem(error: XlsError) -> FileProblem {
    match error {
        XlsError::Password => FileProblem::Encrypted,
        other => FileProblem::Damaged(other.to_string()),
    }
}

fn ods_problem(error: OdsError) -> FileProblem {
    match error {
        OdsError::Password => FileProblem::Encrypted,
        other => FileProblem::Damaged(other.to_string()),
    }
}
