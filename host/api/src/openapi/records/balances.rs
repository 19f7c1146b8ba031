//! The operation that lists the balances of a ledger.

use pergola_model::{FieldType, Object};
use utoipa::openapi::{
    ContentBuilder, ResponseBuilder, Schema,
    path::{HttpMethod, ParameterIn},
    schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type},
};

use crate::{
    openapi::{
        Draft,
        names::plural,
        parts::{custom, operation, optional, parameter_ref, schema_ref, typed},
    },
    routes::collection_path,
};

pub(super) fn add(draft: &mut Draft, object: &Object, tag: &str) {
    let id = draft.names.unique(format!("list_{}_balances", plural(object)));
    let account = optional(ParameterIn::Query, "account", "Only balances of this account", typed(Type::String));
    let listed = operation(id, tag, format!("List what the entries of {} come to, by account and unit", object.name))
        .parameter(account)
        .parameter_ref(parameter_ref("Limit"))
        .parameter_ref(parameter_ref("After"))
        .response("200", ResponseBuilder::new().description("One page").content("application/json", page(object)));
    draft.add(HttpMethod::Get, &format!("{}/balances", collection_path(object)), listed);
}

fn page(object: &Object) -> utoipa::openapi::Content {
    let nullable = || typed(SchemaType::from_iter([Type::String, Type::Null]));
    let item = ObjectBuilder::new().property("account", typed(Type::String)).required("account");
    let item = item.property("unit", nullable()).required("unit");
    let item = match object.derived.ledger.as_ref().and_then(|ledger| object.field(&ledger.amount)).map(|one| &one.kind)
    {
        Some(FieldType::Money) => item.property("balance", schema_ref("Money")),
        Some(FieldType::Decimal { .. }) => item.property("balance", custom(Type::String, "decimal")),
        _ => item.property("balance", typed(Type::Integer)),
    };
    let page = ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item.required("balance")))
        .required("items")
        .property("next", nullable().description(Some("Send it as `after` to get the next page")))
        .required("next");
    ContentBuilder::new().schema(Some(Schema::Object(page.build()))).build()
}
