//! A component that does not fit its manifest or the contract is refused before any of its code runs.

use std::fs;

use pergola_runtime::{COMPONENT_BYTES_MAX, LoadError};

use crate::{
    samples::{CALL_GET, GET, component, component_of, counting, hook, large},
    support::{Bench, calls_seen, manifest, plugin, runtime},
};

fn refused(component: &[u8], rest: &str) -> LoadError {
    runtime().load(&plugin(), &manifest(rest), component, None).unwrap_err()
}

const HOOK: &str = "[[hook]]\non = \"contact\"\nwhen = [\"create\"]";

#[test]
fn records_need_grants_or_objects_of_its_own() {
    let error = refused(&hook(GET, CALL_GET), HOOK).to_string();
    assert!(
        error.starts_with("the component imports pergola:plugin/records@0.1.0, which plugin.toml does not"),
        "{error}"
    );
    assert!(error.contains("add `records = { \"contact\" = \"read\" } under [capabilities]"), "{error}");
    let own = "[object.visit]\nfields.at = { type = \"datetime\" }";
    runtime().load(&plugin(), &manifest(own), &hook(GET, CALL_GET), None).unwrap();
}

#[test]
fn messages_need_their_capability() {
    let cancel = r#"(import "pergola:plugin/messages@0.1.0" "cancel-about" (func (param i32 i32 i64 i64 i32)))"#;
    let error = refused(&hook(cancel, ""), "[capabilities]\nrecords = { \"*\" = \"all\" }").to_string();
    assert!(error.ends_with("add `messages = true under [capabilities]`"), "{error}");
}

#[test]
fn timers_of_its_own_need_a_line_and_a_handler() {
    let cancel = r#"(import "pergola:plugin/timers@0.1.0" "cancel" (func (param i32 i32 i32 i32 i32)))"#;
    let error =
        refused(&hook(cancel, ""), "[[timer]]\non = \"contact\"\nat = \"created_at\"\naction = \"a\"").to_string();
    assert!(error.ends_with("for the timers that it sets itself`"), "{error}");
    let error = refused(&hook(cancel, ""), "[[timer]]\naction = \"a\"").to_string();
    assert_eq!(
        error,
        "plugin.toml declares [[timer]] without on, but the component does not export pergola:plugin/own-timer@0.1.0"
    );
}

#[test]
fn wasi_is_refused_whatever_the_manifest_says() {
    let wasi = "package wasi:clocks@0.2.0; interface monotonic-clock { now: func() -> u64; }";
    let import = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func (result i64)))"#;
    let sample = component_of(wasi, "import wasi:clocks/monotonic-clock@0.2.0;", import, "");
    let error = refused(&sample, "").to_string();
    assert!(error.contains("wasi:clocks/monotonic-clock@0.2.0, which this host does not have; no line"), "{error}");
}

#[test]
fn an_interface_or_version_that_this_host_lacks_is_named() {
    let http = "package other:net@1.0.0; interface http { get: func() -> u64; }";
    let import = r#"(import "other:net/http@1.0.0" "get" (func (result i64)))"#;
    let error = refused(&component_of(http, "import other:net/http@1.0.0;", import, ""), "");
    assert!(
        matches!(&error, LoadError::UnknownImport { interface, .. } if interface == "other:net/http@1.0.0"),
        "{error}"
    );
    let newer = "package pergola:plugin@0.9.0; interface clock { now: func() -> u64; }";
    let import = r#"(import "pergola:plugin/clock@0.9.0" "now" (func (result i64)))"#;
    let error = refused(&component_of(newer, "import pergola:plugin/clock@0.9.0;", import, ""), "").to_string();
    assert!(error.contains("it speaks version 0.1.0 of the contract"), "{error}");
}

#[test]
fn a_declared_handler_must_be_exported() {
    let error = refused(&counting(), "[[event]]\non = \"contact\"\nwhen = [\"create\"]").to_string();
    let told = "plugin.toml declares [[event]], but the component does not export pergola:plugin/event@0.1.0";
    assert_eq!(error, told);
    runtime().load(&plugin(), &manifest(HOOK), &counting(), None).unwrap();
}

#[test]
fn a_handler_of_other_types_is_refused() {
    let other = "package pergola:plugin@0.1.0; interface action { run: func(id: u32) -> u32; }";
    let code = r#"(func (export "pergola:plugin/action@0.1.0#run") (param i32) (result i32) (i32.const 0))"#;
    let sample = component_of(other, "export pergola:plugin/action@0.1.0;", "", code);
    let error = refused(&sample, "").to_string();
    assert!(
        error.starts_with("the component's pergola:plugin/action@0.1.0 does not have the contract's types"),
        "{error}"
    );
}

