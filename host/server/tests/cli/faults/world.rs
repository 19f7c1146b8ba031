//! A small business for the load, on either database, with one data directory for each server.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use pergola_cluster::Cluster;
use serde_json::{Value as Json, json};

use super::{
    driver::{Scene, is_reminded},
    invariants::{Breaches, State, check, check_doctor, check_sinks},
    notes::Notes,
};
use crate::support::{Api, Scratch, Server, Told, copy, pergola, run, text, told};

/// How long messages may take to leave after the last start.
const MESSAGES_PATIENCE: Duration = Duration::from_secs(60);
/// What a killed server was sending is sent by the next one after so long.
const CONFIGURATION: &str = "[worker]\nlease_seconds = 2\n";
/// How long what is under way may take: at the database for a killed server, or on its way out.
const AFTERMATH: Duration = Duration::from_secs(2);

pub(crate) struct World {
    scratch: Scratch,
    /// The server's, or a file in the data directory.
    database: Option<String>,
    pub(crate) scene: Scene,
    /// Rules that the program breaks.
    broken: &'static str,
    /// Variables for the program.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl World {
    /// On a file; the first one is made, the others are copies.
    pub(crate) fn on_sqlite() -> Self {
        static FIRST: OnceLock<(PathBuf, Scene, File)> = OnceLock::new();
        let (data, scene, _) = FIRST.get_or_init(|| {
            let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
            // Two runs of these tests at the same time take turns.
            let lock = File::create(place.join("cli-faults.lock")).unwrap();
            lock.lock().unwrap();
            let data = place.join("cli-faults");
            drop(fs::remove_dir_all(&data));
            let scene = found(&data, None);
            (data, scene, lock)
        });
        let scratch = Scratch::new();
        copy(data, &scratch.path().join("a"));
        Self { scratch, database: None, scene: scene.clone(), broken: "", environment: Vec::new() }
    }

    /// In a new schema.
    pub(crate) fn on_postgres(cluster: &Cluster) -> Self {
        Self::at(cluster.new_url())
    }

    /// In the schema of this URL.
    pub(crate) fn at(url: String) -> Self {
        let scratch = Scratch::new();
        let scene = found(&scratch.path().join("a"), Some(&url));
        copy(&scratch.path().join("a"), &scratch.path().join("b"));
        Self { scratch, database: Some(url), scene, broken: "", environment: Vec::new() }
    }

    /// The same for a program that breaks this rule.
    pub(crate) fn breaking(self, broken: &'static str) -> Self {
        Self { broken, ..self }
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The server of a data directory.
    pub(crate) fn serve(&self, name: &str) -> Server {
        self.serve_at(name, self.database.as_deref())
    }

    /// The same by another way to the database.
    pub(crate) fn serve_at(&self, name: &str, database: Option<&str>) -> Server {
        let data = self.data(name);
        let mut command = pergola();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(&data)]);
        command.args(database.iter().flat_map(|url| ["--database", url]));
        if !self.broken.is_empty() {
            command.env("PERGOLATEST_BROKEN_RULES", self.broken);
        }
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        Server::start(command, &data, "token ")
    }

    /// What is wrong, as far as one can see over REST.
    pub(crate) fn look(&self, api: &Api, notes: &Notes) -> Breaches {
        after_all(|| check(&State::read(api), notes))
    }

    /// Everything that is wrong, after all that was to be done is done; ends the server.
    pub(crate) fn end(&self, server: Server, notes: &Notes, again_max: usize) -> Breaches {
        wait_for_messages(&server, notes);
        let files = ["a", "b"].map(|name| self.data(name).join("messages/main.jsonl"));
        let breaches = after_all(|| {
            let state = State::read(&server);
            check(&state, notes).join(check_sinks(&files.each_ref().map(PathBuf::as_path), &state, again_max))
        });
        assert_eq!(server.terminate().0, Some(0));
        breaches.join(check_doctor(&self.doctor()))
    }

    fn doctor(&self) -> Told {
        let data = self.data("a");
        let mut command = pergola();
        command.args(["doctor", "--json", "--data", text(&data)]);
        command.args(self.database.iter().flat_map(|url| ["--database", url]));
        told(&mut command)
    }
}

/// What is still wrong when nothing is under way any more: a message may leave while one looks.
fn after_all(look: impl Fn() -> Breaches) -> Breaches {
    let started = Instant::now();
    loop {
        let breaches = look();
        if breaches.is_empty() || started.elapsed() > AFTERMATH {
            return breaches;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until every visit was reminded of and nothing is on its way out.
fn wait_for_messages(api: &Api, notes: &Notes) {
    let started = Instant::now();
    let visits: Vec<&str> = notes
        .acknowledged("booking/appointments")
        .filter(|(note, _)| is_reminded(note))
        .map(|(_, answer)| answer["id"].as_str().unwrap())
        .collect();
    loop {
        let messages = api.all("messages");
        let reminded: std::collections::BTreeSet<&str> =
            messages.iter().filter_map(|one| one["about_id"].as_str()).collect();
        let waiting = visits.iter().filter(|id| !reminded.contains(**id)).count();
        let on_their_way = messages.iter().filter(|one| one["status"] != "sent").count();
        if (waiting, on_their_way) == (0, 0) {
            return;
        }
        let told = format!("{waiting} visits without a reminder, {on_their_way} messages not sent");
        assert!(started.elapsed() < MESSAGES_PATIENCE, "{told}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// Makes a business: two plugins, and what there is before the load.
fn found(data: &Path, database: Option<&str>) -> Scene {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for plugin in ["../../plugins/booking", "tests/cli/till"] {
        let dir = root.join(plugin);
        let place = ["plugin", "install", text(&dir), "--data", text(data)];
        let installed = run(place.into_iter().chain(database.iter().flat_map(|url| ["--database", url])));
        assert_eq!(installed.code, Some(0), "{installed:?}");
    }
    fs::write(data.join("pergola.toml"), CONFIGURATION).unwrap();
    let mut command = pergola();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(data)]);
    command.args(database.iter().flat_map(|url| ["--database", url]));
    let server = Server::start(command, data, "token ");
    let scene = seed(&server);
    assert_eq!(server.terminate().0, Some(0));
    scene
}

fn seed(api: &Api) -> Scene {
    let create = |collection: &str, body: Json| {
        let answer = api.post(&format!("/api/v1/{collection}"), &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].clone()
    };
    let resource = |name: &str, kind: &str, online: bool| {
        create("booking/resources", json!({"name": name, "kind": kind, "online": online}))
    };
    let masters: Vec<Json> = ["Anna", "Boris"].iter().map(|name| resource(name, "master", true)).collect();
    for master in &masters {
        for weekday in 1..=7 {
            let hours = json!({"resource": master, "weekday": weekday, "from_minute": 0, "until_minute": 1440});
            create("booking/hours", hours);
        }
    }
    let purses: Vec<Json> = (0..4).map(|number| create("till/purses", json!({"name": number.to_string()}))).collect();
    for purse in &purses {
        create("till/entries", json!({"purse": purse, "amount": 1_000, "mark": "Seed"}));
    }
    let client = |number: i32| json!({"name": format!("Seed {number}"), "phone": format!("+7916{number:07}")});
    Scene {
        service: create("booking/services", json!({"name": "Haircut", "minutes": 30})),
        masters,
        remembered: ["Clara", "Denis"].iter().map(|name| resource(name, "master", false)).collect(),
        rooms: ["Left", "Right"].iter().map(|name| resource(name, "room", false)).collect(),
        purses,
        clients: (0..50).map(|number| create("contacts", client(number))).collect(),
    }
}
