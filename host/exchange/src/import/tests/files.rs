//! What kinds of files are read, and what is said about those that are none.

use encoding_rs::{WINDOWS_1251, WINDOWS_1253, WINDOWS_1254};
use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

use super::{fake::text, *};

const RUSSIAN: &str = "Имя;Телефон;Заметки\nАнна Петрова;89123456789;Любит чай и тишину\nОльга;89123456780;\n";

fn utf16(text: &str, little: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

#[tokio::test]
async fn one_table_in_many_encodings_is_one_table() {
    let bom = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
    let files = [
        ("utf-8", RUSSIAN.as_bytes().to_vec()),
        ("utf-8 with a mark", bom(b"\xef\xbb\xbf", RUSSIAN.as_bytes().to_vec())),
        ("utf-16 le", bom(b"\xff\xfe", utf16(RUSSIAN, true))),
        ("utf-16 be", bom(b"\xfe\xff", utf16(RUSSIAN, false))),
        ("utf-16 without a mark", utf16(RUSSIAN, true)),
        ("windows-1251", WINDOWS_1251.encode(RUSSIAN).0.into_owned()),
        ("koi8-r", encoding_rs::KOI8_R.encode(&RUSSIAN.repeat(3)).0.into_owned()),
    ];
    for (name, file) in files {
        let base = Fake::new();
        import(&base, bytes("clients.csv", file), &options()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let names: Vec<_> = base.contacts().iter().map(|fields| fields.get("name").clone()).collect();
        assert_eq!(names, [text("Анна Петрова"), text("Ольга")], "{name}");
    }
}

#[tokio::test]
async fn old_encodings_of_other_countries_are_told_apart() {
    let turkish = "Ad;Soyad;Telefon;Notlar\nAyşe;Yılmaz;+905321234567;çay seviyor\nGülşah;İnanç;;ağrısı var\n";
    let greek = "Όνομα;Τηλέφωνο;Σχόλια\nΜαρία Παπαδοπούλου;+306912345678;της αρέσει το τσάι\n";
    for (region, encoding, file, expected) in
        [("TR", WINDOWS_1254, turkish, "Ayşe Yılmaz"), ("GR", WINDOWS_1253, greek, "Μαρία Παπαδοπούλου")]
    {
        let base = Fake::new();
        let there = ImportOptions { region: Some(region.to_owned()), ..options() };
        import(&base, bytes("a.csv", encoding.encode(file).0.into_owned()), &there).await.unwrap();
        base.contact(expected);
    }
    // And whoever knows better says so.
    let base = Fake::new();
    let named = ImportOptions { encoding: Some("windows-1253".to_owned()), ..options() };
    import(&base, bytes("a.csv", WINDOWS_1253.encode(greek).0.into_owned()), &named).await.unwrap();
    base.contact("Μαρία Παπαδοπούλου");
}

#[tokio::test]
async fn separators_are_told_from_the_text() {
    let rows = [["Name", "Phone", "Notes"], ["Anna", "89123456789", "a, b; c"]];
    for separator in [";", ",", "\t", "|"] {
        let quoted = |cell: &&str| if cell.contains(separator) { format!("\"{cell}\"") } else { (*cell).to_owned() };
        let line = |row: &[&str; 3]| row.iter().map(quoted).collect::<Vec<_>>().join(separator);
        for end in ["\n", "\r\n"] {
            let plain = rows.iter().map(line).collect::<Vec<_>>().join(end);
            let marked = format!("sep={separator}{end}{plain}");
            for file in [plain, marked] {
                let base = Fake::new();
                import_csv(&base, &file).await;
                assert_eq!(*base.contact("Anna").get("notes"), text("a, b; c"), "{file:?}");
            }
        }
    }
    let base = Fake::new();
    import_csv(&base, "Name\nAnna\n").await;
    base.contact("Anna");
    let tabs = ImportOptions { delimiter: Some('\t'), ..options() };
    import(&base, bytes("a.csv", "Name\tNotes\nOlga\ta;b;c\n"), &tabs).await.unwrap();
    base.contact("Olga");
}

#[tokio::test]
async fn row_numbers_are_those_of_the_sheet() {
    for end in ["\n", "\r\n"] {
        let file = ["", "Name,Phone,Notes", "", "Anna,bad,\"two\nlines\"", "", ",,", "Olga,bad,x"].join(end);
        for file in [file.clone(), format!("{file}{end}")] {
            let summary = import_csv(&Fake::new(), &file).await;
            let rows: Vec<u64> = summary.problems.iter().map(|problem| problem.row).collect();
            assert_eq!(rows, [4, 7], "{file:?}");
        }
    }
}

fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Empty").unwrap();
    let sheet = book.add_worksheet().set_name("Clients").unwrap();
    let date = Format::new().set_num_format("dd.mm.yyyy");
    for (column, heading) in (0..).zip(["Имя", "Телефон", "Дата рождения", "", "Сумма"]) {
        sheet.write(2, column, heading).unwrap();
    }
    sheet.write(3, 0, "Анна").unwrap();
    sheet.write(3, 1, 89_123_456_789_f64).unwrap();
    let birthday = ExcelDateTime::from_ymd(1990, 12, 31).unwrap();
    sheet.write_datetime_with_format(3, 2, &birthday, &date).unwrap();
    sheet.write(3, 3, "stray").unwrap();
    sheet.write(5, 0, "Ольга").unwrap();
    sheet.write(5, 1, "'+79123456780").unwrap();
    sheet.write(5, 2, "1.2.1985").unwrap();
    sheet.write(6, 0, "Bad").unwrap();
    sheet.write(6, 1, "nobody").unwrap();
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_workbook_is_read_from_its_first_filled_sheet() {
    let base = Fake::new();
    let summary = import(&base, bytes("clients.xlsx", workbook()), &options()).await.unwrap();
    assert_eq!(counts(&summary), [2, 0, 0, 1], "{summary:?}");
    assert_eq!(summary.problems[0].row, 7);
    assert_eq!(summary.ignored, ["Column 4"]);
    assert_eq!(summary.notices, ["only the sheet \"Clients\" was read, not Empty"]);
    let anna = base.contact("Анна");
    assert_eq!(*anna.get("phone"), text("+79123456789"));
    assert_eq!(*anna.get("birthday"), pergola_model::Value::Date(jiff::civil::date(1990, 12, 31)));
    assert_eq!(*base.contact("Ольга").get("phone"), text("+79123456780"));
    // The name of a file says nothing.
    let again = import(&base, bytes("clients.xls", workbook()), &options()).await.unwrap();
    assert_eq!(counts(&again), [0, 0, 2, 1]);
}

#[tokio::test]
async fn a_cell_at_the_far_end_of_a_sheet_costs_nothing_but_a_message() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "Name").unwrap();
    sheet.write(1_048_575, 16_383, "x").unwrap();
    let file = book.save_to_buffer().unwrap();
    let error = import(&Fake::new(), bytes("far.xlsx", file), &options()).await.unwrap_err().to_string();
    assert_eq!(error, "far.xlsx: row 1048576 has more than 500 columns; delete the columns that are not needed");
}

