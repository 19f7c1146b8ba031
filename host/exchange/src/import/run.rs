//! Drives an import: two passes over the file, batches into the workspace, a tally of every row.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use pergola_model::{Change, Object};
use pergola_service::{Error, ports::imports::ImportState, workspace::ApplyMode};
use tokio::sync::mpsc;

use super::{
    FileProblem, ImportError, ImportOptions, ImportSummary, Progress, Source,
    base::{Base, Counted, Outcome, Writing},
    checks::{check_matches, check_report_path, find_object, locale_of},
    convert::Habits,
    draft::{Draft, Drafter},
    headings::map_columns,
    journal::Journal,
    plan::{Planner, Policy, Task},
    read::{Row, Table},
    references::References,
    report::Report,
    survey::{Survey, survey},
    tally::{Fault, Sorted, Tally},
};

/// Rows in a batch, and so in a commit.
const BATCH_ROWS: usize = 200;
/// Batches read ahead of the one that is being written.
const BATCHES_AHEAD: usize = 2;
/// How often a batch is tried while the workspace has too much to do.
const TRIES_MAX: u32 = 20;
/// How long to wait before the second try; longer before later ones.
const RETRY_WAIT: Duration = Duration::from_millis(50);

pub(crate) async fn import<B: Base>(
    base: &B,
    source: Source,
    options: &ImportOptions,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ImportSummary, ImportError> {
    let object = find_object(base, options)?;
    let locale = locale_of(base, options)?;
    check_matches(&object, options)?;
    check_report_path(&source, options)?;
    let name = source.name.clone();
    let (table, survey) = open(source, options, &locale.region).await?;
    let mapping = map_columns(&object, &survey, options)?;
    let references = References::new(&base.catalog(), &object, &survey, options)?;
    let summary = ImportSummary {
        mapping: mapping.pairs(&survey),
        ignored: mapping.ignored(&survey),
        notices: notices(&table, &survey, &mapping.pairs(&survey)),
        ..ImportSummary::default()
    };
    let today = TimeZone::to_datetime(&locale.zone, base.now()).date();
    let drafter = Drafter::new(Arc::clone(&object), &survey, &mapping, references, Habits { locale, today });
    let policy = Policy { on_match: options.on_match, tells: options.dry_run };
    let mode = if options.dry_run { ApplyMode::DryRun } else { ApplyMode::Commit };
    let report = Report::new(options.report.clone(), table.delimiter().unwrap_or(b';'), &survey);
    let mut run = Run {
        base,
        object: Arc::clone(&object),
        planner: Planner::new(object, policy, &options.matches),
        journal: None,
        tally: Tally::new(summary, report, mode),
    };
    let after = if options.dry_run { 0 } else { run.begin(&name, &table.digest, options).await? };
    let mut tell = |run: &Run<'_, B>| {
        let (done, refused) = (run.tally.summary.rows, run.tally.summary.refused);
        progress(Progress { done, total: survey.rows, refused });
    };
    if after > 0 {
        tell(&run);
    }
    let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
    let reading = tokio::task::spawn_blocking(move || read(table, after, &drafter, &sender));
    while let Some(batch) = batches.recv().await {
        run.take(batch).await?;
        tell(&run);
    }
    finished(reading.await, &name)?;
    run.finish().await
}

async fn open(source: Source, options: &ImportOptions, region: &str) -> Result<(Table, Survey), ImportError> {
    let name = source.name.clone();
    let (options, region) = (options.clone(), region.to_owned());
    let opening = tokio::task::spawn_blocking(move || {
        let mut table = Table::open(source, &options, &region)?;
        let survey = survey(&mut table)?;
        Ok((table, survey))
    });
    finished(opening.await, &name)
}

/// What a reading task came to; a parser that panics over a broken file is the file's problem.
fn finished<T>(outcome: Result<Result<T, FileProblem>, tokio::task::JoinError>, name: &str) -> Result<T, ImportError> {
    let result = outcome.unwrap_or_else(|_| Err(FileProblem::Damaged("it cannot be made sense of".to_owned())));
    result.map_err(|problem| ImportError::File { name: name.to_owned(), problem: problem.to_string() })
}

