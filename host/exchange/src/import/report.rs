//! The report: rows that were refused, and rows of which a value was not taken, to be mended and imported again.
//!
//! The same columns as in the file, after the row's number and what is wrong; an import passes over these two.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use csv::{Writer, WriterBuilder};

use super::{
    ImportError,
    read::Row,
    survey::{REPORT_HEADINGS, Survey},
};
use crate::guard::guarded;

/// Writes a report; makes no file as long as there is nothing to report.
pub(crate) struct Report {
    path: Option<PathBuf>,
    delimiter: u8,
    headings: Vec<String>,
    /// Columns of an earlier report, which are left out.
    skipped: usize,
    writer: Option<Writer<BufWriter<File>>>,
}

impl Report {
    pub(crate) fn new(path: Option<PathBuf>, delimiter: u8, survey: &Survey) -> Self {
        let skipped = survey.report_columns;
        let headings = survey.columns.iter().skip(skipped).map(|column| column.heading.clone()).collect();
        Self { path, delimiter, headings, skipped, writer: None }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Row, problem: &str) -> Result<(), ImportError> {
        let Some(path) = self.path.clone() else {
            return Ok(());
        };
        self.write(row, problem).map_err(|cause| ImportError::Report { path, cause })
    }

    /// Where the report is, if there is one; returns when it is on disk.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>, ImportError> {
        let Some((writer, path)) = self.writer.take().zip(self.path) else {
            return Ok(None);
        };
        let file = writer.into_inner().map_err(|error| error.into_error());
        let synced = file.and_then(|file| file.into_inner().map_err(|error| error.into_error())?.sync_all());
        match synced {
            Ok(()) => Ok(Some(path)),
            Err(cause) => Err(ImportError::Report { path, cause }),
        }
    }

    fn write(&mut self, row: &Row, problem: &str) -> std::io::Result<()> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open()?,
        };
        let cells = row.cells.iter().skip(self.skipped).map(|cell| guarded(cell.text()));
        let missing = self.headings.len().saturating_sub(row.cells.len().saturating_sub(self.skipped));
        let filling = std::iter::repeat_n(String::new(), missing);
        let fixed = [row.number.to_string(), guarded(problem.to_owned())];
        writer.write_record(fixed.into_iter().chain(cells).chain(filling))?;
        self.writer = Some(writer);
        Ok(())
    }

    fn open(&self) -> std::io::Result<Writer<BufWriter<File>>> {
        let Some(path) = &self.path else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let mut file = BufWriter::new(File::create(path)?);
        // Without the mark, Excel takes UTF-8 for the system's old encoding.
        file.write_all("\u{feff}".as_bytes())?;
        let mut writer = WriterBuilder::new().delimiter(self.delimiter).flexible(true).from_writer(file);
        let headings = self.headings.iter().cloned().map(guarded);
        writer.write_record(REPORT_HEADINGS.map(str::to_owned).into_iter().chain(headings))?;
        Ok(writer)
    }
}