/// An ods document with this table in it.
fn document(rows: &str) -> Vec<u8> {
    use std::io::Write as _;
    let content = format!(
        "<?xml version=\"1.0\"?><office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\">\
         <office:body><office:spreadsheet><table:table table:name=\"Clients\">{rows}</table:table></office:spreadsheet></office:body>\
         </office:document-content>"
    );
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let manifest = "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\"/>";
    let mimetype = "application/vnd.oasis.opendocument.spreadsheet";
    for (name, text) in [("mimetype", mimetype), ("META-INF/manifest.xml", manifest), ("content.xml", &content)] {
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(name, stored).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn table_row(cells: &[&str], repeated: u32) -> String {
    let cell = |text: &&str| {
        format!(
            "<table:table-cell office:value-type=\"string\" table:number-columns-repeated=\"{repeated}\"><text:p>{text}</text:p></table:table-cell>"
        )
    };
    format!("<table:table-row>{}</table:table-row>", cells.iter().map(cell).collect::<String>())
}

#[tokio::test]
async fn an_ods_document_is_read_and_one_that_repeats_itself_without_end_is_not() {
    let base = Fake::new();
    let rows = [table_row(&["Nimi", "Puhelin"], 1), table_row(&["Anna", "+358401234567"], 1)].concat();
    let summary = import(&base, bytes("a.ods", document(&rows)), &options()).await.unwrap();
    assert_eq!(counts(&summary), [1, 0, 0, 0]);
    assert_eq!(*base.contact("Anna").get("phone"), text("+358401234567"));
    let many = table_row(&["Nimi"], 1) + &table_row(&["x"], 16_000).repeat(2_000);
    let error = import(&base, bytes("a.ods", document(&many)), &options()).await.unwrap_err().to_string();
    assert!(error.contains("repeats its cells"), "{error}");
}

/// A zip archive with parts of blanks.
fn bomb(part: &str, mib: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["xl/workbook.xml", part] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    let zeros = vec![b' '; 1 << 20];
    (0..mib).for_each(|_| archive.write_all(&zeros).unwrap());
    archive.finish().unwrap().into_inner()
}

#[tokio::test]
async fn what_is_no_table_is_refused_with_a_way_out() {
    let book = workbook();
    let random: Vec<u8> = (0..5_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let huge_cell = format!("Name,Notes\nAnna,\"{}", "x".repeat(200_000));
    let wide = format!("{}\n{}\n", "a,".repeat(501), "b,".repeat(501));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("noise.xlsx", random.clone(), "damaged or not a spreadsheet (it does not begin as .xlsx files do); open it"),
        ("noise.csv", random, "neither text nor a known spreadsheet format, not a spreadsheet; save it"),
        ("cut.xlsx", book[..book.len() / 2].to_vec(), "damaged"),
        ("empty.csv", Vec::new(), "the file is empty"),
        ("blank.csv", b" \r\n \n".to_vec(), "the file is empty"),
        ("empty.xlsx", Workbook::new().save_to_buffer().unwrap(), "the file is empty"),
        ("headings.csv", b"Name,Phone\n".to_vec(), "has headings but no rows"),
        ("page.xls", b"<html><table><tr><td>Name</td></tr></table>".to_vec(), "a web page"),
        ("offer.pdf", b"%PDF-1.7 ...".to_vec(), "a PDF"),
        ("old.xls", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and nothing more".to_vec(), "damaged"),
        ("open.csv", huge_cell.into_bytes(), "a cell in row 2 is longer than 100 kB; is a quotation mark opened"),
        ("wide.csv", wide.into_bytes(), "row 1 has more than 500 columns"),
        ("bomb.xlsx", bomb("xl/sharedStrings.xml", 201), "unpacks to more than 200 MB"),
    ];
    for (name, file, expected) in cases {
        let base = Fake::new();
        let error = import(&base, bytes(name, file), &options()).await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, ImportError::File { .. }), "{name}: {said}");
        assert!(said.starts_with(&format!("{name}: ")) && said.contains(expected), "{said}");
        assert_eq!(base.contacts(), [], "{name}");
    }
    let missing = import(&Fake::new(), Source::path("/nowhere/clients.csv"), &options()).await.unwrap_err();
    assert!(missing.to_string().starts_with("clients.csv: the file cannot be read: "), "{missing}");
}

#[tokio::test]
async fn options_that_do_not_fit_are_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clients.csv");
    std::fs::write(&path, "Name\nAnna\n").unwrap();
    let cases = [
        (ImportOptions { report: Some(path.clone()), ..options() }, "the report would overwrite the file itself"),
        (ImportOptions { region: Some("Finland".to_owned()), ..options() }, "\"Finland\" is not a region"),
        (ImportOptions { delimiter: Some('x'), ..options() }, "'x' cannot separate cells"),
        (ImportOptions { encoding: Some("latin".to_owned()), ..options() }, "there is no encoding \"latin\""),
        (
            ImportOptions::new(ObjectName::new("contcat").unwrap()),
            "there is no object \"contcat\". Did you mean \"contact\"?",
        ),
    ];
    for (options, expected) in cases {
        let error = import(&Fake::new(), Source::path(&path), &options).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "Name\nAnna\n");
}

/// A panic of a reader is caught and becomes an error, which must not happen all the same.
fn check_no_panic(source: Source) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Err(error) = runtime.block_on(import(&Fake::new(), source, &options())) {
        prop_assert!(!error.to_string().contains("cannot be made sense of"), "{}", error);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_it_panic(noise in proptest::collection::vec(any::<u8>(), 0..2_000), name in 0_usize..3) {
        let name = ["a.csv", "a.xlsx", "a.ods"][name];
        check_no_panic(bytes(name, noise))?;
    }

    #[test]
    fn no_text_makes_it_panic(noise in "(Name|Имя)[;,]Phone[;,]DOB\n([0-9a-яĀ-ſ০-৯;,./: '\"=+-]{0,30}\n){0,20}") {
        check_no_panic(bytes("a.csv", noise))?;
    }

    #[test]
    fn no_damage_to_a_workbook_makes_it_panic(place in 0_usize..6_000, byte in any::<u8>(), cut in 0_usize..6_000) {
        let mut book = workbook();
        let place = place % book.len();
        book[place] = byte;
        book.truncate(book.len().saturating_sub(cut % 7));
        check_no_panic(bytes("a.xlsx", book))?;
    }
}
