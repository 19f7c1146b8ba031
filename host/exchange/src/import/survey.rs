//! The first pass over a file: its headings, how many rows, and what a column as a whole says about its dates.
//!
//! Whatever is wrong with the file as a file comes out here, before anything is written.

use std::ops::ControlFlow;

use super::{
    convert,
    fold::squeeze,
    read::{Cell, FileProblem, Row, Table},
};

/// Headings that a report puts before the file's own.
pub(crate) const REPORT_HEADINGS: [&str; 2] = ["Row", "Problem"];

/// What is known of a file after the first pass.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// All columns that have a heading or content.
    pub(crate) columns: Vec<Column>,
    /// Rows below the heading.
    pub(crate) rows: u64,
    /// How many of the first columns a report of an earlier import has put there.
    pub(crate) report_columns: usize,
}

/// What is known of a column.
#[derive(Debug, Default, Clone)]
pub(crate) struct Column {
    /// As in the file; `Column 4` where there is none.
    pub(crate) heading: String,
    /// Whether any row has content here.
    pub(crate) filled: bool,
    /// Dates whose first number can only be the day.
    day_first: u64,
    /// Dates whose second number can only be the day.
    month_first: u64,
}

/// In which order a column writes days and months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateOrder {
    DayFirst,
    MonthFirst,
    /// The column contradicts itself: what could be both is not guessed.
    Unclear,
}

impl Column {
    /// The order that the column proves, or the region's.
    pub(crate) fn date_order(&self, region: &str) -> DateOrder {
        match (self.day_first, self.month_first) {
            (0, 0) if region == "US" => DateOrder::MonthFirst,
            (0, 0) | (1.., 0) => DateOrder::DayFirst,
            (0, 1..) => DateOrder::MonthFirst,
            (1.., 1..) => DateOrder::Unclear,
        }
    }

    /// Whether the order of day and month was found out and is not the usual one.
    pub(crate) fn proves_month_first(&self) -> bool {
        self.day_first == 0 && self.month_first > 0
    }

    fn look_at(&mut self, cell: &Cell) {
        self.filled |= !cell.is_blank();
        if let Cell::Text(text) = cell {
            match convert::proven_order(text) {
                Some(DateOrder::DayFirst) => self.day_first = self.day_first.saturating_add(1),
                Some(DateOrder::MonthFirst) => self.month_first = self.month_first.saturating_add(1),
                Some(DateOrder::Unclear) | None => {}
            }
        }
    }
}

/// Reads the whole file once.
pub(crate) fn survey(table: &mut Table) -> Result<Survey, FileProblem> {
    let mut survey = Survey::default();
    let mut heading_seen = false;
    table.each_row(&mut |row| {
        if heading_seen {
            survey.look_at(&row);
        } else {
            heading_seen = true;
            survey.columns =
                row.cells.iter().map(|cell| Column { heading: cell.text(), ..Column::default() }).collect();
        }
        ControlFlow::Continue(())
    })?;
    if !heading_seen {
        return Err(FileProblem::Empty);
    }
    if survey.rows == 0 {
        return Err(FileProblem::NoRows);
    }
    survey.finish();
    Ok(survey)
}

impl Survey {
    fn look_at(&mut self, row: &Row) {
        self.rows = self.rows.saturating_add(1);
        let width = row.cells.iter().rposition(|cell| !cell.is_blank()).map_or(0, |last| last.saturating_add(1));
        if self.columns.len() < width {
            self.columns.resize(width, Column::default());
        }
        for (column, cell) in self.columns.iter_mut().zip(&row.cells) {
            column.look_at(cell);
        }
    }

    fn finish(&mut self) {
        while self.columns.last().is_some_and(|column| column.heading.is_empty() && !column.filled) {
            self.columns.pop();
        }
        for (number, column) in (1_u32..).zip(&mut self.columns) {
            if column.heading.is_empty() {
                column.heading = format!("Column {number}");
            }
        }
        let firsts: Vec<String> = self.columns.iter().take(2).map(|column| squeeze(&column.heading)).collect();
        if firsts.iter().eq(REPORT_HEADINGS.map(squeeze).iter()) {
            self.report_columns = REPORT_HEADINGS.len();
        }
    }
}
