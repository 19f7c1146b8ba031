//! The traits of a plugin's handlers, and what they are handed.
//!
//! Implement those that the manifest declares; [`plugin!`](crate::plugin) exports exactly these.
//! To add a kind of handler: its trait and what it is handed go here, its conversions into `glue`,
//! and its export into the macro's `exports`.

mod http;
mod write;

pub use http::{Request, Response};
pub use write::{Kind, Verdict, Write, Written};

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::{DateTime, Failure, Fields, Id, Record};

/// `[[hook]]` with `phase = "before"`: changes or refuses writes, in their transaction.
///
/// Runs at every write to the objects that the hooks name, so it must be quick: 50 ms for a batch.
/// Host calls read within the same transaction.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares a [[hook]] before a write, but `{Self}` does not implement `BeforeWrite`",
    label = "needs `impl BeforeWrite for {Self}`",
    note = "write the trait's `before_write`, or take the [[hook]] out of plugin.toml"
)]
pub trait BeforeWrite {
    /// Answers the fields to set besides (they win over the writer's; none accepts the row as it is), or refuses
    /// the row, and with it the whole unit of work.
    ///
    /// # Errors
    /// The refusal.
    fn before_write(write: &Write) -> Result<Fields, Failure> {
        let _accepted_as_is = write;
        Ok(Fields::new())
    }

    /// Looks at all rows of one object at once; override it where one query can serve all rows.
    ///
    /// Shape: one verdict for each row, in the same order; an empty list accepts all as they are.
    ///
    /// # Errors
    /// Fails the whole unit of work.
    fn before_write_all(writes: &[Write]) -> Result<Vec<Verdict>, Failure> {
        Ok(writes.iter().map(|write| Self::before_write(write).into()).collect())
    }
}

/// `[[hook]]` with `phase = "after"`: writes more in the same transaction, or fails it.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares a [[hook]] after a write, but `{Self}` does not implement `AfterWrite`",
    label = "needs `impl AfterWrite for {Self}`",
    note = "write the trait's `after_write`, or take the [[hook]] out of plugin.toml"
)]
pub trait AfterWrite {
    /// Acts on one written record.
    ///
    /// # Errors
    /// Undoes the unit of work.
    fn after_write(written: &Written) -> Result<(), Failure> {
        let _nothing_to_do = written;
        Ok(())
    }

    /// Acts on all written records of one object at once; override it where that saves host calls.
    ///
    /// # Errors
    /// Undoes the unit of work.
    fn after_write_all(written: &[Written]) -> Result<(), Failure> {
        written.iter().try_for_each(Self::after_write)
    }
}

/// `[[event]]`: told what happened, after commit, at least once, in order of commit.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares an [[event]], but `{Self}` does not implement `OnEvent`",
    label = "needs `impl OnEvent for {Self}`",
    note = "write the trait's `on_event`, or take the [[event]] out of plugin.toml"
)]
pub trait OnEvent {
    /// Acts on one change. It may be told again: use the event's `key` where doing it twice would be wrong.
    ///
    /// # Errors
    /// Makes the host tell the whole batch again later.
    fn on_event(event: &Event) -> Result<(), Failure> {
        let _nothing_to_do = event;
        Ok(())
    }

    /// Acts on all changes told together; override it where that saves host calls.
    ///
    /// # Errors
    /// Makes the host tell all of them again later.
    fn on_events(events: &[Event]) -> Result<(), Failure> {
        events.iter().try_for_each(Self::on_event)
    }
}

/// One change that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stays the same when told again: an idempotency key.
    pub key: String,
    /// The object's full name.
    pub object: String,
    /// What happened to the record.
    pub kind: Kind,
    /// The record; read it with [`records::get`](crate::records::get).
    pub id: Id,
    /// Names of the fields whose value changed.
    pub changed: Vec<String>,
    /// When it was committed.
    pub at: DateTime,
}

