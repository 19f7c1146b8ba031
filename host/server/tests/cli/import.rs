//! `pergola import` as an owner runs it: the usual files, the report, and files that are none.

use std::{fs, path::Path};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Value as Json, json};

use crate::support::{Scratch, Server, Told, demo, run, text};

/// Rows of the largest file here, as large as the client base of a chain.
const MANY: usize = 20_000;

/// Imports with `--json`.
fn import(scratch: &Scratch, file: &Path, more: &[&str]) -> Told {
    let data = scratch.data();
    run(["import", text(file), "--json", "--data", text(&data)].iter().chain(more))
}

/// The five numbers of a summary, after a look at its shape.
fn numbers(told: &Told) -> [u64; 5] {
    let summary = told.json();
    assert!(summary["report"].is_null() || summary["report"].is_string(), "{summary}");
    ["rows", "created", "updated", "merged", "refused"].map(|name| summary[name].as_u64().unwrap())
}

/// Russian text as old programs write it.
fn windows_1251(text: &str) -> Vec<u8> {
    text.chars()
        .map(|char| match char {
            'А'..='я' => u8::try_from(u32::from(char) - u32::from('А')).unwrap() + 0xC0,
            'ё' => 0xB8,
            'Ё' => 0xA8,
            _ => u8::try_from(char).unwrap(),
        })
        .collect()
}

const CLIENTS: &str = "ФИО;Телефон;Дата рождения;Комментарий\r\n\
    Анна Королёва;8 (912) 345-67-89;01.02.1990;любит кофе\r\n\
    Борис Ёлкин;+7 913 000-11-22;;\r\n\
    Вера Орлова;89140001122;15.07.85;\"позвонить; не писать\"\r\n";

#[test]
fn a_russian_file_of_an_old_program_is_taken_and_a_second_time_creates_nothing() {
    let scratch = Scratch::new();
    let file = scratch.file("клиенты.csv", windows_1251(CLIENTS));
    let tried = import(&scratch, &file, &["--dry-run"]);
    assert_eq!((numbers(&tried), &tried.json()["report"]), ([3, 3, 0, 0, 0], &Json::Null));
    assert_eq!(numbers(&import(&scratch, &file, &[])), [3, 3, 0, 0, 0], "the dry run has changed something");
    assert_eq!(numbers(&import(&scratch, &file, &[])), [3, 0, 0, 3, 0]);
    let server = Server::serve(&scratch.data());
    let mut rows: Vec<String> = server
        .all("contacts")
        .iter()
        .map(|contact| ["name", "phone", "birthday", "notes"].map(|key| contact[key].to_string()).join(" "))
        .collect();
    rows.sort();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    "Анна Королёва" "+79123456789" "1990-02-01" "любит кофе"
    "Борис Ёлкин" "+79130001122" null null
    "Вера Орлова" "+79140001122" "1985-07-15" "позвонить; не писать"
    "#);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 3, "the file, the data and the server's log");
}

#[test]
fn a_workbook_with_numbers_and_dates_as_excel_keeps_them_is_taken() {
    let scratch = Scratch::new();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, heading) in (0..).zip(["Name", "Phone", "E-mail", "Birthday"]) {
        sheet.write(0, column, heading).unwrap();
    }
    sheet.write(1, 0, "Anna Petrova").unwrap();
    sheet.write(1, 1, 89_123_456_789_i64).unwrap();
    sheet.write(1, 2, "Anna@Example.com").unwrap();
    let date = Format::new().set_num_format("dd.mm.yyyy");
    sheet.write_with_format(1, 3, ExcelDateTime::from_ymd(1990, 2, 1).unwrap(), &date).unwrap();
    sheet.write(2, 0, "Anna P.").unwrap();
    sheet.write(2, 1, "+7 (912) 345 67 89").unwrap();
    let file = scratch.path().join("clients.xlsx");
    book.save(&file).unwrap();
    assert_eq!(numbers(&import(&scratch, &file, &[])), [2, 1, 0, 1, 0]);
    let server = Server::serve(&scratch.data());
    let contact = server.get("/api/v1/contacts").json()["items"][0].clone();
    let values = ["name", "phone", "email", "birthday"].map(|key| contact[key].clone());
    assert_eq!(json!(values), json!(["Anna Petrova", "+79123456789", "anna@example.com", "1990-02-01"]));
}

