//! What becomes of rows: created, updated, merged, refused.

use std::sync::atomic::Ordering;

use pergola_model::{Field, FieldType, Fields, Value};

use super::{fake::text, *};

#[tokio::test]
async fn a_row_becomes_a_contact_with_all_that_it_says() {
    let base = Fake::new();
    let summary = import_csv(
        &base,
        "Фамилия;Имя;Отчество;Телефон;Телефон 2;E-mail;Дата рождения;Пол;Город;Улица;Теги;Комментарий;Любимый мастер\n\
         Петрова;Анна;Ивановна;8 912 345-67-89;+7 495 123-45-67;ANNA@X.RU;31.12.90;ж;Пермь;Мира, 1;vip,новая;любит чай;Ольга\n",
    )
    .await;
    assert_eq!(counts(&summary), [1, 0, 0, 0], "{summary:?}");
    assert_eq!(summary.ignored, ["Любимый мастер"]);
    let anna = base.contact("Петрова Анна Ивановна");
    for (key, value) in [
        ("phone", text("+79123456789")),
        ("email", text("anna@x.ru")),
        ("birthday", Value::Date(jiff::civil::date(1990, 12, 31))),
        ("gender", text("female")),
        ("address", text("Пермь, Мира, 1")),
        ("tags", Value::Tags(vec!["vip".to_owned(), "новая".to_owned()])),
        ("notes", text("любит чай\nТелефон 2: +7 495 123-45-67")),
    ] {
        assert_eq!(*anna.get(key), value, "{key}");
    }
}

#[tokio::test]
async fn a_second_import_of_the_same_file_creates_nothing() {
    let file = "Name,Phone,E-mail,Notes,Tags\n\
        Anna,89123456789,anna@x.ru,tea,vip\n\
        Olga,,olga@x.ru,,\n\
        Nameless Friend,,,comes on Mondays,\n\
        Nameless Friend,,,another one,\n";
    let base = Fake::new();
    assert_eq!(counts(&import_csv(&base, file).await), [4, 0, 0, 0]);
    let before = base.contacts();
    assert_eq!(counts(&import_csv(&base, file).await), [0, 0, 4, 0]);
    assert_eq!(base.contacts(), before);
}

#[tokio::test]
async fn a_known_contact_is_filled_in_and_never_overwritten() {
    let known = Fields::new()
        .with("name", "Anna P.")
        .with("phone", "+79123456789")
        .with("notes", "tea")
        .with("tags", Value::Tags(vec!["vip".to_owned()]));
    let base = Fake::new().with("contact", known);
    let summary = import_csv(
        &base,
        "Name,Phone,E-mail,Notes,Tags\nАнна,8 912 345 67 89,anna@x.ru,coffee,\"vip,new\"\nAnna P.,+79123456789,,,\n",
    )
    .await;
    assert_eq!(counts(&summary), [0, 1, 1, 0], "{summary:?}");
    let anna = base.contact("Anna P.");
    assert_eq!(*anna.get("email"), text("anna@x.ru"));
    assert_eq!(*anna.get("notes"), text("tea\ncoffee"));
    assert_eq!(*anna.get("tags"), Value::Tags(vec!["vip".to_owned(), "new".to_owned()]));
    let [conflict] = summary.problems.as_slice() else { panic!("{summary:?}") };
    assert_eq!((conflict.row, conflict.refused), (2, false));
    assert!(conflict.message.contains("name stays \"Anna P.\", the file says \"Анна\""), "{}", conflict.message);
}

#[tokio::test]
async fn rows_of_one_person_become_one_contact_also_across_batches() {
    let base = Fake::new();
    let mut file = "Name;Phone;E-mail\nAnna;89123456789;\nAnna;+7 912 345-67-89;anna@x.ru\n".to_owned();
    (0..450).for_each(|number| file.push_str(&format!("Client {number};8912000{number:04};\n")));
    file.push_str("Anna;;ANNA@x.ru\nClient 3;89120000003;three@x.ru\n");
    let summary = import_csv(&base, &file).await;
    assert_eq!(counts(&summary), [451, 0, 3, 0]);
    assert_eq!(*base.contact("Anna").get("email"), text("anna@x.ru"));
    assert_eq!(*base.contact("Client 3").get("email"), text("three@x.ru"));
    assert_eq!(base.commits.load(Ordering::SeqCst), 3);
    // A dry run foresees the same.
    let dry = ImportOptions { dry_run: true, ..options() };
    let imagined = Fake::new();
    let foreseen = import(&imagined, bytes("clients.csv", file), &dry).await.unwrap();
    assert_eq!(counts(&foreseen), counts(&summary));
    assert_eq!(imagined.contacts(), []);
}

