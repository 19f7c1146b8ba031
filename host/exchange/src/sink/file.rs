//! Messages into a file, one JSON object a line.
//!
//! Invariants: the file is whole lines, each message once; a message is on disk before its sender is told so.

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::Id;
use pergola_service::ports::sink::{Outgoing, Sink, SinkError};
use serde::Serialize;

/// How many of the last ids are kept in memory; older ones are looked for in the file.
const IDS_KEPT: usize = 50_000;
/// How much of the file's end is read at first; more if a line is longer.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;
/// How every line begins, before the id.
const LINE_START: &str = "{\"id\":\"";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileSinkError {
    /// It cannot be opened, read or mended.
    #[error("the message file {} cannot be opened: {cause}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Of the operating system.
        cause: std::io::Error,
    },
    /// Another process writes to it.
    #[error("another process writes messages to {}; stop it or choose another file", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
}

/// Appends messages to a file in the JSON Lines format.
#[derive(Debug)]
pub struct FileSink(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    file: File,
    /// Where the next line begins.
    length: u64,
    /// Ids of the last lines.
    recent: HashSet<Id>,
    /// The same in order, to forget the oldest.
    order: VecDeque<Id>,
    /// Whether all lines' ids are in `recent`.
    complete: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    // First, so that an id can be looked for without parsing; see `LINE_START`.
    id: Id,
    at: Timestamp,
    channel: &'a str,
    address: &'a str,
    subject: &'a str,
    body: &'a str,
}

impl FileSink {
    /// Opens or makes the file, and cuts off a last line that a crash has torn.
    ///
    /// # Errors
    /// [`FileSinkError`] when the file cannot be used, or another process does.
    pub fn open(path: &Path) -> Result<Self, FileSinkError> {
        let io = |cause| FileSinkError::Io { path: path.to_owned(), cause };
        let file = File::options().read(true).append(true).create(true).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(FileSinkError::InUse { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(cause)) => return Err(io(cause)),
        }
        let lines = Lines::of(file).map_err(io)?;
        Ok(Self(Arc::new(Mutex::new(lines))))
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn send(&self, message: &Outgoing) -> Result<(), SinkError> {
        let (lines, message) = (Arc::clone(&self.0), message.clone());
        let writing = tokio::task::spawn_blocking(move || {
            lines.lock().unwrap_or_else(PoisonError::into_inner).append_once(&message)
        });
        let written = writing.await.map_err(|error| SinkError::Temporary(error.to_string()))?;
        written.map_err(|error| SinkError::Temporary(format!("the message file cannot be written: {error}")))
    }
}

impl Lines {
    fn of(mut file: File) -> std::io::Result<Self> {
        let size = file.metadata()?.len();
        let mut wanted = TAIL_BYTES;
        let (start, tail) = loop {
            let start = size.saturating_sub(wanted);
            file.seek(SeekFrom::Start(start))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            if start == 0 || tail.contains(&b'\n') {
                break (start, tail);
            }
            wanted = wanted.saturating_mul(2);
        };
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last.saturating_add(1));
        let length = start.saturating_add(u64::try_from(whole).unwrap_or_default());
        if length < size {
            tracing::warn!(cut_bytes = size.saturating_sub(length), "cut a torn line off the message file");
            file.set_len(length)?;
            file.sync_all()?;
        }
        let mut lines = Self { file, length, recent: HashSet::new(), order: VecDeque::new(), complete: start == 0 };
        let ids: Vec<Id> =
            tail.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter_map(id_of).collect();
        ids.into_iter().for_each(|id| lines.remember(id));
        Ok(lines)
    }

    fn append_once(&mut self, message: &Outgoing) -> std::io::Result<()> {
        if message.maybe_sent && self.contains(message.id)? {
            return Ok(());
        }
        let line = Line {
            id: message.id,
            at: message.at,
            channel: &message.channel,
            address: &message.address,
            subject: &message.subject,
            body: &message.body,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if let Err(error) = self.file.write_all(&text).and_then(|()| self.file.sync_data()) {
            // A half line would swallow the next one; if cutting fails too, opening mends it.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length = self.length.saturating_add(u64::try_from(text.len()).unwrap_or_default());
        self.remember(message.id);
        Ok(())
    }

    fn contains(&mut self, id: Id) -> std::io::Result<bool> {
        if self.recent.contains(&id) || self.complete {
            return Ok(self.recent.contains(&id));
        }
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            if id_of(&line) == Some(id) {
                return Ok(true);
            }
            line.clear();
        }
        Ok(false)
    }

    fn remember(&mut self, id: Id) {
        if self.recent.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > IDS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
            self.complete = false;
        }
    }
}

fn id_of(line: &[u8]) -> Option<Id> {
    const ID_BYTES: usize = 36;
    let rest = line.strip_prefix(LINE_START.as_bytes())?;
    std::str::from_utf8(rest.get(..ID_BYTES)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u128, maybe_sent: bool) -> Outgoing {
        Outgoing {
            id: Id(uuid::Uuid::from_u128(number)),
            channel: "sms".to_owned(),
            address: "+358401234567".to_owned(),
            subject: String::new(),
            body: "Hei,\n\"Anna\"".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            maybe_sent,
        }
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_message_that_may_have_left_is_not_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let sink = FileSink::open(&path).unwrap();
        sink.send(&message(1, false)).await.unwrap();
        sink.send(&message(1, true)).await.unwrap();
        sink.send(&message(2, true)).await.unwrap();
        drop(sink);
        let sink = FileSink::open(&path).unwrap();
        sink.send(&message(1, true)).await.unwrap();
        sink.send(&message(3, true)).await.unwrap();
        let written = lines(&path);
        assert_eq!(written.len(), 3);
        assert_eq!(written[0]["body"], "Hei,\n\"Anna\"");
        assert_eq!(written[0]["at"], "1970-01-01T00:00:00Z");
        assert_eq!(written[2]["id"], message(3, true).id.to_string());
    }

    #[tokio::test]
    async fn a_line_torn_by_a_crash_is_cut_off_and_its_message_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        FileSink::open(&path).unwrap().send(&message(1, false)).await.unwrap();
        let whole = std::fs::read(&path).unwrap();
        for torn in [1, 20, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes.extend_from_slice(&whole[..torn]);
            std::fs::write(&path, bytes).unwrap();
            let sink = FileSink::open(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "torn after {torn} bytes");
            sink.send(&message(2, true)).await.unwrap();
            assert_eq!(lines(&path).len(), 2);
        }
    }

    #[tokio::test]
    async fn an_id_older_than_those_in_memory_is_found_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let long = "x".repeat(TAIL_BYTES as usize);
        let sink = FileSink::open(&path).unwrap();
        sink.send(&message(1, false)).await.unwrap();
        sink.send(&Outgoing { body: long, ..message(2, false) }).await.unwrap();
        sink.send(&message(3, false)).await.unwrap();
        drop(sink);
        let sink = FileSink::open(&path).unwrap();
        assert!(!sink.0.lock().unwrap().complete);
        for number in [1, 2, 3] {
            sink.send(&message(number, true)).await.unwrap();
        }
        assert_eq!(lines(&path).len(), 3);
        sink.send(&message(4, true)).await.unwrap();
        assert_eq!(lines(&path).len(), 4);
    }

    #[test]
    fn two_sinks_on_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let _first = FileSink::open(&path).unwrap();
        assert!(matches!(FileSink::open(&path), Err(FileSinkError::InUse { .. })));
    }
}
