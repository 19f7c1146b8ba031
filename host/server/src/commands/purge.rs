//! `pergola purge`: a person and everything about them gone for good.

use pergola_model::{Actor, Id, ObjectName, Role};
use pergola_service::{Error, workspace::PurgeReport};

use super::prepare;
use crate::{
    cli::{DataArgs, PurgeArgs},
    data::DataDir,
    say::{self, problem},
    wire,
};

pub(crate) async fn run(args: PurgeArgs) -> anyhow::Result<()> {
    let object = ObjectName::new(args.object.clone()).map_err(|error| problem(error.to_string()))?;
    let id: Id = args.id.parse().map_err(|_| problem(format!("{:?} is not an id; an id is a UUID", args.id)))?;
    let data = DataDir::open_existing(&args.data)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let actor = Actor::User { name: "purge".to_owned(), role: Role::Owner };
    let report = if args.dry_run {
        opened.workspace.plan_purge(&actor, &object, id).await
    } else {
        opened.workspace.purge(&actor, &object, id).await
    };
    opened.close().await;
    let report = report.map_err(|error| match error {
        Error::NotFound(_) | Error::Conflict { .. } => problem(error.to_string()),
        other => other.into(),
    })?;
    if args.json {
        tell_json(&report)
    } else {
        tell(&report, args.dry_run)
    }
    Ok(())
}

/// `pergola compact`: the database written anew.
pub(crate) async fn compact(args: DataArgs) -> anyhow::Result<()> {
    let data = DataDir::open_existing(&args)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let scrubbed = opened.workspace.compact().await;
    opened.close().await;
    if scrubbed? {
        say::line("the database is written anew; nothing of what was deleted is left in its files");
        return Ok(());
    }
    Err(problem("the database is written anew, but somebody reads an old state of it; try again when less goes on"))
}

fn tell_json(report: &PurgeReport) {
    let PurgeReport { object, record, deleted, cleared, traces, scrubbed } = report;
    say::line(serde_json::json!({
        "object": object, "record": record, "deleted": deleted, "cleared": cleared, "traces": traces, "scrubbed": scrubbed,
    }));
}

fn tell(report: &PurgeReport, dry_run: bool) {
    let would = if dry_run { "would be " } else { "" };
    for (object, count) in &report.deleted {
        say::line(format_args!("  {object}: {count} {would}purged"));
    }
    for (object, count) in &report.cleared {
        say::line(format_args!("  {object}: {count} {would}kept without the reference; look through their texts"));
    }
    for (place, count) in &report.traces {
        say::line(format_args!("  {place}: {count} {would}emptied of values"));
    }
    if dry_run {
        return;
    }
    say::line(if report.scrubbed {
        "nothing of it is left in the database's files; backups and messages that left keep what they had"
    } else {
        "some bytes may be left in the database's files, because somebody reads an old state; a server tries again within the hour"
    });
}
