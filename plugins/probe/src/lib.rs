//! Asks its host for what no pack happens to ask for, and says what it was told; for tests and measurements.

mod asking;
mod waking;

use std::collections::BTreeSet;

use pergola_plugin::prelude::*;

/// The plugin. It has no state: the host makes a fresh instance for each call.
struct Plugin;

pergola_plugin::plugin!(Plugin);

impl AfterWrite for Plugin {
    /// Counts the open visits of each contact that got one, those of this transaction among them, and looks at each visit
    /// again an hour later.
    fn after_write_all(written: &[Written]) -> Result<(), Failure> {
        let most = settings::integer("open_max").unwrap_or(3);
        let contacts: BTreeSet<Id> = written.iter().filter_map(|one| one.now.fields.reference("contact")).collect();
        for contact in contacts {
            let open =
                Aggregate::of("probe.visit").filter("contact == p0 && status == 'open'").param(contact).count()?;
            if open > most {
                return Err(Failure::refused("too_many", format!("{open} open visits are more than {most}.")));
            }
        }
        written.iter().try_for_each(waking::stay)
    }
}

impl OnOwnTimer for Plugin {
    fn on_own_timer(due: &OwnDue) -> Result<(), Failure> {
        waking::fired(due)
    }
}

impl Actions for Plugin {
    fn run(action: &str, input: &Input) -> Result<Json, Failure> {
        match action {
            "groups" => asking::groups(input.read()?),
            "balances" => asking::balances(input.read()?),
            "set" => waking::set(&input.read()?),
            "cancel" => waking::cancel(&input.read()?),
            "waiting" => waking::waiting(&input.read()?),
            other => Err(Failure::not_found(format!("There is no action {other}."))),
        }
    }
}
