//! Makes rows of cells of a file, whatever its format; the first filled row is the heading.
//!
//! Formats are told by content, because names lie: exports called `.xls` are often web pages or text.

mod archive;
mod delimited;
mod encoding;
mod workbook;

use std::{io::Read as _, ops::ControlFlow};

use jiff::civil;
use sha2::{Digest as _, Sha256};

pub(crate) use self::workbook::civil_of;
use self::{delimited::Delimited, workbook::Workbook};
use super::{Content, ImportOptions, Source};

/// The largest file.
const FILE_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// The most rows, as many as spreadsheet programs hold.
pub(crate) const ROWS_MAX: u64 = 1_000_000;
/// The most columns.
pub(crate) const COLUMNS_MAX: usize = 500;
/// The longest text in a cell.
pub(crate) const CELL_BYTES_MAX: usize = 100_000;

/// Why a file cannot be read as a table, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileProblem {
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("the file is larger than 100 MB; split it into several files")]
    TooLarge,
    #[error("the file is empty; choose one with a row of headings and rows below it")]
    Empty,
    #[error("the file has headings but no rows below them; is this the right sheet?")]
    NoRows,
    #[error("the file is damaged or not a spreadsheet ({0}); open it in a spreadsheet program and save it as .xlsx")]
    Damaged(String),
    #[error("the file is protected by a password; take the password off and save it again")]
    Encrypted,
    #[error("the file is {0}, not a spreadsheet; save it as .xlsx or .csv")]
    NotATable(&'static str),
    #[error("the file unpacks to more than {0} MB, which no client list does; copy its rows to a new spreadsheet")]
    Bomb(u64),
    #[error("the file repeats its cells to more than {0} of them; copy its rows to a new spreadsheet")]
    TooManyCells(u64),
    #[error("the file has more than {ROWS_MAX} rows; split it into several files")]
    TooManyRows,
    #[error("row {row} has more than {COLUMNS_MAX} columns; delete the columns that are not needed")]
    TooManyColumns { row: u64 },
    #[error("a cell in row {row} is longer than 100 kB; is a quotation mark opened there and never closed?")]
    CellTooLong { row: u64 },
    #[error("there is no encoding {0:?}; try utf-8 or windows-1251")]
    UnknownEncoding(String),
    #[error("the file is text, which has no sheets; leave --sheet out")]
    NoSheets,
    #[error("there is no sheet {0:?}; there are: {1}")]
    UnknownSheet(String, String),
    #[error("{0:?} cannot separate cells; use a comma, semicolon, tab or vertical bar")]
    BadDelimiter(char),
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Cell {
    #[default]
    Empty,
    Text(String),
    Number(f64),
    Bool(bool),
    /// A number that the sheet shows as a date or time, and its serial value.
    Date(civil::DateTime, f64),
}

impl Cell {
    /// Whether nothing but spaces is in it.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Number(_) | Self::Bool(_) | Self::Date(..) => false,
        }
    }

    /// What it says, without the spaces around.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.trim().to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Bool(flag) => flag.to_string(),
            Self::Date(at, _) if at.time() == civil::Time::midnight() => at.date().to_string(),
            Self::Date(at, _) => at.to_string().replace('T', " "),
        }
    }
}

/// A row and its number in the sheet, from 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) cells: Vec<Cell>,
}

/// What a reader of rows says to each: go on, or enough.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(Row) -> ControlFlow<()>;

/// A file as a table.
pub(crate) struct Table {
    format: Format,
    /// SHA-256 of the file.
    pub(crate) digest: Vec<u8>,
    /// What was assumed about the file.
    pub(crate) notices: Vec<String>,
}

enum Format {
    Delimited(Delimited),
    Workbook(Workbook),
}

