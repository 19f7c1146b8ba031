//! The OpenAPI document of a workspace: everything that its catalog declares, typed.
//!
//! Built with utoipa's builders when the catalog has changed, and kept as bytes until it changes again.

mod bin;
mod fixed;
mod names;
mod parts;
mod plugins;
mod purge;
mod records;
mod schemas;

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use pergola_model::{Catalog, decl::Label};
use serde_json::Value as Json;
use utoipa::openapi::{
    Components, InfoBuilder, OpenApiBuilder, PathsBuilder,
    path::{HttpMethod, OperationBuilder, PathItem},
    security::SecurityRequirement,
    tag::{Tag, TagBuilder},
};

use self::names::Names;
use crate::problem::Problem;

/// The name of the security scheme.
const BEARER: &str = "bearer";

/// The document of the catalog that was last asked for.
#[derive(Default)]
pub(crate) struct Documents(Mutex<Option<(Arc<Catalog>, Bytes)>>);

impl Documents {
    /// The document of this catalog.
    pub(crate) fn of(&self, catalog: &Arc<Catalog>) -> Result<Bytes, Problem> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, bytes)) = &*kept
            && Arc::ptr_eq(known, catalog)
        {
            return Ok(bytes.clone());
        }
        let json = document(catalog).map_err(|error| Problem::internal(error.to_string()))?;
        let bytes = Bytes::from(json.to_string());
        *kept = Some((Arc::clone(catalog), bytes.clone()));
        Ok(bytes)
    }
}

/// A document while it is written.
struct Draft {
    names: Names,
    paths: PathsBuilder,
    components: Components,
    tags: Vec<Tag>,
    /// Schemas of plugins' own making, which utoipa's types would not carry whole.
    raw_schemas: Vec<(String, Json)>,
}

impl Draft {
    fn add(&mut self, method: HttpMethod, path: &str, operation: OperationBuilder) {
        let paths = std::mem::take(&mut self.paths);
        self.paths = paths.path(path, PathItem::new(method, operation));
    }

    fn tag(&mut self, name: &str, description: Option<String>) {
        self.tags.push(TagBuilder::new().name(name).description(description).build());
    }
}

fn document(catalog: &Catalog) -> Result<Json, serde_json::Error> {
    let mut draft = Draft {
        names: Names::default(),
        paths: PathsBuilder::new(),
        components: fixed::components(),
        tags: Vec::new(),
        raw_schemas: Vec::new(),
    };
    draft.names.reserve(draft.components.schemas.keys());
    let named = records::add(&mut draft, catalog);
    fixed::add(&mut draft, &named);
    bin::add(&mut draft);
    purge::add(&mut draft);
    plugins::add(&mut draft, catalog);
    let info =
        InfoBuilder::new().title("Pergola").version(env!("CARGO_PKG_VERSION")).description(Some(fixed::DESCRIPTION));
    let whole = OpenApiBuilder::new()
        .info(info.build())
        .paths(draft.paths)
        .components(Some(draft.components))
        .security(Some([SecurityRequirement::new(BEARER, Vec::<String>::new())]))
        .tags(Some(draft.tags))
        .build();
    let mut json = serde_json::to_value(whole)?;
    if let Some(schemas) = json.pointer_mut("/components/schemas").and_then(Json::as_object_mut) {
        schemas.extend(draft.raw_schemas);
    }
    Ok(json)
}

/// The label in English, or in the first language that there is.
fn text(label: &Label) -> Option<&str> {
    label.get("en").or_else(|| label.values().next()).map(String::as_str)
}
