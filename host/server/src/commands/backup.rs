//! `pergola backup`: a workspace as one file, while servers may run, checked by reading it back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use pergola_exchange::archive::{self, Archive, FORMAT, Manifest, Part};
use pergola_service::ports::Clock as _;
use pergola_store::backup::{self, Contents, SHAPE, TABLES};

use super::prepare;
use crate::{
    cli::BackupArgs,
    data::{self, DataDir},
    say::{self, Progress, problem},
    system::SystemClock,
    wire::{self, Place, server_error},
};

/// The database within a backup.
pub(super) const DATABASE: &str = "workspace.db";

pub(crate) async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let data = DataDir::open_existing(&args.data)?;
    let place = wire::place(&data, &prepare(&data, true)?)?;
    let (out, manifest) = make(&data, &place, args.out).await?;
    let records: u64 = manifest.tables.values().sum();
    let bytes = fs::metadata(&out).with_context(|| format!("cannot read {}", out.display()))?.len();
    say::line(format_args!(
        "{}: {records} rows of {} tables, {} components, {bytes} bytes; read back and sound",
        out.display(),
        manifest.tables.len(),
        manifest.files.iter().filter(|file| file.name.starts_with("plugins/")).count(),
    ));
    Ok(())
}

/// Writes a backup to a file, or to its usual place; where it is and what is in it.
pub(super) async fn make(data: &DataDir, place: &Place, out: Option<PathBuf>) -> anyhow::Result<(PathBuf, Manifest)> {
    let made_at = SystemClock.now();
    let out = match out {
        Some(out) => out,
        None => data.backups()?.join(format!("{}-{}.zip", data.workspace_name(), made_at.strftime("%Y%m%dT%H%M%SZ"))),
    };
    let work = WorkFolder::beside(&out)?;
    let mut progress = Progress::new(format!("backing up workspace {}", data.workspace_name()), None);
    let manifest = write(data, place, &out, &work, made_at, &mut progress).await?;
    progress.done();
    Ok((out, manifest))
}

async fn write(
    data: &DataDir,
    place: &Place,
    out: &Path,
    work: &WorkFolder,
    made_at: Timestamp,
    progress: &mut Progress,
) -> anyhow::Result<Manifest> {
    let copy = work.path.join("copy");
    fs::create_dir_all(&copy).with_context(|| format!("cannot create {}", copy.display()))?;
    let (contents, mut parts) = snapshot(place, &copy, progress).await?;
    parts.extend(components(data, &contents)?);
    let manifest = Manifest {
        format: FORMAT,
        made_by: concat!("pergola ", env!("CARGO_PKG_VERSION")).to_owned(),
        made_at,
        workspace: data.workspace_name().to_owned(),
        database: kind(place).to_owned(),
        tables: contents.tables,
        files: vec![],
    };
    progress.detail("packing");
    let packed = work.path.join("backup.zip");
    let manifest = archive::write(&packed, manifest, &parts)?;
    fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    progress.detail("reading it back");
    let (found, _) = unpack(&packed, &work.path.join("check"), place).await?;
    anyhow::ensure!(found == manifest, "the backup did not come back as it was written; try another disk");
    fs::rename(&packed, out).with_context(|| format!("cannot write {}", out.display()))?;
    data::sync_folder(out)?;
    Ok(manifest)
}

/// What backups of this kind of database say that they are of.
fn kind(place: &Place) -> &'static str {
    match place {
        Place::File(_) => "sqlite",
        Place::Server(_) => "postgres",
    }
}

/// Copies the data of one moment into a folder.
async fn snapshot(place: &Place, to: &Path, progress: &mut Progress) -> anyhow::Result<(Contents, Vec<Part>)> {
    let part = |name: String| Part { path: to.join(&name), name };
    match place {
        Place::File(database) => {
            progress.detail("checking the database");
            check(database).await?;
            progress.detail("copying");
            let copy = to.join(DATABASE);
            backup::snapshot(database, &copy).await.with_context(|| format!("cannot copy {}", database.display()))?;
            let contents = backup::contents(&copy).await.context("cannot read the copy")?;
            Ok((contents, vec![part(DATABASE.to_owned())]))
        }
        Place::Server(remote) => {
            progress.detail("copying");
            remote.snapshot(to).await.map_err(server_error).context("cannot copy the tables")?;
            let contents = backup::read_snapshot(to).await.context("cannot read the copy")?;
            let mut parts = vec![part(SHAPE.to_owned())];
            for entry in fs::read_dir(to.join(TABLES)).context("cannot list the copy")? {
                let name = entry.context("cannot list the copy")?.file_name();
                parts.push(part(format!("{TABLES}/{}", name.to_string_lossy())));
            }
            parts.sort_by(|a, b| a.name.cmp(&b.name));
            Ok((contents, parts))
        }
    }
}

/// The components that the copy needs, as they were installed.
fn components(data: &DataDir, contents: &Contents) -> anyhow::Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for (plugin, digest) in &contents.components {
        let path = data.component(digest);
        if !data::is_whole(&path, digest) {
            anyhow::bail!("{} is lost or damaged; install plugin {plugin} again, then back up", path.display());
        }
        let name = format!("plugins/{digest}.wasm");
        // Two plugins may share a component.
        if parts.iter().all(|part| part.name != name) {
            parts.push(Part { name, path });
        }
    }
    Ok(parts)
}

/// Passes for a database in which nothing is wrong as far as can be seen.
pub(crate) async fn check(database: &Path) -> anyhow::Result<()> {
    let problems = backup::problems(database).await.with_context(|| format!("cannot read {}", database.display()))?;
    if problems.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{} is damaged, see docs/backup.md: {}", database.display(), problems.join("; "))
}

/// Unpacks a backup for such a place into a folder and checks everything that can be checked.
pub(super) async fn unpack(file: &Path, to: &Path, place: &Place) -> anyhow::Result<(Manifest, Contents)> {
    let mut archive = Archive::open(file).map_err(super::archive_error)?;
    let manifest = archive.manifest().clone();
    if manifest.database != kind(place) {
        return Err(problem(format!(
            "{} is of a {} database and cannot become a {} one: restore it to a database of its kind, and move the \
             records by `pergola export` and `pergola import`",
            file.display(),
            manifest.database,
            kind(place),
        )));
    }
    archive.extract(to).map_err(super::archive_error)?;
    let contents = match place {
        Place::File(_) => {
            let database = to.join(DATABASE);
            check(&database).await?;
            backup::contents(&database).await
        }
        Place::Server(_) => backup::read_snapshot(to).await,
    };
    let contents = contents.context("cannot read the data of the backup")?;
    for (table, rows) in &manifest.tables {
        let found = contents.tables.get(table).copied().unwrap_or_default();
        anyhow::ensure!(found == *rows, "table {table} of the backup has {found} rows and should have {rows}");
    }
    for (plugin, digest) in &contents.components {
        let path = to.join("plugins").join(format!("{digest}.wasm"));
        anyhow::ensure!(data::is_whole(&path, digest), "the backup lacks the component of plugin {plugin}");
    }
    Ok((manifest, contents))
}

/// A folder for what is not finished, on the same disk as the result; removed at the end.
pub(super) struct WorkFolder {
    pub(super) path: PathBuf,
}

impl WorkFolder {
    /// A folder whose name tells what it was for. What a killed run left there is removed.
    pub(super) fn beside(target: &Path) -> anyhow::Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(problem(format!("{} does not name a file", target.display())));
        };
        let path = target.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        data::make_private(&path)?;
        Ok(Self { path })
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a folder of unfinished work could not be removed");
        }
    }
}
