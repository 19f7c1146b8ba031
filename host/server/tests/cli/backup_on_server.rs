//! Backups of a workspace on PostgreSQL, restored elsewhere and in place, under load and against kills.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use pergola_cluster::Cluster;
use serde_json::json;

use crate::support::{Process, Scratch, Server, Told, demo, pergola, run, text};

fn cluster() -> &'static Cluster {
    Cluster::shared().unwrap_or_else(|error| panic!("{error}"))
}

/// A data directory and a schema.
struct Shop {
    scratch: Scratch,
    url: String,
}

impl Shop {
    /// A workspace with one contact.
    fn small() -> Self {
        let shop = Self { scratch: Scratch::new(), url: cluster().new_url() };
        shop.add("Masha Ivanova");
        shop
    }

    fn data(&self) -> PathBuf {
        self.scratch.data()
    }

    fn serve(&self) -> Server {
        serve(&self.data(), &self.url)
    }

    fn add(&self, name: &str) {
        let server = self.serve();
        assert_eq!(server.post("/api/v1/contacts", &json!({"name": name})).status, 201);
        assert_eq!(server.terminate().0, Some(0));
    }

    fn backup(&self, name: &str) -> PathBuf {
        let out = self.scratch.path().join(name);
        let told = on(&["backup", "--out", text(&out)], &self.data(), &self.url);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.out.contains("read back and sound"), "{told:?}");
        out
    }
}

fn serve(data: &Path, url: &str) -> Server {
    let mut command = pergola();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(data), "--database", url]);
    Server::start(command, data, "token ")
}

fn on(args: &[&str], data: &Path, url: &str) -> Told {
    run(args.iter().copied().chain(["--data", text(data), "--database", url]))
}

fn names(server: &Server) -> Vec<String> {
    server.all("contacts").iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_made_under_load_is_of_one_moment_and_starts_a_new_workspace() {
    let shop = Shop { scratch: Scratch::new(), url: cluster().new_url() };
    let server = Server::demo(&shop.data(), &["--database", &shop.url]);
    let stop = AtomicBool::new(false);
    let file = thread::scope(|scope| {
        let api = server.api();
        let stop = &stop;
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(api.post("/api/v1/contacts", &json!({"name": "During"})).status, 201);
            }
        });
        let file = shop.backup("during.zip");
        stop.store(true, Ordering::Relaxed);
        file
    });
    let (expected, visits) = (server.all("contacts"), server.count("booking/appointments", ""));
    drop(server);

    let (copy, url) = (shop.scratch.path().join("copy"), cluster().new_url());
    let told = on(&["restore", text(&file)], &copy, &url);
    assert_eq!(told.code, Some(0), "{told:?}");
    // Rollups, references, search and timers among them.
    let doctor = on(&["doctor"], &copy, &url);
    assert_eq!((doctor.code, doctor.out.as_str()), (Some(0), "all is well\n"), "{doctor:?}");
    let restored = serve(&copy, &url);
    let found = restored.all("contacts");
    assert!(found.len() >= demo_contacts() && found.len() < expected.len(), "{} of {}", found.len(), expected.len());
    // Ids sort by time of creation: the backup ends at one moment.
    assert_eq!(found, expected[..found.len()]);
    assert_eq!(restored.count("booking/appointments", ""), visits);
    assert_eq!(restored.get("/api/v1/plugins").json()["items"].as_array().unwrap().len(), 2);
}

/// How many contacts a new demo has.
fn demo_contacts() -> usize {
    let scratch = demo().copy();
    Server::serve(&scratch.data()).all("contacts").len()
}

