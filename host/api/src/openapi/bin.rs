//! The bin in the document.

use utoipa::openapi::{
    ResponseBuilder, Schema,
    path::{HttpMethod, ParameterIn},
    schema::{KnownFormat, Object, SchemaType, Type},
};

use super::{
    Draft,
    fixed::{page, required},
    parts::{
        custom, formatted, json_body, json_response, operation, optional, parameter_ref, path_parameter, problem_ref,
        text, typed,
    },
};

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let uuid = || Schema::from(custom(Type::String, "uuid").build());
    let time = || Schema::from(formatted(Type::String, KnownFormat::DateTime).build());
    let count = |what: &str| Schema::from(typed(Type::Integer).description(Some(what)).build());
    let deletion = required(&[
        ("id", uuid()),
        ("deleted_at", time()),
        ("ends_at", time()),
        ("actor", text().into()),
        ("plugin", typed(SchemaType::from_iter([Type::String, Type::Null])).into()),
        ("object", text().into()),
        ("record", uuid()),
        ("title", text().into()),
        ("records", count("How many went, this one included")),
    ]);
    let restored = required(&[
        ("object", text().into()),
        ("record", uuid()),
        ("records", count("How many came back")),
        ("references", count("How many references that had become empty stand again")),
    ]);
    let days = || keep_days().into();
    vec![
        ("Deletion", deletion.build().into()),
        ("Bin", page("Deletion").property("keep_days", keep_days()).required("keep_days").build().into()),
        ("BinSettings", required(&[("keep_days", days())]).build().into()),
        ("Restored", restored.build().into()),
    ]
}

fn keep_days() -> Object {
    typed(Type::Integer)
        .minimum(Some(0.0))
        .maximum(Some(f64::from(pergola_service::workspace::KEEP_DAYS_MAX)))
        .description(Some("Days that deletions are kept"))
        .build()
}

/// Adds the bin's operations.
pub(super) fn add(draft: &mut Draft) {
    draft.tag("bin", Some("What was deleted and can come back".to_owned()));
    let object = optional(ParameterIn::Query, "object", "Only records of this object", typed(Type::String));
    let list = operation(draft.names.unique("list_bin".to_owned()), "bin", "List deletions, newest first".to_owned())
        .parameter(object)
        .parameter_ref(parameter_ref("Limit"))
        .parameter_ref(parameter_ref("After"))
        .response("200", json_response("One page", "Bin"));
    draft.add(HttpMethod::Get, "/api/v1/bin", list);

    let id = draft.names.unique("update_bin".to_owned());
    let update = operation(id, "bin", "Say how long deletions are kept; for owners".to_owned())
        .request_body(Some(json_body("BinSettings")))
        .response("200", json_response("What is set now", "BinSettings"))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Patch, "/api/v1/bin", update);

    let deletion = || path_parameter("deletion", "The deletion's id");
    let id = draft.names.unique("restore_deletion".to_owned());
    let restore = operation(id, "bin", "Bring back what a deletion took, with the same ids".to_owned())
        .parameter(deletion())
        .response("200", json_response("What came back", "Restored"))
        .response("404", problem_ref("404"))
        .response("409", problem_ref("409"));
    draft.add(HttpMethod::Post, "/api/v1/bin/{deletion}/restore", restore);

    let id = draft.names.unique("delete_deletion".to_owned());
    let delete = operation(id, "bin", "Drop a deletion for good".to_owned())
        .parameter(deletion())
        .response("204", ResponseBuilder::new().description("It is gone"))
        .response("404", problem_ref("404"));
    draft.add(HttpMethod::Delete, "/api/v1/bin/{deletion}", delete);
}
