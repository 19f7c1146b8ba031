//! Pieces of the document that many operations share.

use utoipa::openapi::{
    Content, ContentBuilder, Header, Ref, Required, Response, ResponseBuilder,
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type},
};

/// What an answer is, by status and the name of its problem.
const PROBLEMS: [(&str, &str); 4] = [
    ("400", "The request makes no sense"),
    ("401", "No token, or one that is not good"),
    ("403", "Not allowed"),
    ("default", "Any other problem"),
];

/// `#/components/schemas/…`
pub(super) fn schema_ref(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

pub(super) fn parameter_ref(name: &str) -> Ref {
    Ref::new(format!("#/components/parameters/{name}"))
}

pub(super) fn json(schema: &str) -> Content {
    ContentBuilder::new().schema(Some(schema_ref(schema))).build()
}

pub(super) fn json_response(description: &str, schema: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(description).content("application/json", json(schema))
}

pub(super) fn problem(description: &str) -> Response {
    ResponseBuilder::new().description(description).content("application/problem+json", json("Problem")).build()
}

/// An operation with the problems that every one has.
pub(super) fn operation(id: String, tag: &str, summary: String) -> OperationBuilder {
    let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag).summary(Some(summary));
    PROBLEMS.into_iter().fold(operation, |operation, (status, _)| operation.response(status, problem_ref(status)))
}

pub(super) fn problem_ref(status: &str) -> Ref {
    Ref::from_response_name(format!("Problem{status}"))
}

/// The responses to which [`operation`] refers, by name.
pub(super) fn problems() -> impl Iterator<Item = (String, Response)> {
    let more = [
        ("404", "Not found"),
        ("409", "Not with the data as they are: taken, overlapping, in use, changed meanwhile"),
        ("412", "Changed meanwhile: If-Match named another version"),
        ("422", "Fields cannot be taken as they are, or a plugin refused"),
    ];
    PROBLEMS.into_iter().chain(more).map(|(status, text)| (format!("Problem{status}"), problem(text)))
}

pub(super) fn json_body(schema: &str) -> RequestBody {
    RequestBodyBuilder::new().required(Some(Required::True)).content("application/json", json(schema)).build()
}

pub(super) fn typed(kind: impl Into<SchemaType>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}

pub(super) fn formatted(kind: impl Into<SchemaType>, format: KnownFormat) -> ObjectBuilder {
    typed(kind).format(Some(SchemaFormat::KnownFormat(format)))
}

pub(super) fn custom(kind: impl Into<SchemaType>, format: &str) -> ObjectBuilder {
    typed(kind).format(Some(SchemaFormat::Custom(format.to_owned())))
}

pub(super) fn text() -> Object {
    typed(Type::String).build()
}

pub(super) fn path_parameter(name: &str, description: &str) -> Parameter {
    let schema = if name == "id" { custom(Type::String, "uuid") } else { typed(Type::String) };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

pub(super) fn optional(kind: ParameterIn, name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(kind)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

pub(super) fn header(description: &str) -> Header {
    let mut header = Header::new(text());
    header.description = Some(description.to_owned());
    header
}