/// `[[timer]]`: durable timers that fell due, at least once.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares a [[timer]], but `{Self}` does not implement `OnTimer`",
    label = "needs `impl OnTimer for {Self}`",
    note = "write the trait's `on_timer`, or take the [[timer]] out of plugin.toml"
)]
pub trait OnTimer {
    /// Acts on a timer. It may fire again: use the timer's `key` where doing it twice would be wrong.
    ///
    /// # Errors
    /// Makes the host fire it again later.
    fn on_timer(due: &Due) -> Result<(), Failure>;
}

/// A timer that fell due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The `action` that the manifest names.
    pub action: String,
    /// Stays the same when fired again for the same due time: an idempotency key.
    pub key: String,
    /// When it was due.
    pub at: DateTime,
    /// The record that it follows, as it is now.
    pub target: Record,
}

/// `[[timer]]` without `on`: timers that the plugin set itself and that fell due, at least once.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares a [[timer]] without `on`, but `{Self}` does not implement `OnOwnTimer`",
    label = "needs `impl OnOwnTimer for {Self}`",
    note = "write the trait's `on_own_timer`, or say in plugin.toml which object the timer is `on`"
)]
pub trait OnOwnTimer {
    /// Acts on a timer. It may fire again: use the timer's `key` where doing it twice would be wrong.
    ///
    /// It is gone afterwards, unless it was set again meanwhile: [`timers::set`](crate::timers::set) under the same
    /// name makes the next one of a series.
    ///
    /// # Errors
    /// Makes the host fire it again later.
    fn on_own_timer(due: &OwnDue) -> Result<(), Failure>;
}

/// A timer that the plugin set itself and that fell due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDue {
    /// The `action` that the manifest names.
    pub action: String,
    /// The name under which it was set.
    pub name: String,
    /// Stays the same when fired again for the same due time: an idempotency key.
    pub key: String,
    /// When it was due.
    pub at: DateTime,
    /// What was left with it.
    pub payload: String,
}

/// `[[action]]`: named commands, called by REST, a button, a workflow or another plugin.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares an [[action]], but `{Self}` does not implement `Actions`",
    label = "needs `impl Actions for {Self}`",
    note = "write the trait's `run`, or take the [[action]] out of plugin.toml"
)]
pub trait Actions {
    /// Runs the action with this id. Only ids that the manifest declares arrive; answer others
    /// with [`Failure::not_found`].
    ///
    /// # Errors
    /// Shown to the caller.
    fn run(action: &str, input: &Input) -> Result<Json, Failure>;
}

/// An action's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    text: String,
}

impl Input {
    /// Input from a JSON text; in tests of actions.
    pub fn new(json: impl Into<String>) -> Self {
        Self { text: json.into() }
    }

    /// Reads the input as a type of the plugin's own.
    ///
    /// # Errors
    /// `invalid_input`: the JSON has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.text).map_err(|error| Failure::invalid_input(error.to_string()))
    }

    /// The JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// `[[route]]`: HTTP under `/p/{plugin}/…`.
#[diagnostic::on_unimplemented(
    message = "plugin.toml declares a [[route]], but `{Self}` does not implement `Routes`",
    label = "needs `impl Routes for {Self}`",
    note = "write the trait's `handle`, or take the [[route]] out of plugin.toml"
)]
pub trait Routes {
    /// Answers a request to one of the declared routes; match on [`Request::route`].
    ///
    /// # Errors
    /// Becomes a problem document: 404 for `not_found`, 409 for conflicts, else 422.
    fn handle(request: &Request) -> Result<Response, Failure>;
}

/// `lifecycle = true`: the plugin's own life in a workspace.
#[diagnostic::on_unimplemented(
    message = "plugin.toml says `lifecycle = true`, but `{Self}` does not implement `Lifecycle`",
    label = "needs `impl Lifecycle for {Self}`",
    note = "write the trait's `installed`, or take the line out of plugin.toml"
)]
pub trait Lifecycle {
    /// Runs after install or upgrade, in one transaction with it.
    ///
    /// # Errors
    /// Undoes the install.
    fn installed(previous_version: Option<&str>) -> Result<(), Failure>;
}
