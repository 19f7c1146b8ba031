//! Records out: all that a query asks, as a file, a page at a time.
//!
//! Reading order: [`columns`] tells which columns a table has; [`cells`] writes values in the form that the import
//! reads back; [`titles`] finds what referred records are called; [`delimited`], [`workbook`], [`lines`] and
//! [`cards`] are the formats; [`Export`] drives them.
//!
//! Invariants: at most one page of records is in memory, whatever the format; all of them are of one state of the
//! data; the audit has the export before its first byte leaves.

mod cards;
mod cells;
mod columns;
mod delimited;
mod lines;
#[cfg(test)]
mod tests;
mod titles;
mod workbook;

use std::{fs::File, io::Read as _, str::FromStr, sync::Arc};

use pergola_model::{Actor, Locale, Object, ObjectName, Query, Record, nearest};
use pergola_service::{
    Workspace,
    guest::{compile_filter, parse_sort},
    workspace::Snapshot,
};

use self::{cards::Cards, columns::Columns, delimited::Delimited, lines::Lines, titles::Titles, workbook::Workbook};

/// Records in a page, and so in memory.
const PAGE: u32 = 500;
/// The most records, unless said otherwise.
const RECORDS_MAX: u64 = 10_000_000;
/// How much of a finished workbook is handed on at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Text with a separator between cells (RFC 4180).
    Csv,
    /// A workbook of one sheet.
    Xlsx,
    /// A JSON object on each line, as over REST.
    JsonLines,
    /// Cards of people and companies (RFC 6350).
    VCard,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::JsonLines, Self::VCard];

    /// The name on the command line and over REST.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::JsonLines => "jsonl",
            Self::VCard => "vcard",
        }
    }

    /// How the names of such files end.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::VCard => "vcf",
            other => other.as_str(),
        }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::JsonLines => "application/jsonl",
            Self::VCard => "text/vcard; charset=utf-8",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("there is no format {text:?}; there are csv, xlsx, jsonl and vcard"))
    }
}

/// What to export, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Whose records.
    pub object: ObjectName,
    /// As what.
    pub format: ExportFormat,
    /// Which of them, in CEL; all if empty.
    pub filter: String,
    /// In which order: `-created_at,name`; by id if empty.
    pub sort: String,
    /// Only these columns, in this order; the id and all fields if absent.
    pub fields: Option<Vec<String>>,
    /// The language of the headings, where the fields have labels in it; the fields' keys if absent.
    pub labels: Option<String>,
    /// What separates the cells of CSV.
    pub separator: char,
    /// Begins CSV with a byte order mark, without which Excel takes UTF-8 for an old encoding.
    pub byte_order_mark: bool,
    /// The most records; more are refused before the first.
    pub records_max: u64,
}

impl ExportOptions {
    /// All records of an object.
    #[must_use]
    pub fn new(object: ObjectName, format: ExportFormat) -> Self {
        Self {
            object,
            format,
            filter: String::new(),
            sort: String::new(),
            fields: None,
            labels: None,
            separator: ',',
            byte_order_mark: false,
            records_max: RECORDS_MAX,
        }
    }
}

