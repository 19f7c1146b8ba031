//! Finds a compiler for WebAssembly, or gets one.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::cargo::{command, output_of};
use crate::error::BuildError;

/// The target: bare WebAssembly, without WASI, so that a plugin can reach nothing but the contract.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler for browsers' needs, newer than its ordinary one, and the standard library's source for it.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "libstd-rust-web-dev"];
/// The linker of Debian's package `lld`, for a machine without rustup's.
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld";

/// How cargo has to be called so that it builds for [`TARGET`].
#[derive(Debug, Default)]
pub(crate) struct Toolchain {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Toolchain {
    /// Finds one for the crate in `dir`, which may pin a toolchain of its own.
    pub(crate) fn find(dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Self, BuildError> {
        if target_is_installed(dir)? {
            return Ok(Self::default());
        }
        let mut tried = String::new();
        progress("Adding the compiler's target wasm32-unknown-unknown");
        match output_of(command("rustup", dir).args(["target", "add", TARGET])) {
            Ok(_) if target_is_installed(dir)? => return Ok(Self::default()),
            Ok(_) => tried.push_str("; rustup added the target to another toolchain"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tried.push_str(&format!("; rustup said: {error}")),
        }
        if !debian_is_complete() {
            install_on_debian(dir, progress, &mut tried);
        }
        if debian_is_complete() { Ok(Self::debian(dir)) } else { Err(BuildError::NoTarget { tried }) }
    }

    /// Debian's compiler, which builds the standard library for the target itself.
    fn debian(dir: &Path) -> Self {
        let mut environment = vec![
            ("RUSTC", OsString::from(DEBIAN_RUSTC)),
            // Debian's is a stable compiler, and building the standard library is not a stable feature.
            ("RUSTC_BOOTSTRAP", OsString::from("1")),
        ];
        if let Some(linker) = linker(dir) {
            environment.push(("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into_os_string()));
        }
        Self { arguments: vec!["-Zbuild-std=std,panic_abort".to_owned()], environment }
    }
}

fn target_is_installed(dir: &Path) -> Result<bool, BuildError> {
    let asked = output_of(command("rustc", dir).args(["--print", "target-libdir", "--target", TARGET]));
    match asked {
        Ok(libdir) => Ok(Path::new(libdir.trim()).is_dir()),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            Err(BuildError::Missing { program: "rustc".to_owned(), source })
        }
        // A compiler that does not know the target at all.
        Err(_) => Ok(false),
    }
}

/// Whether Debian's compiler and the standard library's source are here.
fn debian_is_complete() -> bool {
    [DEBIAN_RUSTC, DEBIAN_SOURCE].iter().all(|path| Path::new(path).is_file())
}

/// Installs Debian's packages, if this is Debian and we may. What fails is added to `tried`.
fn install_on_debian(dir: &Path, progress: &mut dyn FnMut(&str), tried: &mut String) {
    let is_root = output_of(command("id", dir).arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !Path::new("/etc/debian_version").is_file() {
        return;
    }
    progress(&format!("Installing Debian's compiler: apt-get install {}", DEBIAN_PACKAGES.join(" ")));
    // An old index names packages that the mirror has replaced.
    let steps: [&[&str]; 2] = [&["update", "-q"], &["install", "-y", "-q"]];
    for (step, packages) in steps.into_iter().zip([&[][..], &DEBIAN_PACKAGES]) {
        let done =
            output_of(command("apt-get", dir).env("DEBIAN_FRONTEND", "noninteractive").args(step).args(packages));
        if let Err(error) = done {
            tried.push_str(&format!("; apt-get said: {error}"));
            return;
        }
    }
}

/// The linker that comes with rustup's toolchain, or else Debian's; Debian's compiler brings none for the target.
fn linker(dir: &Path) -> Option<PathBuf> {
    let rust_lld = || {
        let libdir = output_of(command("rustc", dir).args(["--print", "target-libdir"])).ok()?;
        Some(Path::new(libdir.trim()).parent()?.join("bin/rust-lld"))
    };
    [rust_lld(), Some(PathBuf::from(DEBIAN_LINKER))].into_iter().flatten().find(|linker| linker.is_file())
}
