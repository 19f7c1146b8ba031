//! What becomes of records that are known: by what, and whether a row replaces what they hold.

use pergola_model::{Fields, Value};
use rust_xlsxwriter::Workbook;

use super::{fake::text, *};
use crate::import::OnMatch;

fn anna() -> Fields {
    let tags = Value::Tags(vec!["vip".to_owned()]);
    Fields::new().with("name", "Анна К.").with("phone", "+79123456789").with("notes", "tea").with("tags", tags)
}

fn by(matches: &[&str], on_match: OnMatch) -> ImportOptions {
    let matches = matches.iter().map(|key| (*key).to_owned()).collect();
    ImportOptions { matches, on_match, ..options() }
}

async fn import_by(base: &Fake, file: &str, options: &ImportOptions) -> ImportSummary {
    import(base, bytes("clients.csv", file), options).await.unwrap()
}

const CORRECTED: &str = "Name,Phone,E-mail,Notes,Tags\nАнна Ким,89123456789,anna@x.ru,coffee,new\n";

#[tokio::test]
async fn a_corrected_list_replaces_values_and_a_dry_run_shows_them() {
    let base = Fake::new().with("contact", anna());
    let overwrite = by(&["phone"], OnMatch::Overwrite);
    let dry = ImportOptions { dry_run: true, ..overwrite.clone() };
    let foreseen = import_by(&base, CORRECTED, &dry).await;
    assert_eq!((counts(&foreseen), base.contact("Анна К.")), ([0, 1, 0, 0], anna()));
    let [difference] = foreseen.differences.as_slice() else { panic!("{foreseen:?}") };
    let expected = [
        "email: nothing → \"anna@x.ru\"",
        "name: \"Анна К.\" → \"Анна Ким\"",
        "notes: \"tea\" → \"coffee\"",
        "tags: \"[\"vip\"]\" → \"[\"new\"]\"",
    ];
    assert_eq!((difference.row, difference.changes.as_slice()), (2, expected.map(str::to_owned).as_slice()));

    let done = import_by(&base, CORRECTED, &overwrite).await;
    assert_eq!((counts(&done), done.problems, done.differences), ([0, 1, 0, 0], vec![], vec![]));
    let now = base.contact("Анна Ким");
    assert_eq!((now.get("notes"), now.get("email")), (&text("coffee"), &text("anna@x.ru")));
    assert_eq!(counts(&import_by(&base, CORRECTED, &overwrite).await), [0, 0, 1, 0]);
}

#[tokio::test]
async fn an_empty_cell_and_a_surplus_value_overwrite_nothing() {
    let base = Fake::new().with("contact", anna());
    let file = "Name,Phone,Phone 2,Tags\nАнна Ким,89123456789,89123456780,\n";
    let done = import_by(&base, file, &by(&["phone"], OnMatch::Overwrite)).await;
    assert_eq!(counts(&done), [0, 1, 0, 0], "{done:?}");
    let now = base.contact("Анна Ким");
    assert_eq!(*now.get("notes"), text("tea\nPhone 2: 89123456780"));
    assert_eq!(*now.get("tags"), Value::Tags(vec!["vip".to_owned()]));
}

#[tokio::test]
async fn known_records_can_be_passed_over() {
    let base = Fake::new().with("contact", anna());
    let file = "Name,Phone,E-mail\nАнна Ким,89123456789,a@x.ru\nVera,89123456780,\nVera K,89123456780,v@x.ru\n";
    let done = import_by(&base, file, &by(&[], OnMatch::Skip)).await;
    assert_eq!((counts(&done), done.problems), ([1, 0, 2, 0], vec![]));
    assert_eq!((base.contact("Анна К."), base.contacts().len()), (anna(), 2));
    assert!(base.contact("Vera").get("email").is_null());
}

#[tokio::test]
async fn a_value_of_several_records_does_not_say_which_to_overwrite() {
    let base = Fake::new().with("contact", anna()).with("contact", anna().with("name", "Her mother"));
    let done = import_by(&base, CORRECTED, &by(&["phone"], OnMatch::Overwrite)).await;
    assert_eq!(counts(&done), [0, 0, 0, 1]);
    let expected = "several contacts have the phone +79123456789; say which is meant with --match id";
    assert_eq!(done.problems[0].message, expected);
    // Filling what is empty is harmless: the oldest one is meant.
    assert_eq!(counts(&import_by(&base, CORRECTED, &by(&["phone"], OnMatch::Fill)).await), [0, 1, 0, 0]);
}

