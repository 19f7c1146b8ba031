//! Building catalogs: what is linked, and that each mistake is told with its place and its mend.

mod derived;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::json;

use super::*;
use crate::{
    ChangeKind,
    access::Operation,
    catalog::PluginSource,
    decl::{Phase, RouteAuth},
    field::{FieldType, OnDelete},
    object::SYSTEM_FIELDS,
    value::Money,
};

const BOOKING: &str = r#"
    id = "booking"
    version = "1.2.0"
    api = "0.1"
    [capabilities]
    records = { "contact" = "read,create", "booking.*" = "all" }
    [settings]
    notice = { type = "duration", default = "24h" }
    [object.resource]
    fields.name = { type = "text", required = true, unique = true }
    [object.appointment]
    fields.contact = { type = "ref", to = "contact", required = true }
    fields.master = { type = "ref", to = "booking.resource", required = true, on_delete = "cascade" }
    fields.starts_at = { type = "datetime", required = true }
    fields.ends_at = { type = "datetime", required = true }
    fields.price = { type = "money", default = "10 EUR" }
    fields.status = { type = "choice", of = ["booked", "done", "cancelled"], default = "Booked" }
    exclude = [{ on = "master", during = ["starts_at", "ends_at"], when = "status != 'cancelled'" }]
    unique = [{ fields = ["contact", "starts_at"] }]
    transitions.status = [{ from = "booked", to = "done", guard = "starts_at < now" }, { from = "*", to = "cancelled" }]
    [[hook]]
    on = "booking.appointment"
    when = ["create", "update"]
    [[timer]]
    on = "booking.appointment"
    at = "starts_at - settings.notice"
    if = "status == 'booked'"
    action = "remind"
    [[route]]
    method = "get"
    path = "/slots"
    auth = "public"
"#;

const SALON: &str = r#"
    id = "a_salon"
    version = "1.0.0"
    api = "0.1"
    requires = { booking = "^1.1" }
    [extend.contact]
    fields.favourite = { type = "ref", to = "booking.resource", on_delete = "clear" }
    [extend."booking.appointment"]
    fields.colour = { type = "text", unique = true }
    unique = [{ fields = ["colour", "master"], nulls = "equal", when = "status != 'cancelled'" }]
    [[hook]]
    on = "booking.appointment"
    when = ["create"]
    [[event]]
    on = "contact"
    when = ["update"]
"#;

fn source(text: &str) -> PluginSource {
    let manifest = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    PluginSource { manifest: Arc::new(manifest), digest: String::new(), settings: BTreeMap::new() }
}

/// The issues, a line each, of manifests that are given without their first three lines.
fn issues(manifests: &[(&str, &str)]) -> String {
    let sources: Vec<PluginSource> = manifests
        .iter()
        .map(|(id, rest)| source(&format!("id = \"{id}\"\nversion = \"1.0.0\"\napi = \"0.1\"\n{rest}")))
        .collect();
    let found = build(&sources, &TimeZone::UTC).expect_err("the catalog was built");
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn names<'a, T>(all: &'a [T], name: impl Fn(&'a T) -> &'a str) -> Vec<&'a str> {
    all.iter().map(name).collect()
}

#[test]
fn the_core_alone_is_a_catalog() {
    let catalog = build(&[], &TimeZone::UTC).unwrap();
    assert!(catalog.plugins.is_empty());
    let contact = catalog.find_by_plural(None, "contacts").unwrap();
    assert_eq!(contact.title.as_deref(), Some("name"));
    assert!(contact.owner.is_core());
    let mut referrers: Vec<String> =
        contact.referrers.iter().map(|one| format!("{}.{}", one.object, one.field)).collect();
    referrers.sort();
    let known = ["activity.contact", "contact_point.contact", "deal.contact", "link.from_contact", "link.to_contact"];
    assert_eq!(referrers, [known.as_slice(), &["message.contact", "task.contact"]].concat());
    // Callers are looked up by every phone and e-mail field, asked for or not.
    let point = catalog.find_object("contact_point").unwrap();
    assert!(["phone", "email"].iter().all(|key| point.field(key).is_some_and(|field| field.indexed)));
    let pipeline = catalog.find_object("pipeline").unwrap();
    assert_eq!(names(&pipeline.uniques, |one| &one.name), ["pipeline_unique_name"]);
    assert!(catalog.objects.values().all(|object| SYSTEM_FIELDS.iter().all(|name| object.field(name).is_none())));
}

