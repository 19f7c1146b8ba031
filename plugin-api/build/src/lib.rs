//! Builds plugins to WebAssembly components and starts new ones from the template.
//!
//! A plugin is an ordinary crate. It is compiled to a core module for `wasm32-unknown-unknown`, which
//! `wit-component` then turns into a component that imports only what it uses. No WASI, and no tools but cargo.
//!
//! This crate runs cargo and writes files; it neither loads components nor reads more of a manifest than it must.

mod build;
mod cargo;
mod component;
mod error;
mod template;
mod toolchain;

pub use build::{Built, build_plugin, build_plugins, has_code};
pub use component::{ComponentShape, inspect};
pub use error::{BuildError, NewPluginError, NotAComponent};
pub use template::{SdkSource, new_plugin};
