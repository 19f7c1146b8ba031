//! Runs cargo and other programs: a clean environment, lines as they come, the end of the output on failure.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde_json::Value;

use crate::error::BuildError;
use crate::toolchain::{TARGET, Toolchain};

/// Lines of cargo's output that an error keeps: enough for a compiler's message, too little to fill a screen thrice.
const OUTPUT_LINES_MAX: usize = 80;

/// What an outer cargo leaves behind, or what is meant for another build than a plugin's.
const FOREIGN_VARIABLES: [&str; 17] = [
    "CARGO",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_TARGET_DIR",
    "MAKEFLAGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "RUST_RECURSION_COUNT",
];

/// A command in `dir`, in an environment that no outer cargo has touched.
pub(crate) fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null()).env("CARGO_TERM_COLOR", "never");
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Runs a command and gives what it printed; its error output becomes the error.
pub(crate) fn output_of(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// The root of the workspace that the crate in `dir` belongs to: its `Cargo.toml`.
pub(crate) fn workspace_manifest(dir: &Path) -> Result<PathBuf, BuildError> {
    let located = output_of(command("cargo", dir).args(["locate-project", "--workspace", "--message-format", "plain"]));
    match located {
        Ok(path) => Ok(PathBuf::from(path.trim())),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            Err(BuildError::Missing { program: "cargo".to_owned(), source })
        }
        Err(source) => Err(BuildError::Cargo { output: source.to_string() }),
    }
}

/// A module that cargo built, or found still fresh.
#[derive(Debug)]
pub(crate) struct Module {
    /// The package's `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// The module.
    pub(crate) path: PathBuf,
}

/// Builds packages of one workspace for WebAssembly, and passes on cargo's lines.
pub(crate) fn build(
    workspace: &Path,
    packages: &[&str],
    toolchain: &Toolchain,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Module>, BuildError> {
    let dir = workspace.parent().unwrap_or(workspace);
    let mut cargo = command("cargo", dir);
    cargo.args(["build", "--release", "--lib", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    cargo.arg("--manifest-path").arg(workspace);
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    cargo.args(&toolchain.arguments).envs(toolchain.environment.iter().map(|(name, value)| (name, value)));
    let missing = |source| BuildError::Missing { program: "cargo".to_owned(), source };

    let mut child = cargo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(missing)?;
    let (sender, lines) = channel();
    // Cargo fills both pipes at once, so each needs its reader.
    let readers = [
        child.stdout.take().map(|pipe| forward(pipe, sender.clone(), Line::Message)),
        child.stderr.take().map(|pipe| forward(pipe, sender, Line::Text)),
    ];
    let (mut modules, mut shown) = (Vec::new(), VecDeque::new());
    for line in lines {
        match line {
            Line::Message(json) => modules.extend(module_of(&json)),
            Line::Text(text) => {
                progress(&text);
                if shown.len() == OUTPUT_LINES_MAX {
                    shown.pop_front();
                }
                shown.push_back(text);
            }
        }
    }
    for reader in readers.into_iter().flatten() {
        // A reader only fails with its pipe, and then cargo's status tells.
        let _ended = reader.join();
    }
    if child.wait().map_err(missing)?.success() {
        return Ok(modules);
    }
    Err(BuildError::Cargo { output: Vec::from(shown).join("\n") })
}

/// A line of cargo's.
enum Line {
    /// For programs: JSON, from its output.
    Message(String),
    /// For people: from its error output.
    Text(String),
}

fn forward(
    pipe: impl Read + Send + 'static,
    lines: Sender<Line>,
    kind: impl Fn(String) -> Line + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send(kind(line)).is_err() {
                break;
            }
        }
    })
}

/// The module that a message of cargo's tells of, if it does.
fn module_of(message: &str) -> Option<Module> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.get("reason")?.as_str()? != "compiler-artifact" {
        return None;
    }
    let manifest = PathBuf::from(message.get("manifest_path")?.as_str()?);
    let files = message.get("filenames")?.as_array()?;
    let path = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    Some(Module { manifest, path: PathBuf::from(path) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_artifacts_with_a_module_count() {
        let artifact =
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.rlib","/t/p.wasm"]}"#;
        let module = module_of(artifact).unwrap();
        assert_eq!((module.manifest, module.path), ("/p/Cargo.toml".into(), "/t/p.wasm".into()));
        for other in
            [&artifact.replace("p.wasm", "p.rmeta"), r#"{"reason":"build-finished","success":true}"#, "warning: x"]
        {
            assert!(module_of(other).is_none(), "{other}");
        }
    }
}
