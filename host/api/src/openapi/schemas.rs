//! Schemas of objects' records: as they are read, created and changed.

use pergola_model::{
    Field, FieldType, Object,
    field::{LONG_TEXT_CHARS_MAX, TAGS_MAX, TEXT_CHARS_MAX},
    json::value_to_json,
};
use serde_json::Value as Json;
use utoipa::openapi::{
    RefOr, Schema,
    schema::{AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaType, Type},
};

use super::{
    parts::{custom, formatted, schema_ref, text, typed},
    text as label_text,
};

/// What a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A record as it is read.
    Read,
    /// A new record.
    Create {
        /// A plugin's hook may fill required fields, so that clients need not.
        hooked: bool,
    },
    /// Changed fields.
    Update,
}

/// The schema of an object's records.
pub(super) fn record(object: &Object, purpose: Use) -> Schema {
    let mut schema = ObjectBuilder::new();
    if purpose == Use::Read {
        let read_only = [
            ("id", custom(Type::String, "uuid")),
            ("version", formatted(Type::Integer, KnownFormat::Int64).description(Some("Also the ETag"))),
            ("created_at", formatted(Type::String, KnownFormat::DateTime)),
            ("updated_at", formatted(Type::String, KnownFormat::DateTime)),
        ];
        for (name, property) in read_only {
            schema = schema.property(name, property.read_only(true)).required(name);
        }
    }
    for (plugin, fields) in grouped(object) {
        schema = match plugin {
            None => with_fields(schema, object, &fields, purpose),
            Some(plugin) => {
                let added = with_fields(ObjectBuilder::new(), object, &fields, purpose);
                let added = added.description(Some(format!("Fields that the plugin {plugin} added")));
                let schema = schema.property(plugin, closed(added, purpose));
                if purpose == Use::Read { schema.required(plugin) } else { schema }
            }
        };
    }
    let schema = schema.description(label_text(&object.label));
    Schema::Object(closed(schema, purpose).build())
}

/// Unknown fields are refused in what is sent, and may come in what is read.
fn closed(schema: ObjectBuilder, purpose: Use) -> ObjectBuilder {
    if purpose == Use::Read {
        return schema;
    }
    schema.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

/// What the engine computes is only read.
fn with_fields(schema: ObjectBuilder, object: &Object, fields: &[(&str, &Field)], purpose: Use) -> ObjectBuilder {
    let written = |field: &Field| purpose == Use::Read || object.derived.read_only(&field.key).is_none();
    fields.iter().filter(|(_, field)| written(field)).fold(schema, |schema, (name, field)| {
        let schema = schema.property(*name, property(object, field, purpose));
        let needed = match purpose {
            Use::Read => true,
            Use::Create { hooked } => field.required && field.default.is_null() && !hooked,
            Use::Update => false,
        };
        if needed { schema.required(*name) } else { schema }
    })
}

fn property(object: &Object, field: &Field, purpose: Use) -> RefOr<Schema> {
    let described = description(object, field, purpose);
    let nullable = !field.required;
    match &field.kind {
        FieldType::Money if nullable => RefOr::T(Schema::OneOf(
            OneOfBuilder::new().item(schema_ref("Money")).item(typed(Type::Null)).description(Some(described)).build(),
        )),
        FieldType::Money => {
            let mut money = schema_ref("Money");
            money.description = described;
            RefOr::Ref(money)
        }
        FieldType::Tags => {
            let tags = ArrayBuilder::new().schema_type(kind(Type::Array, nullable)).items(text());
            RefOr::T(Schema::Array(
                tags.max_items(Some(TAGS_MAX)).unique_items(true).description(Some(described)).build(),
            ))
        }
        simple => {
            let schema = scalar(simple, nullable).description(Some(described));
            let default = matches!(purpose, Use::Create { .. }).then(|| value_to_json(&field.default));
            RefOr::T(Schema::Object(schema.default(default.filter(|json| !json.is_null())).build()))
        }
    }
}

fn scalar(field: &FieldType, nullable: bool) -> ObjectBuilder {
    let text = kind(Type::String, nullable);
    match field {
        FieldType::Text => typed(text).max_length(Some(TEXT_CHARS_MAX)),
        FieldType::LongText => typed(text).max_length(Some(LONG_TEXT_CHARS_MAX)),
        FieldType::Integer => formatted(kind(Type::Integer, nullable), KnownFormat::Int64),
        FieldType::Decimal { scale: 0 } => custom(text, "decimal").pattern(Some("^-?[0-9]+$")),
        FieldType::Decimal { scale } => {
            custom(text, "decimal").pattern(Some(format!("^-?[0-9]+(\\.[0-9]{{1,{scale}}})?$")))
        }
        FieldType::Bool => typed(kind(Type::Boolean, nullable)),
        FieldType::Date => formatted(text, KnownFormat::Date),
        FieldType::DateTime => formatted(text, KnownFormat::DateTime),
        FieldType::Duration => formatted(text, KnownFormat::Duration),
        FieldType::Choice { of } => {
            let codes = of.iter().map(|code| Json::from(code.as_str()));
            typed(text).enum_values(Some(codes.chain(nullable.then_some(Json::Null))))
        }
        FieldType::Phone => custom(text, "phone"),
        FieldType::Email => custom(text, "email"),
        FieldType::Url => custom(text, "uri"),
        FieldType::Ref { .. } => custom(text, "uuid"),
        FieldType::Json | FieldType::Money | FieldType::Tags => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
    }
}

fn kind(kind: Type, nullable: bool) -> SchemaType {
    if nullable { [kind, Type::Null].into_iter().collect() } else { SchemaType::new(kind) }
}

fn description(object: &Object, field: &Field, purpose: Use) -> String {
    let mut sentences: Vec<String> = label_text(&field.label).map(str::to_owned).into_iter().collect();
    match &field.kind {
        FieldType::Ref { to, .. } => sentences.push(format!("Id of a record of {to}")),
        FieldType::Phone => sentences.push("E.164 when read; as people write it here when sent".to_owned()),
        FieldType::Decimal { scale } => sentences.push(format!("A decimal as text, {scale} digits after the point")),
        FieldType::Json => sentences.push("Any JSON".to_owned()),
        _ => {}
    }
    if let Some(why) = object.derived.read_only(&field.key) {
        sentences.push(format!("Read only: it {why}"));
    }
    if field.unique {
        sentences.push("No two records have the same".to_owned());
    }
    if purpose == (Use::Create { hooked: true }) && field.required && field.default.is_null() {
        sentences.push("Needed, unless a plugin fills it in".to_owned());
    }
    sentences.join(". ")
}

/// A group: the plugin that added the fields, and the fields by the name under it.
type Group<'a> = (Option<&'a str>, Vec<(&'a str, &'a Field)>);

/// The object's own fields, then those that plugins added, each group in the order of declaration.
fn grouped(object: &Object) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = vec![(None, Vec::new())];
    for field in object.fields.values() {
        let (plugin, name) =
            field.extension().map_or((None, field.key.as_str()), |(plugin, name)| (Some(plugin), name));
        match groups.iter_mut().find(|(known, _)| *known == plugin) {
            Some((_, fields)) => fields.push((name, field)),
            None => groups.push((plugin, vec![(name, field)])),
        }
    }
    groups
}
