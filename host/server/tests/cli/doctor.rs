//! The doctor on files: pages, components, exit codes.

use std::fs;

use serde_json::json;

use crate::support::{Scratch, Server, demo, pergola, run, text};

#[test]
fn a_demo_is_well_also_while_it_is_served() {
    let scratch = demo().copy();
    let server = Server::serve(&scratch.data());
    let told = run(["doctor", "--data", text(&scratch.data())]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "all is well\n"), "{told:?}");
    assert_eq!(server.get("/healthz").status, 200);
    let told = run(["doctor", "--json", "--data", text(&scratch.data())]);
    assert_eq!(told.json(), json!({"well": true, "findings": []}));
}

#[test]
fn a_flipped_byte_of_a_page_is_seen_and_never_served() {
    let scratch = demo().copy();
    let database = scratch.data().join("workspaces/main.db");
    let server = Server::serve(&scratch.data());
    let whole = server.all("contacts");
    assert_eq!(server.terminate().0, Some(0));
    let bytes = fs::read(&database).unwrap();
    let mut seen = 0;
    // The first byte of a page tells what kind of page it is. Pages that nothing uses any more may have any.
    for page in (2..bytes.len() / 4096).step_by(bytes.len() / 4096 / 12) {
        let mut damaged = bytes.clone();
        damaged[page * 4096] ^= 0xff;
        fs::write(&database, &damaged).unwrap();
        let told = run(["doctor", "--data", text(&scratch.data())]);
        assert!(matches!(told.code, Some(0 | 4)), "page {page}: {told:?}");
        if told.code == Some(4) {
            assert!(told.out.contains("damage integrity"), "page {page}: {told:?}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} of 12 pages");

    // A page of contacts with fewer rows than before: SQLite reads it without an error.
    let mut damaged = bytes.clone();
    let rows = whole.iter().find_map(|contact| leaf_with(&bytes, contact)).unwrap() + 4;
    damaged[rows] = damaged[rows].checked_sub(1).expect("there is a row");
    fs::write(&database, &damaged).unwrap();
    let told = run(["serve", "--listen", "127.0.0.1:0", "--data", text(&scratch.data())]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("main.db is damaged, see docs/backup.md"), "{told:?}");

    // With the look at the pages left out it is served, and something is missing: so the look is what keeps it.
    let mut blind = pergola();
    blind.env("PERGOLATEST_BROKEN_RULES", "pages");
    blind.args(["serve", "--listen", "127.0.0.1:0", "--data", text(&scratch.data())]);
    let served = Server::start(blind, &scratch.data(), "token ").all("contacts");
    assert_eq!(served.len(), whole.len() - 1);
}

/// Where the page begins that has a contact's row, if that is a page of rows only.
fn leaf_with(bytes: &[u8], contact: &serde_json::Value) -> Option<usize> {
    let id = contact["id"].as_str().unwrap().replace('-', "");
    let id: Vec<u8> = (0..16).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).unwrap()).collect();
    let name = contact["name"].as_str().unwrap().as_bytes();
    // In its row the id comes first, in an index the name.
    let is_row = |place: &usize| bytes[place + 16..place + 64].windows(name.len()).any(|part| part == name);
    let mut places = (0..bytes.len() - 64).filter(|place| bytes[*place..].starts_with(&id));
    let page = places.find(is_row)? / 4096 * 4096;
    // SQLite's mark of such a page.
    (bytes[page] == 0x0a).then_some(page)
}

#[test]
fn a_damaged_component_is_not_run_and_a_damaged_compiled_one_is_made_anew() {
    let scratch = demo().copy();
    let file = |folder: &str, end: &str| {
        let files = fs::read_dir(scratch.data().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.to_str().unwrap().ends_with(end)).min().unwrap()
    };
    let flip = |path: &std::path::Path| {
        let whole = fs::read(path).unwrap();
        let mut bytes = whole.clone();
        bytes[whole.len() / 2] ^= 4;
        fs::write(path, bytes).unwrap();
        whole
    };
    drop(Server::serve(&scratch.data()));
    let compiled = file("cache", ".cwasm");
    let whole = flip(&compiled);
    let server = Server::serve(&scratch.data());
    assert!(server.log().contains("a compiled plugin was changed on disk; compiling it again"), "{}", server.log());
    assert_eq!(server.get("/p/booking/services").status, 200);
    assert!(fs::read(&compiled).unwrap() == whole, "it is as it was");
    drop(server);

    let component = file("plugins", ".wasm");
    flip(&component);
    let told = run(["serve", "--listen", "127.0.0.1:0", "--data", text(&scratch.data())]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("is damaged: it is not what was installed as plugin"), "{told:?}");
}

#[test]
fn a_damaged_or_lost_component_is_named_with_its_plugin() {
    let scratch = demo().copy();
    let component = fs::read_dir(scratch.data().join("plugins")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&component).unwrap();
    bytes[500] ^= 1;
    fs::write(&component, bytes).unwrap();
    for _ in 0..2 {
        let told = run(["doctor", "--json", "--data", text(&scratch.data())]);
        assert_eq!(told.code, Some(4), "{told:?}");
        let found: serde_json::Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!((&found["well"], &found["findings"][0]["check"]), (&json!(false), &json!("component")), "{found}");
        assert!(found["findings"][0]["places"][0].as_str().unwrap().contains(text(&component)), "{found}");
        if component.exists() {
            fs::remove_file(&component).unwrap();
        }
    }
}

#[test]
fn on_a_server_rows_indexes_and_components_are_looked_at_too() {
    let cluster = pergola_cluster::Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
    let (scratch, url) = (Scratch::new(), cluster.new_url());
    let doctor = || run(["doctor", "--data", text(&scratch.data()), "--database", &url]);
    let told = doctor().refusal(scratch.path());
    assert!(told.contains("there is no workspace in schema"), "{told}");
    assert_eq!(Server::demo(&scratch.data(), &["--database", &url]).terminate().0, Some(0));
    let told = doctor();
    assert_eq!((told.code, told.out.as_str()), (Some(0), "all is well\n"), "{told:?}");
    for entry in fs::read_dir(scratch.data().join("plugins")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let told = doctor();
    assert_eq!(told.code, Some(4), "{told:?}");
    assert!(told.out.starts_with("damage component: 2 components"), "{told:?}");
}

#[test]
fn there_must_be_a_workspace() {
    let scratch = Scratch::new();
    let told = run(["doctor", "--data", text(&scratch.data())]).refusal(scratch.path());
    assert!(told.contains("there is no workspace main in DIR/data"), "{told}");
}
