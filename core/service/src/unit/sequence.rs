//! Numbers without gaps: taken in the transaction that creates the record, and back in the row if it does not commit.

use std::collections::BTreeMap;

use pergola_model::{Object, Record, Value, object::key_text};

use super::Unit;
use crate::{error::Error, mutants::Rule, ports::counters::SequenceKey};

impl Unit {
    /// Gives new records their numbers, in their order. Whoever takes numbers of the same row meanwhile waits for the
    /// end of this transaction, because only then it is known whether they are taken.
    pub(super) async fn number(&mut self, object: &Object, records: &mut [Record]) -> Result<(), Error> {
        for sequence in &object.derived.sequences {
            let mut wanted: BTreeMap<String, Vec<&mut Record>> = BTreeMap::new();
            for record in records.iter_mut() {
                // One that comes back from the bin has its number already.
                if record.fields.get(&sequence.key).is_null() {
                    let per = sequence.per.as_ref().map(|per| key_text(record.fields.get(per)));
                    wanted.entry(per.unwrap_or_default()).or_default().push(record);
                }
            }
            let key = |per: &String| SequenceKey {
                object: object.name.clone(),
                field: sequence.key.clone(),
                per: per.clone(),
            };
            let names: Vec<String> =
                wanted.keys().map(|per| format!("sequence:{}:{}:{per}", object.name, sequence.key)).collect();
            self.tx.lock(&names).await?;
            for (per, records) in wanted {
                let mut count = i64::try_from(records.len()).unwrap_or(i64::MAX);
                if self.workspace.is_off(Rule::Sequence) {
                    count = count.saturating_add(1);
                }
                let first = self.tx.take_numbers(&key(&per), sequence.start, count).await?;
                for (place, record) in (0_i64..).zip(records) {
                    record.fields.set(sequence.key.as_str(), Value::Integer(first.saturating_add(place)));
                }
            }
        }
        Ok(())
    }

    /// Passes unless the change would take a number away from those it stands among.
    pub(super) fn check_numbered(object: &Object, changed: &[String]) -> Result<(), Error> {
        for sequence in &object.derived.sequences {
            if let Some(per) = sequence.per.as_ref().filter(|per| changed.contains(per)) {
                let message = format!("{} is numbered by it and stays there; create another record", sequence.key);
                return Err(Error::invalid(per, "read_only", message));
            }
        }
        Ok(())
    }
}
