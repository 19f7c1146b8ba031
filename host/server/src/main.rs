//! The `pergola` program: reads the command line and the configuration, and wires the parts together.

mod broken;
mod cli;
mod commands;
mod config;
mod data;
mod directory;
mod say;
mod serving;
mod system;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::Cli,
    say::{Problem, Unwell},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say::fail(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Problem>() => say::refuse(&error),
        Err(error) if error.is::<Unwell>() => ExitCode::from(4),
        Err(error) => say::fail(&error),
    }
}
