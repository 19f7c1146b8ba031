//! The doctor on files: pages, components, exit codes.

use std::fs;

use serde_json::json;

use crate::support::{Scratch, Server, demo, run, text};

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

    // A page of contacts: what is served is either all of them as they were, or no success.
    let name = whole[whole.len() / 2]["name"].as_str().unwrap().as_bytes();
    let position = bytes.windows(name.len()).position(|window| window == name).unwrap();
    let mut damaged = bytes.clone();
    damaged[position / 4096 * 4096] ^= 0xff;
    fs::write(&database, &damaged).unwrap();
    let server = Server::serve(&scratch.data());
    let answer = server.get("/api/v1/contacts?limit=500");
    if answer.status == 200 {
        assert_eq!(answer.json()["items"].as_array().unwrap()[..], whole[..500.min(whole.len())]);
    } else {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (500, Some("internal")), "{answer:?}");
    }
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
fn there_must_be_a_workspace() {
    let scratch = Scratch::new();
    let told = run(["doctor", "--data", text(&scratch.data())]).refusal(scratch.path());
    assert!(told.contains("there is no workspace main in DIR/data"), "{told}");
}
