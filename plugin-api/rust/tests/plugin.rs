//! Proves what the macro writes of a manifest: typed records, and a trait demanded for each kind of handler.

use pergola_plugin::prelude::*;

struct Sample;

pergola_plugin::plugin!(Sample, "tests/sample.toml");

impl BeforeWrite for Sample {
    fn before_write(write: &Write) -> Result<Fields, Failure> {
        let visit: records::Visit = write.typed()?;
        if visit.guests.is_some_and(|guests| guests < 0) {
            return Err(Failure::refused("guests", "Count the guests from 0.").field("guests"));
        }
        Ok(Fields::new())
    }
}

impl AfterWrite for Sample {}

impl OnEvent for Sample {}

impl OnTimer for Sample {
    fn on_timer(due: &Due) -> Result<(), Failure> {
        Err(Failure::not_found(format!("no timer {}", due.action)))
    }
}

impl Actions for Sample {
    fn run(_action: &str, input: &Input) -> Result<Json, Failure> {
        input.read()
    }
}

impl Routes for Sample {
    fn handle(request: &Request) -> Result<Response, Failure> {
        match request.route() {
            ("GET", "/slots") => Response::json(200, &json!({ "slots": [] })),
            _ => Err(Failure::not_found("There is no such page.")),
        }
    }
}

impl Lifecycle for Sample {
    fn installed(_previous_version: Option<&str>) -> Result<(), Failure> {
        Ok(())
    }
}

fn visit() -> records::Visit {
    let (contact, starts_at) = (Id::from_u128(7), DateTime::from_micros(0));
    records::Visit {
        r#type: Some("first".to_owned()),
        price: Some(Money::new(2_500, "EUR")),
        weight: Some(Decimal::new(15, 1)),
        day: Some(Date::from_days(1)),
        length: Some(Duration::minutes(45)),
        marks: Some(vec!["vip".to_owned()]),
        ..records::Visit::new(contact, starts_at, "{\"lamp\":3}".to_owned())
    }
}

#[test]
fn a_typed_record_becomes_fields_and_comes_back() {
    let fields = visit().into_fields();
    assert_eq!(fields.reference("contact"), Some(Id::from_u128(7)));
    assert_eq!(fields.get("extra"), Some(&Value::Json("{\"lamp\":3}".to_owned())));
    assert_eq!(fields.text("type"), Some("first"));
    assert!(!fields.contains("note"), "what has no value is left out, so that an update leaves it alone");
    assert_eq!(records::Visit::from_fields(&fields).unwrap(), visit());
    assert_eq!(records::Visit::OBJECT, "sample.visit");
}

#[test]
fn formulas_are_read_and_never_written() {
    let mut visit = visit();
    visit.ends_at = Some(DateTime::from_micros(5));
    assert!(!visit.into_fields().contains("ends_at"));
    let fields = self::visit().into_fields().with("ends_at", DateTime::from_micros(5));
    assert_eq!(records::Visit::from_fields(&fields).unwrap().ends_at, Some(DateTime::from_micros(5)));
}

#[test]
fn a_missing_required_field_is_named() {
    let failure = records::Visit::from_fields(&Fields::new()).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.field.as_deref()), ("missing_value", Some("contact")));
}

#[test]
fn extension_fields_carry_the_plugins_name_and_may_be_missing() {
    let fields = records::ContactExtension { last_visit: Some(DateTime::from_micros(1)) }.into_fields();
    assert_eq!(fields.datetime("sample.last_visit"), Some(DateTime::from_micros(1)));
    assert_eq!(records::ContactExtension::from_fields(&Fields::new()).unwrap().last_visit, None);
    assert_eq!(records::BookingAppointmentExtension::OBJECT, "booking.appointment");
    assert_eq!(records::GiftCard::new(), records::GiftCard { code: None });
}

#[test]
fn hooks_answer_row_by_row() {
    let write = |guests: i64| Write {
        object: "sample.visit".to_owned(),
        kind: Kind::Create,
        id: Id::from_u128(1),
        before: Fields::new(),
        changes: visit().into_fields().with("guests", guests),
    };
    let verdicts = Sample::before_write_all(&[write(1), write(-1)]).unwrap();
    assert_eq!(verdicts[0], Verdict::default());
    assert_eq!(verdicts[1].refusal.as_ref().unwrap().field.as_deref(), Some("guests"));
}

#[test]
fn handlers_are_plain_functions_in_tests() {
    assert_eq!(Sample::run("ping", &Input::new("[1]")).unwrap(), json!([1]));
    assert_eq!(Sample::run("ping", &Input::new("[")).unwrap_err().code, "invalid_input");
    let request = Request { method: "GET".into(), path: "/slots".into(), query: Vec::new(), body: Vec::new() };
    assert_eq!(Sample::handle(&request).unwrap().body, br#"{"slots":[]}"#);
    Sample::installed(None).unwrap();
}
