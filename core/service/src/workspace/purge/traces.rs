//! Traces of purged records in the system's tables: found by their ids, which stand wherever their values do.
//!
//! A record that was deleted earlier and referred to a purged one is about it too: its lines in the audit and its items in
//! the bin go as well, and so do those of what referred to that. So the tables are read again until nothing new is found.

use std::collections::{BTreeMap, HashSet};

use pergola_model::{Id, ObjectName};

use super::super::Workspace;
use crate::{
    error::Error,
    ports::{
        purge::{Forgotten, PURGED, Place, Trace, TraceKey},
        store::TimerKey,
    },
};

/// Texts in one read: each is a reader of its own, so that no long one keeps the log from being cut.
const PAGE: u32 = 1_000;
/// Characters of an id, and those before its first dash.
const ID_CHARS: usize = 36;
const ID_FIRST_CHARS: usize = 8;

/// What was found so far.
#[derive(Default)]
struct Found {
    ids: HashSet<Id>,
    audit_lines: u64,
    answers: Vec<String>,
    deletions: HashSet<Id>,
    items: Vec<(Id, i64)>,
    timers: Vec<TimerKey>,
    /// Records of audit lines that mention purged ones.
    mentioning: HashSet<(ObjectName, Id)>,
}

impl Workspace {
    /// All traces of these records, and how many there are at each place.
    pub(super) async fn find_traces(&self, ids: &[Id]) -> Result<(Forgotten, BTreeMap<&'static str, u64>), Error> {
        let mut found = Found { ids: ids.iter().copied().collect(), ..Found::default() };
        loop {
            let known = found.ids.len();
            found = Found { ids: found.ids, deletions: found.deletions, ..Found::default() };
            for place in Place::ALL {
                self.look_at(place, &mut found).await?;
            }
            for (name, id) in std::mem::take(&mut found.mentioning) {
                if !found.ids.contains(&id) && self.is_gone(&name, id).await? {
                    found.ids.insert(id);
                }
            }
            if found.ids.len() == known {
                break;
            }
        }
        let counts = [
            (Place::Audit, found.audit_lines),
            (Place::Answers, count(found.answers.len())),
            (Place::Bin, count(found.items.len())),
            (Place::Timers, count(found.timers.len())),
        ];
        let forgotten = Forgotten {
            records: found.ids.into_iter().collect(),
            answers: found.answers,
            deletions: found.deletions.into_iter().collect(),
            items: found.items,
            timers: found.timers,
        };
        Ok((forgotten, counts.into_iter().map(|(place, count)| (place.as_str(), count)).collect()))
    }

    async fn look_at(&self, place: Place, found: &mut Found) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.0.store.read().await?.list_traces(place, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key.clone());
            page.into_iter().for_each(|trace| found.look_at(trace));
        }
    }

    async fn is_gone(&self, name: &ObjectName, id: Id) -> Result<bool, Error> {
        let catalog = self.catalog();
        let Some(object) = catalog.object(name) else { return Ok(true) };
        Ok(self.0.store.read().await?.find(object, id).await?.is_none())
    }
}

impl Found {
    fn look_at(&mut self, trace: Trace) {
        let is_about = trace.record.as_ref().is_some_and(|(_, id)| self.ids.contains(id));
        let mentions = is_about || mentions(&trace.text, &self.ids);
        match trace.key {
            TraceKey::Audit(_) if is_about => self.audit_lines += u64::from(trace.text != PURGED),
            TraceKey::Audit(_) if mentions => self.mentioning.extend(trace.record),
            TraceKey::Answer(key) if mentions => self.answers.push(key),
            TraceKey::Timer(key) if mentions => self.timers.push(key),
            TraceKey::BinItem(deletion, place) if mentions || self.deletions.contains(&deletion) => {
                self.items.push((deletion, place));
                self.ids.extend(trace.record.map(|(_, id)| id));
                if trace.is_root {
                    self.deletions.insert(deletion);
                }
            }
            TraceKey::Audit(_) | TraceKey::Answer(_) | TraceKey::BinItem(..) | TraceKey::Timer(_) => {}
        }
    }
}

/// Whether one of the ids stands in the text.
fn mentions(text: &str, ids: &HashSet<Id>) -> bool {
    text.match_indices('-').any(|(dash, _)| {
        let start = dash.checked_sub(ID_FIRST_CHARS);
        let word = start.and_then(|start| text.get(start..start.saturating_add(ID_CHARS)));
        word.and_then(|word| word.parse::<Id>().ok()).is_some_and(|id| ids.contains(&id))
    })
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_wherever_it_stands() {
        let id = "01890000-0000-7000-8000-00000000000a";
        let ids = HashSet::from([id.parse().unwrap()]);
        for text in [id.to_owned(), format!("{{\"contact\":\"{id}\"}}"), format!("a-b--ä-{id}-c"), format!("[{id}")] {
            assert!(mentions(&text, &ids), "{text}");
        }
        for text in ["", "-", "01890000-0000-7000-8000-00000000000b", "01890000-0000-7000-8000-00000000000"] {
            assert!(!mentions(text, &ids), "{text}");
        }
    }
}
