//! `pergola import`: a spreadsheet becomes records.

mod undo;

use std::{fs::File, path::Path};

use pergola_exchange::{ImportError, ImportOptions, ImportSummary, OnMatch, Source, import};
use pergola_model::{Actor, ObjectName, Role};

use super::prepare;
use crate::{
    cli::{ImportArgs, ImportCommand, OnMatchArg},
    data::DataDir,
    say::{self, Progress, problem},
    wire,
};

pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<()> {
    match (&args.command, &args.file) {
        (Some(ImportCommand::List { data, json }), _) => undo::list(data, *json).await,
        (Some(ImportCommand::Undo { data, batch, dry_run, json }), _) => undo::undo(data, batch, *dry_run, *json).await,
        (None, Some(file)) => import_file(&args, file).await,
        (None, None) => Err(problem("say which file")),
    }
}

async fn import_file(args: &ImportArgs, file: &Path) -> anyhow::Result<()> {
    let object = ObjectName::new(args.object.clone()).map_err(|error| problem(format!("--object: {error}")))?;
    // A misspelt name should not leave a new data directory behind.
    File::open(file).map_err(|error| {
        problem(format!("{}: the file cannot be read: {error}; is its name right?", file.display()))
    })?;
    let source = Source::path(file);
    let data = DataDir::open(&args.data)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let options = ImportOptions {
        region: args.region.clone(),
        map: args.map.clone(),
        dry_run: args.dry_run,
        restart: args.restart,
        matches: args.matches.clone(),
        on_match: match args.on_match {
            OnMatchArg::Skip => OnMatch::Skip,
            OnMatchArg::Fill => OnMatch::Fill,
            OnMatchArg::Overwrite => OnMatch::Overwrite,
        },
        refs: args.refs.clone(),
        sheet: args.sheet.clone(),
        encoding: args.encoding.clone(),
        delimiter: args.separator,
        report: Some(args.report.clone().unwrap_or_else(|| file.with_extension("refused.csv"))),
        ..ImportOptions::new(object)
    };
    let actor = Actor::User { name: "import".to_owned(), role: Role::Owner };
    let mut progress = Progress::new(format!("importing {}", file.display()), Some(0));
    let summary = import(&opened.workspace, &actor, source, &options, &mut |at| progress.at(at.done, at.total)).await;
    progress.done();
    opened.close().await;
    let summary = summary.map_err(|error| match error {
        ImportError::File { .. } | ImportError::Options(_) => problem(error.to_string()),
        stopped => anyhow::Error::new(stopped),
    })?;
    if args.json {
        tell_json(&summary)
    } else {
        tell(&summary, args.dry_run)
    }
    Ok(())
}

fn tell_json(summary: &ImportSummary) {
    say::line(serde_json::json!({
        "rows": summary.rows,
        "created": summary.created,
        "updated": summary.updated,
        "merged": summary.merged,
        "refused": summary.refused,
        "batch": summary.batch.map(|id| id.to_string()),
        "report": summary.report.as_ref().map(|path| path.display().to_string()),
        "mapping": summary.mapping.iter().map(|(heading, field)| serde_json::json!({"heading": heading, "field": field})).collect::<Vec<_>>(),
        "ignored": summary.ignored,
        "differences": summary.differences.iter().map(|one| serde_json::json!({"row": one.row, "changes": one.changes})).collect::<Vec<_>>(),
    }));
}

fn tell(summary: &ImportSummary, dry_run: bool) {
    for notice in &summary.notices {
        say::line(format_args!("  {notice}"));
    }
    for (heading, field) in &summary.mapping {
        say::line(format_args!("  {heading} → {field}"));
    }
    for heading in &summary.ignored {
        say::line(format_args!("  {heading} → not imported; name a field with --map '{heading}=…'"));
    }
    let would = if dry_run { "would be " } else { "" };
    say::line(format_args!(
        "{} rows: {} {would}created, {} {would}updated, {} {would}merged, {} refused",
        summary.rows, summary.created, summary.updated, summary.merged, summary.refused
    ));
    for difference in &summary.differences {
        say::line(format_args!("  row {}: {}", difference.row, difference.changes.join("; ")));
    }
    for problem in &summary.problems {
        let word = if problem.refused { "refused" } else { "taken in part" };
        say::line(format_args!("  row {} {word}: {}", problem.row, problem.message));
    }
    if let Some(batch) = summary.batch {
        say::line(format_args!("to take it back: pergola import undo {batch}"));
    }
    if let Some(report) = &summary.report {
        say::line(format_args!(
            "the rows and the reasons are in {}; mend them there and import that file",
            report.display()
        ));
    }
}
