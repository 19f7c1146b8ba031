//! Looks into zip archives before anything else does, so that a small file cannot fill the memory.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::FileProblem;

const MIB: u64 = 1024 * 1024;
/// All parts together; sheets are read as a stream and may be large.
const TOTAL_MIB_MAX: u64 = 1024;
/// A part that is held in memory as a whole: shared strings, styles, an ods document.
const PART_MIB_MAX: u64 = 200;
/// More parts than any spreadsheet has.
const PARTS_MAX: usize = 10_000;

/// Cells that an ods document may expand to; it is held in memory as a whole, with 24 bytes a cell.
const CELLS_MAX: u64 = 20_000_000;

/// What is in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Xlsx,
    Ods,
}

/// Unpacks every part once into nothing, counting, and tells what the archive holds.
///
/// The sizes in the archive's directory are not believed.
pub(super) fn inspect(bytes: &[u8]) -> Result<Content, FileProblem> {
    let damaged = |error: &dyn std::fmt::Display| FileProblem::Damaged(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    if archive.len() > PARTS_MAX {
        return Err(FileProblem::Damaged(format!("it has more than {PARTS_MAX} parts")));
    }
    let mut content = None;
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = part.name().map_err(|error| damaged(&error))?.to_ascii_lowercase();
        match name.as_str() {
            "xl/workbook.xml" => content = Some(Content::Xlsx),
            "xl/workbook.bin" => return Err(FileProblem::NotATable("a binary workbook (.xlsb)")),
            "word/document.xml" => return Err(FileProblem::NotATable("a text document")),
            "content.xml" => content = content.or(Some(Content::Ods)),
            _ => {}
        }
        let streamed = name.starts_with("xl/worksheets/") || name.starts_with("xl/media/");
        let limit_mib = if streamed { TOTAL_MIB_MAX } else { PART_MIB_MAX };
        let limit = limit_mib.saturating_mul(MIB);
        let size = std::io::copy(&mut part.take(limit.saturating_add(1)), &mut std::io::sink())
            .map_err(|error| damaged(&error))?;
        total = total.saturating_add(size);
        if size > limit {
            return Err(FileProblem::Bomb(limit_mib));
        }
        if total > TOTAL_MIB_MAX.saturating_mul(MIB) {
            return Err(FileProblem::Bomb(TOTAL_MIB_MAX));
        }
    }
    if content == Some(Content::Ods) {
        let mut document = String::new();
        let mut part = archive.by_name("content.xml").map_err(|error| damaged(&error))?;
        part.read_to_string(&mut document).map_err(|error| damaged(&error))?;
        check_repetitions(&document)?;
    }
    content.ok_or(FileProblem::NotATable("a zip archive"))
}

/// Refuses a document whose `number-…-repeated` attributes make a few bytes a table that fills the memory.
///
/// Counts what filled cells come to; empty ones are bounded by the reader itself.
fn check_repetitions(document: &str) -> Result<(), FileProblem> {
    let mut cells = 0_u64;
    let mut rows = 1_u64;
    for tag in document.split('<') {
        let (tag, _) = tag.split_once('>').unwrap_or((tag, ""));
        if tag.starts_with("table:table-row") {
            rows = repeated(tag, "number-rows-repeated");
        } else if tag.starts_with("table:table-cell") && !tag.ends_with('/') {
            cells = cells.saturating_add(rows.saturating_mul(repeated(tag, "number-columns-repeated")));
        }
    }
    if cells > CELLS_MAX { Err(FileProblem::TooManyCells(CELLS_MAX)) } else { Ok(()) }
}

fn repeated(tag: &str, attribute: &str) -> u64 {
    let value = tag.split_once(attribute).map(|(_, rest)| rest.trim_start_matches(['=', '"', '\'', ' ']));
    let digits = value.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
}
