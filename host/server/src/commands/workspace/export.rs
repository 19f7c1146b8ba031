//! `pergola workspace export`: all records of all objects, as JSON Lines in a folder or a zip.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use pergola_exchange::{
    Export, ExportFormat, ExportOptions,
    archive::{Part, pack},
};
use pergola_model::{Actor, Role};
use pergola_service::Workspace;
use pergola_store::directory::DirectoryError;

use crate::{
    cli::PlaceArgs,
    commands::{backup::WorkFolder, export::told, prepare},
    data::{self, DataDir},
    directory,
    say::{self, Progress, problem},
    wire,
};

/// What tells what the other files are.
const CONTENTS: &str = "contents.json";

pub(super) async fn export(place: &PlaceArgs, name: &str, out: Option<&Path>) -> anyhow::Result<()> {
    let data = DataDir::open_all(place, Some(name))?;
    let config = prepare(&data, true)?;
    let out = out.map_or_else(|| PathBuf::from(format!("{}-export", data.workspace_name())), Path::to_path_buf);
    if out.exists() {
        return Err(problem(format!("{} is there already; give another --out", out.display())));
    }
    let directory = directory::open(&data, &config).await?;
    if directory::list_with_found(&directory).await?.iter().all(|entry| entry.name != *data.workspace()) {
        return Err(directory::told(DirectoryError::Unknown(data.workspace().clone())));
    }
    let work = WorkFolder::beside(&out)?;
    let folder = work.path.join("export");
    fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let opened = wire::open(&data, &config).await?;
    let mut progress = Progress::new(format!("exporting workspace {}", data.workspace_name()), None);
    let written = write(&opened.workspace, data.workspace_name(), &folder, &mut progress).await;
    opened.close().await;
    let (counts, parts) = written?;
    if out.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip")) {
        progress.detail("packing");
        let packed = work.path.join("export.zip");
        pack(&packed, &parts)?;
        fs::rename(&packed, &out).with_context(|| format!("cannot write {}", out.display()))?;
    } else {
        fs::rename(&folder, &out).with_context(|| format!("cannot write {}", out.display()))?;
    }
    data::sync_folder(&out)?;
    progress.done();
    let records: u64 = counts.values().sum();
    say::line(format_args!("{records} records of {} objects are in {}", counts.len(), out.display()));
    Ok(())
}

/// Writes a file for each object, and one that tells what they are.
async fn write(
    workspace: &Workspace,
    name: &str,
    folder: &Path,
    progress: &mut Progress,
) -> anyhow::Result<(BTreeMap<String, u64>, Vec<Part>)> {
    let catalog = workspace.catalog();
    let actor = Actor::User { name: "export".to_owned(), role: Role::Owner };
    let (mut counts, mut parts) = (BTreeMap::new(), Vec::new());
    for object in catalog.objects.keys() {
        progress.detail(object.as_str());
        let options = ExportOptions::new(object.clone(), ExportFormat::JsonLines);
        let mut records = Export::open(workspace, &actor, &options).await.map_err(told)?;
        let part = part(folder, format!("{object}.jsonl"));
        let mut file = BufWriter::new(create(&part.path)?);
        while let Some(bytes) = records.next().await.map_err(told)? {
            file.write_all(&bytes).with_context(|| format!("cannot write {}", part.path.display()))?;
        }
        let synced = file.into_inner().map_err(|error| error.into_error()).and_then(|file| file.sync_all());
        synced.with_context(|| format!("cannot write {}", part.path.display()))?;
        counts.insert(object.to_string(), records.done());
        parts.push(part);
    }
    let plugins: BTreeMap<&str, String> = catalog
        .plugins
        .iter()
        .filter(|(id, _)| !id.is_core())
        .map(|(id, installed)| (id.as_str(), installed.manifest.version.to_string()))
        .collect();
    let contents = serde_json::json!({
        "workspace": name, "made_by": concat!("pergola ", env!("CARGO_PKG_VERSION")),
        "made_at": directory::now().to_string(), "plugins": plugins, "records": counts,
    });
    let part = part(folder, CONTENTS.to_owned());
    let mut file = create(&part.path)?;
    let written = file.write_all(format!("{contents:#}\n").as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {}", part.path.display()))?;
    parts.push(part);
    Ok((counts, parts))
}

fn part(folder: &Path, name: String) -> Part {
    Part { path: folder.join(&name), name }
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}
