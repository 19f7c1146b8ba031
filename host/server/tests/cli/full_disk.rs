//! A disk that takes no more: reads go on, writes say so, nothing is torn, and with space again all is as before.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{Answer, Api, Process, Scratch, Server, pergola, text};

/// Writes after which there must be no space left.
const WRITES_MAX: usize = 2_000;
/// The size of the notes with which the space is used up.
const NOTES_BYTES: usize = 8_000;

fn write(api: &Api, number: usize) -> Answer {
    let notes = "x".repeat(NOTES_BYTES);
    api.post("/api/v1/contacts", &json!({"name": format!("Client {number}"), "notes": notes}))
}

/// Writes until there is no space, and gives how many contacts were taken. `code` is what the others are told.
fn use_up(api: &Api, code: (u16, &str)) -> u64 {
    let refused = |answer: &Answer| {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), code, "{answer:?}");
    };
    let mut taken = 0;
    for number in 0..WRITES_MAX {
        let answer = write(api, number);
        if answer.status != 201 {
            refused(&answer);
            break;
        }
        taken += 1;
    }
    assert!((1..WRITES_MAX).contains(&taken), "{taken}");
    for number in 0..20 {
        refused(&write(api, WRITES_MAX + number));
        let page = api.get("/api/v1/contacts?limit=5&sort=-created_at");
        assert_eq!(page.status, 200, "{page:?}");
    }
    let taken = u64::try_from(taken).unwrap();
    assert_eq!(api.count("contacts", ""), taken);
    assert_eq!(api.get("/healthz").status, 200);
    taken
}

/// After a start with space: what was acknowledged, no more and no less, whole; and writes again.
fn check(api: &Api, taken: u64) {
    let contacts = api.all("contacts");
    assert_eq!(u64::try_from(contacts.len()).unwrap(), taken);
    assert!(contacts.iter().all(|one| one["notes"].as_str().is_some_and(|notes| notes.len() == NOTES_BYTES)));
    assert_eq!(write(api, 0).status, 201);
    assert_eq!(api.count("contacts", ""), taken + 1);
}

/// A file system of a few megabytes, in a mount namespace that ends with its holder.
struct SmallDisk {
    holder: Process,
}

impl SmallDisk {
    /// None where users may not have namespaces of their own.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let script = format!("mount -t tmpfs -o size={size} none '{}' && echo mounted && exec sleep 600", text(at));
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        let holder = unshare.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut disk = Self { holder: Process(holder) };
        let mut line = String::new();
        BufReader::new(disk.holder.0.stdout.take()?).read_line(&mut line).ok()?;
        (line == "mounted\n").then_some(disk)
    }

    /// A command that sees it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--user", "--preserve-credentials", "--mount", "--target", &self.holder.0.id().to_string()]);
        command.arg(program);
        command
    }

    fn serve(&self, data: &Path) -> Server {
        let mut command = self.command(env!("CARGO_BIN_EXE_pergola"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(data)]);
        Server::start(command, data, "token ")
    }

    fn resize(&self, at: &Path, size: &str) {
        let resized = self.command("mount").args(["-o", &format!("remount,size={size}"), text(at)]).status().unwrap();
        assert!(resized.success());
    }
}

#[test]
fn on_a_full_disk_reads_go_on_and_writes_say_so() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(scratch.path(), "4m") else {
        println!("not run: this machine does not let its users mount; the test of the limit on files stands in");
        return;
    };
    let server = disk.serve(&scratch.data());
    let taken = use_up(&server, (507, "disk_full"));
    let told = write(&server, 0).json();
    assert_eq!(told["detail"], "the disk is full: nothing was written; reading goes on");
    assert_eq!(server.terminate().0, Some(0));
    disk.resize(scratch.path(), "64m");
    check(&disk.serve(&scratch.data()), taken);
}

#[test]
fn writes_go_on_by_themselves_when_there_is_space_again() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(scratch.path(), "4m") else {
        println!("not run: this machine does not let its users mount");
        return;
    };
    let server = disk.serve(&scratch.data());
    let taken = use_up(&server, (507, "disk_full"));
    disk.resize(scratch.path(), "64m");
    check(&server, taken);
}

/// The write-ahead log cannot grow, as over a quota. Needs no privileges, only a POSIX shell.
#[test]
fn where_files_cannot_grow_nothing_is_torn() {
    /// In blocks of 512 bytes.
    const BLOCKS_MAX: u32 = 4_096;
    let scratch = Scratch::new();
    let data = scratch.data();
    // The tables are made while there is space.
    assert_eq!(Server::serve(&data).terminate().0, Some(0));
    // Without the signal, writing beyond the limit is an error like others.
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS_MAX}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(pergola().get_program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(&data)]);
    let server = Server::start(command, &data, "token ");
    let taken = use_up(&server, (507, "disk_full"));
    assert_eq!(server.terminate().0, Some(0));
    check(&Server::serve(&data), taken);
}