#[test]
fn objects_of_plugins_are_linked_whatever_the_order_of_sources() {
    for sources in [[source(BOOKING), source(SALON)], [source(SALON), source(BOOKING)]] {
        let catalog = build(&sources, &TimeZone::UTC).unwrap();
        let order: Vec<&str> = catalog.plugins.keys().map(PluginId::as_str).collect();
        assert_eq!(order, ["booking", "a_salon"], "required ones first");
        assert_eq!(names(&catalog.hooks, |hook| hook.plugin.as_str()), ["booking", "a_salon"]);
        let contact = catalog.find_object("contact").unwrap();
        let favourite = contact.field("a_salon.favourite").unwrap();
        assert_eq!(favourite.label.get("en").map(String::as_str), Some("Favourite"));
        let resource = catalog.find_object("booking.resource").unwrap();
        let referrers: Vec<_> = resource.referrers.iter().map(|one| (one.field.as_str(), one.on_delete)).collect();
        assert_eq!(referrers, [("a_salon.favourite", OnDelete::Clear), ("master", OnDelete::Cascade)]);
    }
}

#[test]
fn rules_of_an_object_are_ready_for_use() {
    let catalog = build(&[source(BOOKING), source(SALON)], &TimeZone::UTC).unwrap();
    let object = catalog.find_object("booking.appointment").unwrap();
    assert_eq!(object.plural, "appointments");
    assert_eq!(object.field("status").unwrap().default, Value::from("booked"), "defaults are normalised");
    let price = Value::Money(Money { amount_minor: 1000, currency: "EUR".to_owned() });
    assert_eq!(object.field("price").unwrap().default, price);
    assert_eq!(names(&object.excludes, |one| &one.name), ["booking_appointment_exclude_master"]);
    assert_eq!(
        names(&object.uniques, |one| &one.name),
        [
            "booking_appointment_unique_a_salon_colour",
            "booking_appointment_unique_contact_starts_at",
            "booking_appointment_unique_a_salon_colour_master",
        ]
    );
    let steps = &object.transitions.first().unwrap().steps;
    assert_eq!(
        steps.iter().map(|step| (step.from.as_deref(), step.guard.is_some())).collect::<Vec<_>>(),
        [(Some("booked"), true), (None, false),]
    );
    assert_eq!(names(&object.timers, |timer| timer.action.as_str()), ["remind"]);
    let route = catalog.routes.first().unwrap();
    assert_eq!((route.method.as_str(), route.auth), ("GET", RouteAuth::Public));
    assert_eq!(catalog.hooks.first().unwrap().phase, Phase::Before);
    assert!(catalog.has_subscriber(&ObjectName::new("contact").unwrap(), ChangeKind::Update));
}

#[test]
fn grants_are_what_the_manifest_asks() {
    let catalog = build(&[source(BOOKING)], &TimeZone::UTC).unwrap();
    let grants = &catalog.plugins.get("booking").unwrap().grants;
    let contact = ObjectName::new("contact").unwrap();
    assert!(grants.allow(Operation::Create, &contact));
    assert!(!grants.allow(Operation::Update, &contact));
    assert!(grants.allow(Operation::Delete, &ObjectName::new("booking.resource").unwrap()));
}

