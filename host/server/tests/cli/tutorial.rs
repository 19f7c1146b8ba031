//! Pastes the plugin guide's tutorial into a shell, block by block, and compares what it says.
//!
//! Blocks tell by their info string what they are: `sh run` must succeed, `sh fails` must not, `sh serve`
//! keeps running, `text expect` must be in the output of the block before, `… file=PATH` is a file's
//! whole content. Other blocks are only for reading.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Where the tutorial says that the server listens; the test's own address takes its place.
const ADDRESS: &str = "http://127.0.0.1:7420";

/// A fenced block of the page.
struct Block {
    /// The line of its fence, from 1.
    line: usize,
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(info), None) => {
                open = Some(Block { line: number + 1, info: info.to_owned(), text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of the tutorial is not closed");
    found
}

/// Ends its process with the test, however the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A shell that remembers variables and the folder from block to block.
struct Shell {
    folder: PathBuf,
    url: String,
    servers: Vec<Server>,
    output: String,
}

impl Shell {
    fn new(folder: PathBuf) -> Self {
        Self { folder, url: ADDRESS.to_owned(), servers: Vec::new(), output: String::new() }
    }

    fn bash(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_pergola")).parent().unwrap();
        let inherited = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(program.to_path_buf()).chain(std::env::split_paths(&inherited));
        let mut bash = Command::new("bash");
        bash.arg("-c")
            .arg(format!("set -ea; if [ -f \"$STATE\" ]; then . \"$STATE\"; cd \"$PWD\"; fi\n{script}"))
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("STATE", self.folder.join("shell-state"))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        bash
    }

    /// Runs a block to its end; whether it succeeded.
    fn run(&mut self, text: &str) -> bool {
        let script = format!("{}\nexport -p > \"$STATE\"", text.replace(ADDRESS, &self.url));
        let done = self.bash(&script).output().unwrap();
        self.output = [done.stdout, done.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        done.status.success()
    }

    /// Starts a block that goes on running, on an address of its own, and waits until it is ready.
    fn serve(&mut self, text: &str) {
        let script = format!("exec {} --listen 127.0.0.1:0", text.trim());
        let log = fs::File::create(self.folder.join("server-log")).unwrap();
        let mut child = self.bash(&script).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.servers.push(Server(child));
        let ready = lines.map_while(Result::ok).find(|line| line.starts_with("ready "));
        let ready = ready.expect("the server ended before it was ready");
        self.url = ready.trim_start_matches("ready ").to_owned();
        self.output = ready.replace(&self.url, ADDRESS);
    }

    /// The folder in which the next block will run.
    fn current(&mut self) -> PathBuf {
        assert!(self.run("pwd"), "{}", self.output);
        PathBuf::from(self.output.trim())
    }
}

/// A new folder, under which everything that cargo compiles goes to one place and is kept for the next run.
fn folder() -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = kept.join(format!("tutorial-{}", std::process::id()));
    fs::create_dir_all(folder.join(".cargo")).unwrap();
    let config = format!("[build]\ntarget-dir = {:?}\n", kept.join("tutorial-target"));
    fs::write(folder.join(".cargo/config.toml"), config).unwrap();
    folder
}

#[test]
fn the_tutorial_works_as_it_is_pasted() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugin-guide/tutorial.md");
    let blocks = blocks(&fs::read_to_string(page).unwrap());
    assert!(blocks.iter().filter(|block| block.info == "text expect").count() > 10, "the page has lost its blocks");
    let folder = folder();
    let mut shell = Shell::new(folder.clone());
    for Block { line, info, text } in blocks {
        let place = format!("docs/plugin-guide/tutorial.md:{line}");
        match info.split_once(' ') {
            Some(("sh", "run")) => assert!(shell.run(&text), "{place}: this fails:\n{}", shell.output),
            Some(("sh", "fails")) => assert!(!shell.run(&text), "{place}: this should fail:\n{}", shell.output),
            Some(("sh", "serve")) => shell.serve(&text),
            Some(("text", "expect")) => {
                let said = &shell.output;
                assert!(said.contains(text.trim_end()), "{place}: expected\n{text}\nbut it said\n{said}");
            }
            Some((_, what)) => {
                let name = what.strip_prefix("file=").unwrap_or_else(|| panic!("{place}: what is a block {info:?}?"));
                fs::write(shell.current().join(name), text).unwrap();
            }
            None => {}
        }
    }
    drop(shell);
    // Kept where a block failed, to look into.
    fs::remove_dir_all(folder).unwrap();
}
