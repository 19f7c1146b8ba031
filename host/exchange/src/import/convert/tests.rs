//! Proves conversions by tables: one line is one cell and what it means.

use jiff::tz::TimeZone;
use pergola_model::Money;

use super::*;

fn habits() -> Habits {
    Habits {
        locale: Locale { zone: TimeZone::fixed(jiff::tz::offset(3)), ..Locale::default() },
        today: civil::date(2026, 6, 1),
    }
}

fn field(key: &str, kind: FieldType) -> Field {
    Field {
        key: key.to_owned(),
        kind,
        required: false,
        default: Value::Null,
        unique: false,
        indexed: false,
        searchable: false,
        on_purge: None,
        label: Default::default(),
    }
}

fn read(field: &Field, cell: Cell) -> Result<Value, String> {
    convert(field, &cell, DateOrder::DayFirst, &habits()).map(|converted| converted.value)
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// `Ok` with the value's text, or `Err` with a part of the message.
fn check(field: &Field, cases: &[(Cell, Result<Value, &str>)]) {
    for (cell, expected) in cases {
        match (read(field, cell.clone()), expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, *expected, "{cell:?}"),
            (Err(message), Err(part)) => assert!(message.contains(part), "{cell:?}: {message}"),
            (found, expected) => panic!("{cell:?}: {found:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn phones_in_all_their_spellings() {
    let phone = |text: &str| Ok(Value::from(text));
    check(
        &field("phone", FieldType::Phone),
        &[
            (text("8 (912) 345-67-89"), phone("+79123456789")),
            (text("+7 912 345 67 89"), phone("+79123456789")),
            (text("89123456789.0"), phone("+79123456789")),
            (Cell::Number(89_123_456_789.0), phone("+79123456789")),
            (Cell::Number(7.912_3E10), phone("+79123000000")),
            (text("7.9123E10"), phone("+79123000000")),
            (text("7.9123456789E10"), phone("+79123456789")),
            (text("7,91235E+10"), Err("lost its last digits")),
            (text("+358 40 123 4567"), phone("+358401234567")),
            (text("-"), Ok(Value::Null)),
            (text("n/a"), Ok(Value::Null)),
            (text("call later"), Err("")),
            (text("12"), Err("phone")),
        ],
    );
}

#[test]
fn a_second_number_or_address_in_a_cell_is_kept_apart() {
    let both = convert(
        &field("phone", FieldType::Phone),
        &text("8 912 345-67-89, +358 40 123 4567"),
        DateOrder::DayFirst,
        &habits(),
    );
    let both = both.unwrap();
    assert_eq!(both.value, Value::from("+79123456789"));
    assert_eq!(both.rest, ["+358 40 123 4567"]);
    let mails = convert(&field("email", FieldType::Email), &text("A@x.ru; b@x.ru"), DateOrder::DayFirst, &habits());
    let mails = mails.unwrap();
    assert_eq!((mails.value, mails.rest), (Value::from("a@x.ru"), vec!["b@x.ru".to_owned()]));
}

#[test]
fn dates_in_all_their_spellings() {
    let day = |year, month, day| Ok(Value::Date(civil::date(year, month, day)));
    let nye = || day(1990, 12, 31);
    let mut cases: Vec<(Cell, Result<Value, &str>)> = [
        "31.12.1990",
        "31/12/1990",
        "12/31/1990",
        "1990-12-31",
        "31-12-1990",
        "1990/12/31",
        "31.12.90",
        "19901231",
        "31 декабря 1990",
        "31 декабря 1990 г.",
        "31 Dec 1990",
        "Dec 31, 1990",
        "31-Dec-90",
        "December 31st, 1990",
        "31 Aralık 1990",
        "31. joulukuuta 1990",
        "31 Δεκεμβρίου 1990",
        "৩১ ডিসেম্বর ১৯৯০",
        "৩১.১২.১৯৯০",
        "31.12.1990 14:30",
        "1990-12-31T14:30:00",
        "31.12.1990г.",
        "33238",
        "31/12/1990 2:30 PM",
    ]
    .into_iter()
    .map(|spelling| (text(spelling), nye()))
    .collect();
    cases.extend([
        (Cell::Number(33_238.0), nye()),
        (Cell::Date(civil::datetime(1990, 12, 31, 0, 0, 0, 0), 33_238.0), nye()),
        (text("3.4.90"), day(1990, 4, 3)),
        (text("3.4.05"), day(2005, 4, 3)),
        (text("3.4.26"), day(2026, 4, 3)),
        (text("3.4.27"), day(1927, 4, 3)),
        (text("29.02.2024"), day(2024, 2, 29)),
        (text("29.02.2023"), Err("not a date")),
        (text("31.12"), Err("no year")),
        (text("1990"), Err("not a date")),
        (text("soon"), Err("not a date")),
        (Cell::Number(1990.0), Err("not a date")),
        (text("-"), Ok(Value::Null)),
    ]);
    check(&field("birthday", FieldType::Date), &cases);
    // What is no birthday may lie ahead.
    check(
        &field("expected_on", FieldType::Date),
        &[(text("3.4.27"), day(2027, 4, 3)), (text("3.4.47"), day(1947, 4, 3))],
    );
}

#[test]
fn an_unclear_column_refuses_what_may_be_two_days() {
    let birthday = field("birthday", FieldType::Date);
    let read = |order, spelling: &str| convert(&birthday, &text(spelling), order, &habits()).map(|read| read.value);
    let day = |month, day| Ok(Value::Date(civil::date(1990, month, day)));
    assert_eq!(read(DateOrder::MonthFirst, "03/04/1990"), day(3, 4));
    assert_eq!(read(DateOrder::MonthFirst, "31/12/1990"), day(12, 31));
    assert_eq!(read(DateOrder::Unclear, "31/12/1990"), day(12, 31));
    assert_eq!(read(DateOrder::Unclear, "04/04/1990"), day(4, 4));
    assert!(read(DateOrder::Unclear, "03/04/1990").unwrap_err().contains("write it as 1990-04-03"));
}

#[test]
fn serial_numbers_know_excels_leap_year() {
    let of = |serial| match super::date::date_time(
        &Cell::Number(serial),
        DateOrder::DayFirst,
        &date::Pivot { last_year: 2026 },
    ) {
        Ok(at) => at.date(),
        Err(message) => panic!("{message}"),
    };
    assert_eq!(of(33_238.0), civil::date(1990, 12, 31));
    assert_eq!(of(45_943.5), civil::date(2025, 10, 13));
    let early = calamine::ExcelDateTime::new(61.0, calamine::ExcelDateTimeType::DateTime, false);
    assert_eq!(super::super::read::civil_of(&early).unwrap().date(), civil::date(1900, 3, 1));
    let never = calamine::ExcelDateTime::new(60.0, calamine::ExcelDateTimeType::DateTime, false);
    assert_eq!(super::super::read::civil_of(&never), None);
}

#[test]
fn instants_are_read_on_the_workspaces_clock() {
    let at = |text: &str| Ok(Value::DateTime(text.parse().unwrap()));
    check(
        &field("due_at", FieldType::DateTime),
        &[
            (text("31.12.2025 14:30"), at("2025-12-31T11:30:00Z")),
            (text("2025-12-31T14:30:00Z"), at("2025-12-31T14:30:00Z")),
            (text("2025-12-31 14:30:05.25"), at("2025-12-31T11:30:05.25Z")),
            (text("31 Dec 2025, 2:30 pm"), at("2025-12-31T11:30:00Z")),
            (Cell::Number(45_943.5), at("2025-10-13T09:00:00Z")),
            (text("31.12.2025 25:00"), Err("not a date")),
        ],
    );
}

#[test]
fn numbers_with_points_commas_and_spaces() {
    let decimal = |text: &str| Ok(Value::Decimal(text.parse().unwrap()));
    check(
        &field("rate", FieldType::Decimal { scale: 2 }),
        &[
            (text("1234,5"), decimal("1234.50")),
            (text("1\u{a0}234,56"), decimal("1234.56")),
            (text("1 234,56"), decimal("1234.56")),
            (text("1,234.56"), decimal("1234.56")),
            (text("1.234,56"), decimal("1234.56")),
            (text("1,234,567"), decimal("1234567.00")),
            (text("1.500"), decimal("1500.00")),
            (text("0,500"), decimal("0.50")),
            (text("−5"), decimal("-5.00")),
            (text("১২,৫"), decimal("12.50")),
            (Cell::Number(0.1 + 0.2), decimal("0.30")),
            (Cell::Number(0.125), Err("more than 2 digits")),
            (text("1.2345"), Err("more than 2 digits")),
            (text("twelve"), Err("not a number")),
            (text("1-2"), Err("not a number")),
            (text("."), Err("not a number")),
        ],
    );
    let integer = field("visits", FieldType::Integer);
    check(
        &integer,
        &[
            (text("12"), Ok(Value::Integer(12))),
            (text("12.0"), Ok(Value::Integer(12))),
            (text("1 200"), Ok(Value::Integer(1200))),
            (Cell::Number(12.0), Ok(Value::Integer(12))),
            (Cell::Number(12.5), Err("not a whole number")),
            (Cell::Number(1e300), Err("too large")),
            (Cell::Number(f64::NAN), Err("too large")),
        ],
    );
}

#[test]
fn amounts_with_signs_of_currencies() {
    let money = |amount_minor, currency: &str| Ok(Value::Money(Money { amount_minor, currency: currency.to_owned() }));
    check(
        &field("amount", FieldType::Money),
        &[
            (text("1 500,50 ₽"), money(150_050, "RUB")),
            (text("1500 руб."), money(150_000, "RUB")),
            (text("€1,234.56"), money(123_456, "EUR")),
            (text("-12,5 EUR"), money(-1_250, "EUR")),
            (text("usd 12"), money(1_200, "USD")),
            (text("₺1.500"), money(150_000, "TRY")),
            (text("৳ ৫০০"), money(50_000, "BDT")),
            (text("1000 JPY"), money(1_000, "JPY")),
            (Cell::Number(1500.1), money(150_010, "RUB")),
            (text("1500"), money(150_000, "RUB")),
            (text("1.999 999"), Err("more than 2 digits")),
            (text("free"), Err("not a number")),
        ],
    );
}

#[test]
fn yes_no_and_choices_in_six_languages() {
    let yes = ["да", "Yes", "evet", "Kyllä", "Ναι", "হ্যাঁ", "1", "+", "true"];
    let no = ["нет", "NO", "hayır", "ei", "όχι", "না", "0", "false"];
    let subscribed = field("subscribed", FieldType::Bool);
    for (words, expected) in [(&yes[..], true), (&no[..], false)] {
        for word in words {
            assert_eq!(read(&subscribed, text(word)), Ok(Value::Bool(expected)), "{word}");
        }
    }
    assert!(read(&subscribed, text("maybe")).unwrap_err().contains("neither yes nor no"));
    assert_eq!(read(&subscribed, Cell::Number(1.0)), Ok(Value::Bool(true)));

    let gender = field("gender", FieldType::Choice { of: ["female", "male", "other"].map(str::to_owned).to_vec() });
    for word in ["Ж", "жен.", "Женский", "F", "kadın", "Nainen", "Γυναίκα", "মহিলা", "FEMALE"]
    {
        assert_eq!(read(&gender, text(word)), Ok(Value::from("female")), "{word}");
    }
    for word in ["м", "мужской", "M", "erkek", "mies", "άνδρας", "পুরুষ"] {
        assert_eq!(read(&gender, text(word)), Ok(Value::from("male")), "{word}");
    }
    assert!(read(&gender, text("7")).unwrap_err().contains("none of female, male, other"));
    let consent =
        field("salon.consent", FieldType::Choice { of: ["unknown", "given", "refused"].map(str::to_owned).to_vec() });
    for (word, code) in
        [("Yes", "given"), ("да", "given"), ("kyllä", "given"), ("нет", "refused"), ("Hayır", "refused")]
    {
        assert_eq!(read(&consent, text(word)), Ok(Value::from(code)), "{word}");
    }
    let status = field("status", FieldType::Choice { of: vec!["no_show".to_owned()] });
    assert_eq!(read(&status, text("No show")), Ok(Value::from("no_show")));
}

#[test]
fn tags_durations_links_and_text_from_numbers() {
    let tags = |tags: &[&str]| Ok(Value::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect()));
    check(
        &field("tags", FieldType::Tags),
        &[(text("vip; новый, vip"), tags(&["vip", "новый"])), (text(" ; "), Ok(Value::Null))],
    );
    let length = |minutes: i64| Ok(Value::Duration(SignedDuration::from_mins(minutes)));
    check(
        &field("length", FieldType::Duration),
        &[
            (text("1:30"), length(90)),
            (text("1h 30m"), length(90)),
            (text("PT1H30M"), length(90)),
            (Cell::Date(civil::datetime(1899, 12, 31, 1, 30, 0, 0), 0.0625), length(90)),
            (text("90"), Err("write it like")),
        ],
    );
    check(
        &field("website", FieldType::Url),
        &[(text("www.salon.ru/a"), Ok(Value::from("https://www.salon.ru/a"))), (text("salon"), Err("no scheme"))],
    );
    check(
        &field("code", FieldType::Text),
        &[
            (Cell::Number(123.0), Ok(Value::from("123"))),
            (text(" 00123 "), Ok(Value::from("00123"))),
            (text("-"), Ok(Value::from("-"))),
            (Cell::Date(civil::datetime(1990, 12, 31, 0, 0, 0, 0), 33_238.0), Ok(Value::from("1990-12-31"))),
        ],
    );
}