#[test]
fn settings_are_the_businesss_over_the_defaults() {
    let mut booking = source(BOOKING);
    let settings = |source: &PluginSource| {
        build(std::slice::from_ref(source), &TimeZone::UTC).map(|catalog| catalog.plugins["booking"].settings.clone())
    };
    let notice = |text: &str| BTreeMap::from([("notice".to_owned(), Value::Duration(text.parse().unwrap()))]);
    assert_eq!(settings(&booking).unwrap(), notice("PT24H"));
    booking.settings.insert("notice".to_owned(), json!("90m"));
    booking.settings.insert("dropped_by_an_upgrade".to_owned(), json!(1));
    assert_eq!(settings(&booking).unwrap(), notice("PT1H30M"));
    let told = check_settings(&booking.manifest, &booking.settings).unwrap_err();
    assert_eq!(told[0].to_string(), "booking: settings.dropped_by_an_upgrade: booking has no setting of this name.");
    booking.settings.insert("notice".to_owned(), json!(5));
    insta::assert_snapshot!(settings(&booking).unwrap_err()[0], @r#"booking: settings.notice: expected a length of time such as "PT1H30M", found a number"#);
}

#[test]
fn requirements_that_are_not_met_are_told_with_what_to_install() {
    insta::assert_snapshot!(issues(&[
        ("a", "requires = { bokking = \"1\", b = \"^2\" }"),
        ("b", "requires = { c = \"*\" }"),
        ("c", "requires = { d = \"*\" }"),
        ("d", "requires = { b = \"*\" }"),
        ("e", "requires = { d = \"*\", e = \"*\" }"),
        ("booking", ""),
        ("booking", ""),
        ("core", ""),
        ("pergola_x", ""),
    ]), @r#"
    booking: id: two plugins have the id booking: remove one of them
    core: id: core and names that start with pergola are the host's: choose another id
    pergola_x: id: core and names that start with pergola are the host's: choose another id
    a: requires.bokking: a needs bokking ^1, which is not here: install bokking first. Did you mean "booking"?
    a: requires.b: a needs b ^2, but b 1.0.0 is here: install a version of b that fits
    e: requires.e: a plugin cannot require itself: take this line out
    b: requires.c: the plugins require each other in a circle (b → c → d → b): take one of the requirements out
    c: requires.d: the plugins require each other in a circle (c → d → b → c): take one of the requirements out
    d: requires.b: the plugins require each other in a circle (d → b → c → d): take one of the requirements out
    "#);
}

#[test]
fn mistakes_in_fields_are_told_with_their_mend() {
    insta::assert_snapshot!(issues(&[("shop", r#"
        [object.item]
        title = "nmae"
        plural = "things"
        fields.id = { type = "text" }
        fields.p1 = { type = "text" }
        fields.now = { type = "text" }
        fields.name = { type = "txt" }
        fields.kind = { type = "choice" }
        fields.size = { type = "choice", of = ["S", "s", " M", "*"] }
        fields.owner = { type = "ref" }
        fields.maker = { type = "ref", to = "contcat" }
        fields.shelf = { type = "ref", to = "shelf", on_delete = "clear", required = true, default = "x" }
        fields.place = { type = "ref", to = "booking.place" }
        fields.price = { type = "money", default = 15 }
        fields.weight = { type = "decimal", scale = 12 }
        fields.count = { type = "integer", default = "many", of = ["a"], scale = 1, to = "contact" }
        fields.phone = { type = "phone", default = "8 912 345-67-89" }
        fields.extra = { type = "json", unique = true, indexed = true, searchable = true }
        fields.code = { type = "text", unique = true, default = "x", label = { EN = "Code", en = "" } }
        [object.shelf]
        plural = "things"
        fields.name = { type = "text" }
        [extend.contact]
        fields.card = { type = "text", required = true }
        [extend."shop.shelf"]
        fields.x = { type = "text" }
        [extend.kontact]
        fields.x = { type = "text" }
        [settings]
        colour = { type = "choice" }
        limit = { type = "integer", default = 1.5 }
    "#)]), @r#"
    shop: settings.colour.type: a setting cannot be a choice: use text
    shop: settings.limit.default: expected a whole number, found 1.5
    shop: object.item.fields.id: every record has id already: choose another name
    shop: object.item.fields.p1: p1 means something else in expressions: choose another name
    shop: object.item.fields.now: now means something else in expressions: choose another name
    shop: object.item.fields.name.type: there is no type "txt"; the types are text, long_text, integer, decimal, money, bool, date, datetime, duration, choice, phone, email, url, json, ref, tags. Did you mean "text"?
    shop: object.item.fields.kind: a choice needs its codes: add of = ["first", "second"]
    shop: object.item.fields.size.of[1]: the code "s" is there twice: take one out
    shop: object.item.fields.size.of[2]: " M" cannot be a code: use a short word without spaces around it
    shop: object.item.fields.size.of[3]: "*" cannot be a code: use a short word without spaces around it
    shop: object.item.fields.owner: a ref needs the object that it refers to: add to = "contact" or another
    shop: object.item.fields.shelf.on_delete: a required ref cannot be cleared: use "restrict" or "cascade", or take required out
    shop: object.item.fields.shelf.default: a ref cannot have a default: set it in a hook
    shop: object.item.fields.price.default: 15 has no currency; write it like "15 EUR"
    shop: object.item.fields.weight.scale: at most 9 digits after the point fit
    shop: object.item.fields.count.of: only a choice has codes: take it out, or make the type choice
    shop: object.item.fields.count.to: only a ref leads to an object: take it out, or make the type ref
    shop: object.item.fields.count.scale: only a decimal has a scale: take it out
    shop: object.item.fields.count.default: expected a whole number such as 42, found text
    shop: object.item.fields.phone.default: "8 912 345-67-89" is not a possible phone number; write it like +14155552671
    shop: object.item.fields.extra.unique: a field of this type cannot be unique: take it out
    shop: object.item.fields.extra.indexed: a field of this type cannot have an index: take it out
    shop: object.item.fields.extra.searchable: only text, phones, e-mail and web addresses are searched: take it out
    shop: object.item.fields.code.label.EN: "EN" is not a language code; write it like en or pt-BR
    shop: object.item.fields.code.label.en: a label is one line of at most 1000 characters, and not empty
    shop: object.item.fields.code.default: a unique field cannot have a default: its second record would fail
    shop: object.item.title: item has no field nmae. Did you mean "name"?
    shop: object.shelf: two objects have the plural things, which is part of the URL: change one
    shop: extend.contact.fields.card.required: others create these records and do not know the field: give it a default, or take required out
    shop: extend."shop.shelf": shop.shelf is this plugin's own: put the fields under [object.shelf]
    shop: extend.kontact: there is no object kontact. Did you mean "contact"?
    shop: object.item.fields.maker.to: there is no object contcat. Did you mean "contact"?
    shop: object.item.fields.shelf.to: there is no object shelf. Did you mean "shop.shelf"?
    shop: object.item.fields.place.to: there is no object booking.place: add booking under [requires], or correct the name
    "#);
}

#[test]
fn mistakes_in_rules_are_told_with_their_mend() {
    insta::assert_snapshot!(issues(&[("shop", r#"
        [object.visit]
        fields.master = { type = "ref", to = "contact" }
        fields.on = { type = "date" }
        fields.from = { type = "datetime" }
        fields.notes = { type = "long_text" }
        fields.code = { type = "text", unique = true }
        fields.status = { type = "choice", of = ["booked", "done"] }
        exclude = [
            { on = "mster", during = ["from", "on"] },
            { on = "notes", during = ["from", "from"], when = "status" },
        ]
        unique = [{ fields = ["code"] }, { fields = ["notes", "nothing", "notes"] }, { fields = [] },
            { fields = ["status"], when = "from < now" }, { fields = ["on"], ignore_case = true }]
        transitions.status = [
            { from = "bookd", to = "done" },
            { from = "booked", to = "*" },
            { from = "booked", to = "done", guard = "from > yesterday" },
            { from = "booked", to = "done" },
        ]
        transitions.code = []
        [[timer]]
        on = "shop.visit"
        at = "notes"
        action = "remind"
        [[timer]]
        on = "shop.visit"
        at = "from"
        if = "status == 'bookd'"
        action = "remind"
        [[timer]]
        on = "visit"
        at = "from"
        action = "other"
    "#)]), @r#"
    shop: object.visit.exclude[0].on: shop.visit has no field mster. Did you mean "master"?
    shop: object.visit.exclude[0].during[1]: an interval has two date or two datetime fields, not one of each
    shop: object.visit.exclude[1].on: notes is long_text, which cannot be compared: use a ref, a choice or a text
    shop: object.visit.exclude[1].during[1]: an interval starts and ends in two different fields
    shop: object.visit.exclude[1].when: a condition must stand here, but this is a value of type text; compare it with something
    status
    ^
    shop: object.visit.unique[0].fields: the same fields are unique already: take this line out
    shop: object.visit.unique[1].fields[0]: notes is of a type that cannot be unique: take it out
    shop: object.visit.unique[1].fields[1]: shop.visit has no field nothing.
    shop: object.visit.unique[1].fields[2]: notes is of a type that cannot be unique: take it out
    shop: object.visit.unique[1].fields[2]: notes is there twice: take one out
    shop: object.visit.unique[2].fields: name at least one field that must not repeat
    shop: object.visit.unique[3].when: a value that is stored cannot look at now: the stored value would not follow the clock; compare with now where it is read
    shop: object.visit.unique[4].ignore_case: none of the fields is a text or a web address: take ignore_case out
    shop: object.visit.transitions.status[0].from: status has no code "bookd"; it has booked, done. Did you mean "booked"?
    shop: object.visit.transitions.status[1].to: status has no code "*"; it has booked, done.
    shop: object.visit.transitions.status[2].guard: shop.visit has no field yesterday; there are: master, on, from, notes, code, status, id, version, created_at, updated_at, now
    from > yesterday
           ^
    shop: object.visit.transitions.status[3]: the step from booked to done is there twice: join their guards with ||
    shop: object.visit.transitions.code: code is text: only a choice has transitions
    shop: timer[0].at: the expression must give a value of type datetime, but this is text
    notes
    ^
    shop: timer[1].if: status has no code "bookd" (did you mean booked?); there are: booked, done
    status == 'bookd'
              ^
    shop: timer[2].on: there is no object visit. Did you mean "shop.visit"?
    "#);
}

#[test]
fn a_timer_follows_a_record_whole_or_not_at_all() {
    insta::assert_snapshot!(issues(&[("shop", r#"
        [object.visit]
        fields.from = { type = "datetime" }
        [[timer]]
        on = "shop.visit"
        action = "never"
        [[timer]]
        if = "from != null"
        action = "whose"
        [[timer]]
        action = "own"
        [[timer]]
        action = "own"
    "#)]), @r#"
    shop: timer[0]: a timer that follows a record says when: add at = "starts_at - duration('24h')"
    shop: timer[1]: a timer with at or if follows a record: add on = "contact", or leave them out and set it by code
    shop: timer[3].action: own is there twice: take one out
    "#);
}

#[test]
fn mistakes_in_handlers_and_rights_are_told_with_their_mend() {
    insta::assert_snapshot!(issues(&[("other", "[object.thing]\nfields.name = { type = \"text\" }"), ("shop", r#"
        [capabilities]
        records = { "contcat" = "read", "core.*" = "all", "othr.*" = "all", "contact" = "reed, create" }
        own_rights = ["shop.thing"]
        [[hook]]
        on = "contact"
        when = []
        [[hook]]
        on = "other.thing"
        when = ["create", "create"]
        [[event]]
        on = "nothing"
        when = ["delete"]
        [[action]]
        id = "remind"
        input = 5
        [[action]]
        id = "remind"
        [[route]]
        method = "FETCH"
        path = "/slots"
        [[route]]
        method = "GET"
        path = "slots/{id}"
        [[route]]
        method = "get"
        path = "/slots"
        [[route]]
        method = "GET"
        path = "/slots"
    "#)]), @r#"
    shop: hook[0].when: name at least one of "create", "update" and "delete"
    shop: hook[1].when[1]: create is there twice: take one out
    shop: hook[1].on: other.thing belongs to other, which is not required: add it under [requires]
    shop: event[0].on: there is no object nothing; the core has contact, organization, pipeline, stage, deal, task, activity, message, contact_point, link
    shop: route[0].method: there is no method "FETCH"; use one of GET, POST, PUT, PATCH, DELETE.
    shop: route[1].path: "slots/{id}" is not a route: start with / and use a–z, 0–9, _, - and / only; what varies goes into the query
    shop: route[3]: GET /slots is there twice: take one out
    shop: action[0].input: the input is a JSON Schema: a table such as { type = "object" }
    shop: action[1].id: two actions have the id remind: change one
    shop: capabilities.records.contcat: there is no object "contcat"; write an object's name, "plugin.*" or "*". Did you mean "contact"?
    shop: capabilities.records."core.*": there is no plugin core: install it first, or name the core's objects one by one.
    shop: capabilities.records."othr.*": there is no plugin othr: install it first, or name the core's objects one by one. Did you mean "other"?
    shop: capabilities.records.contact: "reed" is no right: write "all", or a list such as "read,create,update,delete". Did you mean "read"?
    shop: capabilities.own_rights[0]: there is no object "shop.thing"; write an object's name, "plugin.*" or "*".
    "#);
}

#[test]
fn a_plugin_keeps_out_of_the_names_of_others() {
    insta::assert_snapshot!(issues(&[
        ("contacts", ""),
        ("tags", "[extend.contact]\nfields.colour = { type = \"text\" }"),
        ("a_b", "[object.c]\nfields.name = { type = \"text\", unique = true }"),
        ("a", "[object.b_c]\nfields.name = { type = \"text\", unique = true }"),
    ]), @r#"
    contacts: id: contacts is the URL of an object of the core: choose another id
    tags: extend.contact: contact has a field tags, under which the added fields would stand: choose another id
    a_b: object.c: a_b.c and a.b_c both have a constraint a_b_c_unique_name: rename one of the objects
    "#);
}

#[test]
fn sizes_are_limited() {
    let fields: String = (0..=FIELDS_MAX).map(|n| format!("fields.f{n} = {{ type = \"text\" }}\n")).collect();
    let objects: String =
        (0..=OBJECTS_MAX).map(|n| format!("[object.o{n}]\nfields.name = {{ type = \"text\" }}\n")).collect();
    let hooks = "[[hook]]\non = \"contact\"\nwhen = [\"create\"]\n".repeat(HANDLERS_MAX + 1);
    insta::assert_snapshot!(issues(&[
        ("wide", &format!("[object.a]\n{fields}")),
        ("many", &objects),
        ("hooked", &hooks),
        ("broad", &format!("[extend.contact]\n{fields}")),
    ]), @r#"
    many: object: a plugin has at most 100 objects: split it in two
    wide: object.a.fields: an object has between 1 and 200 fields
    broad: extend.contact: contact would have more than 200 fields: make an own object that refers to it
    hooked: hook: at most 100 of these fit in one plugin, there are 101
    "#);
}

#[test]
fn a_long_constraint_name_is_shortened_and_stays_unique() {
    let (long, other) = ("x".repeat(60), "x".repeat(61));
    let name = constraint_name(&["booking.appointment", "unique", &long]);
    assert_eq!(name.len(), 63);
    assert_ne!(name, constraint_name(&["booking.appointment", "unique", &other]));
    assert_eq!(constraint_name(&["contact", "unique", "phone"]), "contact_unique_phone");
}

#[test]
fn a_type_is_what_its_field_says() {
    let catalog = build(&[], &TimeZone::UTC).unwrap();
    let contact = catalog.find_object("contact").unwrap();
    assert_eq!(contact.field("phone").unwrap().kind, FieldType::Phone);
    assert!(contact.field("name").unwrap().required);
}
