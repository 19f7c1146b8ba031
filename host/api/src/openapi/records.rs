//! Operations on records, for every object of the catalog.

mod balances;

use pergola_exchange::ExportFormat;
use pergola_model::{Catalog, ChangeKind, Object, ObjectName, decl::Phase};
use utoipa::openapi::{
    ContentBuilder, ResponseBuilder, Schema,
    path::HttpMethod,
    schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaType, Type},
};

use super::{
    Draft,
    names::{pascal, plural, singular},
    parts::{
        formatted, header, json, json_body, json_response, operation, parameter_ref, problem_ref, schema_ref, typed,
    },
    schemas::{self, Use},
    text,
};
use crate::routes::{collection_path, export_path};

/// Objects and the names of the schemas of their records.
pub(super) type Named = Vec<(ObjectName, String)>;

/// Names of an object's schemas.
struct SchemaNames {
    read: String,
    create: String,
    update: String,
    page: String,
}

/// Adds all objects, and tells under which names their records are described.
pub(super) fn add(draft: &mut Draft, catalog: &Catalog) -> Named {
    let mut named = Vec::new();
    for object in catalog.objects.values() {
        let base = pascal(object.name.as_str());
        let names = SchemaNames {
            read: draft.names.unique(base.clone()),
            create: draft.names.unique(format!("{base}Create")),
            update: draft.names.unique(format!("{base}Update")),
            page: draft.names.unique(format!("{base}Page")),
        };
        add_schemas(draft, catalog, object, &names);
        let tag = crate::routes::resource(object);
        draft.tag(&tag, text(&object.label).map(str::to_owned));
        add_collection(draft, object, &tag, &names);
        add_record(draft, object, &tag, &names);
        if object.derived.ledger.is_some() {
            balances::add(draft, object, &tag);
        }
        named.push((object.name.clone(), names.read));
    }
    named
}

fn add_schemas(draft: &mut Draft, catalog: &Catalog, object: &Object, names: &SchemaNames) {
    let hooked = catalog.hooks_on(&object.name, Phase::Before, ChangeKind::Create).next().is_some();
    let items = ArrayBuilder::new().items(schema_ref(&names.read));
    let page = ObjectBuilder::new()
        .property("items", items)
        .required("items")
        .property(
            "next",
            typed(SchemaType::from_iter([Type::String, Type::Null]))
                .description(Some("Send it as `after` to get the next page")),
        )
        .required("next")
        .property(
            "total",
            formatted(Type::Integer, KnownFormat::Int64).description(Some("With count=true: how many records match")),
        );
    let schemas = &mut draft.components.schemas;
    schemas.insert(names.read.clone(), schemas::record(object, Use::Read).into());
    schemas.insert(names.create.clone(), schemas::record(object, Use::Create { hooked }).into());
    schemas.insert(names.update.clone(), schemas::record(object, Use::Update).into());
    schemas.insert(names.page.clone(), Schema::Object(page.build()).into());
}

fn add_collection(draft: &mut Draft, object: &Object, tag: &str, names: &SchemaNames) {
    let path = collection_path(object);
    let id = draft.names.unique(format!("list_{}", plural(object)));
    let listed = operation(id, tag, format!("List records of {}", object.name));
    let listed = ["Filter", "Sort", "Limit", "After", "Count"]
        .into_iter()
        .fold(listed, |listed, name| listed.parameter_ref(parameter_ref(name)))
        .response("200", json_response("One page", &names.page));
    draft.add(HttpMethod::Get, &path, listed);

    let id = draft.names.unique(format!("export_{}", plural(object)));
    let file = ExportFormat::ALL.into_iter().fold(ResponseBuilder::new().description("The file"), |file, format| {
        let media_type = format.media_type().split(';').next().unwrap_or_default();
        file.content(media_type, ContentBuilder::new().schema(Some(typed(Type::String).build())).build())
    });
    let exported = operation(id, tag, format!("Export records of {} as a file; for owners", object.name));
    let exported = ["ExportFormat", "Filter", "Sort", "ExportFields", "ExportLabels", "ExportSeparator", "ExportBom"]
        .into_iter()
        .fold(exported, |exported, name| exported.parameter_ref(parameter_ref(name)))
        .response("200", file);
    draft.add(HttpMethod::Get, &export_path(object), exported);

    let id = draft.names.unique(format!("aggregate_{}", plural(object)));
    let grouped = operation(id, tag, format!("Ask of groups of records of {}", object.name));
    let grouped = ["Measure", "Group", "Filter", "AggregateSort", "AggregateLimit"]
        .into_iter()
        .fold(grouped, |grouped, name| grouped.parameter_ref(parameter_ref(name)))
        .response("200", json_response("A row for each group", "Aggregates"));
    draft.add(HttpMethod::Get, &format!("{path}/aggregate"), grouped);

    let id = draft.names.unique(format!("create_{}", singular(object)));
    let created = json_response("The new record", &names.read)
        .header("ETag", header("The record's version"))
        .header("Location", header("The record's path"));
    let create = operation(id, tag, format!("Create a record of {}", object.name))
        .parameter_ref(parameter_ref("IdempotencyKey"))
        .request_body(Some(json_body(&names.create)))
        .response("201", created)
        .response("409", problem_ref("409"))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Post, &path, create);
}

fn add_record(draft: &mut Draft, object: &Object, tag: &str, names: &SchemaNames) {
    let path = format!("{}/{{id}}", collection_path(object));
    let record =
        |description: &str| json_response(description, &names.read).header("ETag", header("The record's version"));
    let of = |draft: &mut Draft, verb: &str, summary: &str| {
        let id = draft.names.unique(format!("{verb}_{}", singular(object)));
        operation(id, tag, format!("{summary} of {}", object.name))
            .parameter_ref(parameter_ref("Id"))
            .response("404", problem_ref("404"))
    };
    let get = of(draft, "get", "Get a record")
        .parameter_ref(parameter_ref("IfNoneMatch"))
        .response("200", record("The record"))
        .response("304", ResponseBuilder::new().description("The version of If-None-Match is still the record's"));
    draft.add(HttpMethod::Get, &path, get);

    let mut body = json_body(&names.update);
    body.content.insert("application/merge-patch+json".to_owned(), json(&names.update).into());
    let update = of(draft, "update", "Change fields of a record")
        .parameter_ref(parameter_ref("IfMatch"))
        .request_body(Some(body))
        .response("200", record("The record as it is now"))
        .response("409", problem_ref("409"))
        .response("412", problem_ref("412"))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Patch, &path, update);

    let delete = of(draft, "delete", "Delete a record")
        .parameter_ref(parameter_ref("IfMatch"))
        .response("204", ResponseBuilder::new().description("It is gone"))
        .response("409", problem_ref("409"))
        .response("412", problem_ref("412"))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Delete, &path, delete);
}
