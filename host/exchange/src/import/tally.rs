//! Counts every row once, and tells what is wrong with it.

use pergola_service::{Error, workspace::ApplyMode};

use super::{
    Difference, ImportError, ImportSummary, PROBLEMS_MAX, Problem,
    base::Outcome,
    draft::Draft,
    journal::Counts,
    plan::{Goal, Member, Planner, Task},
    read::Row,
    report::Report,
};

/// A batch whose rows are sorted out, before anything is written.
#[derive(Default)]
pub(crate) struct Sorted {
    /// Rows that cannot be taken.
    pub(crate) refused: Vec<Draft>,
    /// What is written; there is an outcome for each.
    pub(crate) writing: Vec<Task>,
    /// What tells nothing new.
    pub(crate) idle: Vec<Task>,
    /// Rows that an interrupted run has written, and whether they made a record.
    pub(crate) written_before: Vec<bool>,
}

/// The summary so far, and the report.
pub(crate) struct Tally {
    pub(crate) summary: ImportSummary,
    report: Report,
    mode: ApplyMode,
}

/// A state to go back to.
pub(crate) struct Mark {
    summary: ImportSummary,
    report_bytes: u64,
}

/// Why a batch must not be committed.
pub(crate) enum Fault {
    Report(ImportError),
    /// It would be the same for every row.
    Forbidden(String),
}

impl From<ImportError> for Fault {
    fn from(error: ImportError) -> Self {
        Self::Report(error)
    }
}

impl Tally {
    pub(crate) fn new(summary: ImportSummary, report: Report, mode: ApplyMode) -> Self {
        Self { summary, report, mode }
    }

    /// Goes on with the report of an interrupted import.
    pub(crate) fn resume_report(&mut self, bytes: u64) -> Result<(), ImportError> {
        if !self.report.resume(bytes)? {
            let lost = "the report of the rows before is not where it was; the new one begins after them";
            self.summary.notices.push(lost.to_owned());
        }
        Ok(())
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { summary: self.summary.clone(), report_bytes: self.report.bytes() }
    }

    /// Forgets what was counted since.
    pub(crate) fn go_back(&mut self, mark: &Mark) -> Result<(), ImportError> {
        self.summary.clone_from(&mark.summary);
        self.report.go_back(mark.report_bytes)
    }

    /// Forgets what was counted since, but for the report: whether a commit that failed was made after all, nobody knows,
    /// and whoever goes on with the import cuts the report to what counts.
    pub(crate) fn forget(&mut self, mark: &Mark) {
        self.summary.clone_from(&mark.summary);
    }

    /// What is kept of it with the rows.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of(&self.summary, self.report.bytes())
    }

    /// Closes the report.
    pub(crate) fn finish(mut self) -> Result<ImportSummary, ImportError> {
        self.summary.report = self.report.finish()?;
        Ok(self.summary)
    }

    /// Counts a batch; when it returns, what the report says of it is in the file.
    pub(crate) fn count(&mut self, planner: &mut Planner, sorted: &Sorted, outcomes: &[Outcome]) -> Result<(), Fault> {
        for is_new in &sorted.written_before {
            add(&mut self.summary.rows, 1);
            add(if *is_new { &mut self.summary.created } else { &mut self.summary.updated }, 1);
        }
        for draft in &sorted.refused {
            self.refuse(&draft.row, &draft.issues.join("; "))?;
        }
        for (task, outcome) in sorted.writing.iter().zip(outcomes) {
            match outcome {
                Ok(records) => {
                    records.iter().for_each(|(_, record)| self.remember(planner, task, record.id));
                    self.count_written(task)?;
                }
                Err(Error::Forbidden(message)) => return Err(Fault::Forbidden(message.clone())),
                Err(error) => self.count_refused(task, error)?,
            }
        }
        for task in &sorted.idle {
            self.count_merged(planner, task)?;
        }
        Ok(self.report.flush()?)
    }

    fn remember(&self, planner: &mut Planner, task: &Task, id: pergola_model::Id) {
        match (self.mode, task.goal) {
            (ApplyMode::Commit, _) => planner.remember(id),
            (ApplyMode::DryRun, Goal::Update { id, .. }) => planner.remember(id),
            (ApplyMode::DryRun, Goal::Create | Goal::Imagined) => planner.imagine(task),
        }
    }

    fn count_written(&mut self, task: &Task) -> Result<(), ImportError> {
        let mut told = matches!(task.goal, Goal::Update { by_this_file: true, .. });
        for member in &task.members {
            self.warn(member)?;
            self.tell_difference(member);
            add(&mut self.summary.rows, 1);
            let counter = match task.goal {
                Goal::Create if !told => &mut self.summary.created,
                Goal::Update { .. } if !told && member.changed => &mut self.summary.updated,
                _ => &mut self.summary.merged,
            };
            add(counter, 1);
            told |= member.changed || task.goal == Goal::Create;
        }
        Ok(())
    }

    fn count_merged(&mut self, planner: &mut Planner, task: &Task) -> Result<(), ImportError> {
        if let Goal::Update { id, .. } = task.goal {
            planner.remember(id);
        }
        for member in &task.members {
            self.warn(member)?;
            add(&mut self.summary.rows, 1);
            add(&mut self.summary.merged, 1);
        }
        Ok(())
    }

    /// All rows that would have added something are refused with the first, so that none is lost unseen.
    fn count_refused(&mut self, task: &Task, error: &Error) -> Result<(), ImportError> {
        let (changed, same): (Vec<&Member>, Vec<&Member>) =
            task.members.iter().partition(|member| member.changed || task.goal == Goal::Create);
        let first = changed.first().map(|member| member.draft.row.number);
        for member in changed {
            let row = &member.draft.row;
            let problem = match first.filter(|first| *first != row.number) {
                Some(first) => format!("repeats row {first}, which was refused: {error}"),
                None => error.to_string(),
            };
            self.refuse(row, &problem)?;
        }
        let same = u64::try_from(same.len()).unwrap_or_default();
        add(&mut self.summary.rows, same);
        add(&mut self.summary.merged, same);
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
        add(&mut self.summary.rows, 1);
        add(&mut self.summary.refused, 1);
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

fn add(counter: &mut u64, rows: u64) {
    *counter = counter.saturating_add(rows);
}
