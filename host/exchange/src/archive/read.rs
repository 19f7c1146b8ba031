//! Reading a backup: nothing of it is used before its seal was checked.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use zip::ZipArchive;

use super::{
    ArchiveError, FORMAT, FileEntry, MANIFEST, MANIFEST_BYTES_MAX, Manifest, SEAL_CHARS, SEAL_PREFIX, write::Hashed,
};

/// A backup whose seal is whole.
pub struct Archive {
    path: PathBuf,
    manifest: Manifest,
    zip: ZipArchive<File>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens a backup and checks its seal, that is every byte of the file.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] names the part that is not as it was made; [`ArchiveError::NotABackup`],
    /// [`ArchiveError::Newer`], or the file system's.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let at = ArchiveError::file(path);
        let mut file = File::open(path).map_err(&at)?;
        let is_whole = check_seal(&mut file, path)?;
        let damaged = |what: &str| ArchiveError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let mut zip = ZipArchive::new(file).map_err(|_| damaged("its list of files"))?;
        let manifest = read_manifest(&mut zip).ok_or_else(|| damaged(MANIFEST))?;
        if !is_whole {
            let part = manifest.files.iter().find(|entry| !is_as_made(&mut zip, entry));
            return Err(damaged(
                part.map_or("what stands between its files, or its seal,", |entry| entry.name.as_str()),
            ));
        }
        if manifest.format > FORMAT {
            return Err(ArchiveError::Newer(manifest.format));
        }
        Ok(Self { path: path.to_owned(), manifest, zip })
    }

    /// What is in it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes all files into a folder, each under its name, and compares their checksums on the way.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`], or the file system's.
    pub fn extract(&mut self, to: &Path) -> Result<(), ArchiveError> {
        for entry in self.manifest.files.clone() {
            let damaged = || ArchiveError::Damaged { path: self.path.clone(), what: entry.name.clone() };
            if !is_plain(&entry.name) {
                return Err(damaged());
            }
            let path = to.join(&entry.name);
            let at = ArchiveError::file(&path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(&at)?;
            }
            let mut file = File::create(&path).map_err(&at)?;
            let source = self.zip.by_name(&entry.name).map_err(|_| damaged())?;
            // One byte more than there should be is enough to see that there are too many.
            let mut source = Hashed::new(source.take(entry.bytes.saturating_add(1)));
            io::copy(&mut source, &mut file).map_err(&at)?;
            if source.finish() != (entry.bytes, entry.sha256.clone()) {
                return Err(damaged());
            }
            file.sync_all().map_err(&at)?;
        }
        Ok(())
    }
}

/// Whether the seal at the end of the file is that of all bytes before it.
fn check_seal(file: &mut File, path: &Path) -> Result<bool, ArchiveError> {
    let at = ArchiveError::file(path);
    let seal_bytes = u64::try_from(SEAL_PREFIX.len().saturating_add(SEAL_CHARS)).unwrap_or(u64::MAX);
    let length = file.metadata().map_err(&at)?.len();
    let Some(before) = length.checked_sub(seal_bytes) else { return Err(ArchiveError::NotABackup(path.to_owned())) };
    file.seek(SeekFrom::Start(before)).map_err(&at)?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).map_err(&at)?;
    let Some(sealed) = end.strip_prefix(SEAL_PREFIX.as_bytes()) else {
        return Err(ArchiveError::NotABackup(path.to_owned()));
    };
    file.seek(SeekFrom::Start(0)).map_err(&at)?;
    let covered = length.saturating_sub(u64::try_from(SEAL_CHARS).unwrap_or(u64::MAX));
    let mut hashed = Hashed::new(file.take(covered));
    io::copy(&mut hashed, &mut io::sink()).map_err(&at)?;
    Ok(hashed.finish().1.as_bytes() == sealed)
}

fn read_manifest(zip: &mut ZipArchive<File>) -> Option<Manifest> {
    let entry = zip.by_name(MANIFEST).ok()?;
    let mut text = String::new();
    entry.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn is_as_made(zip: &mut ZipArchive<File>, entry: &FileEntry) -> bool {
    let Ok(source) = zip.by_name(&entry.name) else { return false };
    let mut source = Hashed::new(source.take(entry.bytes.saturating_add(1)));
    io::copy(&mut source, &mut io::sink()).is_ok() && source.finish() == (entry.bytes, entry.sha256.clone())
}

/// A name of at most one folder, of which nothing leads out of where it is put.
fn is_plain(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let is_word = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'$' | b'~'))
    };
    parts.len() <= 2 && parts.iter().all(is_word)
}
