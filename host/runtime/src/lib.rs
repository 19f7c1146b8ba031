//! The Plugins port on wasmtime: limits, grants and host interfaces.
//!
//! Reading order: [`runtime`] is the port and what is loaded; `load` checks a component against
//! its manifest; `call` drives one call; `guest` is what one call holds; `capabilities` are the
//! host functions, one file per interface; `values` and `packed` translate.
//!
//! To add a host interface, follow `docs/how-to/add-a-host-interface.md`.
//!
//! Invariants: a store serves one call and is never reused; no guest code runs before its
//! imports are checked; a guest never holds up a thread for longer than a tick; what the host
//! has begun for a guest is finished whatever becomes of the guest. Unsafe code is in
//! `artifact` alone.

mod answers;
mod artifact;
mod bindings;
mod call;
mod capabilities;
mod engine;
mod guest;
mod limits;
mod load;
mod packed;
pub mod runtime;
mod ticker;
mod values;

pub use artifact::digest;
pub use load::{COMPONENT_BYTES_MAX, LoadError};
pub use runtime::{Runtime, RuntimeConfig, StartError};
