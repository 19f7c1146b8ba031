//! The OpenAPI document holds together and describes what is installed; its page works offline.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::support::TestApp;

async fn document() -> Json {
    TestApp::new().await.ask_as_nobody("GET", "/api/v1/openapi.json").send().await.json()
}

/// Every value under a key, wherever it stands.
fn all<'a>(json: &'a Json, key: &str, found: &mut Vec<&'a Json>) {
    match json {
        Json::Object(members) => {
            found.extend(members.get(key));
            members.values().for_each(|value| all(value, key, found));
        }
        Json::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    all(&document, "$ref", &mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = Vec::new();
    all(&document, "operationId", &mut ids);
    let distinct: BTreeSet<&str> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), ids.len());
    for id in [
        "list_contacts",
        "create_contact",
        "list_booking_appointments",
        "get_booking_appointment",
        "list_booking_points_balances",
        "run_booking_run",
        "get_booking_slots",
    ] {
        assert!(distinct.contains(id), "{id} is missing in {distinct:?}");
    }
}

#[tokio::test]
async fn paths_declare_their_parameters_and_operations_their_answers() {
    let document = document().await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            assert!(responses.contains_key("default"), "{method} {path}");
            let declared = operation["parameters"].as_array().cloned().unwrap_or_default();
            let name = |parameter: &Json| match parameter["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).unwrap()["name"].clone(),
                None => parameter["name"].clone(),
            };
            let declared: Vec<Json> = declared.iter().map(name).collect();
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(declared.contains(&json!(part)), "{method} {path} does not declare {part}");
            }
        }
    }
}

#[tokio::test]
async fn records_are_typed() {
    let schemas = document().await["components"]["schemas"].clone();
    let create = &schemas["BookingAppointmentCreate"];
    assert_eq!(create["properties"]["status"]["enum"], json!(["booked", "done", null]));
    assert_eq!(create["properties"]["status"]["default"], "booked");
    assert_eq!(create["properties"]["contact"]["format"], "uuid");
    assert_eq!(create["additionalProperties"], false);
    assert_eq!(create.get("required"), None, "a hook may fill the title");
    assert_eq!(schemas["ContactCreate"]["required"], json!(["name"]));
    assert_eq!(schemas["Contact"]["properties"]["booking"]["properties"]["visits"]["type"], json!(["integer", "null"]));
    assert_eq!(schemas["Contact"]["properties"]["name"]["description"], "Name");
    let point = |schema: &str| schemas[schema]["properties"].get("number").cloned();
    assert_eq!(point("BookingPointCreate"), None, "nobody writes it");
    assert!(point("BookingPoint").unwrap()["description"].as_str().unwrap().contains("Read only"));
    let required = schemas["BookingAppointment"]["required"].as_array().unwrap();
    assert!(required.contains(&json!("id")) && required.contains(&json!("price")), "{required:?}");
    let input = &schemas["BookingRunInput"];
    assert_eq!(input["properties"]["what"]["$ref"], "#/components/schemas/BookingRunInput/$defs/word");
}

#[tokio::test]
async fn public_operations_need_no_token() {
    let document = document().await;
    assert_eq!(document["security"], json!([{ "bearer": [] }]));
    assert_eq!(document["paths"]["/p/booking/slots"]["get"]["security"], json!([{}, { "bearer": [] }]));
    assert_eq!(document["paths"]["/p/booking/report"]["get"].get("security"), None);
    assert_eq!(document["paths"]["/api/v1/session"]["post"]["security"], json!([]));
}

#[tokio::test]
async fn the_page_for_it_comes_whole_from_here() {
    let app = TestApp::new().await;
    let front = app.ask_as_nobody("GET", "/").send().await;
    assert_eq!((front.status.as_u16(), front.header("location")), (307, "/api/v1/docs/"));
    let page = app.ask_as_nobody("GET", "/api/v1/docs/").send().await;
    assert_eq!(page.header("content-type"), "text/html");
    assert!(!page.text().contains("//cdn") && !page.text().contains("src=\"http"), "{}", page.text());
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-standalone-preset.js", "index.css"] {
        assert_eq!(app.ask_as_nobody("GET", &format!("/api/v1/docs/{file}")).send().await.status, 200, "{file}");
    }
    let start = app.ask_as_nobody("GET", "/api/v1/docs/swagger-initializer.js").send().await.text();
    assert!(start.contains("/api/v1/openapi.json") && start.contains("\"validatorUrl\": \"none\""), "{start}");
}
