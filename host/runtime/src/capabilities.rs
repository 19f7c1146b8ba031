//! The host functions, one file for each interface of the contract.
//!
//! What a call already knows is answered here; the rest becomes a request to the service, which
//! knows grants and rights.

mod clock;
mod log;
mod messages;
mod phones;
mod records;
mod settings;
mod timers;

use wasmtime::{
    Engine, Result,
    component::{HasSelf, Linker},
};

use crate::{bindings::pergola::plugin, guest::Guest, limits::Stop, values::Unfit};

/// A linker with every interface that this host offers.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    plugin::types::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::clock::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::settings::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::records::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::phones::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::timers::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    plugin::messages::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

impl plugin::types::Host for Guest {}

/// A value of the host's own that the contract cannot carry: not the guest's fault.
fn host_unfit(unfit: Unfit) -> wasmtime::Error {
    Stop::Host(unfit.0).into()
}

/// The service answered another question.
fn wrong_answer(interface: &str) -> wasmtime::Error {
    Stop::Host(format!("the host answered another question in {interface}")).into()
}
