//! What can go wrong, in words for the person who builds a plugin.

use std::io;
use std::path::PathBuf;

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder has no crate.
    #[error("{} has no Cargo.toml, so there is nothing to build", dir.display())]
    NoCrate {
        /// The plugin's folder.
        dir: PathBuf,
    },
    /// The plugin's `Cargo.toml` cannot be understood.
    #[error("cannot read the package's name in {}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A program that is needed cannot be started.
    #[error("cannot run {program}; install Rust from https://rustup.rs")]
    Missing {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No compiler for WebAssembly, and no way to get one.
    #[error(
        "the compiler for WebAssembly is missing; run `rustup target add wasm32-unknown-unknown`, or on Debian \
         `apt-get install rustc-web rust-web-src libstd-rust-web-dev`{tried}"
    )]
    NoTarget {
        /// What was tried, and how it failed; empty if nothing could be.
        tried: String,
    },
    /// Cargo ended with an error.
    #[error("cargo could not build the plugin:\n{output}")]
    Cargo {
        /// The end of what it printed.
        output: String,
    },
    /// Cargo built no module for this package.
    #[error("{package} built no WebAssembly module; its Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`")]
    NoModule {
        /// The package's name.
        package: String,
    },
    /// The module is no component of this contract.
    #[error("the module of {package} cannot become a component")]
    Encode {
        /// The package's name.
        package: String,
        /// What does not fit.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The bytes are no valid component.
#[derive(Debug, thiserror::Error)]
#[error("this is not a valid WebAssembly component")]
pub struct NotAComponent(#[source] pub(crate) Option<wasmparser::BinaryReaderError>);

/// Why a new plugin could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewPluginError {
    /// The id cannot be one.
    #[error(
        "`{id}` cannot be a plugin's id; take lower case letters, digits and `_`, a letter first, at most 48: `tattoo_studio`"
    )]
    InvalidId {
        /// What was asked for.
        id: String,
    },
    /// The id would be a word of Rust or of the platform.
    #[error("`{id}` is taken by Rust or by Pergola; choose another id")]
    ReservedId {
        /// What was asked for.
        id: String,
    },
    /// There is something in the folder already.
    #[error("{} exists and is not empty; choose another folder", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// The SDK is not where it was looked for.
    #[error("the SDK is not in {}; give the folder plugin-api/rust of a Pergola checkout", path.display())]
    NoSdk {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
