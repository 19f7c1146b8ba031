//! `pergola import list` and `pergola import undo`: imports that were made, and taking one back.

use std::time::Duration;

use pergola_model::{Actor, Id, Role};
use pergola_service::{
    ApplyMode, Error,
    workspace::{Kept, UndoStep},
};
use serde_json::json;

use crate::{
    cli::DataArgs,
    commands::prepare,
    data::DataDir,
    say::{self, Progress, problem},
    wire,
};

/// Imports that are listed.
const LISTED_MAX: u32 = 50;
/// Kept records that are told; the others are counted.
const KEPT_SHOWN: usize = 100;
/// How often a step is tried while the workspace has too much to do, and how long to wait in between.
const TRIES_MAX: u32 = 20;
const RETRY_WAIT: Duration = Duration::from_millis(500);

fn actor() -> Actor {
    Actor::User { name: "import".to_owned(), role: Role::Owner }
}

pub(super) async fn list(data: &DataArgs, json: bool) -> anyhow::Result<()> {
    let data = DataDir::open(data)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let imports = opened.workspace.list_imports(&actor(), LISTED_MAX).await;
    opened.close().await;
    for import in imports? {
        let (id, at, state) = (import.id, import.started_at, import.state.as_str());
        if json {
            say::line(json!({
                "batch": id.to_string(), "started_at": at.to_string(), "state": state, "object": import.object.as_str(),
                "file": import.file, "records": import.entries,
            }));
        } else {
            let records = import.entries;
            say::line(format_args!("{id} {at} {state} {}: {records} records of {}", import.file, import.object));
        }
    }
    Ok(())
}

/// What became of all records of an import.
#[derive(Default)]
struct Total {
    removed: u64,
    restored: u64,
    kept: u64,
    shown: Vec<Kept>,
}

impl Total {
    fn add(&mut self, step: UndoStep) {
        self.removed = self.removed.saturating_add(step.removed);
        self.restored = self.restored.saturating_add(step.restored);
        self.kept = self.kept.saturating_add(u64::try_from(step.kept.len()).unwrap_or_default());
        let room = KEPT_SHOWN.saturating_sub(self.shown.len());
        self.shown.extend(step.kept.into_iter().take(room));
    }
}

pub(super) async fn undo(data: &DataArgs, batch: &str, dry_run: bool, json: bool) -> anyhow::Result<()> {
    let id: Id = batch
        .parse()
        .map_err(|_| problem(format!("{batch:?} is not the id of an import; pergola import list shows them")))?;
    let data = DataDir::open(data)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let mode = if dry_run { ApplyMode::DryRun } else { ApplyMode::Commit };
    let undone = take_back(&opened.workspace, id, mode).await;
    opened.close().await;
    let total = undone.map_err(|error| match error {
        Error::NotFound(message) => problem(format!("{message}; pergola import list shows those that there are")),
        Error::Conflict { message, .. } => problem(message),
        other => anyhow::Error::new(other).context("it stopped half-way; the same command goes on from there"),
    })?;
    if json {
        tell_json(&total);
    } else {
        tell(&total, dry_run);
    }
    Ok(())
}

async fn take_back(workspace: &pergola_service::Workspace, id: Id, mode: ApplyMode) -> Result<Total, Error> {
    let mut undone = workspace.undo_import(&actor(), id, mode).await?;
    let entries = u64::try_from(undone.entries()).unwrap_or_default();
    let mut progress = Progress::new(format!("taking back {id}"), Some(entries));
    let mut total = Total::default();
    let mut tries = 0;
    loop {
        let step = match undone.step().await {
            // An import or a server writes at the same time.
            Err(Error::Busy) if tries < TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(RETRY_WAIT).await;
                continue;
            }
            step => step?,
        };
        tries = 0;
        let Some(step) = step else { break };
        total.add(step);
        progress.at(total.removed.saturating_add(total.restored).saturating_add(total.kept), entries);
    }
    progress.done();
    Ok(total)
}

fn tell_json(total: &Total) {
    let kept = total.shown.iter().map(|one| {
        json!({"row": one.line, "object": one.object.as_str(), "record": one.record.to_string(), "reason": one.reason})
    });
    say::line(json!({
        "removed": total.removed, "restored": total.restored, "kept": total.kept, "reasons": kept.collect::<Vec<_>>(),
    }));
}

fn tell(total: &Total, dry_run: bool) {
    let would = if dry_run { "would be " } else { "" };
    say::line(format_args!(
        "{} records {would}removed, {} {would}restored, {} kept",
        total.removed, total.restored, total.kept
    ));
    for one in &total.shown {
        let row = if one.line == 0 { "made by a plugin".to_owned() } else { format!("row {}", one.line) };
        say::line(format_args!("  {row}, {} {}: {}", one.object, one.record, one.reason));
    }
}
