//! Drives an import: two passes over the file, batches into the workspace, a tally of every row.

use std::{ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use pergola_model::{Change, Locale, Object, nearest};
use pergola_service::{
    Error,
    workspace::{ApplyMode, RecordOf},
};
use tokio::sync::mpsc;

use super::{
    Content, Difference, FileProblem, ImportError, ImportOptions, ImportSummary, PROBLEMS_MAX, Problem, Progress,
    Source,
    base::Base,
    convert::Habits,
    draft::{Draft, Drafter},
    headings::map_columns,
    plan::{Goal, Member, Planner, Policy, Task},
    read::{Row, Table},
    references::{References, identifies},
    report::Report,
    survey::{Survey, survey},
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
    let mut summary = ImportSummary {
        mapping: mapping.pairs(&survey),
        ignored: mapping.ignored(&survey),
        notices: notices(&table, &survey, &mapping.pairs(&survey)),
        ..ImportSummary::default()
    };
    let today = TimeZone::to_datetime(&locale.zone, base.now()).date();
    let drafter = Drafter::new(Arc::clone(&object), &survey, &mapping, references, Habits { locale, today });
    let policy = Policy { on_match: options.on_match, tells: options.dry_run };
    let mut run = Run {
        base,
        object: Arc::clone(&object),
        planner: Planner::new(object, policy, &options.matches),
        mode: if options.dry_run { ApplyMode::DryRun } else { ApplyMode::Commit },
        report: Report::new(options.report.clone(), table.delimiter().unwrap_or(b';'), &survey),
        summary: &mut summary,
    };
    let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
    let reading = tokio::task::spawn_blocking(move || read(table, &drafter, &sender));
    while let Some(batch) = batches.recv().await {
        run.take(batch).await?;
        let (done, refused) = (run.summary.rows, run.summary.refused);
        progress(Progress { done, total: survey.rows, refused });
    }
    finished(reading.await, &name)?;
    let report = run.report.finish()?;
    summary.report = report;
    Ok(summary)
}

fn find_object<B: Base>(base: &B, options: &ImportOptions) -> Result<Arc<Object>, ImportError> {
    let catalog = base.catalog();
    catalog.object(&options.object).cloned().ok_or_else(|| {
        let known: Vec<&str> = catalog.objects.keys().map(|name| name.as_str()).collect();
        let hint = nearest::hint(options.object.as_str(), known.iter().copied());
        ImportError::Options(format!(
            "there is no object \"{}\".{hint} There are: {}",
            options.object,
            known.join(", ")
        ))
    })
}

fn locale_of<B: Base>(base: &B, options: &ImportOptions) -> Result<Locale, ImportError> {
    let mut locale = Locale::clone(&base.locale());
    if let Some(region) = &options.region {
        if region.len() != 2 || !region.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            let message = format!("\"{region}\" is not a region; use the two letters of a country, such as FI");
            return Err(ImportError::Options(message));
        }
        locale.region = region.to_ascii_uppercase();
    }
    Ok(locale)
}

fn check_matches(object: &Object, options: &ImportOptions) -> Result<(), ImportError> {
    let is_unique = |key: &str| object.uniques.iter().any(|unique| unique.fields == [key]);
    let fits = |key: &str| {
        let field = object.field(key);
        key == "id" || field.is_some_and(|field| identifies(&field.kind) && (field.indexed || is_unique(key)))
    };
    let Some(wrong) = options.matches.iter().find(|key| !fits(key)) else { return Ok(()) };
    let known: Vec<&str> = std::iter::once("id").chain(object.fields.keys().map(String::as_str)).collect();
    let known: Vec<&str> = known.into_iter().filter(|key| fits(key)).collect();
    let hint = nearest::hint(wrong, known.iter().copied());
    Err(ImportError::Options(format!(
        "records of {} cannot be known by \"{wrong}\".{hint} They can by fields that are unique or have an index: {}",
        object.name,
        known.join(", ")
    )))
}

