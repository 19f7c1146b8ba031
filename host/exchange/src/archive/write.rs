//! Writing a backup and sealing it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{ArchiveError, FileEntry, MANIFEST, Manifest, SEAL_CHARS, SEAL_PREFIX, hex};

/// Fast: the disk should wait, not the processor.
const DEFLATE_LEVEL: i64 = 1;

/// A file to be put in.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name within the backup.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Writes a backup, seals it and waits for the disk. `manifest.files` is filled from the parts.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(to: &Path, manifest: Manifest, parts: &[Part]) -> Result<Manifest, ArchiveError> {
    let at = ArchiveError::file(to);
    let mut zip = ZipWriter::new(create(to).map_err(&at)?);
    let mut manifest = manifest;
    for part in parts {
        manifest.files.push(add(&mut zip, part)?);
    }
    zip.start_file(MANIFEST, entry_options()).map_err(ArchiveError::Zip)?;
    serde_json::to_writer_pretty(&mut zip, &manifest).map_err(ArchiveError::Manifest)?;
    zip.set_comment(format!("{SEAL_PREFIX}{}", "0".repeat(SEAL_CHARS))).map_err(ArchiveError::Zip)?;
    let mut file = zip.finish().map_err(ArchiveError::Zip)?;
    seal(&mut file).map_err(&at)?;
    file.sync_all().map_err(&at)?;
    Ok(manifest)
}

/// Packs files as an ordinary zip and waits for the disk.
///
/// # Errors
/// When a file cannot be read or written.
pub fn pack(to: &Path, parts: &[Part]) -> Result<(), ArchiveError> {
    let at = ArchiveError::file(to);
    let mut zip = ZipWriter::new(create(to).map_err(&at)?);
    for part in parts {
        add(&mut zip, part)?;
    }
    zip.finish().map_err(ArchiveError::Zip)?.sync_all().map_err(&at)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    // Whoever can read a backup can read the business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn entry_options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(DEFLATE_LEVEL))
        // Without it an entry ends at 4 GiB.
        .large_file(true)
}

fn add(zip: &mut ZipWriter<File>, part: &Part) -> Result<FileEntry, ArchiveError> {
    let at = ArchiveError::file(&part.path);
    zip.start_file(part.name.as_str(), entry_options()).map_err(ArchiveError::Zip)?;
    let mut source = Hashed::new(File::open(&part.path).map_err(&at)?);
    io::copy(&mut source, zip).map_err(&at)?;
    let (bytes, sha256) = source.finish();
    Ok(FileEntry { name: part.name.clone(), bytes, sha256 })
}

/// Puts the checksum of all bytes before it at the end.
pub(super) fn seal(file: &mut File) -> io::Result<()> {
    let seal_bytes = u64::try_from(SEAL_CHARS).unwrap_or(u64::MAX);
    file.seek(SeekFrom::Start(0))?;
    let before = file.metadata()?.len().saturating_sub(seal_bytes);
    let mut hashed = Hashed::new((&*file).take(before));
    io::copy(&mut hashed, &mut io::sink())?;
    let (_, sha256) = hashed.finish();
    file.seek(SeekFrom::Start(before))?;
    file.write_all(sha256.as_bytes())
}

/// Counts and hashes what is read through it.
pub(super) struct Hashed<R> {
    inner: R,
    bytes: u64,
    sha256: Sha256,
}

impl<R> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, bytes: 0, sha256: Sha256::new() }
    }

    /// How many bytes were read, and their SHA-256 in hex.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, hex(&self.sha256.finalize()))
    }
}

impl<R: io::Read> io::Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sha256.update(buffer.get(..read).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}
