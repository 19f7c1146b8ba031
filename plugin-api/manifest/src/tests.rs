//! Broken manifests and the whole messages that their authors see; and texts that are no manifests at all.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// The smallest beginning of a manifest: three lines.
const HEAD: &str = "id = \"shop\"\nversion = \"1.0.0\"\napi = \"0.1\"\n";

const BOOKING: &str = r#"
id = "booking"
version = "1.2.0"
api = "0.1"
label = { en = "Booking", ru = "Запись" }
description = { en = "Appointments that never overlap." }
[requires]
[capabilities]
records = { "contact" = "read,create", "booking.*" = "all" }
own_rights = ["booking.appointment"]
messages = true
[settings]
notice = { type = "duration", default = "24h", label = { en = "How long before a visit the client is reminded" } }
[object.resource]
fields.name = { type = "text", required = true }
[object.appointment]
label = { en = "Appointment" }
fields.contact = { type = "ref", to = "contact", required = true }
fields.master = { type = "ref", to = "booking.resource", required = true }
fields.starts_at = { type = "datetime", required = true }
fields.ends_at = { type = "datetime", required = true }
fields.status = { type = "choice", of = ["booked", "arrived", "cancelled"], default = "booked" }
exclude = [{ on = "master", during = ["starts_at", "ends_at"], when = "status != 'cancelled'" }]
unique = [{ fields = ["contact", "starts_at"] }]
transitions.status = [{ from = "booked", to = "arrived" }, { from = "*", to = "cancelled", guard = "starts_at > now" }]
[extend.contact]
fields.last_visit = { type = "datetime" }
[[hook]]
on = "booking.appointment"
when = ["create", "update"]
[[event]]
on = "contact"
when = ["delete"]
[[timer]]
on = "booking.appointment"
at = "starts_at - settings.notice"
if = "status == 'booked'"
action = "remind"
[[timer]]
action = "look_again"
[[action]]
id = "remind"
[[route]]
method = "GET"
path = "/slots"
auth = "public"
"#;

/// What the author sees, with the contents that follow [`HEAD`] on line 4.
fn told(contents: &str) -> String {
    told_whole(&format!("{HEAD}{contents}"))
}

fn told_whole(text: &str) -> String {
    check(text, "plugin.toml", &[]).expect_err("the manifest was taken").to_string()
}

