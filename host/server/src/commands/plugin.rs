//! `pergola plugin …`: new, build, check, install, list.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use pergola_runtime::{Runtime, RuntimeConfig};

use super::prepare;
use crate::{
    cli::{DataArgs, PluginCommand},
    data::DataDir,
    say::{self, Progress, problem},
    system::UuidIds,
    wire::{self, PluginFolder},
};

pub(crate) async fn run(command: PluginCommand) -> anyhow::Result<()> {
    match command {
        PluginCommand::New { dir, id, sdk } => new(&dir, id, sdk),
        PluginCommand::Build { dir } => build(&dir).map(|_| ()),
        PluginCommand::Check { dir } => check(&dir),
        PluginCommand::Install { data, dir, dry_run } => install(&data, &dir, dry_run).await,
        PluginCommand::List { data } => list(&data).await,
    }
}

fn new(dir: &Path, id: Option<String>, sdk: Option<PathBuf>) -> anyhow::Result<()> {
    let named = dir.file_name().map(|name| name.to_string_lossy().replace('-', "_"));
    let id = id.or(named).ok_or_else(|| problem(format!("{} has no name; give --id", dir.display())))?;
    let sdk = sdk.map_or(pergola_build::SdkSource::Checkout, pergola_build::SdkSource::Path);
    pergola_build::new_plugin(dir, &id, &sdk).map_err(|error| problem(error.to_string()))?;
    say::line(format_args!("created {}", dir.display()));
    say::note(format_args!("next: pergola plugin build {0} && pergola plugin install {0}", dir.display()));
    Ok(())
}

/// Builds a plugin and says where and how large it is.
fn build(dir: &Path) -> anyhow::Result<pergola_build::Built> {
    wire_check(dir)?;
    let mut progress = Progress::new(format!("building {}", dir.display()), None);
    let built = pergola_build::build_plugin(dir, &mut |line| progress.detail(line));
    let built = built.map_err(|error| problem(error.to_string()))?;
    progress.done();
    say::line(format_args!("built {} ({} bytes)", built.path.display(), built.component.len()));
    Ok(built)
}

/// A manifest that cannot be read is told before a minute is spent on compiling.
fn wire_check(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join("plugin.toml");
    let text = fs::read_to_string(&path)
        .map_err(|error| problem(format!("{}: {error}; a plugin's folder has a plugin.toml", path.display())))?;
    pergola_manifest::parse(&text, &path.display().to_string()).map_err(|error| problem(error.to_string()))?;
    Ok(())
}

fn check(dir: &Path) -> anyhow::Result<()> {
    let others = required_manifests(dir)?;
    let (manifest, _) = wire::read_manifest(dir, &others)?;
    say::line(pergola_manifest::explain(&manifest));
    let component = dir.join("dist/component.wasm");
    if !component.exists() {
        say::note(format_args!("the component is not built yet: pergola plugin build {}", dir.display()));
        return Ok(());
    }
    let bytes = fs::read(&component).with_context(|| format!("cannot read {}", component.display()))?;
    let runtime = Runtime::new(RuntimeConfig::default(), Arc::new(UuidIds::default()))?;
    let fits = runtime.load(&manifest.id, &manifest, &bytes, None);
    fits.map_err(|error| problem(format!("{}: {error}", component.display())))?;
    say::line(format_args!("the component fits the manifest ({} bytes)", bytes.len()));
    Ok(())
}

/// The manifests of required plugins, looked for beside the plugin's own folder.
fn required_manifests(dir: &Path) -> anyhow::Result<Vec<Arc<pergola_model::decl::Manifest>>> {
    let mut found = Vec::new();
    let mut wanted = vec![dir.to_path_buf()];
    while let Some(folder) = wanted.pop() {
        let path = folder.join("plugin.toml");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let manifest =
            pergola_manifest::parse(&text, &path.display().to_string()).map_err(|error| problem(error.to_string()))?;
        let beside =
            folder.canonicalize().ok().and_then(|full| full.parent().map(Path::to_path_buf)).unwrap_or_default();
        wanted.extend(manifest.requires.keys().map(|id| beside.join(id.as_str())));
        if folder != dir && found.len() < 100 {
            found.push(Arc::new(manifest));
        }
    }
    Ok(found)
}

async fn install(args: &DataArgs, dir: &Path, dry_run: bool) -> anyhow::Result<()> {
    let data = DataDir::open(args)?;
    let config = prepare(&data, true)?;
    let Some(_lock) = data.try_lock()? else {
        return Err(problem("a server runs on this data; stop it, install, and start it again"));
    };
    let built = build(dir)?;
    let opened = wire::open_to_install(&data, &config).await?;
    let own = pergola_manifest::parse(&fs::read_to_string(dir.join("plugin.toml"))?, "plugin.toml")
        .map_err(|error| problem(error.to_string()))?;
    let (manifest, manifest_text) = wire::read_manifest(dir, &opened.other_manifests(Some(&own.id)))?;
    let name = format!("{} {}", manifest.id, manifest.version);
    let folder = PluginFolder { manifest, manifest_text, component: built.component };
    match opened.install(&data, folder, dry_run).await? {
        None => say::line(format_args!("{name} is installed already")),
        Some(report) => {
            for change in &report.changes {
                say::line(format_args!("  {}", change.line()));
            }
            for step in &report.steps {
                say::line(format_args!("  {}", step.summary));
            }
            let verb = if dry_run { "would be installed" } else { "installed" };
            say::line(match report.previous {
                Some(previous) => format!("{name} {verb}, in place of {previous}"),
                None => format!("{name} {verb}"),
            });
        }
    }
    opened.close().await;
    Ok(())
}

async fn list(args: &DataArgs) -> anyhow::Result<()> {
    let data = DataDir::open(args)?;
    let config = prepare(&data, true)?;
    let opened = wire::open(&data, &config).await?;
    let catalog = opened.workspace.catalog();
    for (id, installed) in &catalog.plugins {
        if !id.is_core() {
            let label = installed.manifest.label.get("en").map_or("", String::as_str);
            say::line(format_args!("{id} {} {label}", installed.manifest.version));
        }
    }
    opened.close().await;
    Ok(())
}
