//! What plugins declare besides objects: actions and routes.

use pergola_model::{
    Catalog,
    catalog::InstalledPlugin,
    decl::{ActionDecl, RouteAuth, RouteDecl},
};
use serde_json::{Value as Json, json};
use utoipa::openapi::{
    ContentBuilder, Required, ResponseBuilder, path::HttpMethod, request_body::RequestBodyBuilder, schema::empty,
    security::SecurityRequirement,
};

use super::{
    BEARER, Draft,
    names::pascal,
    parts::{json_body, operation, problem_ref},
    text,
};

pub(super) fn add(draft: &mut Draft, catalog: &Catalog) {
    for installed in catalog.plugins.values() {
        let manifest = &installed.manifest;
        if manifest.action.is_empty() && manifest.route.is_empty() {
            continue;
        }
        draft.tag(manifest.id.as_str(), text(&manifest.label).map(str::to_owned));
        for action in &manifest.action {
            add_action(draft, installed, action);
        }
        for route in &manifest.route {
            add_route(draft, installed, route);
        }
    }
}

fn add_action(draft: &mut Draft, installed: &InstalledPlugin, action: &ActionDecl) {
    let plugin = &installed.manifest.id;
    let schema = draft.names.unique(format!("{}Input", pascal(&format!("{plugin}.{}", action.id))));
    let declared = action.input.as_ref().and_then(|input| serde_json::to_value(input).ok());
    let mut input = declared.unwrap_or_else(|| json!({}));
    localise_refs(&mut input, &format!("#/components/schemas/{schema}"));
    draft.raw_schemas.push((schema.clone(), input));
    let id = draft.names.unique(format!("run_{plugin}_{}", action.id));
    let summary = text(&action.label).map_or_else(|| format!("Run the action {}", action.id), str::to_owned);
    let any = ContentBuilder::new().schema(Some(empty())).build();
    let run = operation(id, plugin.as_str(), summary)
        .request_body(Some(json_body(&schema)))
        .response("200", ResponseBuilder::new().description("What the action answers").content("application/json", any))
        .response("404", problem_ref("404"))
        .response("409", problem_ref("409"))
        .response("422", problem_ref("422"));
    draft.add(HttpMethod::Post, &format!("/api/v1/{plugin}/actions/{}", action.id), run);
}

/// References inside a schema lead to its own root; here the root is the document's.
fn localise_refs(schema: &mut Json, root: &str) {
    match schema {
        Json::Object(members) => {
            for (key, value) in members.iter_mut() {
                match value.as_str().and_then(|text| text.strip_prefix('#')) {
                    Some(inside) if key == "$ref" => *value = Json::String(format!("{root}{inside}")),
                    _ => localise_refs(value, root),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| localise_refs(item, root)),
        _ => {}
    }
}

fn add_route(draft: &mut Draft, installed: &InstalledPlugin, route: &RouteDecl) {
    let plugin = &installed.manifest.id;
    let name = route.method.to_ascii_uppercase();
    let Some(method) = method(&name) else { return };
    let place = route.path.trim_matches('/').replace(['/', '-'], "_");
    let id = draft.names.unique(format!("{}_{plugin}_{place}", name.to_ascii_lowercase()));
    let summary = text(&route.label).map_or_else(|| format!("{name} {}", route.path), str::to_owned);
    let any = || ContentBuilder::new().schema(Some(empty())).build();
    let mut serve = operation(id, plugin.as_str(), summary)
        .response("200", ResponseBuilder::new().description("What the plugin answers").content("*/*", any()));
    if matches!(name.as_str(), "POST" | "PUT" | "PATCH") {
        let body = RequestBodyBuilder::new().required(Some(Required::False)).content("*/*", any());
        serve = serve.request_body(Some(body.build()));
    }
    if route.auth == RouteAuth::Public {
        let bearer = SecurityRequirement::new(BEARER, Vec::<String>::new());
        serve = serve.securities(Some([SecurityRequirement::default(), bearer]));
    }
    draft.add(method, &format!("/p/{plugin}{}", route.path), serve);
}

fn method(name: &str) -> Option<HttpMethod> {
    match name {
        "GET" => Some(HttpMethod::Get),
        "POST" => Some(HttpMethod::Post),
        "PUT" => Some(HttpMethod::Put),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}
