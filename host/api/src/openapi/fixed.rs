//! What every workspace has: problems, sessions, plugins, timelines, parameters.

use utoipa::openapi::{
    Components, Ref, Required, Schema,
    path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn},
    schema::{ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaType, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use super::{
    BEARER, Draft,
    parts::{
        custom, formatted, json_body, json_response, operation, optional, parameter_ref, path_parameter, problem_ref,
        problems, schema_ref, text, typed,
    },
    records::Named,
};

/// What somebody should know before the first request.
pub(super) const DESCRIPTION: &str = "Records of all installed objects, actions and routes of plugins.\n\n\
    Sign in by `POST /api/v1/session`, then send `Authorization: Bearer TOKEN`. Lists come in pages: send `next` as `after`. \
    Errors are problem documents (RFC 9457) with a stable `code`. A record's `version` is its `ETag`.";

pub(super) fn components() -> Components {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("pgl_…");
    let mut components = Components::new();
    components.schemas.extend(schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema.into())));
    components.security_schemes.insert(BEARER.to_owned(), SecurityScheme::Http(bearer.build()).into());
    components.responses.extend(problems().map(|(name, response)| (name, response.into())));
    components.parameters.extend(
        parameters()
            .into_iter()
            .chain(export_parameters())
            .map(|(name, parameter)| (name.to_owned(), parameter.into())),
    );
    components
}

fn schemas() -> Vec<(&'static str, Schema)> {
    let issue = required(&[("field", text().into()), ("code", text().into()), ("message", text().into())]);
    let money = required(&[
        ("amount_minor", formatted(Type::Integer, KnownFormat::Int64).description(Some("Cents, kopecks")).into()),
        ("currency", typed(Type::String).pattern(Some("^[A-Z]{3}$")).description(Some("ISO 4217")).into()),
    ]);
    let credentials = required(&[
        ("email", custom(Type::String, "email").into()),
        ("password", formatted(Type::String, KnownFormat::Password).into()),
    ]);
    let session = required(&[
        ("token", text().into()),
        ("expires_at", formatted(Type::String, KnownFormat::DateTime).into()),
        ("role", typed(Type::String).enum_values(Some(["owner", "staff", "viewer"])).into()),
    ]);
    let mut all = vec![
        ("FieldIssue", issue.build().into()),
        ("Money", money.build().into()),
        ("Credentials", credentials.build().into()),
        ("Session", session.build().into()),
        ("Problem", problem().build().into()),
        ("Plugin", plugin().build().into()),
        ("PluginSettings", free_form("Values by name; null goes back to the default").build().into()),
        ("PluginPage", page("Plugin").build().into()),
        ("Aggregates", aggregates().build().into()),
        ("Health", required(&[("status", typed(Type::String).enum_values(Some(["ok"])).into())]).build().into()),
    ];
    all.extend(super::bin::schemas());
    all.push(super::purge::schema());
    all
}

/// An object whose members are all there.
pub(super) fn required(properties: &[(&str, Schema)]) -> ObjectBuilder {
    properties
        .iter()
        .fold(ObjectBuilder::new(), |schema, (name, property)| schema.property(*name, property.clone()).required(*name))
}

fn problem() -> ObjectBuilder {
    let errors =
        ArrayBuilder::new().items(schema_ref("FieldIssue")).description(Some("What is wrong with which fields"));
    required(&[
        ("type", typed(Type::String).description(Some("urn:pergola:problem:{code}")).into()),
        ("title", text().into()),
        ("status", typed(Type::Integer).into()),
        ("detail", typed(Type::String).description(Some("For people: what to do")).into()),
        ("code", typed(Type::String).description(Some("Stable, for programs")).into()),
        ("request_id", text().into()),
    ])
    .property("plugin", typed(Type::String).description(Some("The plugin that refused or failed")))
    .property("errors", errors)
    .description(Some("RFC 9457. A plugin may add members of its own"))
}

fn plugin() -> ObjectBuilder {
    let setting = required(&[
        ("name", text().into()),
        ("type", text().into()),
        ("label", free_form("By language").build().into()),
    ]);
    required(&[
        ("id", text().into()),
        ("version", text().into()),
        ("label", free_form("By language").build().into()),
        ("declared_settings", ArrayBuilder::new().items(setting).into()),
    ])
    .property("settings", free_form("Values by name; only for owners"))
}

fn free_form(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().description(Some(description))
}

/// A page of a list.
pub(super) fn page(item: &str) -> ObjectBuilder {
    required(&[
        ("items", ArrayBuilder::new().items(schema_ref(item)).into()),
        ("next", typed(SchemaType::from_iter([Type::String, Type::Null])).into()),
    ])
}

/// The answer to a question about groups.
fn aggregates() -> ObjectBuilder {
    let row = free_form("A value under each group and measure, as they were asked for");
    required(&[
        ("items", ArrayBuilder::new().items(row).into()),
        ("more", typed(Type::Boolean).description(Some("Whether there are more groups than the limit")).into()),
    ])
}

