//! `kill -9` in the middle of imports, and of taking one back: no row twice, none lost.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{Process, Scratch, Server, pergola, run, text};

const ROWS: u64 = 6_000;
/// Every so many rows one is no good, and one repeats the first.
const EVERY: u64 = 50;
const KILLS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

fn file() -> String {
    let mut file = "Name;Phone;Notes\n".to_owned();
    for number in 0..ROWS {
        file += &match number % EVERY {
            10 => format!("Wrong {number};12;\n"),
            20 => format!("Client 0;+79120000000;again {number}\n"),
            // Nothing tells these apart but their rows.
            30 => "Nameless friend;;\n".to_owned(),
            _ => format!("Client {number};+7912{number:07};\n"),
        };
    }
    file
}

/// A number from the database, if it is there yet.
async fn number(data: &Path, query: &'static str) -> i64 {
    let file = SqliteConnectOptions::new().filename(data.join("workspaces/main.db")).read_only(true);
    let Ok(mut connection) = SqliteConnection::connect_with(&file).await else { return 0 };
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap_or_default()
}

/// Starts a command and kills it when the number has grown; false if it ended before.
async fn kill_in_the_middle(data: &Path, args: &[&str], query: &'static str) -> bool {
    let before = number(data, query).await;
    let mut command = pergola();
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = Process(command.spawn().unwrap());
    let began = Instant::now();
    while number(data, query).await <= before {
        if process.0.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(began.elapsed() < PATIENCE, "nothing happens");
        thread::sleep(Duration::from_millis(2));
    }
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    true
}

#[tokio::test]
async fn a_killed_import_goes_on_with_no_row_twice_and_none_lost_and_is_taken_back() {
    let scratch = Scratch::new();
    let (path, data) = (scratch.file("clients.csv", file()), scratch.data());
    let args = ["import", text(&path), "--json", "--data", text(&data)];
    let mut kills = 0;
    for _ in 0..KILLS {
        kills += usize::from(kill_in_the_middle(&data, &args, "SELECT max(last_line) FROM pergola_import").await);
    }
    assert_eq!(kills, KILLS, "it was over before it was killed");
    let told = run(args).json();
    let counts = ["rows", "created", "updated", "merged", "refused"].map(|name| told[name].as_u64().unwrap());
    let odd = ROWS / EVERY;
    let created = ROWS - 3 * odd + 1;
    assert_eq!(counts, [ROWS, created, 0, 2 * odd - 1, odd], "{told}");

    let report = fs::read_to_string(told["report"].as_str().unwrap()).unwrap();
    let refused: Vec<&str> = report.lines().skip(1).filter_map(|line| line.split(';').next()).collect();
    let distinct: BTreeSet<&str> = refused.iter().copied().collect();
    assert_eq!((refused.len() as u64, distinct.len() as u64), (odd, odd), "the report has a row twice, or lacks one");
    {
        let server = Server::serve(&data);
        assert_eq!(server.count("contacts", ""), created);
        let first = server.get(&format!("/api/v1/contacts?filter={}", crate::support::encoded("name == 'Client 0'")));
        let notes = first.json()["items"][0]["notes"].as_str().unwrap().lines().count();
        assert_eq!(notes as u64, odd);
    }

    let batch = told["batch"].as_str().unwrap();
    let undo = ["import", "undo", batch, "--json", "--data", text(&data)];
    let settled = "SELECT count(*) FROM pergola_import_entry WHERE outcome IS NOT NULL";
    assert!(kill_in_the_middle(&data, &undo, settled).await && kill_in_the_middle(&data, &undo, settled).await);
    let undone = run(undo).json();
    assert_eq!(undone["kept"], 0, "{undone}");
    assert_eq!(number(&data, "SELECT count(*) FROM contact").await, 0);
    let listed = run(["import", "list", "--json", "--data", text(&data)]).out;
    let listed: Vec<Json> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &Json::from("undone")), "{listed:?}");
}
