//! A disk that takes no more: reads go on, writes say so, nothing is torn, and with space again all is as before.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    faults::{
        driver::{keyed, unique},
        invariants::{Rule, State, check},
        notes::{Notes, Outcome},
    },
    support::{Api, Process, Scratch, Server, pergola, text},
};

/// Writes after which there must be no space left.
const WRITES_MAX: usize = 2_000;
/// The size of the notes with which the space is used up.
const NOTES_BYTES: usize = 8_000;
/// Where that would take too long.
const LARGE_NOTES_BYTES: usize = 60_000;

/// Writes a contact; whether there was space for it.
fn write(api: &Api, notes: &mut Notes, bytes: usize) -> bool {
    let name = format!("Client {}", unique());
    let body = json!({"name": name.clone(), "notes": "x".repeat(bytes)});
    match notes.send(api, keyed("contacts", name, body)) {
        Outcome::Acknowledged(_) => true,
        Outcome::Refused(code) if code == "disk_full" => false,
        other => panic!("{other:?}"),
    }
}

/// Writes until there is no space, and reads on.
fn use_up(api: &Api) -> Notes {
    let mut notes = Notes::default();
    let taken = (0..WRITES_MAX).take_while(|_| write(api, &mut notes, NOTES_BYTES)).count();
    assert!((1..WRITES_MAX).contains(&taken), "{taken}");
    for _ in 0..20 {
        assert!(!write(api, &mut notes, NOTES_BYTES));
        let page = api.get("/api/v1/contacts?limit=5&sort=-created_at");
        assert_eq!(page.status, 200, "{page:?}");
    }
    check(&State::read(api), &notes).assert_none();
    assert_eq!(api.get("/healthz").status, 200);
    notes
}

/// After a start with space: what was acknowledged, no more and no less, whole; and writes again.
fn check_with_space(api: &Api, mut notes: Notes) {
    check(&State::read(api), &notes).assert_none();
    assert!(write(api, &mut notes, NOTES_BYTES));
    notes.settle(api);
    check(&State::read(api), &notes).assert_none();
}

/// The program where the write-ahead log cannot grow, as over a quota. Needs no privileges, only a POSIX shell.
fn serve_where_files_cannot_grow(data: &Path, broken: &str) -> Server {
    /// In blocks of 512 bytes.
    const BLOCKS_MAX: u32 = 4_096;
    // The tables are made while there is space.
    assert_eq!(Server::serve(data).terminate().0, Some(0));
    // Without the signal, writing beyond the limit is an error like others.
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS_MAX}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(pergola().get_program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(data)]);
    if !broken.is_empty() {
        command.env("PERGOLATEST_BROKEN_RULES", broken);
    }
    Server::start(command, data, "token ")
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
    let notes = use_up(&server);
    let told = server.post("/api/v1/contacts", &json!({"name": "Client", "notes": "x".repeat(LARGE_NOTES_BYTES)}));
    assert_eq!((told.status, told.header("content-type")), (507, Some("application/problem+json")), "{told:?}");
    assert_eq!(told.json()["detail"], "the disk is full: nothing was written; reading goes on");
    assert_eq!(server.terminate().0, Some(0));
    disk.resize(scratch.path(), "64m");
    check_with_space(&disk.serve(&scratch.data()), notes);
}

#[test]
fn writes_go_on_by_themselves_when_there_is_space_again() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(scratch.path(), "4m") else {
        println!("not run: this machine does not let its users mount");
        return;
    };
    let server = disk.serve(&scratch.data());
    let notes = use_up(&server);
    disk.resize(scratch.path(), "64m");
    check_with_space(&server, notes);
}

#[test]
fn where_files_cannot_grow_nothing_is_torn() {
    let scratch = Scratch::new();
    let server = serve_where_files_cannot_grow(&scratch.data(), "");
    let notes = use_up(&server);
    assert_eq!(server.terminate().0, Some(0));
    check_with_space(&Server::serve(&scratch.data()), notes);
}

#[test]
fn a_program_that_answers_before_it_knows_whether_there_is_space_is_caught() {
    let scratch = Scratch::new();
    let (server, mut notes) = (serve_where_files_cannot_grow(&scratch.data(), "commit"), Notes::default());
    for _ in 0..50 {
        write(&server, &mut notes, LARGE_NOTES_BYTES);
    }
    assert!(check(&State::read(&server), &notes).has(Rule::Kept));
}
