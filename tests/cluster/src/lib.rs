//! A throw-away PostgreSQL server for tests: one for each test program, a schema for each test.
//!
//! It needs PostgreSQL's own programs (on Debian: `apt-get install postgresql`), listens on a socket in a temporary
//! folder and nowhere else, and keeps nothing safe from a power failure. A shell watches over it: when the test
//! program ends, however it ends, the shell's input closes, and it stops the server and removes the folder.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Where distributions keep the programs, if they are not on the path.
const FOLDERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/local/lib/postgresql"];
/// The oldest version that will do.
const VERSION_MIN: u32 = 15;
/// The user and group `nobody`, for when the tests run as root, whom PostgreSQL refuses.
const NOBODY: u32 = 65_534;
/// How long the server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts the server with the folder `$1` and the command in the other arguments, and ends it when the input closes.
const WATCH: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 &
server=$!
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$folder"
"#;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No programs.
    #[error(
        "PostgreSQL's programs (initdb, postgres) of version 15 or later are not here: install them, on Debian with \
         `apt-get install postgresql`"
    )]
    Missing,
    /// A program failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Which.
        program: String,
        /// What it wrote.
        output: String,
    },
    /// The system refused something.
    #[error("PostgreSQL could not be started: {0}")]
    Io(#[from] io::Error),
}

/// A server.
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    as_nobody: bool,
    watcher: Option<Child>,
    durable: bool,
    next_schema: AtomicU32,
}

impl Cluster {
    /// The one of this test program, started when first asked for.
    ///
    /// # Errors
    /// [`ClusterError`], the same each time.
    pub fn shared() -> Result<&'static Self, &'static ClusterError> {
        static SHARED: OnceLock<Result<Cluster, ClusterError>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// One that ends when dropped, for tests that stop it or cut it off.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn start() -> Result<Self, ClusterError> {
        Self::start_with(false)
    }