fn check_report_path(source: &Source, options: &ImportOptions) -> Result<(), ImportError> {
    let (Content::Path(path), Some(report)) = (&source.content, &options.report) else {
        return Ok(());
    };
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if same(path) == same(report) {
        let message = "the report would overwrite the file itself; give it another name".to_owned();
        return Err(ImportError::Options(message));
    }
    Ok(())
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

fn read(mut table: Table, drafter: &Drafter, sender: &mpsc::Sender<Vec<Draft>>) -> Result<(), FileProblem> {
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    let mut heading_seen = false;
    table.each_row(&mut |row: Row| {
        if !heading_seen {
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
    mode: ApplyMode,
    report: Report,
    summary: &'a mut ImportSummary,
}

/// What was written for a task, or the refusal.
type Outcome = Result<Vec<RecordOf>, Error>;

impl<B: Base> Run<'_, B> {
    async fn take(&mut self, batch: Vec<Draft>) -> Result<(), ImportError> {
        let first_row = batch.first().map_or(0, |draft| draft.row.number);
        let plan = match self.planner.plan(self.base, batch).await {
            Ok(plan) => plan,
            Err(cause) => return Err(self.stopped(first_row, cause)),
        };
        for draft in plan.refused {
            let problem = draft.issues.join("; ");
            self.refuse(&draft.row, &problem)?;
        }
        let (writing, idle): (Vec<Task>, Vec<Task>) =
            plan.tasks.into_iter().partition(|task| task.change(&self.object).is_some());
        let changes = writing.iter().filter_map(|task| task.change(&self.object)).collect();
        let outcomes = match self.apply(changes).await {
            Ok(outcomes) => outcomes,
            Err(cause) => return Err(self.stopped(first_row, cause)),
        };
        for (task, outcome) in writing.into_iter().zip(outcomes) {
            match outcome {
                Ok(records) => self.count_written(task, &records)?,
                // It would be the same for every row.
                Err(cause @ Error::Forbidden(_)) => return Err(self.stopped(first_row, cause)),
                Err(error) => self.count_refused(task, &error)?,
            }
        }
        idle.into_iter().try_for_each(|task| self.count_merged(task))
    }

    fn stopped(&self, row: u64, cause: Error) -> ImportError {
        ImportError::Stopped { row, summary: Box::new(self.summary.clone()), cause: Box::new(cause) }
    }

    /// Writes with one commit; waits while the workspace has too much to do.
    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        match self.apply_patiently(changes.clone()).await {
            // A plugin that breaks over one row must not keep the others out.
            Err(Error::Plugin(_)) if changes.len() > 1 => self.apply_singly(changes).await,
            Err(error @ Error::Plugin(_)) => Ok(vec![Err(error)]),
            outcomes => outcomes,
        }
    }

    async fn apply_singly(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            match self.apply_patiently(vec![change]).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error @ Error::Plugin(_)) => outcomes.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(outcomes)
    }

    async fn apply_patiently(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        for attempt in 1..TRIES_MAX {
            match self.base.apply_each(changes.clone(), self.mode).await {
                Err(Error::Busy) => tokio::time::sleep(RETRY_WAIT.saturating_mul(attempt)).await,
                outcomes => return outcomes,
            }
        }
        self.base.apply_each(changes, self.mode).await
    }

    fn count_written(&mut self, task: Task, records: &[RecordOf]) -> Result<(), ImportError> {
        match self.mode {
            ApplyMode::Commit => records.iter().for_each(|(_, record)| self.planner.remember(record.id)),
            ApplyMode::DryRun => match task.goal {
                Goal::Update { id, .. } => self.planner.remember(id),
                Goal::Create | Goal::Imagined => self.planner.imagine(&task),
            },
        }
        let mut told = matches!(task.goal, Goal::Update { by_this_file: true, .. });
        for member in task.members {
            self.warn(&member)?;
            self.tell_difference(&member);
            self.summary.rows = self.summary.rows.saturating_add(1);
            let counter = match task.goal {
                Goal::Create if !told => &mut self.summary.created,
                Goal::Update { .. } if !told && member.changed => &mut self.summary.updated,
                _ => &mut self.summary.merged,
            };
            *counter = counter.saturating_add(1);
            told |= member.changed || task.goal == Goal::Create;
        }
        Ok(())
    }

    fn count_merged(&mut self, task: Task) -> Result<(), ImportError> {
        if let Goal::Update { id, .. } = task.goal {
            self.planner.remember(id);
        }
        for member in task.members {
            self.warn(&member)?;
            self.summary.rows = self.summary.rows.saturating_add(1);
            self.summary.merged = self.summary.merged.saturating_add(1);
        }
        Ok(())
    }

    /// All rows that would have added something are refused with the first, so that none is lost unseen.
    fn count_refused(&mut self, task: Task, error: &Error) -> Result<(), ImportError> {
        let (changed, same): (Vec<Member>, Vec<Member>) =
            task.members.into_iter().partition(|member| member.changed || task.goal == Goal::Create);
        let first = changed.first().map(|member| member.draft.row.number);
        for member in changed {
            let row = &member.draft.row;
            let problem = match first.filter(|first| *first != row.number) {
                Some(first) => format!("repeats row {first}, which was refused: {error}"),
                None => error.to_string(),
            };
            self.refuse(row, &problem)?;
        }
        self.summary.rows = self.summary.rows.saturating_add(u64::try_from(same.len()).unwrap_or_default());
        self.summary.merged = self.summary.merged.saturating_add(u64::try_from(same.len()).unwrap_or_default());
        Ok(())
    }

    fn warn(&mut self, member: &Member) -> Result<(), ImportError> {
        if member.conflicts.is_empty() {
            return Ok(());
        }
        let message = format!("merged with a known record: {}", member.conflicts.join("; "));
        self.tell(&member.draft.row, message, false)
    }

    fn tell_difference(&mut self, member: &Member) {
        if !member.difference.is_empty() && self.summary.differences.len() < PROBLEMS_MAX {
            let (row, changes) = (member.draft.row.number, member.difference.clone());
            self.summary.differences.push(Difference { row, changes });
        }
    }

    fn refuse(&mut self, row: &Row, problem: &str) -> Result<(), ImportError> {
        self.summary.rows = self.summary.rows.saturating_add(1);
        self.summary.refused = self.summary.refused.saturating_add(1);
        self.tell(row, problem.to_owned(), true)
    }

    fn tell(&mut self, row: &Row, message: String, refused: bool) -> Result<(), ImportError> {
        self.report.add(row, &message)?;
        if self.summary.problems.len() < PROBLEMS_MAX {
            self.summary.problems.push(Problem { row: row.number, message, refused });
        }
        Ok(())
    }
}
