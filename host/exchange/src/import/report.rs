//! The report: rows that were refused, and rows of which a value was not taken, to be mended and imported again.
//!
//! The same columns as in the file, after the row's number and what is wrong; an import passes over these two.
//! A row is in the file before the batch that it belongs to is committed, so that a killed import loses none.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
};

use csv::WriterBuilder;

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
    file: Option<File>,
    /// What is in the file.
    bytes: u64,
    /// What is not in the file yet.
    pending: Vec<u8>,
}

impl Report {
    pub(crate) fn new(path: Option<PathBuf>, delimiter: u8, survey: &Survey) -> Self {
        let skipped = survey.report_columns;
        let headings = survey.columns.iter().skip(skipped).map(|column| column.heading.clone()).collect();
        Self { path, delimiter, headings, skipped, file: None, bytes: 0, pending: Vec::new() }
    }

    /// Goes on with what an interrupted import has written, of which so much counts. False if it is not there any more.
    pub(crate) fn resume(&mut self, bytes: u64) -> Result<bool, ImportError> {
        let Some(path) = self.path.as_ref().filter(|_| bytes > 0) else { return Ok(true) };
        let opened = OpenOptions::new().write(true).open(path).and_then(|file| {
            let is_whole = file.metadata()?.len() >= bytes;
            Ok(is_whole.then_some(file))
        });
        let Ok(Some(file)) = opened else { return Ok(false) };
        self.file = Some(file);
        self.bytes = bytes;
        self.go_back(bytes)?;
        Ok(true)
    }

    /// How long the file is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Forgets what came after so many bytes.
    pub(crate) fn go_back(&mut self, bytes: u64) -> Result<(), ImportError> {
        self.pending.clear();
        let Some(file) = &mut self.file else { return Ok(()) };
        let cut = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes)));
        self.bytes = bytes;
        cut.map(drop).map_err(|cause| self.problem(cause))
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Row, problem: &str) -> Result<(), ImportError> {
        if self.path.is_none() {
            return Ok(());
        }
        if self.bytes == 0 && self.pending.is_empty() {
            // Without the mark, Excel takes UTF-8 for the system's old encoding.
            self.pending.extend_from_slice("\u{feff}".as_bytes());
            let headings: Vec<String> = self.headings.iter().cloned().map(guarded).collect();
            self.line(REPORT_HEADINGS.map(str::to_owned).into_iter().chain(headings))?;
        }
        let cells: Vec<String> = row.cells.iter().skip(self.skipped).map(|cell| guarded(cell.text())).collect();
        let missing = self.headings.len().saturating_sub(cells.len());
        let filling = std::iter::repeat_n(String::new(), missing);
        let fixed = [row.number.to_string(), guarded(problem.to_owned())];
        self.line(fixed.into_iter().chain(cells).chain(filling))
    }

    fn line(&mut self, cells: impl Iterator<Item = String>) -> Result<(), ImportError> {
        let mut writer = WriterBuilder::new()
            .delimiter(self.delimiter)
            .flexible(true)
            .from_writer(std::mem::take(&mut self.pending));
        let written = writer.write_record(cells).map_err(io::Error::from);
        let pending = writer.into_inner().map_err(|error| error.into_error());
        match written.and(pending) {
            Ok(pending) => {
                self.pending = pending;
                Ok(())
            }
            Err(cause) => Err(self.problem(cause)),
        }
    }

    /// Puts what was added into the file.
    pub(crate) fn flush(&mut self) -> Result<(), ImportError> {
        let Some(path) = self.path.as_ref().filter(|_| !self.pending.is_empty()) else { return Ok(()) };
        let opened = match self.file.take() {
            Some(file) => Ok(file),
            None => File::create(path),
        };
        let written = opened.and_then(|mut file| file.write_all(&self.pending).map(|()| file));
        match written {
            Ok(file) => {
                self.file = Some(file);
                self.bytes = self.bytes.saturating_add(u64::try_from(self.pending.len()).unwrap_or_default());
                self.pending.clear();
                Ok(())
            }
            Err(cause) => Err(self.problem(cause)),
        }
    }

    /// Where the report is, if there is one; returns when it is on disk.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>, ImportError> {
        self.flush()?;
        let Some(file) = self.file.take().filter(|_| self.bytes > 0) else { return Ok(None) };
        match file.sync_all() {
            Ok(()) => Ok(self.path),
            Err(cause) => Err(self.problem(cause)),
        }
    }

    fn problem(&self, cause: io::Error) -> ImportError {
        ImportError::Report { path: self.path.clone().unwrap_or_default(), cause }
    }
}