#[test]
fn in_place_the_old_data_stay_aside_and_a_running_server_is_in_the_way() {
    let shop = Shop::small();
    let file = shop.backup("one.zip");
    shop.add("Later");
    let schema = shop.url.rsplit("schema=").next().unwrap().to_owned();
    let refused = on(&["restore", text(&file)], &shop.data(), &shop.url).refusal(shop.scratch.path());
    assert_eq!(
        refused.replace(&schema, "SCHEMA"),
        "pergola: a workspace in schema SCHEMA of the database exists; restore elsewhere by --data or --workspace, \
         or give --in-place, which keeps the old data aside"
    );
    let server = shop.serve();
    // From another data directory, whose lock nobody holds.
    let other = shop.scratch.path().join("other");
    for data in [shop.data(), other.clone()] {
        let told = on(&["restore", text(&file), "--in-place"], &data, &shop.url);
        assert_eq!(told.code, Some(3), "{told:?}");
        assert!(told.err.contains("another server runs") || told.err.contains("somebody works on schema"), "{told:?}");
    }
    assert_eq!(names(&server), ["Masha Ivanova", "Later"]);
    drop(server);

    let told = on(&["restore", text(&file), "--in-place"], &shop.data(), &shop.url);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(names(&shop.serve()), ["Masha Ivanova"]);
    let aside = told.out.split(" are in schema ").nth(1).unwrap().split(';').next().unwrap();
    assert_eq!(
        names(&serve(&other, &cluster().url(aside))),
        ["Masha Ivanova", "Later"],
        "the data of before are whole"
    );
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_data_or_the_new_ones() {
    let shop = Shop::small();
    let file = shop.backup("one.zip");
    let old = vec!["Masha Ivanova".to_owned(), "Later".to_owned()];
    let (mut stayed, mut done) = (0, 0);
    for milliseconds in [20, 120, 200, 280, 360, 440, 520, 700, 2_000, 30_000] {
        if names(&shop.serve()).len() == 1 {
            shop.add("Later");
        }
        let mut command = pergola();
        command.args(["restore", text(&file), "--in-place", "--data", text(&shop.data()), "--database", &shop.url]);
        let log = shop.scratch.path().join("restore.log");
        command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        let mut process = Process(command.spawn().unwrap());
        let waited = (0..milliseconds / 10).any(|_| {
            thread::sleep(Duration::from_millis(10));
            process.0.try_wait().unwrap().is_some()
        });
        drop(process);
        let found = names(&shop.serve());
        assert!(found == old || found == old[..1], "after {milliseconds} ms: {found:?}");
        assert!(!waited || found.len() == 1, "it ended: {}", fs::read_to_string(&log).unwrap());
        if found.len() == 1 { done += 1 } else { stayed += 1 }
    }
    assert!(stayed > 0 && done > 0, "{stayed} stayed, {done} were done: all kills came too early or too late");
    // What the killed ones left is gone with the one that was done.
    let doctor = on(&["doctor"], &shop.data(), &shop.url);
    assert_eq!(doctor.out, "all is well\n", "{doctor:?}");
}

#[test]
fn a_damaged_backup_or_one_of_the_other_database_is_told_and_nothing_is_touched() {
    let shop = Shop::small();
    let file = shop.backup("one.zip");
    let in_file = Scratch::new();
    Server::serve(&in_file.data()).terminate();
    let other = in_file.path().join("file.zip");
    assert_eq!(run(["backup", "--data", text(&in_file.data()), "--out", text(&other)]).code, Some(0));
    let told = on(&["restore", text(&other), "--in-place"], &shop.data(), &shop.url).refusal(in_file.path());
    assert!(told.contains("file.zip is of a sqlite database and cannot become a postgres one"), "{told}");
    let told = run(["restore", text(&file), "--in-place", "--data", text(&in_file.data())]).refusal(in_file.path());
    assert!(told.contains("one.zip is of a postgres database and cannot become a sqlite one"), "{told}");

    let whole = fs::read(&file).unwrap();
    for position in (0..whole.len()).step_by(whole.len() / 8).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        fs::write(&file, bytes).unwrap();
        for (url, more) in [(cluster().url("never_made"), None), (shop.url.clone(), Some("--in-place"))] {
            let args: Vec<&str> = ["restore", text(&file)].into_iter().chain(more).collect();
            let told = on(&args, &shop.data(), &url);
            assert_eq!(told.code, Some(3), "byte {position}: {told:?}");
            assert!(told.err.contains("damaged"), "{told:?}");
        }
    }
    assert_eq!(names(&shop.serve()), ["Masha Ivanova"]);
}
