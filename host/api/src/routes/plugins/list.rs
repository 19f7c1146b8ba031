//! `GET /api/v1/plugins`: what is installed.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::Uri};
use pergola_model::{catalog::InstalledPlugin, decl::Label, json::value_to_json};
use serde::Serialize;
use serde_json::Value;

use crate::{app::App, auth::Caller, parameters::Parameters, problem::Problem};

#[derive(Serialize)]
pub(crate) struct Plugins {
    items: Vec<Plugin>,
    next: Option<String>,
}

/// One plugin as clients see it.
#[derive(Serialize)]
pub(crate) struct Plugin {
    id: String,
    version: String,
    label: Label,
    /// For owners only: settings may hold keys to other services.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<BTreeMap<String, Value>>,
    /// What can be set.
    declared_settings: Vec<Setting>,
}

#[derive(Serialize)]
struct Setting {
    name: String,
    r#type: String,
    label: Label,
}

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, uri: Uri) -> Result<Json<Plugins>, Problem> {
    Parameters::none(&uri)?;
    let catalog = app.workspace.catalog();
    let items = catalog.plugins.values().map(|installed| plugin(installed, caller.is_owner())).collect();
    Ok(Json(Plugins { items, next: None }))
}

/// The plugin, with its settings' values for an owner.
pub(crate) fn plugin(installed: &InstalledPlugin, for_owner: bool) -> Plugin {
    let manifest = &installed.manifest;
    let settings = || installed.settings.iter().map(|(name, value)| (name.clone(), value_to_json(value))).collect();
    let declared = manifest.settings.iter().map(|(name, decl)| Setting {
        name: name.to_string(),
        r#type: decl.kind.clone(),
        label: decl.label.clone(),
    });
    Plugin {
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        label: manifest.label.clone(),
        settings: for_owner.then(settings),
        declared_settings: declared.collect(),
    }
}
