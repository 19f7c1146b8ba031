//! Several workspaces in one server: by host name, apart from each other, made and suspended while it runs.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use pergola_cluster::Cluster;
use serde_json::{Value as Json, json};

use crate::support::{Answer, Api, Scratch, Server, Told, pergola, text, told};

/// "Within a few seconds", with room for a machine that others use too.
const SEEN: Duration = Duration::from_secs(20);

/// Where the workspaces of a test are.
struct Place {
    scratch: Scratch,
    /// Options of every command.
    options: Vec<String>,
}

impl Place {
    fn in_files() -> Self {
        let scratch = Scratch::new();
        Self { options: vec!["--data".to_owned(), text(&scratch.data()).to_owned()], scratch }
    }

    fn on_postgres() -> Self {
        let cluster = Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
        let mut place = Self::in_files();
        place.options.extend(["--database".to_owned(), cluster.new_url()]);
        place
    }

    fn run(&self, args: &[&str]) -> Told {
        told(pergola().args(args).args(&self.options))
    }

    /// Makes a workspace; its owner's token.
    fn create(&self, name: &str, hosts: &[&str]) -> String {
        let hosts = hosts.iter().flat_map(|host| ["--host", host]);
        let told = self.run(&["workspace", "create", name].into_iter().chain(hosts).collect::<Vec<_>>());
        assert_eq!(told.code, Some(0), "{told:?}");
        told.out.lines().find_map(|line| line.strip_prefix("token ")).unwrap().to_owned()
    }

