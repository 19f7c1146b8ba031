//! The plugins' workspace has tests of its own; they count here too.

use std::process::Command;

use crate::root;

#[test]
fn the_plugins_own_tests_pass() {
    let mut cargo = Command::new(env!("CARGO"));
    // The outer cargo's choices are not the plugins'.
    for variable in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(variable);
    }
    let output = cargo.args(["test", "--quiet"]).current_dir(root().join("plugins")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("test result: ok"), "no test ran:\n{out}\n{err}");
}
