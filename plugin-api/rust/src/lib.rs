//! The SDK for plugins written in Rust: typed records, handlers as traits, host calls as modules.
//!
//! The tutorial is this crate's README; the contract underneath is `pergola:plugin` in `plugin-api/wit`.
//! Everything works natively too, so that a plugin's pure functions are tested by `cargo test`;
//! only host calls need a host.

#[cfg(target_arch = "wasm32")]
mod arena;
// Public for the code that `plugin!` writes into a plugin's crate; authors use the modules below.
#[doc(hidden)]
pub mod bindings;
pub mod clock;
mod failure;
mod fields;
#[doc(hidden)]
pub mod glue;
mod handlers;
mod id;
pub mod log;
pub mod messages;
mod number;
pub mod packed;
pub mod phones;
mod record;
pub mod records;
pub mod settings;
mod text_form;
mod time;
pub mod timers;
mod value;

pub use failure::Failure;
pub use fields::Fields;
pub use handlers::{
    Actions, AfterWrite, BeforeWrite, Due, Event, Input, Kind, Lifecycle, OnEvent, OnOwnTimer, OnTimer, OwnDue,
    Request, Response, Routes, Verdict, Write, Written,
};
pub use id::Id;
pub use number::{Decimal, Money};
pub use pergola_plugin_macros::plugin;
pub use record::{Record, Typed};
pub use serde_json::{Value as Json, json};
pub use time::{Date, DateTime, Duration};
pub use value::{FromValue, Value};
#[doc(hidden)]
pub use wit_bindgen;

/// What plugins use, in one line: `use pergola_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::messages::Message;
    pub use crate::records::{Aggregate, Balances, Change, Query, Row};
    pub use crate::{
        Actions, AfterWrite, BeforeWrite, Date, DateTime, Decimal, Due, Duration, Event, Failure, Fields, Id, Input,
        Json, Kind, Lifecycle, Money, OnEvent, OnOwnTimer, OnTimer, OwnDue, Record, Request, Response, Routes, Typed,
        Value, Verdict, Write, Written, clock, json, log, messages, phones, records, settings, timers,
    };
}
