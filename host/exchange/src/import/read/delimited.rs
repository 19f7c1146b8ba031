//! CSV and its sisters: text with a separator between cells.

use csv::{ReaderBuilder, StringRecord};

use super::{COLUMNS_MAX, Cell, FileProblem, Row, Visit, encoding};
use crate::{guard::unguarded, import::ImportOptions};

/// What may separate cells; at equal evidence, the first.
const DELIMITERS: [u8; 4] = [b';', b',', b'\t', b'|'];
/// Rows that are looked at to tell the separator.
const SNIFFED_ROWS: usize = 30;
/// At most so much text is looked at.
const SNIFFED_BYTES: usize = 64 * 1024;

/// A text of rows.
pub(super) struct Delimited {
    text: String,
    delimiter: u8,
    /// Where the table begins: after a byte order mark and a line `sep=;`.
    start: usize,
}

impl Delimited {
    pub(super) fn open(
        bytes: Vec<u8>,
        options: &ImportOptions,
        region: &str,
        notices: &mut Vec<String>,
    ) -> Result<Self, FileProblem> {
        let (text, encoding) = encoding::decode(bytes, options.encoding.as_deref(), region)?;
        if let Some(encoding) = encoding {
            notices.push(format!("read as {encoding}; if letters look wrong, name the encoding"));
        }
        let bom = text.len().saturating_sub(text.trim_start_matches('\u{feff}').len());
        let body = text.get(bom..).unwrap_or_default();
        let (named, skip) = separator_line(body).map_or((None, 0), |(delimiter, length)| (Some(delimiter), length));
        let start = bom.saturating_add(skip);
        let wanted = options
            .delimiter
            .map(|c| u8::try_from(c).ok().filter(|byte| is_delimiter(*byte)).ok_or(FileProblem::BadDelimiter(c)))
            .transpose()?;
        let delimiter = wanted.or(named).unwrap_or_else(|| sniff(text.get(start..).unwrap_or_default()));
        Ok(Self { text, delimiter, start })
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) fn each_row(&mut self, visit: Visit<'_>) -> Result<(), FileProblem> {
        let text = self.text.get(self.start..).unwrap_or_default();
        let mut reader = reader(text, self.delimiter);
        let mut record = StringRecord::new();
        let mut number = 0_u64;
        let mut inner_lines = 0_u64;
        while reader.read_record(&mut record).map_err(|error| FileProblem::Damaged(error.to_string()))? {
            inner_lines = inner_lines.saturating_add(count(record.iter().map(lines_in).sum()));
            let position = reader.position();
            let lines = lines_until(text, position.byte(), position.line());
            number = lines.saturating_sub(inner_lines).max(number.saturating_add(1));
            // The rest of an overlong row need not be kept; that it is too long is noticed by the caller.
            let cells = record.iter().take(COLUMNS_MAX.saturating_add(1)).map(cell).collect();
            if visit(Row { number, cells }).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes())
}

fn is_delimiter(byte: u8) -> bool {
    DELIMITERS.contains(&byte)
}

/// Excel's own mark on the first line: `sep=;`, and the length of that line.
fn separator_line(text: &str) -> Option<(u8, usize)> {
    let rest = text.strip_prefix("sep=").or_else(|| text.strip_prefix("SEP="))?;
    let delimiter = rest.bytes().next().filter(|byte| is_delimiter(*byte))?;
    let after = rest.get(1..)?;
    let end = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'))?;
    Some((delimiter, text.len().saturating_sub(end.len())))
}

/// The separator under which most rows have as many cells as the first, and more than one.
fn sniff(text: &str) -> u8 {
    let mut end = text.len().min(SNIFFED_BYTES);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let sample = text.get(..end).unwrap_or_default();
    let mut best = (0, b',');
    for delimiter in DELIMITERS {
        let score = score(sample, delimiter);
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

fn score(sample: &str, delimiter: u8) -> usize {
    let widths: Vec<usize> = reader(sample, delimiter)
        .records()
        .take(SNIFFED_ROWS)
        .filter_map(Result::ok)
        .map(|record| record.len())
        .collect();
    let Some(first) = widths.first().copied().filter(|width| *width > 1) else {
        return 0;
    };
    let alike = widths.iter().filter(|width| **width == first).count();
    // How many rows agree comes before how many columns they have.
    (alike.saturating_mul(1000) / widths.len()).saturating_mul(1000).saturating_add(first.min(COLUMNS_MAX))
}

/// How many lines end until here; a row at the very end counts without its line end.
fn lines_until(text: &str, byte: u64, line: u64) -> u64 {
    let ended = line.saturating_sub(1);
    let at = usize::try_from(byte).unwrap_or(usize::MAX);
    let before = at.checked_sub(1).and_then(|last| text.as_bytes().get(last));
    // After `\r` of `\r\n` the reader stands between the two.
    ended.saturating_add(u64::from(before != Some(&b'\n')))
}

fn lines_in(field: &str) -> usize {
    field.bytes().filter(|byte| *byte == b'\n').count()
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

fn cell(field: &str) -> Cell {
    if field.is_empty() { Cell::Empty } else { Cell::Text(unguarded(field).to_owned()) }
}
