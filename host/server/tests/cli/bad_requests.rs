//! Requests that make no sense, over a real connection: what a client's author gets to read.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::support::{Answer, Scratch, Server, encoded};

/// Method, path and headers.
type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// `status code: detail`, and the fields and the place in the text if they are told; checks what all problems have in common.
fn problem(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_owned();
    assert_eq!(body["status"], answer.status, "{answer:?}");
    assert_eq!(text("type"), format!("urn:pergola:problem:{}", text("code")));
    assert_eq!(Some(text("request_id").as_str()), answer.header("x-request-id"));
    assert!(!text("title").is_empty());
    let mut told = format!("{} {}: {}", answer.status, text("code"), text("detail"));
    for error in body["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer:?}"));
        write!(told, "\n  {} {}: {}", part("field"), part("code"), part("message")).unwrap();
    }
    if let (Json::Number(line), Json::Number(column)) = (&body["line"], &body["column"]) {
        write!(told, "\n  line {line}, column {column}").unwrap();
    }
    told
}

/// The problems of several requests, each after its request.
fn problems(requests: impl IntoIterator<Item = (String, Answer)>) -> String {
    requests.into_iter().fold(String::new(), |mut told, (request, answer)| {
        writeln!(told, "{request}\n  {}", problem(&answer).replace('\n', "\n  ")).unwrap();
        told
    })
}

fn serve() -> (Scratch, Server) {
    let scratch = Scratch::new();
    let server = Server::serve(&scratch.data());
    (scratch, server)
}

