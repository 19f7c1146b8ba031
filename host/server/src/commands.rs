//! The commands, a file for each.

mod demo;
mod import;
mod plugin;
mod serve;

use crate::{
    cli::{Cli, Command},
    config::{self, Config},
    data::DataDir,
};

/// Runs what the command line says.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Import(args) => import::run(args).await,
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
    config::start_log(&config.log)?;
    Ok(config)
}
