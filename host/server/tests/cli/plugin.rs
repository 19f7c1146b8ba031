//! `pergola plugin …` without building anything, and the help of every command.

use std::fs;

use crate::support::{Scratch, pergola, run, text, told};

const MANIFEST: &str = "plugin.toml";

#[test]
fn a_new_plugin_passes_its_check() {
    let scratch = Scratch::new();
    let dir = scratch.path().join("loyalty");
    let made = run(["plugin", "new", text(&dir)]);
    assert_eq!((made.code, made.out), (Some(0), format!("created {}\n", dir.display())), "{}", made.err);
    assert!(made.err.contains("next: pergola plugin build"), "{}", made.err);
    let checked = run(["plugin", "check", text(&dir)]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.out.contains("loyalty"), "{}", checked.out);
    assert!(checked.err.contains("not built yet"), "{}", checked.err);
}

#[test]
fn a_new_plugin_does_not_overwrite_what_is_there() {
    let scratch = Scratch::new();
    scratch.file("mine.txt", "precious");
    let told = run(["plugin", "new", text(scratch.path()), "--id", "loyalty"]);
    insta::assert_snapshot!(told.refusal(scratch.path()), @"pergola: DIR exists and is not empty; choose another folder");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn a_bad_id_is_refused_with_what_an_id_is() {
    let scratch = Scratch::new();
    let dir = scratch.path().join("new");
    let told: String = ["Loyalty Points", "core", "1st", "match"]
        .map(|id| run(["plugin", "new", text(&dir), "--id", id]).refusal(scratch.path()) + "\n")
        .concat();
    insta::assert_snapshot!(told, @r"
    pergola: `Loyalty Points` cannot be a plugin's id; take lower case letters, digits and `_`, a letter first, at most 48: `tattoo_studio`
    pergola: `core` is taken by Rust or by Pergola; choose another id
    pergola: `1st` cannot be a plugin's id; take lower case letters, digits and `_`, a letter first, at most 48: `tattoo_studio`
    pergola: `match` is taken by Rust or by Pergola; choose another id
    ");
    assert!(!dir.exists());
}

#[test]
fn a_malformed_manifest_is_refused_with_line_field_and_mend() {
    let scratch = Scratch::new();
    let dir = scratch.path().join("loyalty");
    assert_eq!(run(["plugin", "new", text(&dir)]).code, Some(0));
    let good = fs::read_to_string(dir.join(MANIFEST)).unwrap();
    let changes = [
        ("type = \"text\"", "tpye = \"text\""),
        ("type = \"text\"", "type = \"txet\""),
        ("api = \"0.1\"", "api = \"9.9\""),
        ("id = \"loyalty\"", "id = \"Loyalty\""),
        ("on = \"contact\"", "on = \"contcat\""),
        ("[extend.contact]", "[extend.contact"),
        ("[capabilities]", "[capabilties]"),
        ("version = \"0.1.0\"\n", ""),
    ];
    let told: String = changes
        .map(|(from, to)| {
            assert!(good.contains(from), "{from}");
            fs::write(dir.join(MANIFEST), good.replacen(from, to, 1)).unwrap();
            format!("{}\n{}\n", to.trim(), run(["plugin", "check", text(&dir)]).refusal(scratch.path()))
        })
        .concat();
    insta::assert_snapshot!(told, @r#"
    tpye = "text"
    pergola: DIR/loyalty/plugin.toml:16:21: extend.contact.fields.greeting: unknown field "tpye"; did you mean "type"?
    type = "txet"
    pergola: DIR/loyalty/plugin.toml:16:28: extend.contact.fields.greeting.type: there is no type "txet"; the types are text, long_text, integer, decimal, money, bool, date, datetime, duration, choice, phone, email, url, json, ref, tags; did you mean "text"?
    api = "9.9"
    pergola: DIR/loyalty/plugin.toml:6:7: api: the plugin works with version ^9.9 of the plugin contract, but this host speaks 0.1.0; build the plugin against 0.1 and write api = "0.1", or use a host that speaks ^9.9
    id = "Loyalty"
    pergola: DIR/loyalty/plugin.toml:4:6: id: "Loyalty" is not a name: use lower-case letters, digits and _, a letter first, at most 48
    on = "contcat"
    pergola: DIR/loyalty/plugin.toml:20:6: hook[0].on: there is no object contcat; did you mean "contact"?
    [extend.contact
    pergola: DIR/loyalty/plugin.toml:15:16: unclosed table, expected `]`
    [capabilties]
    pergola: DIR/loyalty/plugin.toml:11:2: unknown field "capabilties"; did you mean "capabilities"?

    pergola: DIR/loyalty/plugin.toml:1:1: missing field "version"; add version = "0.1.0"
    "#);
    // Nothing is compiled for such a manifest.
    let built = run(["plugin", "build", text(&dir)]).refusal(scratch.path());
    assert!(told.ends_with(&format!("{built}\n")), "{built}");
    assert!(!dir.join("target").exists());
}

#[test]
fn a_folder_without_a_manifest_is_told() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let commands: [&[&str]; 3] = [
        &["plugin", "check", text(scratch.path())],
        &["plugin", "build", text(scratch.path())],
        &["plugin", "install", text(scratch.path()), "--data", text(&data)],
    ];
    for command in commands {
        let refusal = run(command).refusal(scratch.path());
        assert!(refusal.starts_with("pergola: DIR/plugin.toml: "), "{refusal}");
        assert!(refusal.ends_with("a plugin's folder has a plugin.toml"), "{refusal}");
    }
}

#[test]
fn a_new_workspace_has_no_plugins() {
    let scratch = Scratch::new();
    let told = run(["plugin", "list", "--data", text(&scratch.data())]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), ""), "{told:?}");
}

#[test]
fn the_help_of_every_command_tells_its_options() {
    let commands: [(&[&str], &[&str]); 19] = [
        (
            &[],
            &[
                "demo",
                "serve",
                "import",
                "backup",
                "restore",
                "purge",
                "doctor",
                "plugin",
                "Exit codes",
                "  3  ",
                "  4  ",
            ],
        ),
        (&["demo"], &["--data", "--workspace", "--listen", "--reset", "./pergola-data"]),
        (&["serve"], &["--data", "--workspace", "--listen"]),
        (&["workspace"], &["create", "list", "hosts", "suspend", "resume", "export", "delete"]),
        (&["workspace", "create"], &["<NAME>", "--host", "--data", "Examples"]),
        (&["workspace", "list"], &["--data", "--json"]),
        (&["workspace", "delete"], &["<NAME>", "--data", "--yes", "--without-backup"]),
        (
            &["import"],
            &[
                "--data",
                "--workspace",
                "--object",
                "--region",
                "--map",
                "--dry-run",
                "--report",
                "--json",
                "Examples",
                "<FILE>",
            ],
        ),
        (&["backup"], &["--data", "--workspace", "--out"]),
        (&["restore"], &["--data", "--workspace", "--in-place", "<FILE>", "Examples"]),
        (&["purge"], &["--data", "--workspace", "--dry-run", "--json", "<ID>", "Examples"]),
        (&["compact"], &["--data", "--workspace"]),
        (&["doctor"], &["--data", "--workspace", "--fix", "--json"]),
        (&["plugin"], &["new", "build", "check", "install", "list"]),
        (&["plugin", "new"], &["<DIR>", "--id", "--sdk"]),
        (&["plugin", "build"], &["[DIR]"]),
        (&["plugin", "check"], &["[DIR]"]),
        (&["plugin", "install"], &["<DIR>", "--data", "--workspace", "--dry-run"]),
        (&["plugin", "list"], &["--data", "--workspace"]),
    ];
    for (command, wanted) in commands {
        let told = run(command.iter().chain(&["--help"]));
        assert_eq!(told.code, Some(0), "{told:?}");
        for word in wanted {
            assert!(told.out.contains(word), "{command:?} does not tell of {word}:\n{}", told.out);
        }
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let commands: [&[&str]; 6] = [
        &["serv"],
        &["serve", "--port", "80"],
        &["serve", "--listen", "localhost"],
        &["import"],
        &["import", "a.csv", "--map", "name"],
        &["plugin", "install"],
    ];
    for command in commands {
        let told = run(command);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{told:?}");
        assert!(told.err.contains("error:"), "{}", told.err);
    }
}

#[test]
fn a_bad_workspace_or_configuration_is_exit_code_3() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let named = run(["plugin", "list", "--data", text(&data), "--workspace", "../other"]);
    insta::assert_snapshot!(named.refusal(scratch.path()), @r#"pergola: --workspace: "../other" is not a name: use lower-case letters, digits and _, a letter first, at most 48"#);
    assert!(!data.exists());
    let files = [
        "[server]\nlisten = \"here\"",
        "[server]\nlsiten = \"127.0.0.1:1\"",
        "[locale]\nzone = \"Mars/Base\"",
        "[messages]\nsink = \"smtp\"",
        "[log]\nlevel = \"loud=loud\"",
    ];
    let complaints = files.map(|file| {
        drop(fs::remove_dir_all(&data));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("pergola.toml"), file).unwrap();
        let told = run(["serve", "--listen", "127.0.0.1:0", "--data", text(&data)]);
        let made = data.join("workspaces/main.db").exists();
        assert!(!made || !file.contains("zone"), "a workspace was made with a zone that nobody wanted");
        format!("{}\n  {}\n", file.replace('\n', " "), told.refusal(scratch.path()))
    });
    insta::assert_snapshot!(complaints.concat(), @r#"
    [server] listen = "here"
      pergola: DIR/data/pergola.toml or a PERGOLA_… variable: invalid socket address syntax for key `server.listen`
    [server] lsiten = "127.0.0.1:1"
      pergola: DIR/data/pergola.toml or a PERGOLA_… variable: unknown field `lsiten`, expected one of `listen`, `workspaces_open_max`, `workspace_idle_seconds` for key `server`
    [locale] zone = "Mars/Base"
      pergola: locale.zone: failed to find time zone `Mars/Base` in time zone database; give an IANA name such as Europe/Helsinki
    [messages] sink = "smtp"
      pergola: messages.sink is smtp, but there is no [messages.smtp]; add host and from there
    [log] level = "loud=loud"
      pergola: log.level "loud=loud": error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
    "#);
    fs::remove_dir_all(&data).unwrap();
    let variable = told(pergola().args(["plugin", "list", "--data", text(&data)]).env("PERGOLA_LOG__LEVLE", "info"));
    insta::assert_snapshot!(variable.refusal(scratch.path()), @"pergola: DIR/data/pergola.toml or a PERGOLA_… variable: unknown field `levle`, expected `level` or `format` for key `log`");
}