    fn list(&self) -> Vec<Json> {
        let told = self.run(&["workspace", "list", "--json"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Serves workspaces of which none is everybody's.
    fn serve(&self, configuration: &str) -> Server {
        self.serve_until(configuration, "ready ")
    }

    fn serve_until(&self, configuration: &str, last: &str) -> Server {
        fs::create_dir_all(self.scratch.data()).unwrap();
        fs::write(self.scratch.data().join("pergola.toml"), configuration).unwrap();
        let mut command = pergola();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(&self.options);
        Server::start(command, &self.scratch.data(), last)
    }
}

fn names(api: &Api) -> Vec<String> {
    api.all("contacts").iter().map(|contact| contact["name"].as_str().unwrap().to_owned()).collect()
}

fn add(api: &Api, name: &str) {
    let answer = api.post("/api/v1/contacts", &json!({ "name": name }));
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[expect(clippy::disallowed_methods, reason = "the server under test has the machine's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A message that leaves then.
fn put_message(api: &Api, due: Timestamp) -> Json {
    let contact = api.post("/api/v1/contacts", &json!({"name": "Vera"})).json();
    let message = json!({
        "contact": contact["id"], "channel": "email", "address": "vera@example.com", "subject": "Hello", "body": "…",
        "retry_at": due.to_string(),
    });
    let answer = api.post("/api/v1/messages", &message);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Waits until a message has left.
fn wait_for_message(place: &Place, workspace: &str) {
    let file = place.scratch.data().join(format!("messages/{workspace}.jsonl"));
    wait_for("the message", || fs::read_to_string(&file).is_ok_and(|lines| lines.lines().count() == 1));
}

/// Asks again until the answer is the wanted one.
fn until(what: &str, ask: impl Fn() -> Answer, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if wanted(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < SEEN, "{what}: {answer:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Both databases keep to this.
fn the_host_name_chooses_and_nothing_leaks(place: &Place) {
    let anna = place.create("anna", &["anna.example", "www.anna.example"]);
    let boris = place.create("boris", &["boris.example"]);
    let server = place.serve("");
    let (anna, boris) = (server.at("anna.example", &anna), server.at("Boris.example:80", &boris));
    add(&anna, "Vera");
    add(&boris, "Clara");
    assert_eq!(names(&anna), ["Vera"]);
    assert_eq!(names(&server.at("www.anna.example", &anna.token)), ["Vera"]);
    assert_eq!(names(&boris), ["Clara"]);
    let stranger = server.at("boris.example", &anna.token).get("/api/v1/contacts");
    assert_eq!((stranger.status, &stranger.json()["code"]), (401, &json!("bad_token")));
    // The same token is good where it belongs, before and after it was tried elsewhere.
    assert_eq!(anna.get("/api/v1/contacts").status, 200);
}

#[test]
fn the_host_name_of_a_request_chooses_its_workspace() {
    the_host_name_chooses_and_nothing_leaks(&Place::in_files());
}

#[test]
fn the_host_name_of_a_request_chooses_its_schema() {
    the_host_name_chooses_and_nothing_leaks(&Place::on_postgres());
}

#[test]
fn a_workspace_that_is_made_or_suspended_meanwhile_is_seen_within_seconds() {
    let place = Place::in_files();
    place.create("anna", &["anna.example"]);
    place.create("clara", &["clara.example"]);
    let server = place.serve("");
    let ask = |host: &'static str, token: &str| {
        let api = server.at(host, token);
        move || api.get("/api/v1/contacts")
    };
    let unknown = ask("boris.example", "")();
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("unknown_host")), "{unknown:?}");
    assert_eq!(server.at("boris.example", "").get("/healthz").status, 200);
    let boris = place.create("boris", &["boris.example"]);
    until("made", ask("boris.example", &boris), |answer| answer.status == 200);
    add(&server.at("boris.example", &boris), "Vera");
    assert_eq!(place.run(&["workspace", "suspend", "boris"]).code, Some(0));
    let answer = until("suspended", ask("boris.example", &boris), |answer| answer.status == 503);
    assert_eq!(answer.json()["code"], "suspended");
    assert_eq!(
        answer.json()["detail"],
        "this workspace is suspended: nothing is lost, and everything waits until whoever runs the server resumes it (pergola workspace resume boris)"
    );
    // Its server lets go of it: a command may have it to itself.
    until_free(&place, "boris");
    assert_eq!(place.run(&["workspace", "resume", "boris"]).code, Some(0));
    until("resumed", ask("boris.example", &boris), |answer| answer.status == 200);
    assert_eq!(names(&server.at("boris.example", &boris)), ["Vera"]);
    assert_eq!(place.run(&["workspace", "hosts", "boris", "new.example"]).code, Some(0));
    until("led there", ask("new.example", &boris), |answer| answer.status == 200);
    assert_eq!(ask("boris.example", &boris)().status, 404);
}

/// Waits until no server has the workspace open.
fn until_free(place: &Place, name: &str) {
    let lock = place.scratch.data().join(format!("server-{name}.lock"));
    wait_for(&format!("the end of {name}"), || fs::File::open(&lock).unwrap().try_lock().is_ok());
}

#[test]
fn a_data_directory_of_one_shop_goes_on_as_it_was() {
    let place = Place::in_files();
    let server = place.serve_until("", "token ");
    add(&server, "Vera");
    let token = server.token.clone();
    assert_eq!(server.terminate().0, Some(0));
    // As an older version left it, with a second workspace.
    let data = place.scratch.data();
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::remove_file(data.join(format!("directory.db{suffix}"))));
    }
    fs::copy(data.join("workspaces/main.db"), data.join("workspaces/second.db")).unwrap();
    let listed = place.list();
    let shown: Vec<(&str, &str)> =
        listed.iter().map(|one| (one["name"].as_str().unwrap(), one["state"].as_str().unwrap())).collect();
    assert_eq!(shown, [("main", "active"), ("second", "active")]);
    let server = place.serve_until("", "token ");
    assert_eq!(server.token, token);
    assert_eq!(names(&server), ["Vera"], "main answers where no host name leads elsewhere");
    assert_eq!(names(&server.at("anything.example", &token)), ["Vera"]);
}

#[test]
fn one_workspace_alone_is_served_if_the_command_line_names_it() {
    let mut place = Place::in_files();
    place.create("anna", &["anna.example"]);
    place.create("boris", &["boris.example"]);
    place.options.extend(["--workspace".to_owned(), "anna".to_owned()]);
    let server = place.serve_until("", "token ");
    add(&server, "Vera");
    assert_eq!(names(&server.at("boris.example", &server.token)), ["Vera"]);
}

#[test]
fn what_is_wrong_with_a_name_is_told_before_anything_is_made() {
    let place = Place::in_files();
    place.create("anna", &["anna.example"]);
    let commands: [&[&str]; 10] = [
        &["workspace", "create", "anna"],
        &["workspace", "create", "Anna"],
        &["workspace", "create", "directory"],
        &["workspace", "create", "boris", "--host", "Anna.example"],
        &["workspace", "create", "boris", "--host", "boris.example:80"],
        &["workspace", "hosts", "boris", "boris.example"],
        &["workspace", "suspend", "boris"],
        &["workspace", "resume", "boris"],
        &["plugin", "list", "--workspace", "boris"],
        &["backup", "--workspace", "boris"],
    ];
    let refusals = commands
        .map(|command| format!("{}\n  {}\n", command.join(" "), place.run(command).refusal(place.scratch.path())));
    insta::assert_snapshot!(refusals.concat(), @r#"
    workspace create anna
      pergola: there is a workspace anna already; take another name
    workspace create Anna
      pergola: "Anna" is not a name: use lower-case letters, digits and _, a letter first, at most 48
    workspace create directory
      pergola: no workspace can have the name directory; take another one
    workspace create boris --host Anna.example
      pergola: the host name anna.example leads to workspace anna already; take it away there first
    workspace create boris --host boris.example:80
      pergola: "boris.example:80" is not a host name: use letters, digits, - and dots, as in salon.example, without a port; a name with other letters is written as xn--…
    workspace hosts boris boris.example
      pergola: there is no workspace boris; pergola workspace list shows those that there are
    workspace suspend boris
      pergola: there is no workspace boris; pergola workspace list shows those that there are
    workspace resume boris
      pergola: there is no workspace boris; pergola workspace list shows those that there are
    plugin list --workspace boris
      pergola: there is no workspace boris (anna); make it by pergola workspace create boris, or name another by --workspace
    backup --workspace boris
      pergola: there is no workspace boris in DIR/data; say where by --data DIR
    "#);
    assert_eq!(place.list().len(), 1);
    assert!(!place.scratch.data().join("workspaces/boris.db").exists());
}

#[test]
fn a_workspace_whose_database_is_lost_is_not_made_anew() {
    let place = Place::in_files();
    place.create("anna", &["anna.example"]);
    fs::remove_file(place.scratch.data().join("workspaces/anna.db")).unwrap();
    let told = place.run(&["plugin", "list", "--workspace", "anna"]);
    insta::assert_snapshot!(told.refusal(place.scratch.path()), @"pergola: the database of workspace anna is not there any more; restore a backup (pergola restore --workspace anna), or forget it by deleting the workspace");
    assert!(!place.scratch.data().join("workspaces/anna.db").exists());
    assert_eq!(place.list()[0]["bytes"], Json::Null);
}

#[test]
fn an_idle_workspace_is_closed_and_wakes_when_a_message_is_due() {
    let place = Place::in_files();
    let anna = place.create("anna", &["anna.example"]);
    place.create("boris", &["boris.example"]);
    let server = place.serve("[server]\nworkspace_idle_seconds = 1\n");
    let due = now().checked_add(SignedDuration::from_secs(20)).unwrap();
    let message = put_message(&server.at("anna.example", &anna), due);
    until_free(&place, "anna");
    let entry = place.list().remove(0);
    assert_eq!((&entry["open"], entry["wake_at"].as_str()), (&json!(false), message["retry_at"].as_str()));
    assert!(now() < due, "too slow to say anything");
    wait_for_message(&place, "anna");
    assert!(now() >= due);
    assert_eq!(server.at("anna.example", &anna).get("/api/v1/contacts").status, 200, "and opens when asked");
}

#[test]
fn what_was_open_in_a_killed_server_is_opened_by_the_next() {
    let place = Place::in_files();
    let anna = place.create("anna", &["anna.example"]);
    place.create("boris", &["boris.example"]);
    let mut server = place.serve("");
    let due = now().checked_add(SignedDuration::from_secs(5)).unwrap();
    put_message(&server.at("anna.example", &anna), due);
    server.kill();
    let _server = place.serve("");
    wait_for_message(&place, "anna");
}

/// A command that writes tells the server, which had the workspace closed.
#[test]
fn a_closed_workspace_that_a_command_wrote_to_is_looked_at() {
    let place = Place::in_files();
    let anna = place.create("anna", &["anna.example"]);
    place.create("boris", &["boris.example"]);
    let server = place.serve("[server]\nworkspace_idle_seconds = 1\n");
    let vera = server.at("anna.example", &anna).post("/api/v1/contacts", &json!({"name": "Vera"})).json();
    until_free(&place, "anna");
    let row = format!("{},email,vera@example.com,Hello,Soon", vera["id"].as_str().unwrap());
    let list = place.scratch.file("messages.csv", format!("contact,channel,address,subject,body\n{row}\n"));
    let told = place.run(&["import", text(&list), "--object", "message", "--workspace", "anna"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    wait_for_message(&place, "anna");
}

#[test]
fn no_more_workspaces_are_open_than_the_limit_says() {
    let place = Place::in_files();
    let shops: Vec<(String, String)> = ["anna", "boris", "clara"]
        .iter()
        .map(|name| (format!("{name}.example"), place.create(name, &[&format!("{name}.example")])))
        .collect();
    let server = place.serve("[server]\nworkspaces_open_max = 2\n");
    for _ in 0..2 {
        for (host, token) in &shops {
            let api = server.at(host, token);
            let answer = until(host, || api.get("/api/v1/contacts"), |answer| answer.status != 503);
            assert_eq!(answer.status, 200, "{answer:?}");
            let open = place.list().iter().filter(|entry| entry["open"] == true).count();
            assert!((1..=2).contains(&open), "{open} are open");
        }
    }
    assert!(server.log().contains("closed a workspace"));
}

/// Waits until something has come about.
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SEEN * 3, "{what} did not come");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Both databases keep to this.
fn a_deleted_workspace_can_be_brought_back(place: &Place) {
    let anna = place.create("anna", &["anna.example"]);
    place.create("boris", &["boris.example"]);
    let server = place.serve("");
    add(&server.at("anna.example", &anna), "Vera");
    assert_eq!(server.terminate().0, Some(0));
    let delete = |more: &[&str]| place.run(&[&["workspace", "delete", "anna"], more].concat());
    let mut refusals = delete(&["--yes"]).refusal(place.scratch.path());
    assert_eq!(place.run(&["workspace", "suspend", "anna"]).code, Some(0));
    refusals = [refusals, delete(&[]).refusal(place.scratch.path())].join("\n");
    insta::allow_duplicates! {
        insta::assert_snapshot!(refusals, @r"
        pergola: workspace anna is active; suspend it first: pergola workspace suspend anna
        pergola: this removes workspace anna and everything in it, after a backup of it was written; say so with --yes
        ");
    }
    let told = delete(&["--yes"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let left: Vec<String> = place.list().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(left, ["boris"]);
    assert!(!place.scratch.data().join("workspaces/anna.db").exists());
    assert!(!place.scratch.data().join("owner-token-anna").exists());
    let backup = fs::read_dir(place.scratch.data().join("backups")).unwrap().flatten();
    let backup =
        backup.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "zip")).unwrap();
    let told = place.run(&["restore", text(&backup), "--workspace", "clara"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(place.run(&["workspace", "hosts", "clara", "anna.example"]).code, Some(0));
    let server = place.serve("");
    // Tokens are part of a backup.
    assert_eq!(names(&server.at("anna.example", &anna)), ["Vera"]);
}

#[test]
fn a_deleted_workspace_comes_back_from_its_backup() {
    a_deleted_workspace_can_be_brought_back(&Place::in_files());
}

#[test]
fn a_deleted_schema_comes_back_from_its_backup() {
    a_deleted_workspace_can_be_brought_back(&Place::on_postgres());
}

#[test]
fn nothing_is_kept_of_a_workspace_that_is_deleted_without_a_backup() {
    let place = Place::in_files();
    place.create("anna", &[]);
    assert_eq!(place.run(&["workspace", "suspend", "anna"]).code, Some(0));
    let told = place.run(&["workspace", "delete", "anna", "--yes", "--without-backup"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let left: Vec<String> = walk(&place.scratch.data()).into_iter().filter(|path| path.contains("anna")).collect();
    assert!(left.is_empty(), "{left:?}");
    // The name is free.
    place.create("anna", &[]);
}

/// All files in a folder.
fn walk(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![text(&path).to_owned()] }).collect()
}

#[test]
fn an_export_has_all_records_of_all_objects_in_a_folder_or_a_zip() {
    let place = Place::in_files();
    let server = place.serve_until("", "token ");
    add(&server, "Vera");
    add(&server, "Clara");
    assert_eq!(server.post("/api/v1/tasks", &json!({"title": "Call"})).status, 201);
    let (folder, zip) = (place.scratch.path().join("out"), place.scratch.path().join("out.zip"));
    for out in [&folder, &zip] {
        let told = place.run(&["workspace", "export", "main", "--out", text(out)]);
        assert_eq!(told.code, Some(0), "{told:?}");
    }
    let contents: Json = serde_json::from_str(&fs::read_to_string(folder.join("contents.json")).unwrap()).unwrap();
    assert_eq!((&contents["workspace"], &contents["records"]["contact"]), (&json!("main"), &json!(2)));
    let lines = |object: &str| -> Vec<Json> {
        let text = fs::read_to_string(folder.join(format!("{object}.jsonl"))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for (object, count) in contents["records"].as_object().unwrap() {
        assert_eq!(u64::try_from(lines(object).len()).unwrap(), count.as_u64().unwrap(), "{object}");
    }
    assert_eq!(lines("contact"), server.all("contacts"), "as over REST");
    assert_eq!(lines("task")[0]["title"], "Call");
    assert!(fs::metadata(&zip).unwrap().len() > 500);
    let again = place.run(&["workspace", "export", "main", "--out", text(&folder)]);
    insta::assert_snapshot!(again.refusal(place.scratch.path()), @"pergola: DIR/out is there already; give another --out");
    let unknown = place.run(&["workspace", "export", "anna", "--out", text(&place.scratch.path().join("anna"))]);
    assert!(unknown.refusal(place.scratch.path()).contains("there is no workspace anna"));
    assert!(!place.scratch.path().join("anna").exists());
}