#[test]
fn an_import_of_other_types_is_refused() {
    let other = "package pergola:plugin@0.1.0; interface clock { now: func() -> u32; }";
    let import = r#"(import "pergola:plugin/clock@0.1.0" "now" (func (result i32)))"#;
    let error = refused(&component_of(other, "import pergola:plugin/clock@0.1.0;", import, ""), "");
    assert!(matches!(error, LoadError::WrongType { .. }), "{error}");
}

#[test]
fn what_is_not_a_component_is_refused() {
    let truncated = counting();
    for garbage in [&b""[..], b"hello", b"\0asm\x01\0\0\0", &truncated[..truncated.len() / 2], &[0xff; 4096]] {
        assert!(matches!(refused(garbage, ""), LoadError::Invalid { .. }), "{garbage:?}");
    }
    let error = refused(&vec![0; COMPONENT_BYTES_MAX + 1], "");
    assert_eq!(error, LoadError::TooLarge { bytes: COMPONENT_BYTES_MAX + 1 });
}

#[test]
fn a_component_without_handlers_may_be_loaded() {
    runtime().load(&plugin(), &manifest(""), &component("", "", ""), None).unwrap();
}

#[test]
fn more_memory_at_the_start_than_allowed_is_refused() {
    let error = refused(&large(), "").to_string();
    assert!(error.starts_with("not a component that runs here") && error.contains("memory"), "{error}");
}

#[tokio::test]
async fn compiled_code_is_kept_in_a_private_directory_and_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let load = || {
        let runtime = runtime();
        let digest = runtime.load(&plugin(), &manifest(""), &counting(), Some(&cache)).unwrap();
        Bench { runtime, digest }
    };
    load();
    let written = code_in(&cache).metadata().unwrap().modified().unwrap();
    assert_eq!(calls_seen(&load().hook().await.unwrap()), 1);
    assert_eq!(code_in(&cache).metadata().unwrap().modified().unwrap(), written);
    assert_private(&cache);
}

#[tokio::test]
async fn changed_compiled_code_is_not_run_but_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let load = || runtime().load(&plugin(), &manifest(""), &counting(), Some(dir.path())).unwrap();
    load();
    let code = code_in(dir.path());
    let good = fs::read(&code).unwrap();
    for bad in [
        b"nonsense".to_vec(),
        good[..good.len() / 2].to_vec(),
        [&good[..good.len() - 1], &[!good[good.len() - 1]]].concat(),
    ] {
        fs::remove_file(&code).unwrap();
        fs::write(&code, bad).unwrap();
        let runtime = runtime();
        let digest = runtime.load(&plugin(), &manifest(""), &counting(), Some(dir.path())).unwrap();
        assert_eq!(calls_seen(&Bench { runtime, digest }.hook().await.unwrap()), 1);
        assert_eq!(fs::read(&code).unwrap(), good);
    }
}

#[tokio::test]
async fn whichever_bit_of_compiled_code_or_its_checksum_is_flipped_it_is_not_run_but_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let load = || {
        let runtime = runtime();
        let digest = runtime.load(&plugin(), &manifest(""), &counting(), Some(dir.path())).unwrap();
        Bench { runtime, digest }
    };
    load();
    let code = code_in(dir.path());
    let checksum = code.with_extension("cwasm.sha256");
    for (file, flips) in [(&code, 24), (&checksum, 8)] {
        let good = fs::read(file).unwrap();
        for flip in 0..flips {
            // Spread over the file: its head, code, data and tables.
            let mut bad = good.clone();
            bad[good.len() * flip / flips] ^= 1 << (flip % 7);
            fs::remove_file(file).unwrap();
            fs::write(file, &bad).unwrap();
            assert_eq!(calls_seen(&load().hook().await.unwrap()), 1);
            assert!(fs::read(file).unwrap() == good, "flip {flip} of {} is mended", file.display());
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_does_not_hinder_loading() {
    let dir = tempfile::tempdir().unwrap();
    let not_a_directory = dir.path().join("file");
    fs::write(&not_a_directory, "").unwrap();
    runtime().load(&plugin(), &manifest(""), &counting(), Some(&not_a_directory)).unwrap();
}

fn code_in(dir: &std::path::Path) -> std::path::PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut code: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "cwasm")).collect();
    assert_eq!(code.len(), 1);
    code.remove(0)
}

#[cfg(unix)]
fn assert_private(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[cfg(not(unix))]
fn assert_private(_: &std::path::Path) {}
