//! Upgrades that rename, retype and drop what is stored: as declared, all or nothing, beside writers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use insta::assert_snapshot;
use pergola_model::{Change, ChangeKind};
use pergola_service::{ports::bin::BinQuery, workspace::Package};
use pergola_testkit::TestHost;
use serde_json::{Value as Json, json};

use crate::{rules::code, told};

const BEFORE: &str = r#"
[object.room]
fields.name = { type = "text" }
[object.visit]
fields.note = { type = "text", indexed = true }
fields.code = { type = "text", unique = true }
fields.size = { type = "text" }
fields.price = { type = "money" }
fields.room = { type = "ref", to = "lab.room" }
fields.old_room = { type = "ref", to = "lab.room" }
fields.number = { type = "integer", sequence = { start = 7 } }
[object.log]
fields.visit = { type = "ref", to = "lab.visit" }
fields.before = { type = "ref", to = "lab.log" }
[extend.contact]
fields.card = { type = "integer", indexed = true }
"#;

const AFTER: &str = r#"
[object.room]
fields.name = { type = "text" }
[object.visit]
fields.comment = { type = "long_text" }
fields.key = { type = "text", unique = true }
fields.note = { type = "decimal", indexed = true }
fields.price = { type = "text" }
fields.place = { type = "ref", to = "lab.room" }
fields.serial = { type = "integer", sequence = { start = 7 } }
[extend.contact]
fields.number = { type = "text", indexed = true }
"#;

const STEPS: [(&str, &str); 11] = [
    ("1.1.0", "rename = { object = \"visit\", from = \"note\", to = \"remark\" }"),
    ("1.1.0", "rename = { object = \"visit\", from = \"code\", to = \"key\" }"),
    ("1.2.0", "rename = { object = \"visit\", from = \"remark\", to = \"comment\" }"),
    ("1.2.0", "rename = { object = \"visit\", from = \"size\", to = \"note\" }"),
    ("1.2.0", "retype = { object = \"visit\", field = \"note\", on_error = \"null\" }"),
    ("1.2.0", "retype = { object = \"visit\", field = \"price\" }"),
    ("1.2.0", "drop = { object = \"visit\", field = \"old_room\" }"),
    ("1.2.0", "rename = { object = \"visit\", from = \"room\", to = \"place\" }"),
    ("1.2.0", "rename = { object = \"visit\", from = \"number\", to = \"serial\" }"),
    ("1.2.0", "drop = { object = \"log\" }"),
    ("1.2.0", "rename = { object = \"contact\", from = \"card\", to = \"number\" }"),
];

fn manifest(version: &str, objects: &str, steps: &[(&str, &str)]) -> String {
    let steps: String =
        steps.iter().map(|(version, step)| format!("[[change]]\nversion = \"{version}\"\n{step}\n")).collect();
    format!("id = \"lab\"\nversion = \"{version}\"\napi = \"0.1\"\n{objects}{steps}")
}

fn after() -> String {
    let retype = ("1.2.0", "retype = { object = \"contact\", field = \"number\" }");
    manifest("1.2.0", AFTER, &[STEPS.as_slice(), &[retype]].concat())
}

async fn lab() -> TestHost {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    host.install_manifest(&manifest("1.0.0", BEFORE, &[])).await.unwrap();
    host
}

fn package(text: &str) -> Package {
    let manifest = Arc::new(toml::from_str(text).unwrap());
    Package { manifest, manifest_text: text.to_owned(), digest: String::new() }
}

/// What a dry run says of the data.
async fn plan(host: &TestHost, text: &str) -> String {
    let report = host.workspace.plan_install(&package(text)).await.unwrap();
    report.changes.iter().map(|change| change.line()).collect::<Vec<_>>().join("\n")
}

async fn fill(host: &TestHost) -> Vec<Json> {
    let room = host.create("lab.room", &json!({"name": "A"})).await.unwrap()["id"].clone();
    let mut visits = Vec::new();
    for (number, size) in ["12", "1.5", "big", ""].iter().enumerate() {
        let visit = json!({
            "note": format!("note {number}"), "code": number.to_string(), "size": size,
            "price": {"amount_minor": 1250, "currency": "EUR"}, "room": room, "old_room": room,
        });
        visits.push(host.create("lab.visit", &visit).await.unwrap());
    }
    let first = host.create("lab.log", &json!({"visit": visits[0]["id"]})).await.unwrap();
    host.create("lab.log", &json!({"before": first["id"]})).await.unwrap();
    host.create("contact", &json!({"name": "Masha", "lab": {"card": 42}})).await.unwrap();
    visits
}

