//! Compiled components: made once, kept in a private directory, verified at every load.
//!
//! wasmtime trusts compiled code completely, so this module alone may use unsafe code: it hands
//! over only what this host wrote itself, into a directory that no other user may touch, and
//! what still has the checksum written beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use std::hash::{DefaultHasher, Hash, Hasher};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

/// SHA-256 as lower-case hex.
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _: Result<(), _> = write!(text, "{byte:02x}");
        text
    })
}

/// The component, compiled; from `cache_dir` if it is there and sound.
///
/// A cache that cannot be used is worth a warning and no more: the component still loads.
pub(crate) fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: &str,
    cache_dir: Option<&Path>,
) -> wasmtime::Result<Component> {
    let Some(cache_dir) = cache_dir else { return Component::from_binary(engine, bytes) };
    let kept = Kept::new(engine, digest, cache_dir);
    if let Some(component) = kept.load(engine) {
        return Ok(component);
    }
    let compiled = engine.precompile_component(bytes)?;
    match kept.store(cache_dir, &compiled) {
        // Loaded from the file, the code is mapped instead of held in memory.
        Ok(()) => match kept.load(engine) {
            Some(component) => Ok(component),
            None => Component::from_binary(engine, bytes),
        },
        Err(error) => {
            tracing::warn!(%error, cache_dir = %cache_dir.display(), "cannot keep a compiled plugin");
            Component::from_binary(engine, bytes)
        }
    }
}

/// Where one compiled component is kept, and its checksum beside it.
struct Kept {
    code: PathBuf,
    checksum: PathBuf,
}

impl Kept {
    fn new(engine: &Engine, digest: &str, cache_dir: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let code = cache_dir.join(format!("{digest}-{:016x}.cwasm", hasher.finish()));
        Self { checksum: code.with_extension("cwasm.sha256"), code }
    }

    #[expect(unsafe_code, reason = "compiled code can be loaded in no other way; see the module's first lines")]
    fn load(&self, engine: &Engine) -> Option<Component> {
        let wanted = fs::read_to_string(&self.checksum).ok()?;
        let found = checksum_of(&self.code).ok()?;
        if wanted != found {
            tracing::warn!(file = %self.code.display(), "a compiled plugin was changed on disk; compiling it again");
            return None;
        }
        // SAFETY: the file's content is what `store` wrote, by the checksum. Only this user may write to
        // the directory, and `store` replaces files whole, so it stays so while it is mapped.
        let loaded = unsafe { Component::deserialize_file(engine, &self.code) };
        loaded
            .inspect_err(|error| tracing::warn!(%error, "a kept compiled plugin does not load; compiling it again"))
            .ok()
    }

    fn store(&self, cache_dir: &Path, compiled: &[u8]) -> io::Result<()> {
        make_private(cache_dir)?;
        replace(&self.code, compiled)?;
        replace(&self.checksum, digest(compiled).as_bytes())
    }
}

fn checksum_of(path: &Path) -> io::Result<String> {
    // Read in pieces: mapped later, only what runs of it becomes resident.
    let mut hasher = HashWriter(Sha256::new());
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter(Sha256);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a file so that a reader sees all of it or the one before.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // The process's own name for it: two processes may compile the same plugin at once.
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    fs::write(&draft, content)?;
    fs::rename(&draft, path).inspect_err(|_| drop(fs::remove_file(&draft)))
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // Fails for a directory of another user's, which would not be private.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wasmtime would take it: the checksum alone keeps damaged code from being run. Nothing of it is run here.
    #[test]
    fn damaged_code_whose_checksum_fits_would_be_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let component = wat::parse_str(
            "(component (core module $m (func (export \"f\") (result i32) i32.const 7)) (core instance (instantiate $m)))",
        )
        .unwrap();
        let digest_of_it = digest(&component);
        compile(&engine, &component, &digest_of_it, Some(dir.path())).unwrap();
        let kept = Kept::new(&engine, &digest_of_it, dir.path());
        let good = fs::read(&kept.code).unwrap();
        let mut taken = 0;
        for position in (good.len() / 4..good.len() * 3 / 4).step_by(good.len() / 40) {
            let mut bad = good.clone();
            bad[position] ^= 1;
            replace(&kept.code, &bad).unwrap();
            assert!(kept.load(&engine).is_none(), "byte {position}");
            replace(&kept.checksum, digest(&bad).as_bytes()).unwrap();
            taken += usize::from(kept.load(&engine).is_some());
            replace(&kept.checksum, digest(&good).as_bytes()).unwrap();
        }
        assert!(taken > 0, "nothing but the checksum would have to see it");
    }
}
