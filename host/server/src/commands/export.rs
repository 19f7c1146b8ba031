//! `pergola export`: records become a file, whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use pergola_exchange::{Export, ExportError, ExportOptions};
use pergola_model::{Actor, ObjectName, Role};

use super::prepare;
use crate::{
    cli::ExportArgs,
    data::DataDir,
    say::{self, Progress, problem},
    wire,
};

pub(crate) async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let object = ObjectName::new(args.object.clone()).map_err(|error| problem(format!("OBJECT: {error}")))?;
    let data = DataDir::open(&args.data)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let options = ExportOptions {
        filter: args.filter.clone(),
        sort: args.sort.clone(),
        fields: args.fields.clone(),
        labels: args.labels.clone(),
        separator: args.separator,
        byte_order_mark: args.bom,
        ..ExportOptions::new(object, args.format)
    };
    let plural = opened.workspace.catalog().object(&options.object).map(|object| object.plural.clone());
    let name = format!("{}.{}", plural.unwrap_or_default(), args.format.extension());
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let exported = export(&opened.workspace, &options, &out, args.force).await;
    opened.close().await;
    exported
}

async fn export(
    workspace: &pergola_service::Workspace,
    options: &ExportOptions,
    out: &Path,
    force: bool,
) -> anyhow::Result<()> {
    let to_standard_output = out == Path::new("-");
    if !to_standard_output && !force && out.exists() {
        return Err(problem(format!(
            "{} is there already; give another --out, or --force to replace it",
            out.display()
        )));
    }
    let actor = Actor::User { name: "export".to_owned(), role: Role::Owner };
    let mut export = Export::open(workspace, &actor, options).await.map_err(told)?;
    if to_standard_output {
        return write(&mut export, &mut io::stdout().lock(), "standard output").await.map(drop);
    }
    // Half a file is none: what is there stays until the new one is whole.
    let temporary = out.with_extension(format!("{}.tmp", std::process::id()));
    let file = File::create(&temporary)
        .map_err(|error| problem(format!("{} cannot be written: {error}", temporary.display())))?;
    let mut file = BufWriter::new(file);
    let written = match write(&mut export, &mut file, &out.display().to_string()).await {
        Ok(records) => finish(file, &temporary, out).map(|()| records),
        Err(error) => Err(error),
    };
    let records = written.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    say::line(format_args!("{records} records of {} are in {}", options.object, out.display()));
    Ok(())
}

async fn write(export: &mut Export, out: &mut (impl Write + ?Sized), name: &str) -> anyhow::Result<u64> {
    let mut progress = Progress::new(format!("exporting to {name}"), Some(export.records()));
    while let Some(bytes) = export.next().await.map_err(told)? {
        out.write_all(&bytes).with_context(|| format!("cannot write to {name}"))?;
        progress.at(export.done(), export.records());
    }
    out.flush().with_context(|| format!("cannot write to {name}"))?;
    progress.done();
    Ok(export.done())
}

fn finish(file: BufWriter<File>, temporary: &Path, out: &Path) -> anyhow::Result<()> {
    let file = file.into_inner().map_err(|error| error.into_error());
    file.and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(temporary, out))
        .with_context(|| format!("cannot write {}", out.display()))
}

/// What the caller can mend, in contrast to what broke.
pub(super) fn told(error: ExportError) -> anyhow::Error {
    match error {
        ExportError::Options(_) | ExportError::Format(_) => problem(error.to_string()),
        ExportError::Service(pergola_service::Error::BadRequest { message, .. }) => problem(message),
        other => anyhow::Error::new(other),
    }
}
