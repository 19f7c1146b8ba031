//! What a reviewer should not have to look for: the crates' edges, headers, sizes and words.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value as Json;

use crate::root;

/// A row of the table in docs/architecture.md.
struct Row {
    uses: BTreeSet<String>,
    never: BTreeSet<String>,
}

fn documented() -> BTreeMap<String, Row> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let list = |cell: &str| cell.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    text.lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 5 && cells[1].starts_with("pergola"))
        .map(|cells| (cells[1].to_owned(), Row { uses: list(cells[3]), never: list(cells[4]) }))
        .collect()
}

/// Direct normal dependencies of each crate of the workspace.
fn actual() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let edges = |package: &Json| {
        let dependencies = package["dependencies"].as_array().unwrap();
        dependencies
            .iter()
            .filter(|one| one["kind"].is_null())
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), edges(package))).collect()
}

#[test]
fn the_crates_use_each_other_as_the_architecture_says() {
    let (documented, actual) = (documented(), actual());
    let mut complaints = Vec::new();
    for (name, dependencies) in &actual {
        let Some(row) = documented.get(name) else {
            complaints.push(format!(
                "{name} is not in the table of docs/architecture.md: add a row that says what it holds and may use"
            ));
            continue;
        };
        let own: BTreeSet<String> = dependencies.iter().filter(|one| one.starts_with("pergola")).cloned().collect();
        for extra in own.difference(&row.uses) {
            complaints.push(format!(
                "{name} uses {extra}, but docs/architecture.md does not let it: move the code to a crate that may, or change the table and say why in docs/decisions"
            ));
        }
        for unused in row.uses.difference(&own) {
            complaints.push(format!(
                "{name} does not use {unused} any more: take it out of the table in docs/architecture.md"
            ));
        }
        for forbidden in dependencies.intersection(&row.never) {
            complaints.push(format!(
                "{name} must never use {forbidden} (docs/architecture.md): put what needs it behind a port"
            ));
        }
    }
    for name in documented.keys().filter(|name| !actual.contains_key(*name)) {
        complaints.push(format!("docs/architecture.md has a row for {name}, which is no crate of the workspace"));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// All Rust files that people write.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["core", "host", "plugin-api", "plugins", "tests"].iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "dist", "node_modules"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| shown(path))
        .collect();
    assert!(silent.is_empty(), "these files do not begin with //! and what they are for:\n{}", silent.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    const LINES_MAX: usize = 600;
    let long: Vec<String> = sources()
        .iter()
        .map(|path| (shown(path), fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines; split it by what its parts are for (at most {LINES_MAX})"))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn every_migration_has_its_twin() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join("migrations").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    for (one, other) in [("sqlite", "postgres"), ("directory/sqlite", "directory/postgres")] {
        let alone: Vec<String> = names(one).symmetric_difference(&names(other)).cloned().collect();
        assert!(alone.is_empty(), "these are in one of migrations/{one} and migrations/{other}: {}", alone.join(", "));
    }
}

#[test]
fn nobody_writes_mod_rs() {
    let found: Vec<String> =
        sources().iter().map(|path| shown(path)).filter(|path| path.ends_with("/mod.rs")).collect();
    assert!(found.is_empty(), "name these after their module instead: {}", found.join(", "));
}

#[test]
fn the_forbidden_words_of_the_glossary_stay_out_of_code() {
    const FORBIDDEN: [&str; 5] = ["tenant", "doc_type", "webhook_trigger", "cron job", "lead_id"];
    let found: Vec<String> = sources()
        .iter()
        .filter(|path| !path.ends_with("tidy.rs"))
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap().to_lowercase();
            let hits =
                FORBIDDEN.iter().filter(|word| text.contains(**word)).map(|word| format!("{}: {word}", shown(path)));
            hits.collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "docs/glossary.md has other words for these:\n{}", found.join("\n"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    let mut folders = vec![root().join("docs")];
    let mut documents = vec![root().join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") && !document.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {target}", shown(&document)));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}
