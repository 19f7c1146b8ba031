//! A power cut: what no sync had covered is gone, or some of it. What was acknowledged is not.
//!
//! `lossy_disk.c` stands between the program and the disk and notes every write to the database's files and to that of
//! the messages; here they are undone after a kill, as a disk would that had them only in its memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use super::{
    driver::under_load,
    invariants::{Breaches, Rule},
    notes::Notes,
    rounds,
    world::World,
};
use crate::support::text;

/// What the layer says of one call; see `lossy_disk.c`.
#[derive(Debug)]
struct Entry {
    kind: u64,
    path: PathBuf,
    offset: u64,
    old_size: u64,
    old: Vec<u8>,
    new: Vec<u8>,
}

const WRITE: u64 = 1;
const TRUNCATE: u64 = 2;
/// Lives of one business, so that looking at all of it stays quick.
const LIVES_MAX: usize = 20;
/// How long the server works until the power is cut.
const WORK: Duration = Duration::from_millis(700);

/// What becomes of writes that no sync had covered: a disk may have done any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    All,
    Some,
}

/// The layer, compiled; none where there is no C compiler.
fn layer() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/faults/lossy_disk.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lossy-{}.so", std::process::id()));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", text(&library), text(&source), "-ldl"]);
    let output = compiler.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(library)
}

/// A business whose server writes to such a disk.
struct Lossy {
    world: World,
    log: PathBuf,
}

impl Lossy {
    fn new(mut world: World, layer: &Path) -> Self {
        let log = world.data("writes.log");
        world.environment.push(("LD_PRELOAD", text(layer).to_owned()));
        world.environment.push(("LOSSY_LOG", text(&log).to_owned()));
        Self { world, log }
    }

    /// A server at work, whose power is cut.
    fn cut(&self, loss: Loss) -> Notes {
        let mut server = self.world.serve("a");
        let ((), notes) = under_load(&self.world.scene, &[server.api()], |_| {
            thread::sleep(WORK);
            server.kill();
        });
        let mut pending: BTreeMap<PathBuf, Vec<Entry>> = BTreeMap::new();
        let entries = read(&fs::read(&self.log).unwrap());
        assert!(!entries.is_empty(), "the layer has seen nothing");
        for entry in entries {
            let of_file = pending.entry(entry.path.clone()).or_default();
            match entry.kind {
                WRITE | TRUNCATE => of_file.push(entry),
                _ => of_file.clear(),
            }
        }
        pending.iter().for_each(|(path, entries)| lose(path, entries, loss));
        fs::remove_file(&self.log).unwrap();
        // Was only ever in memory.
        fs::remove_file(self.world.data("a").join("workspaces/main.db-shm")).unwrap();
        notes
    }

    /// What is wrong after the power is back.
    fn look(&self, notes: &mut Notes) -> Breaches {
        let server = self.world.serve("a");
        let breaches = self.world.look(&server, notes);
        notes.settle(&server);
        assert_eq!(server.terminate().0, Some(0));
        fs::remove_file(&self.log).unwrap();
        breaches
    }
}

/// The entries of a log; what a kill has torn was not written.
fn read(mut log: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let take = |log: &mut &[u8], count: u64| -> Option<Vec<u8>> {
        let (taken, rest) = log.split_at_checked(usize::try_from(count).ok()?)?;
        *log = rest;
        Some(taken.to_vec())
    };
    let entry = |log: &mut &[u8]| -> Option<Entry> {
        let mut numbers = [0; 6];
        for number in &mut numbers {
            *number = u64::from_ne_bytes(take(log, 8)?.try_into().ok()?);
        }
        let [kind, path_bytes, offset, old_size, old_bytes, new_bytes] = numbers;
        let path = PathBuf::from(String::from_utf8(take(log, path_bytes)?).ok()?);
        Some(Entry { kind, path, offset, old_size, old: take(log, old_bytes)?, new: take(log, new_bytes)? })
    };
    while let Some(next) = entry(&mut log) {
        entries.push(next);
    }
    entries
}

/// Undoes the writes of a file, the last one first, and does some of them again.
fn lose(path: &Path, entries: &[Entry], loss: Loss) {
    let Ok(file) = File::options().read(true).write(true).open(path) else { return };
    for entry in entries.iter().rev() {
        file.write_all_at(&entry.old, entry.offset).unwrap();
        file.set_len(entry.old_size).unwrap();
    }
    for entry in entries.iter().filter(|_| loss == Loss::Some && fastrand::bool()) {
        match entry.kind {
            TRUNCATE => file.set_len(entry.offset).unwrap(),
            _ => file.write_all_at(&entry.new, entry.offset).unwrap(),
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let Some(layer) = layer() else { return println!("not run: there is no C compiler here") };
    let (lossy, mut notes) = (Lossy::new(World::on_sqlite(), &layer), Notes::default());
    for number in 0..rounds(4).min(LIVES_MAX) {
        let loss = if number % 2 == 0 { Loss::All } else { Loss::Some };
        notes.add(lossy.cut(loss));
        lossy.look(&mut notes).assert_none();
    }
    println!("{:?}", notes.summary());
    lossy.world.end(lossy.world.serve("a"), &notes, 0).assert_none();
}

#[test]
fn a_program_that_does_not_wait_for_the_disk_is_caught() {
    let Some(layer) = layer() else { return println!("not run: there is no C compiler here") };
    let lossy = Lossy::new(World::on_sqlite().breaking("disk"), &layer);
    let mut notes = lossy.cut(Loss::All);
    assert!(lossy.look(&mut notes).has(Rule::Kept));
}
