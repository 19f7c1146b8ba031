//! A backup as one file: a zip with a manifest of checksums, sealed over every byte of it.
//!
//! The checksums in the manifest say which part is damaged. The seal, a SHA-256 at the very end of the file, covers also
//! what they do not: the zip's own headers and the manifest. It shows damage, not forgery: whoever can write the file
//! can seal it.

mod read;
mod write;

use std::{collections::BTreeMap, io, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use read::Archive;
pub use write::{Part, pack, write};

/// The version of the format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;
/// The manifest's name within the zip.
const MANIFEST: &str = "manifest.json";
/// Before the seal, in the zip's comment, which ends the file.
const SEAL_PREFIX: &str = "pergola-backup sha256:";
/// Characters of a SHA-256 in hex.
const SEAL_CHARS: usize = 64;
/// The largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The program that made it.
    pub made_by: String,
    /// When the snapshot was taken.
    pub made_at: jiff::Timestamp,
    /// The workspace's name.
    pub workspace: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// How many rows each table has.
    pub tables: BTreeMap<String, u64>,
    /// The files besides this manifest.
    pub files: Vec<FileEntry>,
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// `workspace.db` or `tables/contact.copy`, `plugins/DIGEST.wasm`
    pub name: String,
    /// How large it is.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// Why a backup was not written or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file system failed.
    #[error("{}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// How.
        #[source]
        source: io::Error,
    },
    /// The zip could not be written.
    #[error("the archive cannot be written")]
    Zip(#[source] zip::result::ZipError),
    /// The manifest could not be written.
    #[error("the manifest cannot be written")]
    Manifest(#[source] serde_json::Error),
    /// The file is not a backup of Pergola.
    #[error("{} is not a backup, or its end is damaged: it has no seal", .0.display())]
    NotABackup(PathBuf),
    /// The backup is not as it was made.
    #[error("{} is damaged: {what} is not as it was when the backup was made; nothing was restored", .path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// Which part of it.
        what: String,
    },
    /// A later program made it.
    #[error("the backup has format {0}, and this program reads up to {FORMAT}; restore it with a newer one")]
    Newer(u32),
}

impl ArchiveError {
    /// What to do with an error of the file system.
    fn file(path: &std::path::Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path: path.clone(), source }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