#[tokio::test]
async fn records_are_known_by_their_ids_and_new_ones_keep_theirs() {
    let base = Fake::new().with("contact", anna());
    let (known, new) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-0000000000ff");
    let file = format!("id,Name,Phone\n{known},Анна Ким,\n{new},Vera,89123456789\nwhat,Olga,\n");
    let by_id = by(&["id"], OnMatch::Overwrite);
    let done = import_by(&base, &file, &by_id).await;
    assert_eq!(counts(&done), [1, 1, 0, 1], "{done:?}");
    assert_eq!(done.problems[0].message, "id: \"what\" is not the id of a record");
    assert_eq!(*base.contact("Анна Ким").get("phone"), text("+79123456789"));
    let again = import_by(&base, &file, &by_id).await;
    assert_eq!(counts(&again), [0, 0, 2, 1], "{again:?}");

    let error = import(&base, bytes("a.csv", "Name\nAnna\n"), &by_id).await.unwrap_err();
    assert_eq!(error.to_string(), "records are to be known by their id, but no column is headed \"id\"");
    let error = import(&base, bytes("a.csv", CORRECTED), &by(&["notes"], OnMatch::Fill)).await.unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("records of contact cannot be known by \"notes\"."), "{told}");
    assert!(told.ends_with(": id, name, phone, email, organization, source"), "{told}");
}

#[tokio::test]
async fn a_referred_record_is_found_by_the_chosen_field_or_its_id() {
    let acme = Fields::new().with("name", "Acme").with("phone", "+74951234567");
    let base = Fake::new().with("organization", acme.clone()).with("organization", acme.with("name", "Acme 2"));
    let chosen = |by: &str| ImportOptions { refs: vec![("firm".to_owned(), by.to_owned())], ..options() };
    let with_map = |by: &str| ImportOptions { map: vec![("Firm".to_owned(), "organization".to_owned())], ..chosen(by) };
    let done = import_by(&base, "Name,Firm\nAnna,8 495 123-45-67\n", &with_map("organization.phone")).await;
    assert_eq!(counts(&done), [1, 0, 0, 0], "{done:?}");
    let first = base.contact("Anna").get("organization").as_ref_id().unwrap();

    // The id counts where a record has it, else the title beside it.
    let file =
        format!("Name,organization,organization.id\nVera,Acme 2,{first}\nOlga,Acme,{}\n", uuid::Uuid::from_u128(9));
    assert_eq!(counts(&import_by(&base, &file, &options()).await), [2, 0, 0, 0]);
    assert_eq!(base.contact("Vera").get("organization").as_ref_id(), Some(first));
    assert_eq!(base.contact("Olga").get("organization").as_ref_id(), Some(first));

    for (by, told) in [
        ("organisation.phone", "\"organisation.phone\" is not a field of an object; write it like organization.name"),
        ("organization.notes", "no record can be found by \"organization.notes\", because it is long_text"),
    ] {
        let error = import(&base, bytes("a.csv", "Name,Firm\nAnna,x\n"), &chosen(by)).await.unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

#[tokio::test]
async fn a_sheet_is_taken_by_its_name_or_number() {
    let mut book = Workbook::new();
    for (name, client) in [("Старые", "Anna"), ("Новые", "Vera")] {
        let sheet = book.add_worksheet().set_name(name).unwrap();
        sheet.write(0, 0, "Name").unwrap();
        sheet.write(1, 0, client).unwrap();
    }
    let file = book.save_to_buffer().unwrap();
    let of = |sheet: &str| ImportOptions { sheet: Some(sheet.to_owned()), ..options() };
    for sheet in ["новые", "2"] {
        let base = Fake::new();
        let done = import(&base, bytes("a.xlsx", file.clone()), &of(sheet)).await.unwrap();
        assert_eq!((counts(&done), done.notices), ([1, 0, 0, 0], Vec::<String>::new()));
        base.contact("Vera");
    }
    let error = import(&Fake::new(), bytes("a.xlsx", file), &of("3")).await.unwrap_err();
    assert_eq!(error.to_string(), "a.xlsx: there is no sheet \"3\"; there are: Старые, Новые");
    let error = import(&Fake::new(), bytes("a.csv", "Name\nAnna\n"), &of("1")).await.unwrap_err();
    assert_eq!(error.to_string(), "a.csv: the file is text, which has no sheets; leave --sheet out");
}
