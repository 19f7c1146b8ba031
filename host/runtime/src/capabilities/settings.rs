//! `settings`: the plugin's settings in this workspace.

use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::{settings, types},
    guest::Guest,
    limits::Stop,
    values::value_to_guest,
};

impl settings::Host for Guest {
    fn get(&mut self, name: String) -> Result<Option<types::Value>> {
        let value = self.context.settings.get(&name).cloned().map(value_to_guest).transpose();
        value.map_err(|unfit| Stop::Host(format!("setting {name:?}: {unfit}")).into())
    }
}