#[test]
fn a_file_is_taken_while_a_server_runs_and_the_salons_fields_with_it() {
    let scratch = demo().copy();
    let server = Server::serve(&scratch.data());
    // The first client of the demo, and somebody new.
    let file =
        scratch.file("new.csv", "Имя,Телефон,Аллергии\nAnybody,+79161000000,latex\nНовая Клиентка,+358401234567,\n");
    assert_eq!(numbers(&import(&scratch, &file, &[])), [2, 1, 1, 0, 0]);
    assert_eq!(server.count("contacts", ""), 2_001);
    assert_eq!(server.count("contacts", "phone == '+358401234567' && name == 'Новая Клиентка'"), 1);
    assert_eq!(server.count("contacts", "phone == '+79161000000' && salon.allergies.contains('latex')"), 1);
    assert_eq!(server.post("/api/v1/contacts", &json!({"name": "After"})).status, 201);
}

#[test]
fn rows_that_were_refused_are_mended_in_the_report_and_imported_again() {
    let scratch = Scratch::new();
    let file = scratch.file(
        "clients.csv",
        "Name;Phone;Birthday\nAnna;+79123456789;1990-02-01\nBoris;12;\nClara;;31.02.1990\n;;\nDmitry;;\n",
    );
    let first = import(&scratch, &file, &[]);
    assert_eq!(numbers(&first), [4, 2, 0, 0, 2]);
    let report = scratch.path().join("clients.refused.csv");
    assert_eq!(first.json()["report"], text(&report));
    let told = fs::read_to_string(&report).unwrap();
    insta::assert_snapshot!(told.trim_start_matches('\u{feff}'), @r#"
    Row;Problem;Name;Phone;Birthday
    3;"Phone: ""12"" is not a possible phone number; write it like +79123456789";Boris;12;
    4;"Birthday: ""31.02.1990"" is not a date; write it like 31.12.1990 or 1990-12-31";Clara;;31.02.1990
    "#);
    fs::write(&report, told.replace(";12;", ";+79123456780;").replace("31.02.1990", "28.02.1990")).unwrap();
    assert_eq!(numbers(&import(&scratch, &report, &[])), [2, 2, 0, 0, 0]);
}

#[test]
fn a_report_goes_where_it_is_wanted() {
    let scratch = Scratch::new();
    let file = scratch.file("clients.csv", "Name,Phone\nBoris,12\n");
    let wanted = scratch.path().join("wrong.csv");
    let told = import(&scratch, &file, &["--report", text(&wanted)]);
    assert_eq!((numbers(&told), &told.json()["report"]), ([1, 0, 0, 0, 1], &json!(text(&wanted))));
    assert!(wanted.exists() && !scratch.path().join("clients.refused.csv").exists());
}

#[test]
fn headings_that_nobody_could_guess_are_named() {
    let scratch = Scratch::new();
    let file = scratch.file("odd.csv", "Who,How,What\nAnna,+79123456789,secret\n");
    let unnamed = import(&scratch, &file, &[]);
    insta::assert_snapshot!(unnamed.refusal(scratch.path()), @r#"
    importing DIR/odd.csv …
    pergola: no column is the name of a contact, which every contact needs; say which one is: --map "heading=name". The headings are: Who, How, What
    "#);
    let map = ["--map", "Who=name", "--map", "How=phone", "--map", "What=-"];
    assert_eq!(numbers(&import(&scratch, &file, &map)), [1, 1, 0, 0, 0]);
    let complaints =
        ["Who=nmae", "Whom=name"].map(|pair| import(&scratch, &file, &["--map", pair]).refusal(scratch.path()));
    insta::assert_snapshot!(complaints.join("\n"), @r#"
    importing DIR/odd.csv …
    pergola: there is no field "nmae". Did you mean "name"? There are: name, phone, email, birthday, gender, organization, address, source, language, tags, notes
    importing DIR/odd.csv …
    pergola: there is no heading "Whom". Did you mean "Who"? There are: Who, How, What
    "#);
}

#[test]
fn an_object_or_a_region_that_does_not_exist_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.file("clients.csv", "Name\nAnna\n");
    let options = [["--object", "contatc"], ["--object", "No Such"], ["--region", "Finland"]];
    let complaints = options.map(|more| import(&scratch, &file, &more).refusal(scratch.path()));
    insta::assert_snapshot!(complaints.join("\n"), @r#"
    importing DIR/clients.csv …
    pergola: there is no object "contatc". Did you mean "contact"? There are: contact, organization, pipeline, stage, deal, task, activity, message, contact_point, link
    pergola: --object: "No Such" is not a name: use lower-case letters, digits and _, a letter first, at most 48
    importing DIR/clients.csv …
    pergola: "Finland" is not a region; use the two letters of a country, such as FI
    "#);
}

#[test]
fn a_file_that_is_no_table_is_refused_by_its_name_with_the_mend() {
    let scratch = Scratch::new();
    let noise: Vec<u8> = (0..4_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files: [(&str, Option<&[u8]>); 9] = [
        ("missing.csv", None),
        ("empty.csv", Some(b"")),
        ("blank.csv", Some(b"\n\n  \n")),
        ("headings.csv", Some(b"Name,Phone\n")),
        ("noise.xlsx", Some(&noise)),
        ("noise.csv", Some(&noise)),
        ("torn.xlsx", Some(b"PK\x03\x04 and then nothing")),
        ("page.xls", Some(b"<html><body><table><tr><td>Name</td></tr></table></body></html>")),
        ("letter.pdf", Some(b"%PDF-1.7 dear client")),
    ];
    let complaints = files.map(|(name, bytes)| {
        let path = scratch.path().join(name);
        bytes.inspect(|bytes| fs::write(&path, bytes).unwrap());
        let refusal = import(&scratch, &path, &[]).refusal(scratch.path());
        assert!(refusal.contains(name), "{refusal}");
        refusal
    });
    insta::assert_snapshot!(complaints.join("\n"), @r"
    pergola: DIR/missing.csv: the file cannot be read: No such file or directory (os error 2); is its name right?
    importing DIR/empty.csv …
    pergola: empty.csv: the file is empty; choose one with a row of headings and rows below it
    importing DIR/blank.csv …
    pergola: blank.csv: the file is empty; choose one with a row of headings and rows below it
    importing DIR/headings.csv …
    pergola: headings.csv: the file has headings but no rows below them; is this the right sheet?
    importing DIR/noise.xlsx …
    pergola: noise.xlsx: the file is damaged or not a spreadsheet (it does not begin as .xlsx files do); open it in a spreadsheet program and save it as .xlsx
    importing DIR/noise.csv …
    pergola: noise.csv: the file is neither text nor a known spreadsheet format, not a spreadsheet; save it as .xlsx or .csv
    importing DIR/torn.xlsx …
    pergola: torn.xlsx: the file is damaged or not a spreadsheet (invalid Zip archive: Could not find EOCD); open it in a spreadsheet program and save it as .xlsx
    importing DIR/page.xls …
    pergola: page.xls: the file is a web page, not a spreadsheet; save it as .xlsx or .csv
    importing DIR/letter.pdf …
    pergola: letter.pdf: the file is a PDF, not a spreadsheet; save it as .xlsx or .csv
    ");
    let folder = import(&scratch, scratch.path(), &[]);
    assert_eq!(folder.code, Some(3), "{folder:?}");
}

#[test]
fn a_misspelt_file_name_makes_no_data_directory() {
    let scratch = Scratch::new();
    let told = import(&scratch, &scratch.path().join("clinets.csv"), &[]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(!scratch.data().exists());
}

#[test]
fn thousands_of_rows_are_taken_and_repetitions_merged() {
    let scratch = Scratch::new();
    let mut rows = "Name;Phone;E-mail\n".to_owned();
    for number in 0..MANY {
        rows += &format!("Client {number};8 912 {number:07};client{number}@example.com\n");
    }
    rows += "Client 0 once more;+7 912 000-00-00;\n";
    let file = scratch.file("many.csv", rows);
    let told = import(&scratch, &file, &[]);
    let many = u64::try_from(MANY).unwrap();
    assert_eq!(numbers(&told), [many + 1, many, 0, 1, 0]);
    assert!(told.err.contains(&format!("{} of {}", MANY + 1, MANY + 1)), "{}", told.err);
    let server = Server::serve(&scratch.data());
    assert_eq!(server.count("contacts", "email.endsWith('@example.com')"), many);
}

#[test]
fn without_json_the_summary_is_for_people() {
    let scratch = Scratch::new();
    let file = scratch.file("clients.csv", "Name,Phone,Shoe size\nAnna,+79123456789,38\nBoris,12,\n");
    let data = scratch.data();
    let told = run(["import", text(&file), "--data", text(&data)]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let batch = told.out.lines().find_map(|line| line.split_once("import undo ")).map(|(_, id)| id).unwrap();
    insta::assert_snapshot!(told.out.replace(text(scratch.path()), "DIR").replace(batch, "ID"), @r#"
      Name → name
      Phone → phone
      Shoe size → not imported; name a field with --map 'Shoe size=…'
    2 rows: 1 created, 0 updated, 0 merged, 1 refused
      row 3 refused: Phone: "12" is not a possible phone number; write it like +79123456789
    to take it back: pergola import undo ID
    the rows and the reasons are in DIR/clients.refused.csv; mend them there and import that file
    "#);
}
