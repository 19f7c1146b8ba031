//! The real program in release: how fast it imports and starts, and how much memory it takes.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::client;

/// Rows of the two imports: the second takes five times as long, and no more memory.
const ROWS: [usize; 2] = [20_000, 100_000];

/// Builds the program as users do, and answers where it is.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(env!("CARGO")).args(["build", "--release", "-p", "pergola"]).current_dir(&root).status();
    assert!(built.unwrap().success());
    // Beside this benchmark: target/release/deps/bench-… → target/release/pergola.
    std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("pergola")
}

pub(crate) async fn measure() {
    let program = build();
    let mut peaks = Vec::new();
    for rows in ROWS {
        let folder = tempfile::tempdir().unwrap();
        let data = install(&program, folder.path());
        let (seconds, peak) = import(&program, &data, folder.path(), rows).await;
        let wanted = if rows == 100_000 { "≤ 15 s" } else { "" };
        println!(
            "| import of {rows} rows with the salon's hook | | {seconds:.1} s | {:.0} rows/s | {wanted} |",
            rows as f64 / seconds
        );
        println!("| its peak of resident memory | | {} MB | | < 300 MB |", peak / 1_000);
        peaks.push(peak as f64);
        if rows == 100_000 {
            start(&program, &data).await;
        }
    }
    println!("| memory of five times the rows | | | {:.2} | ≤ 1.2 |", peaks[1] / peaks[0]);
}

fn install(program: &Path, folder: &Path) -> PathBuf {
    let data = folder.join("data");
    for pack in ["booking", "salon"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(pack);
        let installed =
            Command::new(program).args(["plugin", "install", "--data"]).arg(&data).arg(dir).output().unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    }
    data
}

/// How many seconds it takes, and the largest resident memory in kB.
async fn import(program: &Path, data: &Path, folder: &Path, rows: usize) -> (f64, u64) {
    let file = folder.join("clients.csv");
    let mut text = String::from("Name;Phone;E-mail;Birthday;Allergies;Notes\n");
    for number in 0..rows {
        writeln!(
            text,
            "Client {number};8 (912) {:03}-{:02}-{:02};client{number}@example.com;31.12.1990;none;likes tea",
            number / 10_000,
            number / 100 % 100,
            number % 100
        )
        .unwrap();
    }
    fs::write(&file, text).unwrap();
    let began = Instant::now();
    let child = Command::new(program)
        .args(["import", "--json", "--map", "Allergies=salon.allergies", "--data"])
        .arg(data)
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let peak = watch_memory(child.id(), "VmHWM");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["created"], rows, "{told}");
    (seconds, peak.await.unwrap())
}

/// The largest figure seen until the process ends, in kB.
fn watch_memory(pid: u32, key: &'static str) -> tokio::task::JoinHandle<u64> {
    tokio::spawn(async move {
        let mut largest = 0;
        while let Some(figure) = memory(pid, key) {
            largest = largest.max(figure);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        largest
    })
}

fn memory(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A started server, ended by its own process id.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn start(program: &Path, data: &Path) {
    let mut times = Vec::new();
    let mut resident = 0;
    for _ in 0..3 {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let began = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--listen", &port.to_string(), "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server(child);
        while client::once(port, "GET", "/healthz", None, "").await.is_none() {
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not start");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_secs(3)).await;
        resident = memory(server.0.id(), "VmRSS").unwrap();
    }
    times.sort();
    println!("| start to first answer, two packs | | {} ms | | < 500 ms |", times[1].as_millis());
    println!("| resident memory, idle | | {} MB | | < 80 MB |", resident / 1_000);
}