/// Why an export did not happen, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The options do not fit the workspace.
    #[error("{0}")]
    Options(String),
    /// The format cannot hold the records.
    #[error("{0}")]
    Format(String),
    /// The workspace did not give them.
    #[error(transparent)]
    Service(#[from] pergola_service::Error),
    /// A temporary file could not be written or read.
    #[error("a temporary file for the export failed; is the disk full?")]
    Io(#[from] std::io::Error),
}

/// An export under way.
pub struct Export {
    snapshot: Snapshot,
    query: Query,
    columns: Columns,
    encoder: Encoder,
    stage: Stage,
    done: u64,
}

/// How far it is.
enum Stage {
    /// More pages may follow.
    Reading,
    /// A workbook is finished and handed on.
    Sending(File),
    Done,
}

/// A format at work.
enum Encoder {
    Csv(Delimited),
    Xlsx(Box<Workbook>),
    Lines(Lines),
    Cards(Cards),
}

impl Export {
    /// Checks the options, notes the export in the audit, and takes a state of the data.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub async fn open(workspace: &Workspace, actor: &Actor, options: &ExportOptions) -> Result<Self, ExportError> {
        let catalog = workspace.catalog();
        let object = catalog.object(&options.object).cloned().ok_or_else(|| {
            let known: Vec<&str> = catalog.objects.keys().map(ObjectName::as_str).collect();
            let hint = nearest::hint(options.object.as_str(), known.iter().copied());
            let known = known.join(", ");
            ExportError::Options(format!("there is no object \"{}\".{hint} There are: {known}", options.object))
        })?;
        let columns = Columns::new(&catalog, &object, options)?;
        let filter = match options.filter.as_str() {
            "" => None,
            text => Some(compile_filter(&catalog, &object, text, &[])?),
        };
        let encoder = Encoder::new(&object, &columns, &workspace.locale(), options)?;
        let query = Query {
            filter,
            now: workspace.now(),
            sort: parse_sort(&object, &options.sort)?,
            fields: Some(columns.read()),
            limit: PAGE,
            ..Query::of(object.name.clone())
        };
        let what = serde_json::json!({
            "format": options.format.as_str(), "filter": options.filter, "fields": columns.headings(),
        });
        let snapshot = workspace.export(actor, &query, what).await?;
        check_count(snapshot.count(), options)?;
        Ok(Self { snapshot, query, columns, encoder, stage: Stage::Reading, done: 0 })
    }

    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.snapshot.count()
    }

    /// How many of them were read.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The next bytes of the file; none after the last. They may be empty, while a workbook is put together.
    ///
    /// # Errors
    /// See [`ExportError`]; then what was given before is no whole file.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        match &mut self.stage {
            Stage::Reading => self.read().await.map(Some),
            Stage::Sending(file) => {
                let mut bytes = Vec::with_capacity(CHUNK_BYTES);
                let limit = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
                std::io::Read::by_ref(file).take(limit).read_to_end(&mut bytes)?;
                if bytes.is_empty() {
                    self.stage = Stage::Done;
                    return Ok(None);
                }
                Ok(Some(bytes))
            }
            Stage::Done => Ok(None),
        }
    }

    async fn read(&mut self) -> Result<Vec<u8>, ExportError> {
        let page = self.snapshot.list(&self.query).await?;
        let titles = Titles::find(&mut self.snapshot, &self.columns, &page.records).await?;
        let rows = u64::try_from(page.records.len()).unwrap_or_default();
        let bytes = self.encoder.rows(&self.columns, &page.records, &titles)?;
        self.done = self.done.saturating_add(rows);
        self.query.after = page.next;
        if self.query.after.is_none() {
            self.stage = match std::mem::replace(&mut self.encoder, Encoder::Lines(Lines::default())) {
                Encoder::Xlsx(workbook) => Stage::Sending(workbook.finish().await?),
                Encoder::Csv(_) | Encoder::Lines(_) | Encoder::Cards(_) => Stage::Done,
            };
        }
        Ok(bytes)
    }
}

fn check_count(count: u64, options: &ExportOptions) -> Result<(), ExportError> {
    let (most, other) = match options.format {
        ExportFormat::Xlsx => (options.records_max.min(workbook::RECORDS_MAX), "; take csv, or "),
        _ => (options.records_max, "; "),
    };
    if count <= most {
        return Ok(());
    }
    let format = options.format.as_str();
    Err(ExportError::Format(format!(
        "{count} records are more than the {most} that an export as {format} may have{other}filter them into several files"
    )))
}

impl Encoder {
    fn new(
        object: &Arc<Object>,
        columns: &Columns,
        locale: &Locale,
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        Ok(match options.format {
            ExportFormat::Csv => Self::Csv(Delimited::new(locale, options)?),
            ExportFormat::Xlsx => Self::Xlsx(Box::new(Workbook::new(object, columns, locale)?)),
            ExportFormat::JsonLines => Self::Lines(Lines::new(object, options.fields.as_deref())),
            ExportFormat::VCard => Self::Cards(Cards::new(object)?),
        })
    }

    fn rows(&mut self, columns: &Columns, records: &[Record], titles: &Titles) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Csv(csv) => csv.rows(columns, records, titles),
            Self::Xlsx(workbook) => workbook.rows(columns, records, titles).map(|()| Vec::new()),
            Self::Lines(lines) => lines.rows(records),
            Self::Cards(cards) => Ok(cards.rows(records, titles)),
        }
    }
}
