//! Timers that a plugin sets itself: to an instant, under a name of its own, with a payload.

use jiff::Timestamp;
use pergola_model::{Catalog, PluginId, name::Name};

use super::{Access, rows_of};
use crate::{
    error::Error,
    ports::{
        plugins::{Response, TimerRequest},
        store::{OwnTimer, TimerKey, TimerOf},
    },
    rights::Rights,
};

/// The longest name of a timer, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The largest payload, in bytes.
const PAYLOAD_BYTES_MAX: usize = 16 << 10;

/// Answers a request about the plugin's own timers. Nobody else's are in its reach, so no right but the manifest's line
/// is asked for.
pub(super) async fn answer(access: &mut dyn Access, rights: &Rights, request: TimerRequest) -> Result<Response, Error> {
    let catalog = access.catalog();
    match request {
        TimerRequest::Set { action, name, at, payload } => {
            let timer = timer(&catalog, rights, &action, name, at, payload)?;
            access.set_timer(timer).await.map(|()| Response::Done)
        }
        TimerRequest::Cancel { action, name } => {
            let key = key(&catalog, rights, &action, name)?;
            access.cancel_timer(key).await.map(Response::Flag)
        }
        TimerRequest::Find { action, name } => {
            let key = key(&catalog, rights, &action, name)?;
            access.find_timer(&key).await.map(Response::Timer)
        }
        TimerRequest::List { action, after, limit } => {
            let (plugin, action) = declared(&catalog, rights, &action)?;
            let after = after.unwrap_or_default();
            access.list_timers(plugin, &action, &after, rows_of(limit)).await.map(Response::Timers)
        }
    }
}

fn timer(
    catalog: &Catalog,
    rights: &Rights,
    action: &str,
    name: String,
    at: Timestamp,
    payload: String,
) -> Result<OwnTimer, Error> {
    let (plugin, action) = declared(catalog, rights, action)?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("name", "too_long", format!("a timer's name has 1 to {NAME_BYTES_MAX} bytes")));
    }
    for (field, text) in [("name", &name), ("payload", &payload)] {
        if text.contains('\0') {
            return Err(Error::invalid(field, "not_text", "the character 0 cannot be stored: take it out"));
        }
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        let message =
            format!("a timer's payload has at most {PAYLOAD_BYTES_MAX} bytes: keep more in a record, and its id here");
        return Err(Error::invalid("payload", "too_long", message));
    }
    Ok(OwnTimer { plugin: plugin.clone(), action, name, at, payload })
}

fn key(catalog: &Catalog, rights: &Rights, action: &str, name: String) -> Result<TimerKey, Error> {
    let (plugin, action) = declared(catalog, rights, action)?;
    Ok(TimerKey { plugin: plugin.clone(), action, of: TimerOf::Own(name) })
}

/// The plugin and the action, if its manifest has a line for it.
fn declared<'r>(catalog: &Catalog, rights: &'r Rights, action: &str) -> Result<(&'r PluginId, Name), Error> {
    let plugin = rights.plugin().ok_or_else(|| Error::NotFound("only a plugin has timers of its own".to_owned()))?;
    let name = Name::new(action).ok().filter(|name| catalog.has_own_timer(plugin, name));
    let name = name.ok_or_else(|| {
        Error::NotFound(format!(
            "plugin {plugin} has no timer {action} of its own: add [[timer]] action = \"…\" to its plugin.toml, \
             without on and at"
        ))
    })?;
    Ok((plugin, name))
}
