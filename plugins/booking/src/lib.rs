//! Appointments: who does what, when they work, and whose time is taken. Knows no trade.
//!
//! This file connects the plugin to its host. What is decided is in plain functions, tested natively:
//! `span` and `team` know time, `catalogue` knows services, `book` plans orders, `hooks` fill records,
//! `words` writes to people. Host calls are in `load`, in `routes` and at the edges of `hooks` and `remind`.

mod book;
mod catalogue;
mod hooks;
mod load;
mod order;
mod part;
mod remind;
mod routes;
mod rules;
mod span;
mod team;
#[cfg(test)]
mod test_clock;
mod words;

use pergola_plugin::prelude::*;

/// The plugin. It has no state: the host makes a fresh instance for each call.
struct Plugin;

pergola_plugin::plugin!(Plugin);

impl BeforeWrite for Plugin {
    fn before_write_all(writes: &[Write]) -> Result<Vec<Verdict>, Failure> {
        hooks::appointment::fill(writes)
    }
}

impl AfterWrite for Plugin {
    fn after_write_all(written: &[Written]) -> Result<(), Failure> {
        hooks::timeline::note(written)
    }
}

impl OnTimer for Plugin {
    fn on_timer(due: &Due) -> Result<(), Failure> {
        match due.action.as_str() {
            "remind" => remind::remind(&due.target),
            // A timer of another version; there is nothing to do again later.
            _ => Ok(()),
        }
    }
}

impl Routes for Plugin {
    fn handle(request: &Request) -> Result<Response, Failure> {
        match request.route() {
            ("GET", "/slots") => routes::slots::answer(request),
            ("POST", "/book") => routes::book::answer(request),
            ("GET", "/services") => routes::lists::services(),
            ("GET", "/masters") => routes::lists::masters(request),
            _ => Err(Failure::not_found("There is no such route.")),
        }
    }
}
