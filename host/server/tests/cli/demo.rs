//! `pergola demo`: what a newcomer sees, and what a second start and `--reset` do.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value as Json, json};

use crate::support::{Process, Scratch, Server, demo, pergola, run, text};

#[test]
fn the_first_start_says_where_it_is_and_how_to_get_in() {
    let demo = demo();
    let lines: Vec<&str> = demo.said.iter().map(String::as_str).collect();
    let beginning = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    let url = lines[0].strip_prefix("ready ").unwrap();
    let port = url.strip_prefix("http://127.0.0.1:").unwrap();
    assert!(port.parse::<u16>().is_ok(), "{url}");
    assert_eq!(lines[1], format!("token {}", demo.token));
    assert!(!demo.token.contains(' '), "{}", demo.token);
    assert_eq!(lines[2], "login owner@demo.test password pergola-demo");
    assert_eq!([beginning("ready "), beginning("token "), beginning("login "), beginning("  curl ")], [1, 1, 1, 5]);
    assert!(lines.iter().filter(|line| line.starts_with("  curl ")).all(|line| line.contains(url)), "{lines:?}");
}

#[test]
fn a_signal_to_terminate_ends_the_demo_with_exit_code_0() {
    let (code, took) = demo().ended;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn the_demo_is_a_believable_salon_that_can_be_booked() {
    let scratch = demo().copy();
    let server = Server::serve(&scratch.data());
    let counts = ["booking/resources", "booking/services", "contacts"].map(|plural| server.count(plural, ""));
    assert_eq!(counts, [6, 20, 2_000]);
    assert!(server.count("booking/appointments", "") > 500);
    assert!(server.count("booking/appointments", "status == 'done'") > 300);
    assert!(server.count("booking/appointments", "status == 'booked' && starts_at > now") > 100);
    assert_eq!(server.count("contacts", "phone == null"), 0);

    let curl = demo().said.iter().find(|line| line.contains("/p/booking/book")).unwrap();
    let order: Json = serde_json::from_str(curl.split('\'').rev().nth(1).unwrap()).unwrap();
    let booked = server.post("/p/booking/book", &order);
    assert_eq!(booked.status, 201, "{booked:?}");
    let again = server.post("/p/booking/book", &order);
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("slot_taken")), "{again:?}");
    assert!(!again.json()["alternatives"].as_array().unwrap().is_empty(), "{again:?}");
}

#[test]
fn the_login_of_the_demo_gives_a_token_and_the_document_names_the_packs() {
    let scratch = demo().copy();
    let server = Server::serve(&scratch.data());
    let credentials = json!({"email": "owner@demo.test", "password": "pergola-demo"});
    let session = server.send(
        "POST",
        "/api/v1/session",
        &[("Content-Type", "application/json")],
        credentials.to_string().as_bytes(),
    );
    let session = session.unwrap();
    assert_eq!((session.status, &session.json()["role"]), (201, &json!("owner")), "{session:?}");
    let bearer = format!("Bearer {}", session.json()["token"].as_str().unwrap());
    let contacts = server.send("GET", "/api/v1/contacts?limit=1", &[("Authorization", &bearer)], b"").unwrap();
    assert_eq!(contacts.status, 200, "{contacts:?}");

    let document = server.send("GET", "/api/v1/openapi.json", &[], b"").unwrap();
    assert_eq!((document.status, document.header("content-type")), (200, Some("application/json")));
    let document = document.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    for path in ["/api/v1/contacts", "/api/v1/booking/appointments", "/api/v1/salon/ratings", "/p/booking/book"] {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
}

#[test]
fn a_second_start_keeps_the_data_and_fills_nothing_in() {
    let scratch = demo().copy();
    let server = Server::demo(&scratch.data(), &[]);
    assert_eq!(server.token, demo().token);
    assert_eq!(server.count("contacts", ""), 2_000);
    let created = server.post("/api/v1/contacts", &json!({"name": "Newcomer"}));
    assert_eq!(created.status, 201, "{created:?}");
    assert!(!server.log().contains("adding"), "{}", server.log());
    assert!(!server.log().contains("installed"), "{}", server.log());
    assert_eq!(server.terminate().0, Some(0));
    let server = Server::serve(&scratch.data());
    assert_eq!((server.count("contacts", ""), server.count("contacts", "name == 'Newcomer'")), (2_001, 1));
}

#[test]
fn reset_starts_anew() {
    // The shared demo was started with it, on a directory that had a file in it.
    assert!(!demo().has("left-by-an-earlier-run"));
}

#[test]
fn a_demo_that_was_cut_off_half_filled_is_not_filled_twice() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let mut filling = pergola();
    filling.args(["demo", "--listen", "127.0.0.1:0", "--data", text(&data)]).stderr(Stdio::piped());
    let mut filling = Process(filling.stdout(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(filling.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.into_iter().any(|line| line.starts_with("adding clients: ")));
    drop(filling);
    let refusal = run(["demo", "--data", text(&data)]).refusal(scratch.path());
    let last = refusal.lines().last().unwrap();
    insta::assert_snapshot!(last, @"pergola: cannot fill the demo salon: filling it was cut off the last time; start anew with --reset");
}

#[test]
fn reset_does_not_touch_a_directory_that_is_not_ours() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.data()).unwrap();
    fs::write(scratch.data().join("thesis.txt"), "four years").unwrap();
    let told = run(["demo", "--reset", "--data", text(&scratch.data())]);
    insta::assert_snapshot!(told.refusal(scratch.path()), @"pergola: DIR/data is not a Pergola data directory (it has no workspaces folder); it was not touched");
    assert_eq!(fs::read_dir(scratch.data()).unwrap().count(), 1);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let scratch = Scratch::new();
    let server = Server::serve(&scratch.data());
    let data = scratch.data();
    let data = text(&data);
    let serve_main = ["serve", "--workspace", "main", "--data", data];
    let commands: [(&[&str], &str); 4] = [
        (&["serve", "--data", data], "DIR/data"),
        (&serve_main, "workspace main of DIR/data"),
        (&["demo", "--data", data], "workspace main of DIR/data"),
        (&["demo", "--reset", "--data", data], "DIR/data"),
    ];
    for (command, what) in commands {
        let wanted = format!("pergola: another server runs on {what}; stop it first, or give another --data");
        assert_eq!(run(command).refusal(scratch.path()), wanted, "{command:?}");
    }
    assert_eq!(server.get("/api/v1/contacts").status, 200);
}

#[test]
fn an_address_that_is_taken_is_told() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let server = Server::serve(&scratch.data());
    let address = server.said[0].strip_prefix("ready http://").unwrap();
    let told = run(["serve", "--listen", address, "--data", text(&other.data())]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{told:?}");
    assert!(told.err.contains(&format!("cannot listen on {address}")), "{}", told.err);
    assert!(told.err.contains("give another --listen"), "{}", told.err);
}
