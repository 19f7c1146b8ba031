//! Purging a contact or an organization, in the document.

use utoipa::openapi::{
    Schema,
    path::HttpMethod,
    schema::{AdditionalProperties, ObjectBuilder, Type},
};

use super::{
    Draft,
    fixed::required,
    parts::{custom, json_response, operation, parameter_ref, problem_ref, text, typed},
};

pub(super) fn schema() -> (&'static str, Schema) {
    let counts = |what: &str| {
        let count = Schema::from(typed(Type::Integer).build());
        let each = AdditionalProperties::RefOr(count.into());
        Schema::from(ObjectBuilder::new().additional_properties(Some(each)).description(Some(what)).build())
    };
    let report = required(&[
        ("object", text().into()),
        ("record", custom(Type::String, "uuid").build().into()),
        ("deleted", counts("Records that go, by object")),
        ("cleared", counts("Records that stay without their reference, by object")),
        ("traces", counts("Rows that go or lose their values, by place: audit, bin, answers")),
        (
            "scrubbed",
            typed(Type::Boolean)
                .description(Some("Whether no bytes of it are left in the database's files; the worker tries again"))
                .build()
                .into(),
        ),
    ]);
    ("PurgeReport", report.build().into())
}

/// Adds the operations.
pub(super) fn add(draft: &mut Draft) {
    for (object, collection, summary) in [
        ("contact", "contacts", "Remove a contact and everything about them for good; for owners"),
        ("organization", "organizations", "Remove an organization and everything about it for good; for owners"),
    ] {
        for (method, verb, summary, answer) in [
            (HttpMethod::Get, "get", "What a purge would remove; for owners", "What would go"),
            (HttpMethod::Post, "create", summary, "What went"),
        ] {
            let id = draft.names.unique(format!("{verb}_{object}_purge"));
            let operation = operation(id, collection, summary.to_owned())
                .parameter_ref(parameter_ref("Id"))
                .response("200", json_response(answer, "PurgeReport"))
                .response("404", problem_ref("404"))
                .response("409", problem_ref("409"));
            draft.add(method, &format!("/api/v1/{collection}/{{id}}/purge"), operation);
        }
    }
}
