//! For the fault tests: a move becomes two entries of the ledger that come to zero.

use pergola_plugin::prelude::*;

/// The plugin. It has no state: the host makes a fresh instance for each call.
struct Plugin;

pergola_plugin::plugin!(Plugin);

impl AfterWrite for Plugin {
    fn after_write(written: &Written) -> Result<(), Failure> {
        let fields = &written.now.fields;
        let amount: i64 = fields.read("amount")?;
        let half = |purse: Id, amount: i64| {
            let entry = Fields::new().with("purse", purse).with("amount", amount);
            Change::create("till.entry", entry.with("transfer", written.now.id.to_string()))
        };
        records::apply([half(fields.read("source")?, -amount), half(fields.read("target")?, amount)])?;
        Ok(())
    }
}