#[test]
fn a_bad_list_request_says_what_and_where() {
    let (_scratch, server) = serve();
    let queries = [
        ("filter", "nmae == 'Anna'"),
        ("filter", "name == 'Anna"),
        ("filter", "name == "),
        ("filter", "name == 5"),
        ("filter", "name.matches('.*')"),
        ("filter", &"(".repeat(5_000)),
        ("sort", "-nmae"),
        ("limit", "501"),
        ("limit", "ten"),
        ("after", "not-a-cursor"),
        ("count", "yes"),
        ("filtre", "true"),
    ];
    let asked = queries.map(|(name, value)| {
        let shown: String = value.chars().take(40).collect();
        (format!("{name}={shown}"), server.get(&format!("/api/v1/contacts?{name}={}", encoded(value))))
    });
    insta::assert_snapshot!(problems(asked), @r#"
    filter=nmae == 'Anna'
      400 bad_filter: contact has no field nmae (did you mean name?); there are: name, phone, email, birthday, gender, organization, address, source, language, tags, notes, id, version, created_at, updated_at, now (at character 1)
    filter=name == 'Anna
      400 bad_filter: the text that starts here has no closing ' on its line (at character 9)
    filter=name == 
      400 bad_filter: the expression ends too early: something must follow here (at character 9)
    filter=name == 5
      400 bad_filter: text and integer cannot be compared; write the text in quotes (at character 9)
    filter=name.matches('.*')
      400 bad_filter: there is no .matches(); there are: a.startsWith(b), a.endsWith(b), a.contains(b), a.size(), a.getFullYear(), a.getMonth(), a.getDate(), a.getDayOfWeek(), a.getHours(), a.getMinutes(), and of records exists, count, sum, min, max (at character 6)
    filter=((((((((((((((((((((((((((((((((((((((((
      400 bad_filter: the expression is longer than 4096 bytes (at character 4097)
    sort=-nmae
      400 bad_sort: contact has no field "nmae" to sort by. Did you mean "name"?
    limit=501
      400 bad_limit: limit is a whole number from 1 to 500, not "501"
    limit=ten
      400 bad_limit: limit is a whole number from 1 to 500, not "ten"
    after=not-a-cursor
      400 bad_cursor: this is not a cursor; pass back `next` of the page before, unchanged
    count=yes
      400 bad_parameter: count is true or false, not "yes"
    filtre=true
      400 unknown_parameter: there is no parameter "filtre" here; known are filter, sort, limit, after, count. Did you mean "filter"?
    "#);
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let (_scratch, server) = serve();
    for name in ["Anna", "Boris", "Clara"] {
        assert_eq!(server.post("/api/v1/contacts", &serde_json::json!({ "name": name })).status, 201);
    }
    let page = server.get("/api/v1/contacts?limit=1&sort=name").json();
    let after = encoded(page["next"].as_str().unwrap());
    let second = server.get(&format!("/api/v1/contacts?limit=1&sort=name&after={after}")).json();
    assert_eq!(second["items"][0]["name"], "Boris");
    let other = server.get(&format!("/api/v1/contacts?limit=1&sort=-created_at&after={after}"));
    insta::assert_snapshot!(problem(&other), @r#"400 bad_cursor: the cursor belongs to the order "name", but the query has "-created_at"; keep the order, or start at the first page"#);
}

#[test]
fn a_bad_body_says_what_and_where() {
    let (_scratch, server) = serve();
    let bearer = format!("Bearer {}", server.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let bodies = [
        "",
        "{\"name\": \"Anna\",\n \"phone\": }",
        "[1, 2]",
        "{}",
        "{\"name\": \"Anna\", \"phnoe\": \"1\"}",
        "{\"name\": 5, \"phone\": \"abc\", \"birthday\": \"31.02.1990\", \"email\": \"anna\"}",
    ];
    let asked = bodies.map(|body| {
        let answer = server.send("POST", "/api/v1/contacts", &headers, body.as_bytes()).unwrap();
        (body.replace('\n', " "), answer)
    });
    insta::assert_snapshot!(problems(asked), @r#"
      400 bad_json: the body is empty: send JSON
        line 1, column 0
    {"name": "Anna",  "phone": }
      400 bad_json: this is not the JSON that is expected: expected value at line 2 column 11
        line 2, column 11
    [1, 2]
      400 bad_json: this is not the JSON that is expected: invalid type: sequence, expected a map at line 1 column 0
        line 1, column 0
    {}
      422 invalid: name: a value is needed
        name required: a value is needed
    {"name": "Anna", "phnoe": "1"}
      422 invalid: phnoe: contact has no field of this name. Did you mean "phone"?
        phnoe unknown_field: contact has no field of this name. Did you mean "phone"?
    {"name": 5, "phone": "abc", "birthday": "31.02.1990", "email": "anna"}
      422 invalid: name: expected text, found a number; birthday: "31.02.1990" is not a date; write it like "2026-03-31"
        name wrong_type: expected text, found a number
        birthday not_a_date: "31.02.1990" is not a date; write it like "2026-03-31"
    "#);
    let text = server.send("POST", "/api/v1/contacts", &headers[..1], b"name=Anna").unwrap();
    insta::assert_snapshot!(problem(&text), @"415 unsupported_media_type: send JSON, with the header Content-Type: application/json");
    let deep = format!("{{\"name\":{}", "[".repeat(100_000));
    let answer = server.send("POST", "/api/v1/contacts", &headers, deep.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("bad_json")), "{answer:?}");
    assert_eq!(server.count("contacts", ""), 0);
}

#[test]
fn strangers_and_strange_places_are_told_apart() {
    let (_scratch, server) = serve();
    let bearer = format!("Bearer {}", server.token);
    let known = [("Authorization", bearer.as_str())];
    let requests: [Request<'_>; 9] = [
        ("GET", "/api/v1/contacts", &[]),
        ("GET", "/api/v1/contacts", &[("Authorization", "Bearer pgl_wrong")]),
        ("GET", "/api/v1/contacts", &[("Authorization", "Basic b3duZXI6MTIz")]),
        ("GET", "/api/v1/contatcs", &known),
        ("GET", "/api/v1/contacts/1", &known),
        ("GET", "/api/v1/contacts/01a2004a-020a-7348-95e3-cff3ee25bf2c", &known),
        ("GET", "/wp-login.php", &[]),
        ("PUT", "/api/v1/contacts", &known),
        ("GET", "/api/v1/session", &[]),
    ];
    let asked = requests
        .map(|(method, path, headers)| (format!("{method} {path}"), server.send(method, path, headers, b"").unwrap()));
    for (_, answer) in asked.iter().filter(|(_, answer)| answer.status == 405) {
        assert!(answer.header("allow").is_some(), "{answer:?}");
    }
    for (_, answer) in asked.iter().filter(|(_, answer)| answer.status == 401) {
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
    }
    insta::assert_snapshot!(problems(asked), @r#"
    GET /api/v1/contacts
      401 unauthenticated: this needs a token: send it as "Authorization: Bearer TOKEN"; POST /api/v1/session gives one
    GET /api/v1/contacts
      401 bad_token: this token is not known, or has ended; POST /api/v1/session gives a new one
    GET /api/v1/contacts
      401 unauthenticated: the Authorization header is not of the form "Bearer TOKEN"
    GET /api/v1/contatcs
      404 not_found: there is nothing at /api/v1/contatcs; /api/v1/openapi.json lists all that there is. Did you mean "contacts"?
    GET /api/v1/contacts/1
      404 not_found: there is no contact "1"; an id is a UUID
    GET /api/v1/contacts/01a2004a-020a-7348-95e3-cff3ee25bf2c
      404 not_found: there is no contact 01a2004a-020a-7348-95e3-cff3ee25bf2c; it may have been deleted
    GET /wp-login.php
      404 not_found: there is nothing at this path; /api/v1/openapi.json lists all that there is
    PUT /api/v1/contacts
      405 method_not_allowed: this method is not for this path; use one of GET, HEAD, POST, OPTIONS
    GET /api/v1/session
      405 method_not_allowed: this method is not for this path
    "#);
    let wrong = serde_json::json!({"email": "owner@demo.test", "password": "guess"});
    insta::assert_snapshot!(problem(&server.post("/api/v1/session", &wrong)), @"401 bad_credentials: the e-mail address or the password is wrong");
}

#[test]
fn too_large_a_body_is_refused_before_it_is_read() {
    let (_scratch, server) = serve();
    let mut body = b"{\"name\": \"".to_vec();
    body.resize(11 << 20, b'a');
    let bearer = format!("Bearer {}", server.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let answer = server.send("POST", "/api/v1/contacts", &headers, &body).unwrap();
    insta::assert_snapshot!(problem(&answer), @"413 too_large: the body is larger than 10485760 bytes: send less at once");
    assert_eq!(server.get("/api/v1/contacts").status, 200);
}

#[test]
fn what_is_not_http_ends_a_connection_and_nothing_else() {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
        time::Duration,
    };
    let (_scratch, server) = serve();
    let address = server.said[0].strip_prefix("ready http://").unwrap();
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A reset is as good an end as a 400.
        drop(stream.read_to_end(&mut answer));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(server.get("/api/v1/contacts").status, 200);
}