#[tokio::test]
async fn refused_rows_stop_nobody_and_come_back_mended() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("refused.csv");
    let with_report = ImportOptions { report: Some(report.clone()), ..options() };
    let base = Fake::new();
    let file = "Name;Phone;Notes\n\
        Anna;+79123456789;\n\
        ;+79123456780;no name\n\
        \n\
        Olga;call later;=cmd|' /C calc'!A0\n\
        blocked;;\n\
        blocked twice;+79123456781;\n\
        Same;+79123456781;with the blocked one\n";
    let summary = import(&base, bytes("clients.csv", file), &with_report).await.unwrap();
    assert_eq!(counts(&summary), [1, 0, 0, 5]);
    assert_eq!(summary.report.as_ref(), Some(&report));
    let rows: Vec<u64> = summary.problems.iter().map(|problem| problem.row).collect();
    // The blank line counts as a row of the sheet.
    assert_eq!(rows, [5, 3, 6, 7, 8]);
    let written = std::fs::read_to_string(&report).unwrap();
    assert!(written.starts_with("\u{feff}Row;Problem;Name;Phone;Notes\n"), "{written}");
    assert!(written.contains(";'+79123456780;no name\n"), "{written}");
    assert!(written.contains(";'=cmd|' /C calc'!A0\n"), "{written}");
    assert!(written.contains("this client is blocked;blocked;;\n"), "{written}");
    assert!(written.contains("repeats row 7, which was refused"), "{written}");

    let mended = written.replace(";;'+79123456780", ";Vera;'+79123456780").replace("call later", "89123456782");
    assert_ne!(mended, written);
    std::fs::write(&report, mended.replace("blocked;", "welcome;")).unwrap();
    let again = ImportOptions { report: Some(folder.path().join("again.csv")), ..options() };
    let summary = import(&base, Source::path(&report), &again).await.unwrap();
    assert_eq!(counts(&summary), [3, 0, 0, 2], "{summary:?}");
    assert_eq!(summary.ignored, Vec::<String>::new());
    assert_eq!(*base.contact("Vera").get("phone"), text("+79123456780"));
    assert_eq!(*base.contact("Olga").get("notes"), text("=cmd|' /C calc'!A0"));
    // Its own report is again without a second pair of columns.
    let written = std::fs::read_to_string(folder.path().join("again.csv")).unwrap();
    assert!(written.starts_with("\u{feff}Row;Problem;Name;Phone;Notes\n"), "{written}");
}

#[tokio::test]
async fn a_plugin_that_breaks_over_one_row_keeps_no_other_out() {
    let base = Fake::new();
    let summary = import_csv(&base, "Name\nAnna\ntrap\nOlga\n").await;
    assert_eq!(counts(&summary), [2, 0, 0, 1]);
    assert_eq!(summary.problems[0].row, 3);
    assert!(summary.problems[0].message.contains("salon"), "{:?}", summary.problems);
}