impl Table {
    /// Tells the format and prepares reading; heavy, so not to be called where others wait.
    pub(crate) fn open(source: Source, options: &ImportOptions, region: &str) -> Result<Self, FileProblem> {
        let name = source.name.to_lowercase();
        let bytes = load(source.content)?;
        let kind = tell(&name, &bytes)?;
        let digest = Sha256::digest(&bytes).to_vec();
        let mut notices = Vec::new();
        let format = match kind {
            Kind::Zip => Format::Workbook(Workbook::open_zip(bytes, options.sheet.as_deref(), &mut notices)?),
            Kind::Ole => Format::Workbook(Workbook::open_xls(bytes, options.sheet.as_deref(), &mut notices)?),
            Kind::Text if options.sheet.is_some() => return Err(FileProblem::NoSheets),
            Kind::Text => Format::Delimited(Delimited::open(bytes, options, region, &mut notices)?),
        };
        Ok(Self { format, digest, notices })
    }

    /// What separates the cells, if the file is text.
    pub(crate) fn delimiter(&self) -> Option<u8> {
        match &self.format {
            Format::Delimited(text) => Some(text.delimiter()),
            Format::Workbook(_) => None,
        }
    }

    /// Visits all filled rows in order, the heading first. Can be called again.
    pub(crate) fn each_row(&mut self, visit: Visit<'_>) -> Result<(), FileProblem> {
        let mut count = 0_u64;
        let mut fault = None;
        let mut checked = |row: Row| {
            if row.cells.iter().all(Cell::is_blank) {
                return ControlFlow::Continue(());
            }
            count = count.saturating_add(1);
            match check(&row, count) {
                Ok(()) => visit(row),
                Err(problem) => {
                    fault = Some(problem);
                    ControlFlow::Break(())
                }
            }
        };
        match &mut self.format {
            Format::Delimited(text) => text.each_row(&mut checked)?,
            Format::Workbook(workbook) => workbook.each_row(&mut checked)?,
        }
        fault.map_or(Ok(()), Err)
    }
}

fn check(row: &Row, count: u64) -> Result<(), FileProblem> {
    // The heading is one row more.
    if count > ROWS_MAX.saturating_add(1) {
        return Err(FileProblem::TooManyRows);
    }
    let filled = row.cells.iter().rposition(|cell| !cell.is_blank()).map_or(0, |last| last.saturating_add(1));
    if filled > COLUMNS_MAX {
        return Err(FileProblem::TooManyColumns { row: row.number });
    }
    let long = |cell: &Cell| matches!(cell, Cell::Text(text) if text.len() > CELL_BYTES_MAX);
    if row.cells.iter().any(long) {
        return Err(FileProblem::CellTooLong { row: row.number });
    }
    Ok(())
}

fn load(content: Content) -> Result<Vec<u8>, FileProblem> {
    let bytes = match content {
        Content::Bytes(bytes) => bytes,
        Content::Path(path) => {
            let file = std::fs::File::open(path)?;
            let size = file.metadata()?.len();
            if size > FILE_BYTES_MAX {
                return Err(FileProblem::TooLarge);
            }
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
            bytes
        }
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(FileProblem::TooLarge);
    }
    Ok(bytes)
}

enum Kind {
    /// xlsx or ods.
    Zip,
    /// xls, or an encrypted xlsx.
    Ole,
    Text,
}

fn tell(name: &str, bytes: &[u8]) -> Result<Kind, FileProblem> {
    const OLE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(FileProblem::Empty);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok(Kind::Zip);
    }
    if bytes.starts_with(OLE) {
        return Ok(Kind::Ole);
    }
    if bytes.starts_with(b"%PDF") {
        return Err(FileProblem::NotATable("a PDF"));
    }
    let start: Vec<u8> = bytes.iter().copied().skip_while(|byte| !byte.is_ascii_graphic()).take(200).collect();
    let start = String::from_utf8_lossy(&start).to_ascii_lowercase();
    if ["<!doctype", "<html", "<table", "<head", "<meta", "<div"].iter().any(|tag| start.starts_with(tag)) {
        return Err(FileProblem::NotATable("a web page"));
    }
    if start.starts_with("<?xml") {
        return Err(FileProblem::NotATable("XML"));
    }
    if encoding::is_binary(bytes) {
        let expected = [".xlsx", ".xlsm", ".xls", ".ods"].iter().find(|ending| name.ends_with(**ending));
        return Err(match expected {
            Some(ending) => FileProblem::Damaged(format!("it does not begin as {ending} files do")),
            None => FileProblem::NotATable("neither text nor a known spreadsheet format"),
        });
    }
    Ok(Kind::Text)
}