fn notices(table: &Table, survey: &Survey, pairs: &[(String, String)]) -> Vec<String> {
    let mut notices = table.notices.clone();
    let mapped = |heading: &str| pairs.iter().any(|(mapped, _)| mapped == heading);
    for column in survey.columns.iter().filter(|column| column.proves_month_first() && mapped(&column.heading)) {
        notices.push(format!("dates in \"{}\" were read with the month first", column.heading));
    }
    notices
}

/// Sends batches of the rows after the one of that number.
fn read(mut table: Table, after: u64, drafter: &Drafter, sender: &mpsc::Sender<Vec<Draft>>) -> Result<(), FileProblem> {
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    let mut heading_seen = false;
    table.each_row(&mut |row: Row| {
        if !heading_seen || row.number <= after {
            heading_seen = true;
            return ControlFlow::Continue(());
        }
        batch.push(drafter.draft(row));
        if batch.len() < BATCH_ROWS {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ROWS));
        // Nobody receives any more when the import has stopped.
        if sender.blocking_send(full).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if !batch.is_empty() {
        let _unsent = sender.blocking_send(batch);
    }
    Ok(())
}

struct Run<'a, B> {
    base: &'a B,
    object: Arc<Object>,
    planner: Planner,
    /// None in a dry run.
    journal: Option<Journal>,
    tally: Tally,
}

/// Why a batch was not written.
enum Stop {
    Service(Error),
    Report(ImportError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Report(error) => Self::Report(error),
            Fault::Forbidden(message) => Self::Service(Error::Forbidden(message)),
        }
    }
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Report(error)
    }
}

