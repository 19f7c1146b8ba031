//! Backups while a server works, restored elsewhere and in place; damage is seen and nothing of it is restored.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value as Json, json};

use crate::support::{Scratch, Server, demo, run, text};

/// A backup of the data under `data`, at `name` beside it.
fn backup(data: &Path, name: &str) -> PathBuf {
    let out = data.with_file_name(name);
    let told = run(["backup", "--data", text(data), "--out", text(&out)]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.out.contains("read back and sound"), "{told:?}");
    out
}

fn contacts(server: &Server) -> Vec<Json> {
    server.all("contacts")
}

/// A workspace with one contact.
fn small() -> Scratch {
    let scratch = Scratch::new();
    let server = Server::serve(&scratch.data());
    assert_eq!(server.post("/api/v1/contacts", &json!({"name": "Masha Ivanova"})).status, 201);
    assert_eq!(server.terminate().0, Some(0));
    scratch
}

#[test]
fn a_backup_made_under_load_is_of_one_moment_and_starts_a_new_workspace() {
    let scratch = demo().copy();
    let server = Server::serve(&scratch.data());
    let stop = AtomicBool::new(false);
    let (file, written) = thread::scope(|scope| {
        let api = server.api();
        let writer = scope.spawn({
            let stop = &stop;
            move || {
                let mut written = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Both in one unit of work: a backup has both or none.
                    let contact = api.post("/api/v1/contacts", &json!({"name": format!("During {written}")}));
                    assert_eq!(contact.status, 201);
                    written += 1;
                }
                written
            }
        });
        let file = backup(&scratch.data(), "during.zip");
        stop.store(true, Ordering::Relaxed);
        (file, writer.join().unwrap())
    });
    assert!(written > 0, "nobody wrote meanwhile");
    let expected = contacts(&server);
    drop(server);

    let copy = scratch.path().join("copy");
    let told = run(["restore", text(&file), "--data", text(&copy)]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let restored = Server::serve(&copy);
    let found = contacts(&restored);
    assert!(found.len() >= expected.len() - written, "what was there before the backup is in it");
    // Ids sort by time of creation: the backup ends at one moment.
    assert_eq!(found, expected[..found.len()]);
    assert_eq!(restored.get("/api/v1/plugins").json()["items"].as_array().unwrap().len(), 2);
    let appointments = restored.count("booking/appointments", "");
    assert!(appointments > 0);
}

#[test]
fn in_place_the_old_data_stay_aside_and_a_running_server_is_in_the_way() {
    let scratch = small();
    let data = scratch.data();
    let file = backup(&data, "one.zip");
    let server = Server::serve(&data);
    assert_eq!(server.post("/api/v1/contacts", &json!({"name": "Later"})).status, 201);
    let refused = run(["restore", text(&file), "--data", text(&data)]).refusal(scratch.path());
    insta::assert_snapshot!(refused, @"pergola: DIR/data/workspaces/main.db exists; restore elsewhere by --data or --workspace, or give --in-place, which keeps the old data aside");
    let running = run(["restore", text(&file), "--data", text(&data), "--in-place"]).refusal(scratch.path());
    insta::assert_snapshot!(running, @"pergola: another server runs on workspace main of DIR/data; stop it first, or give another --data");
    assert_eq!(contacts(&server).len(), 2);
    // Not asked to end: what is in the log only must not be lost with it.
    drop(server);

    let told = run(["restore", text(&file), "--data", text(&data), "--in-place"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let server = Server::serve(&data);
    assert_eq!(contacts(&server).iter().map(|one| one["name"].clone()).collect::<Vec<_>>(), ["Masha Ivanova"]);
    drop(server);
    let aside = told.out.split(" are in ").nth(1).unwrap().split(';').next().unwrap();
    let old = scratch.path().join("old");
    fs::create_dir_all(old.join("workspaces")).unwrap();
    for entry in fs::read_dir(aside).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().replace("workspace", "main");
        fs::copy(&path, old.join("workspaces").join(name)).unwrap();
    }
    assert_eq!(contacts(&Server::serve(&old)).len(), 2, "the data of before are whole");
}

#[test]
fn a_damaged_database_is_replaced_and_kept_as_it_was() {
    let scratch = small();
    let data = scratch.data();
    let file = backup(&data, "one.zip");
    let log = fs::metadata(data.join("workspaces/main.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "SQLite would mend the file from it");
    let database = data.join("workspaces/main.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[..100].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    let told = run(["restore", text(&file), "--data", text(&data), "--in-place"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let aside = told.out.split(" are in ").nth(1).unwrap().split(';').next().unwrap();
    assert!(fs::read(Path::new(aside).join("workspace.db")).unwrap() == bytes, "it is kept byte for byte");
    assert_eq!(contacts(&Server::serve(&data)).len(), 1);
}

#[test]
fn a_damaged_backup_is_named_and_nothing_is_touched() {
    let scratch = small();
    let file = backup(&scratch.data(), "one.zip");
    let whole = fs::read(&file).unwrap();
    let database = fs::read(scratch.data().join("workspaces/main.db")).unwrap();
    for position in (0..whole.len()).step_by(whole.len() / 12).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        fs::write(&file, bytes).unwrap();
        for (data, more) in [(scratch.path().join("new"), vec![]), (scratch.data(), vec!["--in-place"])] {
            let told = run(["restore", text(&file), "--data", text(&data)].into_iter().chain(more));
            assert_eq!(told.code, Some(3), "byte {position}: {told:?}");
            assert!(told.err.contains("damaged"), "{told:?}");
        }
    }
    assert!(!scratch.path().join("new/workspaces/main.db").exists());
    assert!(fs::read(scratch.data().join("workspaces/main.db")).unwrap() == database, "nothing was written");
}

#[test]
fn a_damaged_database_or_component_is_not_backed_up() {
    let scratch = demo().copy();
    let out = scratch.path().join("no.zip");
    let database = scratch.data().join("workspaces/main.db");
    let whole = fs::read(&database).unwrap();
    // The head of a page in the middle: which kind of page it is, and how many cells it has.
    let page = whole.len() / 4096 / 2;
    let mut bytes = whole.clone();
    bytes[page * 4096] ^= 0xff;
    fs::write(&database, bytes).unwrap();
    let told = run(["backup", "--data", text(&scratch.data()), "--out", text(&out)]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("damaged"), "{told:?}");
    fs::write(&database, whole).unwrap();

    let component = fs::read_dir(scratch.data().join("plugins")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&component).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&component, bytes).unwrap();
    let told = run(["backup", "--data", text(&scratch.data()), "--out", text(&out)]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("lost or damaged; install plugin"), "{told:?}");
    assert!(!out.exists());
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["data"], "nothing unfinished is left");
}

#[test]
fn there_must_be_something_to_back_up() {
    let scratch = Scratch::new();
    let told = run(["backup", "--data", text(&scratch.data())]).refusal(scratch.path());
    insta::assert_snapshot!(told, @"pergola: there is no workspace main in DIR/data; say where by --data DIR");
    assert!(!scratch.data().exists());
}