fn parameters() -> Vec<(&'static str, Parameter)> {
    let query = ParameterIn::Query;
    let rows = |max: f64| typed(Type::Integer).minimum(Some(1.0)).maximum(Some(max)).default(Some(100.into()));
    let limit = |max: f64| typed(Type::Integer).minimum(Some(1.0)).maximum(Some(max)).default(Some(50.into()));
    vec![
        ("Id", path_parameter("id", "The record's id")),
        (
            "Filter",
            optional(
                query.clone(),
                "filter",
                "CEL over the record's fields: `name.contains('Ann') && created_at > timestamp('2026-01-01T00:00:00Z')`",
                typed(Type::String),
            ),
        ),
        (
            "Sort",
            optional(
                query.clone(),
                "sort",
                "Fields in order, `-` for largest first: `-created_at,name`",
                typed(Type::String),
            ),
        ),
        ("Limit", optional(query.clone(), "limit", "Records in a page", limit(500.0))),
        ("AggregateLimit", optional(query.clone(), "limit", "Groups in the answer; 100 if not said", rows(1_000.0))),
        (
            "Measure",
            optional(
                query.clone(),
                "measure",
                "What is asked of each group: `count,sum(price),avg(price),min(x),max(x),distinct(x),count(condition)`",
                typed(Type::String),
            ),
        ),
        (
            "Group",
            optional(
                query.clone(),
                "group",
                "What makes a group, by CEL: `status,contact.name,month(starts_at)`; all records are one without it",
                typed(Type::String),
            ),
        ),
        (
            "AggregateSort",
            optional(
                query.clone(),
                "sort",
                "Groups and measures in order, `-` for largest first: `-count,status`",
                typed(Type::String),
            ),
        ),
        ("TimelineLimit", optional(query.clone(), "limit", "Entries", limit(100.0))),
        ("After", optional(query.clone(), "after", "`next` of the page before", typed(Type::String))),
        ("Count", optional(query, "count", "Whether to count all that match", typed(Type::Boolean))),
        ("IfMatch", optional(ParameterIn::Header, "If-Match", "Only if the record has this ETag", typed(Type::String))),
        (
            "IfNoneMatch",
            optional(ParameterIn::Header, "If-None-Match", "Only if the record has another ETag", typed(Type::String)),
        ),
        (
            "IdempotencyKey",
            optional(
                ParameterIn::Header,
                "Idempotency-Key",
                "The same key with the same request gives the same answer for 24 hours",
                typed(Type::String).max_length(Some(255)),
            ),
        ),
    ]
}

fn export_parameters() -> Vec<(&'static str, Parameter)> {
    let query = ParameterIn::Query;
    vec![
        (
            "ExportFormat",
            ParameterBuilder::new()
                .name("format")
                .parameter_in(query.clone())
                .required(Required::True)
                .description(Some("What the file is"))
                .schema(Some(typed(Type::String).enum_values(Some(["csv", "xlsx", "jsonl", "vcard"])).build()))
                .build(),
        ),
        (
            "ExportFields",
            optional(
                query.clone(),
                "fields",
                "Columns, separated by commas; the id and all fields if absent",
                typed(Type::String),
            ),
        ),
        (
            "ExportLabels",
            optional(
                query.clone(),
                "labels",
                "The language of the headings (`en`); the fields' keys if absent",
                typed(Type::String),
            ),
        ),
        (
            "ExportSeparator",
            optional(
                query.clone(),
                "separator",
                "What separates the cells of csv: a comma, semicolon, tab or vertical bar",
                typed(Type::String).default(Some(",".into())),
            ),
        ),
        ("ExportBom", optional(query, "bom", "Whether csv begins with a byte order mark", typed(Type::Boolean))),
    ]
}

/// Adds the operations that every workspace has.
pub(super) fn add(draft: &mut Draft, named: &Named) {
    draft.tag("session", Some("Signing in".to_owned()));
    draft.tag("plugins", Some("What is installed".to_owned()));
    draft.tag("system", None);
    let sign_in = operation(draft.names.unique("create_session".to_owned()), "session", "Sign in".to_owned())
        .securities(Some(Vec::<SecurityRequirement>::new()))
        .request_body(Some(json_body("Credentials")))
        .response("201", json_response("A token", "Session"));
    draft.add(HttpMethod::Post, "/api/v1/session", sign_in);

    let list = operation(draft.names.unique("list_plugins".to_owned()), "plugins", "List plugins".to_owned())
        .response("200", json_response("All plugins", "PluginPage"));
    draft.add(HttpMethod::Get, "/api/v1/plugins", list);

    let id = draft.names.unique("update_plugin_settings".to_owned());
    let settings = operation(id, "plugins", "Change a plugin's settings; for owners".to_owned())
        .parameter(path_parameter("plugin", "The plugin's id"))
        .request_body(Some(json_body("PluginSettings")))
        .response("200", json_response("The plugin", "Plugin"))
        .response("404", problem_ref("404"))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Patch, "/api/v1/plugins/{plugin}/settings", settings);

    let health =
        operation(draft.names.unique("get_health".to_owned()), "system", "Whether the store can be read".to_owned())
            .securities(Some(Vec::<SecurityRequirement>::new()))
            .response("200", json_response("It can", "Health"));
    draft.add(HttpMethod::Get, "/healthz", health);
    add_timeline(draft, named);
    add_lookup(draft, named);
    add_search(draft);
}

