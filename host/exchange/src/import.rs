//! Spreadsheets in: a file is read twice, first to survey it, then row by row into the workspace.
//!
//! Reading order: [`read`] makes rows of cells of any file; [`headings`] tells which column is which
//! field; [`survey`] is the first pass; [`convert`] makes values of cells; [`draft`] puts a row's
//! values together; [`plan`] finds out, for a batch, what is new and what is known already;
//! [`report`] writes what was refused; [`tally`] counts; [`journal`] keeps how far it is; [`run`] drives it all.
//!
//! Invariants: nothing is written before the whole file was read once without a fault; every row is
//! counted exactly once, as created, updated, merged or refused. What a batch wrote, how far the import is and what
//! the report says are kept together, so that a killed import goes on with no row twice and none lost.

mod base;
mod checks;
mod convert;
mod draft;
mod fold;
mod headings;
mod journal;
mod merge;
mod plan;
mod read;
mod references;
mod report;
mod run;
mod survey;
mod tally;
#[cfg(test)]
mod tests;
mod words;

use std::path::PathBuf;

use pergola_model::{Actor, Id, ObjectName};
use pergola_service::Workspace;

pub(crate) use read::FileProblem;

/// The most problems, and the most differences, that a summary carries; all problems are in the report.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// A file to import.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name that people know it by, for messages and for telling its format.
    pub name: String,
    /// What is in it.
    pub content: Content,
}

/// Where a file's bytes are.
#[derive(Debug, Clone)]
pub enum Content {
    /// On disk.
    Path(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

impl Source {
    /// A file on disk, under its own name.
    #[must_use]
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self { name, content: Content::Path(path) }
    }
}

/// What to do with a file.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The object whose records the rows become.
    pub object: ObjectName,
    /// ISO 3166 code of the region in which phones and dates are written; the workspace's if absent.
    pub region: Option<String>,
    /// Heading → field, before all guesses; field `-` leaves the column out.
    pub map: Vec<(String, String)>,
    /// Goes through all rules and writes nothing.
    pub dry_run: bool,
    /// Where refused rows go, as a CSV file that can be mended and imported again.
    pub report: Option<PathBuf>,
    /// The text's encoding, by its web name: `windows-1251`; told from the bytes if absent.
    pub encoding: Option<String>,
    /// What separates cells of a CSV file; told from the text if absent.
    pub delimiter: Option<char>,
    /// The sheet of a workbook, by name or number from 1; the first visible one with content if absent.
    pub sheet: Option<String>,
    /// Fields by which a record is known, the first that a row has counts: `id`, or fields that are unique or indexed.
    /// If empty, phone and e-mail address of contacts and organizations, and unique fields.
    pub matches: Vec<String>,
    /// What becomes of a record that is known.
    pub on_match: OnMatch,
    /// Begins anew, where otherwise an interrupted import of the same file goes on.
    pub restart: bool,
    /// Heading → `object.field` by whose value the record is found to which the column refers; its title if absent.
    pub refs: Vec<(String, String)>,
}

/// What a row does to a record that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMatch {
    /// Nothing.
    Skip,
    /// It fills empty fields and adds tags and lines; where it says otherwise, the record stays.
    #[default]
    Fill,
    /// Its values replace the record's; an empty cell leaves the record's value.
    Overwrite,
}

impl ImportOptions {
    /// Guesses everything.
    #[must_use]
    pub fn new(object: ObjectName) -> Self {
        Self {
            object,
            region: None,
            map: Vec::new(),
            dry_run: false,
            report: None,
            encoding: None,
            delimiter: None,
            sheet: None,
            matches: Vec::new(),
            on_match: OnMatch::default(),
            refs: Vec::new(),
            restart: false,
        }
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows dealt with.
    pub done: u64,
    /// Rows in the file.
    pub total: u64,
    /// Rows refused so far.
    pub refused: u64,
}

/// What became of a file.
///
/// Shape: `created + updated + merged + refused == rows`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportSummary {
    /// Rows with at least one filled cell, without the heading row.
    pub rows: u64,
    /// Rows that became a new record.
    pub created: u64,
    /// Rows that changed a record which the workspace had before this import.
    pub updated: u64,
    /// Rows that told nothing new about a record, or repeated an earlier row of the file; what they
    /// add to that row's record is kept.
    pub merged: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// Where the refused rows and the conflicts are, if there are any.
    pub report: Option<PathBuf>,
    /// Heading → field, for the columns that were imported.
    pub mapping: Vec<(String, String)>,
    /// Headings of the columns with content that were not imported.
    pub ignored: Vec<String>,
    /// What was assumed about the file: encoding, sheet, order of day and month.
    pub notices: Vec<String>,
    /// The first refusals and conflicts, by row.
    pub problems: Vec<Problem>,
    /// The id under which it can be taken back; none if nothing was written.
    pub batch: Option<Id>,
    /// In a dry run: what the first rows would change in records that the workspace has.
    pub differences: Vec<Difference>,
}