impl<B: Base> Run<'_, B> {
    /// Goes on after the row of the number that it gives: 0 for a new import.
    async fn begin(&mut self, name: &str, digest: &[u8], options: &ImportOptions) -> Result<u64, ImportError> {
        let opened = Journal::open(self.base, name, digest, options, &mut self.planner).await;
        let journal = opened.map_err(|cause| self.stopped(1, cause))?;
        let after = journal.last_line();
        if let Some(id) = journal.batch() {
            journal.counts.put_into(&mut self.tally.summary);
            let notices = &mut self.tally.summary.notices;
            notices.push(format!("going on after row {after} of the import {id}, which did not come to its end"));
        }
        self.tally.resume_report(journal.counts.report_bytes)?;
        self.journal = Some(journal);
        Ok(after)
    }

    async fn take(&mut self, batch: Vec<Draft>) -> Result<(), ImportError> {
        let first_row = batch.first().map_or(0, |draft| draft.row.number);
        let last_line = batch.last().and_then(|draft| i64::try_from(draft.row.number).ok()).unwrap_or(i64::MAX);
        match self.write(batch, last_line).await {
            Ok(()) => Ok(()),
            Err(Stop::Report(error)) => Err(error),
            Err(Stop::Service(cause)) => Err(self.stopped(first_row, cause)),
        }
    }

    fn stopped(&self, row: u64, cause: Error) -> ImportError {
        ImportError::Stopped { row, summary: Box::new(self.tally.summary.clone()), cause: Box::new(cause) }
    }

    /// Sorts a batch out and writes it with one commit; waits while the workspace has too much to do.
    async fn write(&mut self, batch: Vec<Draft>, last_line: i64) -> Result<(), Stop> {
        let sorted = self.sort(batch).await.map_err(Stop::Service)?;
        let changes: Vec<Change> = sorted.writing.iter().filter_map(|task| task.change(&self.object)).collect();
        if changes.is_empty() {
            return Ok(self.tally.count(&mut self.planner, &sorted, &[])?);
        }
        let lines: Vec<i64> = sorted.writing.iter().map(Task::line).collect();
        let mark = self.tally.mark();
        let mut fault = None;
        let written = {
            let (tally, planner) = (&mut self.tally, &mut self.planner);
            let mut count = |outcomes: &[Outcome]| {
                let counted =
                    tally.go_back(&mark).map_err(Fault::from).and_then(|()| tally.count(planner, &sorted, outcomes));
                match counted {
                    Ok(()) => Some(Counted { last_line, tally: tally.counts().to_json() }),
                    Err(why) => {
                        fault = Some(why);
                        None
                    }
                }
            };
            patiently(self.base, &mut self.journal, &lines, &changes, &mut count).await
        };
        if fault.is_some() || written.is_err() {
            self.tally.forget(&mark);
        }
        match (fault, written) {
            (Some(fault), _) => Err(fault.into()),
            (None, Ok(_)) => Ok(()),
            // A plugin that breaks over one row must not keep the others out.
            (None, Err(Error::Plugin(_))) => {
                self.tally.go_back(&mark)?;
                self.write_singly(&sorted, &lines, changes).await
            }
            (None, Err(error)) => Err(Stop::Service(error)),
        }
    }

    /// Writes each change with a commit of its own. How far the import is, the next batch notes; should there be none,
    /// the rows are known by their entries.
    async fn write_singly(&mut self, sorted: &Sorted, lines: &[i64], changes: Vec<Change>) -> Result<(), Stop> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for (line, change) in lines.iter().zip(changes) {
            let kept = self.journal.as_ref().map(|journal| &journal.stored);
            let kept = kept.map(|stored| (stored.last_line, stored.tally.clone()));
            let (last_line, tally) = kept.unwrap_or_default();
            let mut count = |_: &[Outcome]| Some(Counted { last_line, tally: tally.clone() });
            match patiently(self.base, &mut self.journal, &[*line], &[change], &mut count).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error @ Error::Plugin(_)) => outcomes.push(Err(error)),
                Err(error) => return Err(Stop::Service(error)),
            }
        }
        Ok(self.tally.count(&mut self.planner, sorted, &outcomes)?)
    }

    async fn sort(&mut self, mut batch: Vec<Draft>) -> Result<Sorted, Error> {
        let mut sorted = Sorted::default();
        if let Some(journal) = self.journal.as_ref().filter(|journal| !journal.written.is_empty()) {
            batch.retain(|draft| match journal.written.get(&draft.row.number) {
                Some(is_new) => {
                    sorted.written_before.push(*is_new);
                    false
                }
                None => true,
            });
        }
        let plan = self.planner.plan(self.base, batch).await?;
        sorted.refused = plan.refused;
        (sorted.writing, sorted.idle) = plan.tasks.into_iter().partition(|task| task.change(&self.object).is_some());
        Ok(sorted)
    }

    /// Notes the end of the import, and closes the report.
    async fn finish(mut self) -> Result<ImportSummary, ImportError> {
        if let Some(journal) = &mut self.journal
            && let Some(id) = journal.batch()
        {
            self.tally.summary.batch = Some(id);
            journal.stored.state = ImportState::Done;
            journal.stored.tally = self.tally.counts().to_json();
            let ended = self.base.put_import(&mut journal.stored).await;
            ended.map_err(|cause| self.stopped(self.tally.summary.rows.saturating_add(1), cause))?;
        }
        self.tally.finish()
    }
}

/// Writes changes; waits while the workspace has too much to do.
async fn patiently<B: Base>(
    base: &B,
    journal: &mut Option<Journal>,
    lines: &[i64],
    changes: &[Change],
    count: &mut (dyn FnMut(&[Outcome]) -> Option<Counted> + Send),
) -> Result<Vec<Outcome>, Error> {
    for attempt in 1..=TRIES_MAX {
        let import = journal.as_mut().map(|journal| &mut journal.stored);
        match base.write(lines, changes.to_vec(), Writing { import, count: &mut *count }).await {
            Err(Error::Busy | Error::Interrupted) if attempt < TRIES_MAX => {
                tokio::time::sleep(RETRY_WAIT.saturating_mul(attempt)).await
            }
            outcomes => return outcomes,
        }
    }
    Err(Error::Busy)
}