fn add_lookup(draft: &mut Draft, named: &Named) {
    draft.tag("lookup", Some("Finding records".to_owned()));
    let shown = named.iter().filter(|(object, _)| matches!(object.as_str(), "contact" | "organization"));
    let record = shown.fold(OneOfBuilder::new(), |all, (_, schema)| all.item(Ref::from_schema_name(schema)));
    let where_found = "Where the address was found: `phone`, `salon.work_phone`, `contact_point.phone`";
    let holder = ObjectBuilder::new()
        .property("object", typed(Type::String).enum_values(Some(["contact", "organization"])))
        .property("id", custom(Type::String, "uuid"))
        .property("title", text())
        .property("field", typed(Type::String).description(Some(where_found)))
        .property("record", record);
    let holder = ["object", "id", "title", "field", "record"].into_iter().fold(holder, ObjectBuilder::required);
    let name = draft.names.unique("Holder".to_owned());
    draft.components.schemas.insert(name.clone(), Schema::Object(holder.build()).into());
    let answer = page(&name)
        .property("phone", typed(Type::String).description(Some("The number as it is stored")))
        .property("email", typed(Type::String).description(Some("The address as it is stored")));
    let holders = draft.names.unique("Holders".to_owned());
    draft.components.schemas.insert(holders.clone(), Schema::Object(answer.build()).into());
    let address = |name, what| optional(ParameterIn::Query, name, what, typed(Type::String));
    let id = draft.names.unique("list_holders".to_owned());
    let list = operation(id, "lookup", "Find who has a phone number or an e-mail address".to_owned())
        .parameter(address("phone", "A number as people write it: `8 912 345-67-89`"))
        .parameter(address("email", "An e-mail address"))
        .response("200", json_response("At most 50, those that have it as their own first", &holders))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Get, "/api/v1/lookup", list);
}

fn add_search(draft: &mut Draft) {
    let description = |what: &'static str| typed(Type::String).description(Some(what));
    let hit = required(&[
        ("object", description("`contact`, `booking.service`").into()),
        ("id", custom(Type::String, "uuid").into()),
        ("title", text().into()),
        ("field", description("The field that matched; `contact_point.phone` for one of its contact points").into()),
        ("snippet", description("The field's text around the word").into()),
    ]);
    let name = draft.names.unique("SearchHit".to_owned());
    draft.components.schemas.insert(name.clone(), Schema::Object(hit.build()).into());
    let hits = draft.names.unique("SearchHits".to_owned());
    draft.components.schemas.insert(hits.clone(), Schema::Object(page(&name).build()).into());
    let words = "Words, beginnings of words, names with a slip, parts of phone numbers; all have to be found";
    let limit = typed(Type::Integer).minimum(Some(1.0)).maximum(Some(100.0)).default(Some(20.into()));
    let id = draft.names.unique("list_search_hits".to_owned());
    let list = operation(id, "lookup", "Search records of all objects, the best first".to_owned())
        .parameter(optional(ParameterIn::Query, "q", words, typed(Type::String).max_length(Some(200))))
        .parameter(optional(ParameterIn::Query, "objects", "Only these: `contact,deal`", typed(Type::String)))
        .parameter(optional(ParameterIn::Query, "limit", "Hits", limit))
        .response("200", json_response("What was found; `next` is always null", &hits));
    draft.add(HttpMethod::Get, "/api/v1/search", list);
}

fn add_timeline(draft: &mut Draft, named: &Named) {
    let shown = named.iter().filter(|(object, _)| matches!(object.as_str(), "activity" | "message"));
    let record = shown.fold(OneOfBuilder::new(), |all, (_, schema)| all.item(Ref::from_schema_name(schema)));
    let entry = ObjectBuilder::new()
        .property("object", typed(Type::String).enum_values(Some(["activity", "message"])))
        .required("object")
        .property("record", record)
        .required("record");
    let name = draft.names.unique("TimelineEntry".to_owned());
    draft.components.schemas.insert(name.clone(), Schema::Object(entry.build()).into());
    let timeline = draft.names.unique("Timeline".to_owned());
    draft.components.schemas.insert(timeline.clone(), Schema::Object(page(&name).build()).into());
    let id = draft.names.unique("list_contact_timeline".to_owned());
    let list = operation(id, "contacts", "List a contact's activities and messages, newest first".to_owned())
        .parameter_ref(parameter_ref("Id"))
        .parameter_ref(parameter_ref("TimelineLimit"))
        .response("200", json_response("The newest entries", &timeline))
        .response("404", problem_ref("404"));
    draft.add(HttpMethod::Get, "/api/v1/contacts/{id}/timeline", list);
}