/// What a row would change in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The row's number in the sheet.
    pub row: u64,
    /// `name: "Anna K." → "Anna Kim"`, for each field; long values are cut.
    pub changes: Vec<String>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The row's number in the sheet; the first line of the sheet is 1.
    pub row: u64,
    /// What is wrong, for people.
    pub message: String,
    /// Whether the row was refused; otherwise it was taken, but one of its values was not.
    pub refused: bool,
}

/// Why an import did not happen, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read as a table; nothing was written.
    #[error("{name}: {problem}")]
    File {
        /// The file's name.
        name: String,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// The options do not fit the workspace or the file; nothing was written.
    #[error("{0}")]
    Options(String),
    /// The report cannot be written.
    #[error("the report {} cannot be written: {cause}", path.display())]
    Report {
        /// Where it should be.
        path: PathBuf,
        /// Of the operating system.
        cause: std::io::Error,
    },
    /// The workspace stopped half-way. What was done before stays; importing the file again goes on from there.
    #[error(
        "the import stopped at row {row}; what was done before stays, and importing the same file again goes on from there"
    )]
    Stopped {
        /// The first row that was not dealt with.
        row: u64,
        /// What was done until then.
        summary: Box<ImportSummary>,
        /// Why.
        #[source]
        cause: Box<pergola_service::Error>,
    },
}

/// Imports a spreadsheet: xlsx, xls, ods or CSV.
///
/// A row is matched with the records that the workspace has, and with the earlier rows, by phone and
/// e-mail address (contacts and organizations) and by unique fields, or by [`ImportOptions::matches`]; see
/// [`ImportSummary`] for what can become of it. Unless [`ImportOptions::on_match`] says otherwise, a match
/// never overwrites a value: empty fields are filled, tags and long texts are added to, and where the
/// file says otherwise the workspace's value stays and the report tells so.
/// Importing the same file again therefore creates nothing.
///
/// Units: rows are written in batches of 200, one commit each; `progress` is called after every batch. An import that
/// was interrupted goes on where it stopped when the same file is imported with the same options.
///
/// # Errors
/// See [`ImportError`]. Rows that break a rule, or that a plugin refuses, are no error: they are
/// counted as refused and written to the report.
pub async fn import(
    workspace: &Workspace,
    actor: &Actor,
    source: Source,
    options: &ImportOptions,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ImportSummary, ImportError> {
    run::import(&base::OfWorkspace { workspace, actor, object: &options.object }, source, options, progress).await
}

/// What the import makes of a cell of text in a field of that type (`decimal 2`: of that scale).
#[cfg(test)]
pub(crate) fn reads_back(
    kind: &str,
    text: &str,
    locale: &pergola_model::Locale,
) -> Result<pergola_model::Value, String> {
    use pergola_model::{FieldType, normal};
    let kind = match kind {
        "integer" => FieldType::Integer,
        "bool" => FieldType::Bool,
        "money" => FieldType::Money,
        "datetime" => FieldType::DateTime,
        "date" => FieldType::Date,
        "decimal 2" => FieldType::Decimal { scale: 2 },
        "decimal 3" => FieldType::Decimal { scale: 3 },
        "duration" => FieldType::Duration,
        "tags" => FieldType::Tags,
        _ => FieldType::Json,
    };
    let catalog = pergola_model::Catalog::build(&[]).map_err(|issues| format!("{issues:?}"))?;
    let field = catalog.find_object("contact").and_then(|contact| contact.field("notes")).cloned();
    let field = pergola_model::Field { kind, ..field.ok_or("no field")? };
    let habits = convert::Habits { locale: locale.clone(), today: jiff::civil::date(2026, 6, 1) };
    let cell = read::Cell::Text(text.to_owned());
    let converted = convert::convert(&field, &cell, survey::DateOrder::DayFirst, &habits)?;
    normal::normalise(&field, converted.value, locale).map_err(|issue| issue.message)
}
