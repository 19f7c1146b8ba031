//! The commands, a file for each.

pub(crate) mod backup;
mod demo;
mod doctor;
mod export;
mod import;
mod plugin;
mod purge;
mod restore;
mod serve;
mod workspace;

use pergola_exchange::archive::ArchiveError;

use crate::{
    cli::{Cli, Command},
    config::{self, Config},
    data::DataDir,
    say::problem,
};

/// Runs what the command line says.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Workspace(command) => workspace::run(command).await,
        Command::Import(args) => import::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        Command::Purge(args) => purge::run(args).await,
        Command::Compact(args) => purge::compact(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Plugin(command) => plugin::run(command).await,
    }
}

/// Reads the configuration and starts logging.
fn prepare(data: &DataDir, quiet: bool) -> anyhow::Result<Config> {
    let mut config = config::load(data.root())?;
    if quiet && config.log.level == config::Log::default().level {
        // A command that answers and ends should not chat about its doings.
        "warn".clone_into(&mut config.log.level);
    }
    if let Some(url) = data.database_url() {
        config.database.url = Some(url.to_owned());
    }
    if !(2..=3_600).contains(&config.worker.lease_seconds) {
        return Err(problem("worker.lease_seconds: from 2 to 3600"));
    }
    if !(1..=1_000).contains(&config.server.workspaces_open_max) {
        return Err(problem("server.workspaces_open_max: from 1 to 1000"));
    }
    if !(1..=86_400).contains(&config.server.workspace_idle_seconds) {
        return Err(problem("server.workspace_idle_seconds: from 1 to 86400"));
    }
    config::start_log(&config.log)?;
    Ok(config)
}

/// A backup that is no good is the giver's business, a full disk ours.
fn archive_error(error: ArchiveError) -> anyhow::Error {
    match error {
        ArchiveError::NotABackup(_) | ArchiveError::Damaged { .. } | ArchiveError::Newer(_) => {
            problem(error.to_string())
        }
        other => other.into(),
    }
}