#[tokio::test]
async fn stored_values_go_where_the_new_version_says() {
    let host = lab().await;
    let visits = fill(&host).await;
    let told_before = plan(&host, &after()).await;
    let big = visits[2]["id"].as_str().unwrap();
    assert_snapshot!(told_before.replace(big, "ID"), @r#"
    drop old_room of lab.visit: 4 are lost
    make price of lab.visit text: 4 values, nothing is lost
    rename code of lab.visit to key: 4 values, nothing is lost
    rename note of lab.visit to comment: 4 values, nothing is lost
    make size of lab.visit decimal: 1 of 3 values do not fit and are lost, such as "big" (ID)
    rename room of lab.visit to place: 4 values, nothing is lost
    rename number of lab.visit to serial: 4 values, nothing is lost
    make lab.card of contact text: 1 values, nothing is lost
    drop lab.log: 2 are lost
    "#);
    assert_eq!(host.list("lab.visit", "size == '12'").await.unwrap().len(), 1, "a dry run changes nothing");

    host.install_manifest(&after()).await.unwrap();
    let now = host.list("lab.visit", "").await.unwrap();
    let values: Vec<String> = now
        .iter()
        .map(|one| format!("{} {} {} {} {}", one["comment"], one["key"], one["note"], one["price"], one["serial"]))
        .collect();
    assert_snapshot!(values.join("\n"), @r#"
    "note 0" "0" "12.00" "12.50 EUR" 7
    "note 1" "1" "1.50" "12.50 EUR" 8
    "note 2" "2" null "12.50 EUR" 9
    "note 3" "3" null "12.50 EUR" 10
    "#);
    assert!(now.iter().all(|one| one["place"] == visits[0]["room"] && one.get("old_room").is_none()), "{now:?}");
    assert_eq!(now[0]["version"], 1, "an upgrade is no write");
    assert_eq!(host.list("lab.visit", "note > 5").await.unwrap().len(), 1);
    assert_eq!(host.list("contact", "lab.number == '42'").await.unwrap().len(), 1);

    // Rules, references and numbers go on under the new names.
    let twin = host.create("lab.visit", &json!({"key": "1"})).await;
    assert_eq!(told(twin), r#"taken ["key"]: another lab.visit has the same key"#);
    assert_eq!(host.create("lab.visit", &json!({"key": "x"})).await.unwrap()["serial"], 11);
    let ghost = json!({"place": "01890000-0000-7000-8000-000000000000"});
    assert_eq!(code(&host.create("lab.visit", &ghost).await), "invalid");
    assert_eq!(code(&host.delete("lab.room", &visits[0]["room"]).await), "in_use");
    assert_eq!(host.workspace.examine(false).await.unwrap(), []);
    assert_eq!(code(&host.create("lab.log", &json!({})).await), "not_found");

    // Steps apply once; what was dropped may come back, empty.
    let again = format!(
        "{}\n[object.log]\nfields.line = {{ type = \"text\" }}",
        after().replace("version = \"1.2.0\"\napi", "version = \"1.3.0\"\napi")
    );
    host.install_manifest(&again).await.unwrap();
    assert_eq!(host.list("lab.log", "").await.unwrap().len(), 0);
    assert_eq!(host.list("lab.visit", "").await.unwrap().len(), 5);
    host.workspace.compact().await.unwrap();
    assert_eq!(host.workspace.examine(false).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_dropped_refers_to_nothing_any_more() {
    let host = lab().await;
    let visits = fill(&host).await;
    let drops = [
        ("1.1.0", "drop = { object = \"visit\", field = \"room\" }"),
        ("1.1.0", "drop = { object = \"visit\", field = \"old_room\" }"),
        ("1.1.0", "drop = { object = \"log\" }"),
    ];
    let objects = BEFORE.replace("fields.room =", "#").replace("fields.old_room =", "#");
    let objects = objects.split("[object.log]").next().unwrap();
    let objects = format!("{objects}[extend.contact]\nfields.card = {{ type = \"integer\", indexed = true }}\n");
    host.install_manifest(&manifest("1.1.0", &objects, &drops)).await.unwrap();
    host.delete("lab.room", &visits[0]["room"]).await.unwrap();
    host.delete("lab.visit", &visits[0]["id"]).await.unwrap();
    assert_eq!(host.list("lab.visit", "").await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_upgrade_that_does_not_say_what_becomes_of_data_is_refused() {
    let host = lab().await;
    fill(&host).await;
    let mute = BEFORE.replace("fields.note = { type = \"text\", indexed = true }\n", "");
    let refused = host.install_manifest(&manifest("1.1.0", &mute, &[])).await.unwrap_err().to_string();
    assert!(refused.contains("drop = { object = \"visit\", field = \"note\" }"), "{refused}");
    let typed = BEFORE.replace("fields.size = { type = \"text\" }", "fields.size = { type = \"integer\" }");
    let refused = host.install_manifest(&manifest("1.1.0", &typed, &[])).await.unwrap_err().to_string();
    assert!(refused.contains("retype = { object = \"visit\", field = \"size\" }"), "{refused}");
    assert_eq!(host.list("lab.visit", "note == 'note 1' && size == '1.5'").await.unwrap().len(), 1);
}

#[tokio::test]
async fn values_that_do_not_fit_refuse_the_upgrade_or_are_lost_as_declared() {
    let host = lab().await;
    let visits = fill(&host).await;
    let typed = BEFORE.replace("fields.size = { type = \"text\" }", "fields.size = { type = \"decimal\" }");
    let retype = ("1.1.0", "retype = { object = \"visit\", field = \"size\" }");
    let text = manifest("1.1.0", &typed, &[retype]);
    let refused = host.install_manifest(&text).await.unwrap_err().to_string();
    let big = visits[2]["id"].as_str().unwrap();
    assert_snapshot!(refused.replace(big, "ID"), @r#"make size of lab.visit decimal: 1 of 3 values do not fit, such as "big" (ID). Mend these values and install again, or write on_error = "null" in the change to lose them"#);
    host.update("lab.visit", &visits[2]["id"], &json!({"size": "3"})).await.unwrap();
    host.install_manifest(&text).await.unwrap();
    let sizes: Vec<Json> = host.list("lab.visit", "").await.unwrap().iter().map(|one| one["size"].clone()).collect();
    assert_eq!(sizes, [json!("12.00"), json!("1.50"), json!("3.00"), Json::Null]);
}

#[tokio::test]
async fn what_is_computed_of_converted_values_follows_and_prepared_statements_do_not_matter() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let with = |size: &str| {
        format!(
            "[object.box]\nfields.size = {{ type = \"{size}\" }}\n\
             fields.known = {{ type = \"bool\", formula = \"size != null\" }}\n\
             [object.shelf]\nfields.name = {{ type = \"text\" }}\n[extend.contact]\n\
             fields.boxes = {{ type = \"text\" }}\n"
        )
    };
    host.install_manifest(&manifest("1.0.0", &with("text"), &[])).await.unwrap();
    let mut boxes = Vec::new();
    for size in ["1", "big"] {
        let made = host.create("lab.box", &json!({"size": size})).await.unwrap();
        boxes.push(host.update("lab.box", &made["id"], &json!({"size": size.repeat(2)})).await.unwrap());
    }
    assert_eq!(host.list("lab.box", "known").await.unwrap().len(), 2);
    let retype = ("1.1.0", "retype = { object = \"box\", field = \"size\", on_error = \"null\" }");
    host.install_manifest(&manifest("1.1.0", &with("integer"), &[retype])).await.unwrap();
    let known = host.list("lab.box", "known").await.unwrap();
    assert_eq!(known.iter().map(|one| one["size"].clone()).collect::<Vec<_>>(), [json!(11)]);
    let changed = host.update("lab.box", &boxes[1]["id"], &json!({"size": 5})).await.unwrap();
    assert_eq!((changed["size"].clone(), changed["known"].clone()), (json!(5), json!(true)));
}

#[tokio::test]
async fn what_was_deleted_before_a_rename_is_restored_under_the_new_names() {
    let host = lab().await;
    let visits = fill(&host).await;
    host.delete("lab.visit", &visits[1]["id"]).await.unwrap();
    let objects = BEFORE.replace("fields.note =", "fields.comment =").replace("fields.old_room =", "#");
    let steps = [
        ("1.1.0", "rename = { object = \"visit\", from = \"note\", to = \"remark\" }"),
        ("1.2.0", "rename = { object = \"visit\", from = \"remark\", to = \"comment\" }"),
        ("1.2.0", "drop = { object = \"visit\", field = \"old_room\" }"),
    ];
    host.install_manifest(&manifest("1.2.0", &objects, &steps)).await.unwrap();
    let query = BinQuery { object: None, after: None, limit: 1 };
    let deletion = host.workspace.list_bin(&TestHost::owner(), &query).await.unwrap()[0].id;
    host.workspace.restore(&TestHost::owner(), deletion).await.unwrap();
    let back = host.list("lab.visit", "comment == 'note 1'").await.unwrap();
    assert_eq!((&back[0]["id"], &back[0]["room"]), (&visits[1]["id"], &visits[1]["room"]));
}

#[tokio::test]
async fn a_field_that_another_plugin_uses_stays() {
    let host = lab().await;
    let user = "id = \"user\"\nversion = \"1.0.0\"\napi = \"0.1\"\nrequires = { lab = \"1\" }\n[object.sum]\n\
                fields.room = { type = \"ref\", to = \"lab.room\" }\n[extend.\"lab.room\"]\n\
                fields.visits = { type = \"integer\", rollup = { of = \"lab.visit\", via = \"room\", count = true } }";
    host.install_manifest(user).await.unwrap();
    let renamed = BEFORE.replace("fields.room =", "fields.place =");
    let rename = ("1.1.0", "rename = { object = \"visit\", from = \"room\", to = \"place\" }");
    let refused = host.workspace.install(package(&manifest("1.1.0", &renamed, &[rename]))).await;
    let refused = told(refused);
    assert!(
        refused.contains("user: extend.\"lab.room\".fields.visits.rollup.via: lab.visit has no field room"),
        "{refused}"
    );
    host.create("lab.visit", &json!({"room": null})).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_that_fails_at_its_end_has_changed_nothing() {
    let host = lab().await;
    fill(&host).await;
    // Everything is renamed and converted when the rule turns out to be broken.
    let broken =
        AFTER.replace("fields.price = { type = \"text\" }", "fields.price = { type = \"text\", unique = true }");
    let retype = ("1.2.0", "retype = { object = \"contact\", field = \"number\" }");
    let text = manifest("1.2.0", &broken, &[STEPS.as_slice(), &[retype]].concat());
    let refused = host.install_manifest(&text).await.unwrap_err().to_string();
    assert!(refused.contains("cannot make price of lab.visit unique"), "{refused}");
    let visits = host.list("lab.visit", "note == 'note 1' && size == '1.5'").await.unwrap();
    assert_eq!(visits[0]["price"], json!({"amount_minor": 1250, "currency": "EUR"}));
    assert_eq!(host.workspace.examine(false).await.unwrap(), []);
    host.update("lab.visit", &visits[0]["id"], &json!({"size": "2"})).await.unwrap();
    host.install_manifest(&after()).await.unwrap();
    assert_eq!(host.list("lab.visit", "note == 2.0").await.unwrap().len(), 1, "what was begun before is not believed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_while_values_are_converted_and_none_of_theirs_is_missed() {
    const ROWS: usize = 10_000;
    let host = Arc::new(lab().await);
    let visit = |number: usize| json!({"code": number.to_string(), "size": number.to_string()});
    let mut ids = Vec::new();
    for batch in 0..ROWS / 1_000 {
        let change =
            |number| host.read_change(ChangeKind::Create, "lab.visit", None, &visit(batch * 1_000 + number)).unwrap();
        let changes: Vec<Change> = (0..1_000).map(change).collect();
        let made = host.workspace.apply(&TestHost::owner(), changes).await.unwrap();
        ids.extend(made.into_iter().map(|(_, record)| record.id));
    }
    let (is_over, writing) = (Arc::new(AtomicBool::new(false)), Arc::clone(&host));
    let over = Arc::clone(&is_over);
    let writer = tokio::spawn(async move {
        let (mut longest, mut written) = (Duration::ZERO, 0);
        for round in 0.. {
            let (id, began) = (ids[(round * 7_919) % ROWS], Instant::now());
            let size =
                if over.load(Ordering::Acquire) { break } else { json!({"size": (100_000 + round).to_string()}) };
            let done = writing.update("lab.visit", &json!(id.to_string()), &size).await;
            // The install may be through by now, and then a text is none any more.
            if done.is_err() {
                break;
            }
            (longest, written) = (longest.max(began.elapsed()), written + 1);
        }
        (longest, written)
    });
    let typed = BEFORE.replace("fields.size = { type = \"text\" }", "fields.size = { type = \"integer\" }");
    let retype = ("1.1.0", "retype = { object = \"visit\", field = \"size\" }");
    let began = Instant::now();
    host.install_manifest(&manifest("1.1.0", &typed, &[retype])).await.unwrap();
    let took = began.elapsed();
    is_over.store(true, Ordering::Release);
    let (longest, written) = writer.await.unwrap();
    println!("the upgrade took {took:?}; of {written} writes beside it the longest took {longest:?}");
    assert!(written > 10 && longest < took / 2, "{written} writes, the longest {longest:?} of {took:?}");
    let converted = host.list("lab.visit", "size >= 100000").await.unwrap().len();
    assert_eq!(converted, written.min(500), "every write beside it was converted");
    let left = host.workspace.count(&TestHost::owner(), &pergola_model::Query::of("lab.visit".parse().unwrap())).await;
    assert_eq!(left.unwrap(), ROWS as u64);
}