#[tokio::test(start_paused = true)]
async fn a_busy_workspace_is_waited_for_and_then_the_import_stops_with_its_place() {
    let base = Fake::new();
    base.busy.store(5, Ordering::SeqCst);
    assert_eq!(counts(&import_csv(&base, "Name\nAnna\n").await), [1, 0, 0, 0]);
    base.busy.store(1_000, Ordering::SeqCst);
    let error = import(&base, bytes("a.csv", "Name\nVera\n"), &options()).await.unwrap_err();
    assert!(matches!(error, ImportError::Stopped { row: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn the_company_is_found_by_name_and_else_goes_to_the_notes() {
    let base = Fake::new().with("organization", Fields::new().with("name", "Acme"));
    let summary = import_csv(&base, "Name,Company\nAnna,Acme\nOlga,Nowhere\n").await;
    assert_eq!(counts(&summary), [2, 0, 0, 0]);
    assert!(base.contact("Anna").get("organization").as_ref_id().is_some());
    assert_eq!(*base.contact("Olga").get("notes"), text("Company: Nowhere"));
    let summary = import_csv(&base, "Name,Company\nAnna,Acme\nOlga,Nowhere\n").await;
    assert_eq!(counts(&summary), [0, 0, 2, 0]);
}

#[tokio::test]
async fn columns_can_be_mapped_by_hand_also_to_a_plugins_fields() {
    let base = Fake::new().declare("contact", |contact| {
        let notes = contact.field("notes").unwrap().clone();
        let allergies = Field { key: "salon.allergies".to_owned(), kind: FieldType::Text, ..notes };
        contact.fields.insert(allergies.key.clone(), Field { label: Default::default(), ..allergies });
    });
    let file = "Who,Reacts to,Phone,Email\nAnna,nuts,89123456789,a@x.ru\n";
    let map = [("who", "name"), ("Reacts to", "salon.allergies"), ("email", "-")];
    let mapped = ImportOptions { map: map.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(), ..options() };
    let summary = import(&base, bytes("a.csv", file), &mapped).await.unwrap();
    assert_eq!(summary.ignored, ["Email"]);
    let anna = base.contact("Anna");
    assert_eq!((anna.get("salon.allergies"), anna.get("email")), (&text("nuts"), &Value::Null));

    for (heading, field, expected) in [
        ("Whoo", "name", "there is no heading \"Whoo\". Did you mean \"Who\"? There are: Who, Reacts to, Phone, Email"),
        ("Who", "nme", "there is no field \"nme\". Did you mean \"name\"? There are: name, phone"),
    ] {
        let wrong = ImportOptions { map: vec![(heading.to_owned(), field.to_owned())], ..options() };
        let error = import(&base, bytes("a.csv", file), &wrong).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = import(&base, bytes("a.csv", file), &options()).await.unwrap_err().to_string();
    assert!(error.contains("no column is the name of a contact") && error.contains("--map"), "{error}");
}

#[tokio::test]
async fn headings_in_six_languages_are_understood() {
    let tables = [
        "First name,Last name,Mobile,E-mail address,Date of birth,Sex,Comments",
        "Имя,Фамилия,Сотовый телефон,Почта,Д.р.,Пол,Примечание",
        "Ad,Soyad,Cep telefonu,E-Posta,Doğum tarihi,Cinsiyet,Açıklama",
        "Etunimi,Sukunimi,Matkapuhelin,Sähköposti,Syntymäaika,Sukupuoli,Lisätiedot",
        "Όνομα,Επώνυμο,Κινητό,Email,Ημερομηνία γέννησης,Φύλο,Σχόλια",
        "নাম,পদবি,মোবাইল নম্বর,ইমেইল,জন্ম তারিখ,লিঙ্গ,মন্তব্য",
        "CLIENT'S NAME,Surname,Phone no.,E mail,Birthday (dd.mm.yyyy),Gender:,Notes",
    ];
    for headings in tables {
        let base = Fake::new();
        let file = format!("{headings}\nAnna,Petrova,89123456789,a@x.ru,31.12.1990,f,tea\n");
        let summary = import_csv(&base, &file).await;
        let fields: Vec<&str> = summary.mapping.iter().map(|(_, field)| field.as_str()).collect();
        assert_eq!(fields[2..], ["phone", "email", "birthday", "gender", "notes"], "{headings}");
        assert_eq!(fields[..2], ["name", "name"], "{headings}");
        assert_eq!(base.contacts().len(), 1, "{headings}");
    }
}

#[tokio::test]
async fn a_column_that_proves_the_month_first_is_read_so() {
    let base = Fake::new();
    let summary = import_csv(&base, "Name,DOB\nAnna,03/04/1990\nOlga,12/31/1990\n").await;
    assert_eq!(*base.contact("Anna").get("birthday"), Value::Date(jiff::civil::date(1990, 3, 4)));
    assert_eq!(summary.notices, ["dates in \"DOB\" were read with the month first"]);
    let summary = import_csv(&base, "Name,DOB\nVera,03/04/1990\nZoe,12/31/1990\nLisa,31/12/1990\n").await;
    assert_eq!(counts(&summary), [2, 0, 0, 1]);
}
