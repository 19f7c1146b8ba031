//! Builds plugins: cargo, then the component, then `dist/component.wasm`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cargo::{self, Module};
use crate::component;
use crate::error::BuildError;
use crate::toolchain::Toolchain;

/// Where a plugin's component goes, in its folder.
const COMPONENT: &str = "dist/component.wasm";

/// A plugin that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The component's bytes.
    pub component: Vec<u8>,
    /// Bytes of the core module inside, before it became a component.
    pub core_size: usize,
    /// Where the component was written: `dist/component.wasm` in the plugin's folder.
    pub path: PathBuf,
}

/// Whether the plugin in this folder has code to build; one without is data alone.
#[must_use]
pub fn has_code(dir: &Path) -> bool {
    dir.join("Cargo.toml").is_file()
}

/// Builds the plugin in `dir` and writes its component to `dist/component.wasm`.
///
/// Gets the compiler's target if it is missing. `progress` is handed cargo's lines as they come.
/// Quick when nothing changed; two builds at once wait for each other.
///
/// # Errors
/// See [`BuildError`]; messages say what to install or to change.
pub fn build_plugin(dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Built, BuildError> {
    let mut built = build_plugins(&[dir], progress)?;
    built.pop().ok_or_else(|| BuildError::NoCrate { dir: dir.to_owned() })
}

/// Builds several plugins, with one call of cargo for those of one workspace.
///
/// Shape: one [`Built`] for each folder, in the same order.
///
/// # Errors
/// As [`build_plugin`]; one that fails fails all.
pub fn build_plugins(dirs: &[&Path], progress: &mut dyn FnMut(&str)) -> Result<Vec<Built>, BuildError> {
    let crates = dirs.iter().map(|dir| Crate::find(dir)).collect::<Result<Vec<_>, _>>()?;
    let mut workspaces: BTreeMap<PathBuf, Vec<&Crate>> = BTreeMap::new();
    for one in &crates {
        workspaces.entry(cargo::workspace_manifest(&one.dir)?).or_default().push(one);
    }
    let mut modules = Vec::new();
    for (workspace, members) in workspaces {
        let toolchain = Toolchain::find(workspace.parent().unwrap_or(&workspace), progress)?;
        let packages: Vec<_> = members.iter().map(|member| member.package.as_str()).collect();
        modules.extend(cargo::build(&workspace, &packages, &toolchain, progress)?);
    }
    crates.iter().map(|one| one.encode(&modules)).collect()
}

/// A plugin's crate.
struct Crate {
    /// Its folder, without links, as cargo names it.
    dir: PathBuf,
    package: String,
}

impl Crate {
    fn find(dir: &Path) -> Result<Self, BuildError> {
        if !has_code(dir) {
            return Err(BuildError::NoCrate { dir: dir.to_owned() });
        }
        let dir = dir.canonicalize().map_err(|source| file_error("read", dir, source))?;
        let path = dir.join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|source| file_error("read", &path, source))?;
        match package_name(&text) {
            Ok(package) => Ok(Self { dir, package }),
            Err(source) => Err(BuildError::Manifest { path, source }),
        }
    }

    fn encode(&self, modules: &[Module]) -> Result<Built, BuildError> {
        let manifest = self.dir.join("Cargo.toml");
        let module = modules
            .iter()
            .find(|module| module.manifest == manifest)
            .ok_or_else(|| BuildError::NoModule { package: self.package.clone() })?;
        let core = fs::read(&module.path).map_err(|source| file_error("read", &module.path, source))?;
        let component =
            component::encode(&core).map_err(|source| BuildError::Encode { package: self.package.clone(), source })?;
        let path = self.dir.join(COMPONENT);
        replace(&path, &component).map_err(|source| file_error("write", &path, source))?;
        Ok(Built { component, core_size: core.len(), path })
    }
}

fn package_name(manifest: &str) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let manifest: toml::Table = manifest.parse()?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    Ok(name.ok_or("there is no [package] with a name")?.to_owned())
}

fn file_error(action: &'static str, path: &Path, source: io::Error) -> BuildError {
    BuildError::File { action, path: path.to_owned(), source }
}

/// Writes a file in one step, so that nobody ever reads half of it; leaves one with the same bytes alone.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);

    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let new = path.with_extension(format!("{}-{number}.new", std::process::id()));
    fs::write(&new, bytes)?;
    fs::rename(&new, path).inspect_err(|_| {
        // Only tidies up; the error that matters is the rename's.
        let _removed = fs::remove_file(&new);
    })
}
