//! Proves that the template builds to a component that asks for no more than it uses, in its place and copied.

use std::fs;
use std::path::{Path, PathBuf};

use pergola_build::{BuildError, NewPluginError, SdkSource, build_plugin, build_plugins, inspect, new_plugin};

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

#[test]
fn hello_imports_only_what_it_uses_and_exports_only_what_it_declares() {
    let mut lines = Vec::new();
    let built = build_plugin(&plugins().join("hello"), &mut |line| lines.push(line.to_owned())).unwrap();
    let shape = inspect(&built.component).unwrap();
    let interface = |name: &&str| format!("pergola:plugin/{name}@0.1.0");
    // `log` is for the message of a panic.
    assert_eq!(shape.imports, ["types", "log", "records"].iter().map(interface).collect::<Vec<_>>());
    assert_eq!(shape.exports, ["before-write", "action"].iter().map(interface).collect::<Vec<_>>());
    assert_eq!(fs::read(&built.path).unwrap(), built.component);
    assert!(built.path.ends_with("hello/dist/component.wasm") && built.core_size > 0);
    assert!(lines.iter().any(|line| line.contains("Finished")), "{lines:?}");
}

#[test]
fn a_new_plugin_builds_outside_the_plugins_workspace() {
    let folder = tempfile::tempdir().unwrap();
    // Shares what was compiled for `hello`; cargo looks for this file in the folders above.
    fs::create_dir(folder.path().join(".cargo")).unwrap();
    let target = plugins().join("target");
    fs::write(folder.path().join(".cargo/config.toml"), format!("build.target-dir = {target:?}")).unwrap();
    let dir = folder.path().join("tattoo_studio");

    new_plugin(&dir, "tattoo_studio", &SdkSource::Checkout).unwrap();
    fs::copy(plugins().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    let built = build_plugin(&dir, &mut |_| {}).unwrap();

    assert_eq!(inspect(&built.component).unwrap().exports.len(), 2);
    let manifest = fs::read_to_string(dir.join("plugin.toml")).unwrap();
    assert!(manifest.contains("id = \"tattoo_studio\"") && manifest.contains("en = \"Tattoo Studio\""), "{manifest}");
    for file in ["plugin.toml", "Cargo.toml", "README.md", "src/lib.rs"] {
        assert!(!fs::read_to_string(dir.join(file)).unwrap().contains("hello"), "{file}");
    }
}

#[test]
fn a_plugin_without_a_crate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = build_plugins(&[folder.path()], &mut |_| {}).unwrap_err();
    assert!(matches!(error, BuildError::NoCrate { dir } if dir == folder.path()));
}

#[test]
fn what_does_not_compile_is_told_with_the_compilers_words() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    let manifest = "[package]\nname = \"broken\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/lib.rs"), "fn broken() -> u8 { \"\" }").unwrap();
    let BuildError::Cargo { output } = build_plugin(folder.path(), &mut |_| {}).unwrap_err() else {
        panic!("not cargo")
    };
    assert!(output.contains("mismatched types"), "{output}");

    fs::write(folder.path().join("src/lib.rs"), "").unwrap();
    let built = build_plugin(folder.path(), &mut |_| {}).unwrap();
    assert_eq!(inspect(&built.component).unwrap().exports, [""; 0], "a module without the SDK exports nothing");
}

#[test]
fn bad_ids_and_full_folders_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new");
    for id in ["", "Salon", "2salon", "salon-spa", "салон", &"a".repeat(49)] {
        let error = new_plugin(&dir, id, &SdkSource::Checkout).unwrap_err();
        assert!(matches!(error, NewPluginError::InvalidId { .. }), "{id}: {error}");
    }
    for id in ["match", "core", "pergola"] {
        let error = new_plugin(&dir, id, &SdkSource::Checkout).unwrap_err();
        assert!(matches!(error, NewPluginError::ReservedId { .. }), "{id}: {error}");
    }
    let error = new_plugin(&dir, "salon", &SdkSource::Path("../sdk".into())).unwrap_err();
    assert!(matches!(error, NewPluginError::NoSdk { .. }), "{error}");
    assert!(!dir.exists());

    fs::write(folder.path().join("mine.txt"), "").unwrap();
    let error = new_plugin(folder.path(), "salon", &SdkSource::Checkout).unwrap_err();
    assert!(matches!(error, NewPluginError::NotEmpty { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_sdk_may_be_given_relative_to_the_plugin() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sdk")).unwrap();
    fs::write(folder.path().join("sdk/Cargo.toml"), "").unwrap();
    let dir = folder.path().join("salon");
    new_plugin(&dir, "salon", &SdkSource::Path("../sdk".into())).unwrap();
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("pergola-plugin = { path = \"../sdk\" }"), "{manifest}");
    assert!(manifest.contains("[workspace]") && manifest.contains("panic = \"abort\""), "{manifest}");
}
