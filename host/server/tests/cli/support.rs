//! The program as a process, its server over a socket, and a demo salon that is filled once for all tests.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    ops::Deref,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// How long a start may take: the first builds plugins, and other tests want the same cores.
const START_PATIENCE: Duration = Duration::from_secs(240);
/// How long an answer may take; the server itself gives up after 30 s.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to end after a signal.
const END_PATIENCE: Duration = Duration::from_secs(30);

/// The program, without what the environment of the tests would configure.
pub(crate) fn pergola() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pergola"));
    without_configuration(&mut command);
    command
}

fn without_configuration(command: &mut Command) {
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PERGOLA_")) {
        command.env_remove(name);
    }
}

/// What a command that ended has said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    /// The only line of the result, as JSON.
    pub(crate) fn json(&self) -> Json {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// What was complained about, after an exit with code 3. Paths in it are made short.
    pub(crate) fn refusal(&self, dir: &Path) -> String {
        assert_eq!(self.code, Some(3), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        self.err.replace(dir.to_str().unwrap(), "DIR").trim().to_owned()
    }
}

/// Runs a command to its end.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Told {
    told(pergola().args(args))
}

pub(crate) fn told(command: &mut Command) -> Told {
    let output = command.output().unwrap();
    Told {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where a server listens and what lets one in.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    authority: String,
    /// The host name that it is asked by.
    host: String,
    pub(crate) token: String,
}

/// An answer of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

impl Api {
    /// Sends a request on a connection of its own; an error is the connection's.
    ///
    /// A server that has refused a request need not read its body: that writing fails is then no error.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
        stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
        let written = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        let answer = String::from_utf8(bytes).ok().and_then(|text| parse(&text));
        match answer {
            Some(answer) => Ok(answer),
            None => Err(written.and(read.map(|_| ())).err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// The same server by another host name, with another token.
    pub(crate) fn at(&self, host: &str, token: &str) -> Self {
        Self { host: host.to_owned(), token: token.to_owned(), ..self.clone() }
    }

    /// Sends a request with the token and a body of JSON.
    pub(crate) fn try_call(&self, method: &str, path: &str, body: &Json) -> io::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(method, path, &headers, &bytes)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_call("GET", path, &Json::Null).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Json) -> Answer {
        self.try_call("POST", path, body).unwrap()
    }

    /// How many records a collection has under a filter.
    pub(crate) fn count(&self, plural: &str, filter: &str) -> u64 {
        let answer = self.get(&format!("/api/v1/{plural}?limit=1&count=true&filter={}", encoded(filter)));
        answer.json()["total"].as_u64().unwrap_or_else(|| panic!("{answer:?}"))
    }

    /// All records of a collection, page by page.
    pub(crate) fn all(&self, plural: &str) -> Vec<Json> {
        let mut records = Vec::new();
        let mut after = String::new();
        loop {
            let answer = self.get(&format!("/api/v1/{plural}?limit=500&after={after}"));
            assert_eq!(answer.status, 200, "{answer:?}");
            let page = answer.json();
            records.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = encoded(next),
                None => return records,
            }
        }
    }
}

/// The answer, if all of it is there.
fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    length.is_none_or(|length| length == body.len()).then_some(answer)
}

/// A text as a parameter of a query.
pub(crate) fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |mut out, byte| {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

/// A process, killed with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server, ended with the test.
pub(crate) struct Server {
    process: Process,
    api: Api,
    /// What it said until it was ready.
    pub(crate) said: Vec<String>,
    log: PathBuf,
}

impl Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Server {
    /// `pergola serve` on a free port.
    pub(crate) fn serve(data: &Path) -> Self {
        let mut command = pergola();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(data)]);
        Self::start(command, data, "token ")
    }

    /// `pergola demo` on a free port.
    pub(crate) fn demo(data: &Path, more: &[&str]) -> Self {
        let mut command = pergola();
        command.args(["demo", "--listen", "127.0.0.1:0", "--data", text(data)]).args(more);
        Self::start(command, data, "browse ")
    }

    /// Waits until a line begins with `last`.
    pub(crate) fn start(mut command: Command, data: &Path, last: &str) -> Self {
        without_configuration(&mut command);
        let log = data.with_extension("log");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut process = Process(command.spawn().unwrap());
        let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        // The thread reads on after the last line, so that the server never waits for its reader.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said: Vec<String> = Vec::new();
        while said.last().is_none_or(|line| !line.starts_with(last)) {
            match receiver.recv_timeout(START_PATIENCE) {
                Ok(line) => said.push(line),
                Err(error) => panic!("no line {last:?} ({error}): {said:?}\n{}", fs::read_to_string(&log).unwrap()),
            }
        }
        let value = |name: &str| said.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let authority = value("ready http://");
        let api = Api { host: authority.clone(), authority, token: value("token ") };
        Self { process, api, said, log }
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// For threads of their own.
    pub(crate) fn api(&self) -> Api {
        self.api.clone()
    }

    /// Asks it to end, as service managers do; gives its exit code and how long it took.
    pub(crate) fn terminate(mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        // `kill` is a part of every POSIX shell, but not a program on every machine.
        let asked = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.process.0.id())).status().unwrap();
        assert!(asked.success());
        while started.elapsed() < END_PATIENCE {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                return (status.code(), started.elapsed());
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not end within {END_PATIENCE:?}\n{}", self.log());
    }

    /// Ends it without warning, as `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }
}

/// The demo salon as its first start left it.
pub(crate) struct Demo {
    data: PathBuf,
    pub(crate) token: String,
    /// What the first start said, until it was ready.
    pub(crate) said: Vec<String>,
    /// What ended the first start: its exit code, and after how long.
    pub(crate) ended: (Option<i32>, Duration),
    _lock: File,
}

/// A directory of one test.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The data directory in it; not made yet.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// The demo, filled by whichever test needs it first. `--reset` clears what an earlier run left.
pub(crate) fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Two runs of these tests at the same time take turns.
        let lock = File::create(place.join("cli-demo.lock")).unwrap();
        lock.lock().unwrap();
        let data = place.join("cli-demo");
        fs::create_dir_all(data.join("workspaces")).unwrap();
        fs::write(data.join("left-by-an-earlier-run"), "").unwrap();
        let server = Server::demo(&data, &["--reset"]);
        let (token, said) = (server.token.clone(), server.said.clone());
        Demo { data, token, said, ended: server.terminate(), _lock: lock }
    })
}

impl Demo {
    /// A directory with a copy of the data.
    pub(crate) fn copy(&self) -> Scratch {
        let scratch = Scratch::new();
        copy(&self.data, &scratch.data());
        scratch
    }

    /// Whether a file is in the data directory.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.data.join(name).exists()
    }
}

/// A folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