    /// One whose commits are on the disk when they are answered, for measurements.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn start_durable() -> Result<Self, ClusterError> {
        Self::start_with(true)
    }

    fn start_with(durable: bool) -> Result<Self, ClusterError> {
        let bin = find_programs().ok_or(ClusterError::Missing)?;
        let folder = TempDir::with_prefix("pergola-pg")?.keep();
        let as_nobody = fs::metadata("/proc/self")?.uid() == 0;
        if as_nobody {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let mut cluster = Self { folder, bin, as_nobody, watcher: None, durable, next_schema: AtomicU32::new(1) };
        cluster.init()?;
        cluster.launch()?;
        Ok(cluster)
    }

    fn init(&self) -> Result<(), ClusterError> {
        let data = self.data();
        let mut command = self.command("initdb");
        command.arg("-D").arg(data).args(["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        // So that a page that was changed on the disk is an error to whoever reads it.
        command.arg("--data-checksums");
        // An order that is not that of code points, so that whatever relies on the server's own is found out.
        command.args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]);
        let output = command.output()?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ClusterError::Failed { program: "initdb".to_owned(), output: text })
    }

    /// Starts the server on the data that are there.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn launch(&mut self) -> Result<(), ClusterError> {
        let mut watcher = Command::new("sh");
        watcher.arg("-c").arg(WATCH).arg("watch").arg(&self.folder);
        let postgres = self.command("postgres");
        watcher.arg(postgres.get_program()).args(postgres.get_args());
        watcher.arg("-D").arg(self.data()).arg("-k").arg(&self.folder);
        for setting in ["listen_addresses=", "max_connections=300", "autovacuum_naptime=5s"] {
            watcher.args(["-c", setting]);
        }
        let settings = if self.durable {
            ["fsync=on", "full_page_writes=on", "shared_buffers=1GB"]
        } else {
            // A commit outlives the server, though not the power.
            ["fsync=off", "full_page_writes=off", "shared_buffers=64MB"]
        };
        for setting in settings {
            watcher.args(["-c", setting]);
        }
        self.watcher = Some(watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let started = Instant::now();
        loop {
            let mut ready = Command::new(self.bin.join("pg_isready"));
            if ready.arg("-q").arg("-h").arg(&self.folder).args(["-U", "postgres"]).status()?.success() {
                return Ok(());
            }
            if started.elapsed() > START_TIMEOUT {
                let output = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(ClusterError::Failed { program: "postgres".to_owned(), output });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server without notice, as a crash does; [`Self::launch`] starts it again.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn crash(&mut self) -> Result<(), ClusterError> {
        let output = self.command("pg_ctl").arg("-D").arg(self.data()).args(["stop", "-m", "immediate"]).output()?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(ClusterError::Failed { program: "pg_ctl".to_owned(), output });
        }
        self.forget_watcher()
    }

    /// Ends the server's first process without warning, as `kill -9`, and waits until the others have noticed;
    /// [`Self::launch`] starts it again.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn kill(&mut self) -> Result<(), ClusterError> {
        let file = fs::read_to_string(self.data().join("postmaster.pid"))?;
        let first = file.lines().next().unwrap_or_default().to_owned();
        let mut all = children(&first);
        all.push(first.clone());
        // `kill` is a part of every POSIX shell, but not a program on every machine.
        let status = Command::new("sh").args(["-c", "kill -9 \"$1\"", "kill", &first]).status()?;
        if !status.success() {
            return Err(ClusterError::Failed { program: "kill".to_owned(), output: first });
        }
        let started = Instant::now();
        while all.iter().any(|pid| is_running(pid)) {
            if started.elapsed() > START_TIMEOUT {
                let output = format!("these processes do not end: {all:?}");
                return Err(ClusterError::Failed { program: "postgres".to_owned(), output });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // One that has ended and that nobody has asked after would be taken for running.
        for file in [self.data().join("postmaster.pid"), self.socket().with_extension("5432.lock")] {
            fs::remove_file(file)?;
        }
        self.forget_watcher()
    }

    /// Ended like this, the watcher does not remove the folder.
    fn forget_watcher(&mut self) -> Result<(), ClusterError> {
        if let Some(mut watcher) = self.watcher.take() {
            watcher.kill()?;
            watcher.wait()?;
        }
        Ok(())
    }

    /// The URL of a new schema in it.
    #[must_use]
    pub fn new_url(&self) -> String {
        let number = self.next_schema.fetch_add(1, Ordering::Relaxed);
        self.url(&format!("test_{number}"))
    }

    /// The URL of a schema in it.
    #[must_use]
    pub fn url(&self, schema: &str) -> String {
        format!("postgres://postgres@localhost/postgres?host={}&schema={schema}", self.folder.display())
    }

    /// The socket on which it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's programs, as a user that it accepts.
    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        if !self.as_nobody {
            return Command::new(path);
        }
        let mut command = Command::new("setpriv");
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(path);
        // The folder of the tests may not be readable for nobody.
        command.current_dir("/");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            drop(watcher.wait());
        }
    }
}

/// Parent and state of a process, if there is one.
fn stat(pid: &str) -> Option<(String, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may have anything in it.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    let state = rest.next()?.to_owned();
    Some((rest.next()?.to_owned(), state))
}

fn children(parent: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| stat(pid).is_some_and(|(of, _)| of == parent)).collect()
}

/// One that has ended and that nobody has asked after does not run.
fn is_running(pid: &str) -> bool {
    stat(pid).is_some_and(|(_, state)| state != "Z")
}

/// The folder of the newest programs.
fn find_programs() -> Option<PathBuf> {
    let versions = FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            (version >= VERSION_MIN && is_complete(&bin)).then_some((version, bin))
        })
        .max();
    newest.map(|(_, bin)| bin).or_else(|| {
        let output = Command::new("pg_config").arg("--bindir").output().ok()?;
        let bin = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        is_complete(&bin).then_some(bin)
    })
}

fn is_complete(bin: &Path) -> bool {
    ["initdb", "postgres", "pg_ctl", "pg_isready"].iter().all(|program| bin.join(program).exists())
}