#[test]
fn a_good_manifest_is_taken() {
    let manifest = check(BOOKING, "plugin.toml", &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(manifest.id.as_str(), "booking");
    assert_eq!(manifest.object.len(), 2);
    assert!(parse(HEAD, "plugin.toml").is_ok());
}

#[test]
fn a_manifest_is_checked_against_the_plugins_it_requires() {
    let booking = Arc::new(parse(BOOKING, "booking.toml").unwrap());
    let salon = format!(
        "{HEAD}requires = {{ booking = \"^1.2\" }}\n[extend.\"booking.appointment\"]\nfields.colour = {{ type = \"text\" }}"
    );
    assert!(check(&salon, "plugin.toml", &[Arc::clone(&booking)]).is_ok());
    // An older version of itself among the others is no clash.
    let older = Arc::new(parse(HEAD, "old.toml").unwrap());
    assert!(check(&salon, "plugin.toml", &[booking.clone(), older]).is_ok());
    insta::assert_snapshot!(told_whole(&salon), @r#"plugin.toml:4:24: requires.booking: shop needs booking ^1.2, which is not here: install booking first."#);
    let newer = salon.replace("^1.2", "^2");
    insta::assert_snapshot!(check(&newer, "plugin.toml", &[booking]).unwrap_err(), @r#"plugin.toml:4:24: requires.booking: shop needs booking ^2, but booking 1.2.0 is here: install a version of booking that fits"#);
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    insta::assert_snapshot!(told(r#"
lable = { en = "Shop" }
[object.visit]
fields.master = { tpye = "ref", to = "contact" }
fields.on = { type = "date", requierd = true, shape = 5 }
[object.visit.rules]
[[hook]]
on = "contact"
wehn = ["create"]
"#), @r#"
plugin.toml:5:1: unknown field "lable"; did you mean "label"?
plugin.toml:7:19: object.visit.fields.master: unknown field "tpye"; did you mean "type"?
plugin.toml:8:30: object.visit.fields.on: unknown field "requierd"; did you mean "required"?
plugin.toml:8:47: object.visit.fields.on: unknown field "shape"; known here: type, label, required, default, unique, indexed, searchable, of, to, on_delete, on_purge, scale, rollup, formula, initial, sequence
plugin.toml:9:15: object.visit: unknown field "rules"; known here: label, plural, title, fields, check, exclude, capacity, hold, unique, transitions, ledger
plugin.toml:12:1: hook[0]: unknown field "wehn"; did you mean "when"?
"#);
}

#[test]
fn missing_keys_are_told_with_what_to_add() {
    insta::assert_snapshot!(told_whole("label = {}\n[object.visit]\ntitle = \"x\"\n[[route]]\npath = \"/x\"\n"), @r#"
    plugin.toml:1:1: missing field "id"; add id = "booking"
    plugin.toml:1:1: missing field "version"; add version = "0.1.0"
    plugin.toml:1:1: missing field "api"; add api = "0.1"
    plugin.toml:2:9: object.visit: missing field "fields"; add fields.name = { type = "text" }
    plugin.toml:4:1: route[0]: missing field "method"; add method = "GET"
    "#);
    insta::assert_snapshot!(told("[[hook]]\n[[timer]]\n[object.x]\nfields.a = {}"), @r#"
    plugin.toml:4:1: hook[0]: missing field "on"; add on = "contact"
    plugin.toml:4:1: hook[0]: missing field "when"; add when = ["create", "update"]
    plugin.toml:5:1: timer[0]: missing field "action"; add action = "remind"
    plugin.toml:7:8: object.x.fields.a: missing field "type"; add type = "text"
    "#);
}

#[test]
fn values_of_another_type_are_told() {
    insta::assert_snapshot!(told(r#"
messages = true
requires = { "Booking" = "1", gym = "one" }
lifecycle = "yes"
[capabilities]
messages = "yes"
[object.Visit]
fields.master = { type = 5 }
[object.visit]
fields.a-b = { type = "text" }
fields.c = { type = "ref", to = "a.b.c", on_delete = "clean" }
exclude = [{ on = "c", during = ["a"] }]
[[hook]]
on = "contact"
when = ["creat", "update"]
[[route]]
method = "GET"
path = "/x"
auth = "all"
"#), @r#"
plugin.toml:5:1: unknown field "messages"; known here: id, version, api, label, description, requires, capabilities, settings, object, extend, hook, event, timer, action, route, change, lifecycle
plugin.toml:6:14: requires.Booking: "Booking" is not a name: use lower-case letters, digits and _, a letter first, at most 48
plugin.toml:6:37: requires.gym: unexpected character 'o' while parsing major version number; write a range of versions, such as "1.2" or ">=1.2, <3"
plugin.toml:7:13: lifecycle: invalid type: string "yes", expected a boolean
plugin.toml:9:12: capabilities.messages: invalid type: string "yes", expected a boolean
plugin.toml:10:9: object.Visit: "Visit" is not a name: use lower-case letters, digits and _, a letter first, at most 48
plugin.toml:13:8: object.visit.fields.a-b: "a-b" is not a name: use lower-case letters, digits and _, a letter first, at most 48
plugin.toml:14:33: object.visit.fields.c.to: "a.b.c" is not a name: use lower-case letters, digits and _, a letter first, at most 48
plugin.toml:14:54: object.visit.fields.c.on_delete: unknown word "clean"; did you mean "clear"?
plugin.toml:15:33: object.visit.exclude[0].during: invalid length 1, expected an array of length 2
plugin.toml:18:9: hook[0].when[0]: unknown word "creat"; did you mean "create"?
plugin.toml:22:8: route[0].auth: unknown word "all"; known here: user, public
"#);
    insta::assert_snapshot!(told_whole("id = \"My Shop\"\nversion = \"1.0\"\napi = \"latest\""), @r#"
    plugin.toml:1:6: id: "My Shop" is not a name: use lower-case letters, digits and _, a letter first, at most 48
    plugin.toml:2:11: version: unexpected end of input while parsing minor version number; write it like "1.2.0"
    plugin.toml:3:7: api: unexpected character 'l' while parsing major version number; write it like "0.1"
    "#);
}

#[test]
fn a_table_of_another_plugins_object_needs_quotes() {
    insta::assert_snapshot!(told("[extend.booking.appointment]\nfields.x = { type = \"text\" }"), @r#"plugin.toml:4:17: extend.booking: unknown field "appointment"; write [extend."booking.appointment"], with the object's name in quotes"#);
}

#[test]
fn toml_that_cannot_be_read_is_told_by_place() {
    insta::assert_snapshot!(told("[object.visit\nfields.x = { type = \"text\"\n"), @r#"
    plugin.toml:4:14: unclosed table, expected `]`
    plugin.toml:5:27: unclosed inline table, expected `}`
    "#);
    insta::assert_snapshot!(told("label = { en = \"Имя }\n"), @r#"
    plugin.toml:4:22: unclosed inline table, expected `}`
    plugin.toml:4:22: invalid basic string, expected `"`
    "#);
    insta::assert_snapshot!(told("version = \"2.0.0\"\n"), @r#"plugin.toml:4:1: duplicate key"#);
    insta::assert_snapshot!(told("[object.a]\n[object.a]\n"), @r#"plugin.toml:5:9: duplicate key"#);
}

#[test]
fn an_api_that_this_host_does_not_speak_is_told() {
    insta::assert_snapshot!(told_whole(&HEAD.replace("0.1\"", "0.2\"")), @r#"plugin.toml:3:7: api: the plugin works with version ^0.2 of the plugin contract, but this host speaks 0.1.0; build the plugin against 0.1 and write api = "0.1", or use a host that speaks ^0.2"#);
}

#[test]
fn mistakes_of_meaning_are_told_by_place() {
    insta::assert_snapshot!(told(r#"
[settings]
limit = { type = "integer", default = "ten" }
[capabilities]
records = { "contcat" = "read", "contact" = "reed" }
[object.visit]
label = { english = "Visit" }
fields.master = { type = "reff", to = "contact" }
fields.who = { type = "ref", to = "kontact" }
fields.from = { type = "datetime" }
fields.until = { type = "datetime" }
fields.status = { type = "choice", of = ["booked", "done"], default = "bookd" }
exclude = [
    { on = "who", during = ["from", "untill"], when = "status != 'cancelled'" },
]
transitions.status = [
    { from = "booked", to = "don" },
    { from = "booked", to = "done", guard = "from >" },
]
[extend.contact]
fields.'card' = { type = "text", default = 5 }
[[hook]]
on = "shop.visti"
when = ["create"]
[[timer]]
on = "shop.visit"
at = "from - duration('24')"
action = "remind"
[[route]]
method = "GET"
path = "/slots/{id}"
"#), @r#"
plugin.toml:6:39: settings.limit.default: expected a whole number such as 42, found text
plugin.toml:8:25: capabilities.records.contcat: there is no object "contcat"; write an object's name, "plugin.*" or "*"; did you mean "contact"?
plugin.toml:8:45: capabilities.records.contact: "reed" is no right: write "all", or a list such as "read,create,update,delete"; did you mean "read"?
plugin.toml:10:21: object.visit.label.english: "english" is not a language code; write it like en or pt-BR
plugin.toml:11:26: object.visit.fields.master.type: there is no type "reff"; the types are text, long_text, integer, decimal, money, bool, date, datetime, duration, choice, phone, email, url, json, ref, tags; did you mean "ref"?
plugin.toml:12:35: object.visit.fields.who.to: there is no object kontact; did you mean "contact"?
plugin.toml:15:71: object.visit.fields.status.default: "bookd" is none of booked, done; did you mean "booked"?
plugin.toml:17:37: object.visit.exclude[0].during[1]: shop.visit has no field untill; did you mean "until"?
plugin.toml:17:55: object.visit.exclude[0].when: status has no code "cancelled"; there are: booked, done
    status != 'cancelled'
              ^
plugin.toml:20:29: object.visit.transitions.status[0].to: status has no code "don"; it has booked, done; did you mean "done"?
plugin.toml:21:45: object.visit.transitions.status[1].guard: the expression ends too early: something must follow here
    from >
          ^
plugin.toml:24:44: extend.contact.fields.card.default: expected text, found a number
plugin.toml:26:6: hook[0].on: there is no object shop.visti; did you mean "shop.visit"?
plugin.toml:30:6: timer[0].at: "24" is not a length of time like '24h', '1h30m', '90s' or '2d'
    from - duration('24')
                    ^
plugin.toml:34:8: route[0].path: "/slots/{id}" is not a route: start with / and use a–z, 0–9, _, - and / only; what varies goes into the query
"#);
}

#[test]
fn a_manifest_is_limited_in_size_and_problems() {
    let long = format!("{HEAD}#{}", "x".repeat(MANIFEST_BYTES_MAX));
    insta::assert_snapshot!(told_whole(&long), @r#"plugin.toml:1:1: the manifest has 262187 bytes, at most 262144 fit; take out what the plugin does not need"#);
    let wrong: String = (0..80).fold(String::new(), |mut text, n| {
        let _infallible = writeln!(text, "k{n} = 1");
        text
    });
    let error = check(&format!("{HEAD}{wrong}"), "plugin.toml", &[]).unwrap_err();
    assert_eq!(error.problems.len(), PROBLEMS_MAX);
}

#[test]
fn a_manifest_is_explained_in_plain_words() {
    insta::assert_snapshot!(explain(&parse(BOOKING, "plugin.toml").unwrap()), @r#"
    booking 1.2.0: Booking
    Appointments that never overlap.
    Works with version ^0.1 of the plugin contract.

    Adds objects:
      booking.resource: name (text, required)
      booking.appointment (Appointment): contact (ref to contact, required), master (ref to booking.resource, required), starts_at (datetime, required), ends_at (datetime, required), status (choice)
        no two of the same master overlap between starts_at and ends_at among those where status != 'cancelled'
        no two have the same contact and starts_at
        status goes only booked → arrived, * → cancelled

    Adds fields to others' objects:
      contact: last_visit (datetime)

    Runs inside each write, and may stop it:
      before create, update of booking.appointment; if it fails, nothing is written

    Is told afterwards:
      delete of contact

    Wakes up by itself:
      remind for each booking.appointment, at starts_at - settings.notice, if status == 'booked'
      look_again when it has set itself a time for it

    Adds commands:
      remind

    Answers HTTP:
      GET /p/booking/slots for anybody, without signing in

    Asks for the right to:
      read, create records of contact
      read, create, update and delete all records of booking
      do so by its own right, whoever calls, with records of booking.appointment
      send messages to contacts

    Can be set up by:
      notice (duration): How long before a visit the client is reminded; "24h" unless changed
    "#);
    insta::assert_snapshot!(explain(&parse(HEAD, "plugin.toml").unwrap()), @r#"
    shop 1.0.0
    Works with version ^0.1 of the plugin contract.
    "#);
}

/// A good manifest with a piece cut out or put in, which reaches further than arbitrary text.
fn broken_booking() -> impl Strategy<Value = String> {
    let places = 0..BOOKING.len();
    let insertions = prop_oneof!["[\\[\\]{}=\".,'a-z0-9\n ]{0,6}", any::<String>()];
    (places.clone(), 0..40_usize, insertions).prop_map(|(start, length, insertion)| {
        let floor = |at: usize| (0..=at.min(BOOKING.len())).rev().find(|at| BOOKING.is_char_boundary(*at)).unwrap_or(0);
        format!("{}{insertion}{}", &BOOKING[..floor(start)], &BOOKING[floor(start + length)..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in prop_oneof![any::<String>(), "[\\[\\]{}=\".,'a-z0-9\n #-]{0,80}"]) {
        let _either = check(&text, "plugin.toml", &[]);
    }

    #[test]
    fn a_broken_manifest_is_answered_with_places_in_it(text in broken_booking()) {
        match check(&text, "plugin.toml", &[]) {
            Ok(manifest) => prop_assert!(!explain(&manifest).is_empty()),
            Err(error) => {
                prop_assert!(!error.problems.is_empty());
                let lines = text.matches('\n').count() + 1;
                prop_assert!(error.problems.iter().all(|problem| problem.line <= lines));
            }
        }
    }
}
