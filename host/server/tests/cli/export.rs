//! `pergola export`: what goes out comes back as it was, and what cannot go out leaves no file.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};

use crate::support::{Scratch, Told, demo, run, text};

fn export(data: &Path, object: &str, out: &Path, more: &[&str]) -> Told {
    run(["export", object, "--data", text(data), "--out", text(out)].iter().chain(more))
}

fn import(data: &Path, file: &Path, more: &[&str]) -> [u64; 5] {
    let told = run(["import", text(file), "--json", "--data", text(data)].iter().chain(more));
    let summary = told.json();
    assert_eq!(summary["report"], Json::Null, "{}", fs::read_to_string(summary["report"].as_str().unwrap()).unwrap());
    ["rows", "created", "updated", "merged", "refused"].map(|name| summary[name].as_u64().unwrap())
}

/// All records, without what is new with every workspace.
fn lines(data: &Path, object: &str) -> Vec<Json> {
    let told = export(data, object, Path::new("-"), &["--format", "jsonl"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let parse = |line: &str| {
        let mut json: Json = serde_json::from_str(line).unwrap();
        let record = json.as_object_mut().unwrap();
        ["version", "created_at", "updated_at"].iter().for_each(|key| drop(record.remove(*key)));
        json
    };
    told.out.lines().map(parse).collect()
}

const COMPANIES: &str = "Name;Phone;Website\nAcme;+74951234567;https://acme.example\n\"=HYPERLINK(\"\"x\"\")\";;\n";

const PEOPLE: &str = "Name;Phone;E-mail;Birthday;Gender;Company;Tags;Notes\n\
    Анна Ким;+79123456789;anna@x.ru;1990-02-01;female;Acme;vip,new;\"tea\ncoffee; \"\"black\"\"\"\n\
    '=1+1;+358401234567;;1850-12-31;;\"=HYPERLINK(\"\"x\"\")\";;'@sum\n\
    Bob \"the\" Builder, Jr;;bob@x.ru;;other;;;00123\n";

#[test]
fn tables_come_back_as_the_same_records_in_an_empty_workspace() {
    let scratch = Scratch::new();
    let first = scratch.path().join("first");
    import(&first, &scratch.file("companies.csv", COMPANIES), &["--object", "organization"]);
    assert_eq!(import(&first, &scratch.file("people.csv", PEOPLE), &[]), [3, 3, 0, 0, 0]);
    for (number, format) in ["csv", "xlsx"].into_iter().enumerate() {
        let again = scratch.path().join(format!("again-{number}"));
        for object in ["organization", "contact"] {
            let file = scratch.path().join(format!("{object}-{number}.{format}"));
            assert_eq!(export(&first, object, &file, &["--format", format]).code, Some(0));
            // Known by its id: a record that is new here keeps it.
            import(&again, &file, &["--object", object, "--match", "id"]);
            assert_eq!(lines(&again, object), lines(&first, object), "{format} of {object}");
        }
    }
    let csv = fs::read_to_string(scratch.path().join("contact-0.csv")).unwrap();
    assert!(csv.contains(",'+79123456789,") && csv.contains("'=1+1"), "{csv}");
}

#[test]
fn titles_find_referred_records_where_ids_are_others() {
    let scratch = Scratch::new();
    let (first, other) = (scratch.path().join("first"), scratch.path().join("other"));
    let companies = scratch.file("companies.csv", COMPANIES);
    for data in [&first, &other] {
        import(data, &companies, &["--object", "organization"]);
    }
    import(&first, &scratch.file("people.csv", PEOPLE), &[]);
    let file = scratch.path().join("people-out.csv");
    export(&first, "contact", &file, &["--format", "csv", "--labels", "ru", "--separator", ";", "--bom"]);
    assert_eq!(import(&other, &file, &[]), [3, 3, 0, 0, 0]);
    let company = |data: &Path| {
        let companies = lines(data, "organization");
        let anna = lines(data, "contact").into_iter().find(|one| one["name"] == "Анна Ким").unwrap();
        let company = companies.iter().find(|one| one["id"] == anna["organization"]).unwrap();
        company["name"].clone()
    };
    assert_eq!((company(&first), company(&other)), (json!("Acme"), json!("Acme")));
}

#[test]
fn the_demos_records_and_its_plugins_fields_differ_in_nothing_when_they_come_back() {
    let scratch = demo().copy();
    for format in ["csv", "xlsx"] {
        for object in ["contact", "booking.appointment", "booking.service", "booking.resource"] {
            let file = scratch.path().join(format!("{object}.{format}"));
            let told = export(&scratch.data(), object, &file, &["--format", format]);
            assert_eq!(told.code, Some(0), "{told:?}");
            let more = ["--object", object, "--match", "id", "--on-match", "overwrite", "--dry-run"];
            let [rows, created, updated, merged, refused] = import(&scratch.data(), &file, &more);
            assert_eq!([created, updated, refused], [0, 0, 0], "{object} as {format}");
            assert!(rows > 0 && rows == merged);
        }
    }
}

#[test]
fn what_cannot_be_exported_is_told_and_leaves_what_was_there() {
    let scratch = Scratch::new();
    let data = scratch.data();
    import(&data, &scratch.file("people.csv", PEOPLE), &[]);
    let out = scratch.file("out.csv", "mine");
    let complain = |object: &str, more: &[&str]| export(&data, object, &out, more).refusal(scratch.path());
    let complaints = [
        complain("contact", &["--format", "csv"]),
        complain("contatc", &["--format", "csv", "--force"]),
        complain("contact", &["--format", "csv", "--force", "--fields", "name,nmae"]),
        complain("contact", &["--format", "csv", "--force", "--filter", "nmae == 'x'"]),
        complain("task", &["--format", "vcard", "--force"]),
    ];
    insta::assert_snapshot!(complaints.join("\n"), @r#"
    pergola: DIR/out.csv is there already; give another --out, or --force to replace it
    pergola: there is no object "contatc". Did you mean "contact"? There are: contact, organization, pipeline, stage, deal, task, activity, message, contact_point, link
    pergola: contact has no field "nmae". Did you mean "name"? There are: id, version, created_at, updated_at, name, phone, email, birthday, gender, organization, address, source, language, tags, notes
    pergola: contact has no field nmae (did you mean name?); there are: name, phone, email, birthday, gender, organization, address, source, language, tags, notes, id, version, created_at, updated_at, now (at character 1)
    pergola: only contacts and organizations have cards, not task; take csv, xlsx or jsonl
    "#);
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
    assert_eq!(export(&data, "contact", &out, &["--format", "csv", "--force", "--fields", "name"]).code, Some(0));
    assert!(fs::read_to_string(&out).unwrap().starts_with("name\r\nАнна Ким\r\n"));
}
