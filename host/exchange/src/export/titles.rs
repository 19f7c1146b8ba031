//! What the records are called to which a page of records refers.

use std::collections::{HashMap, HashSet};

use pergola_model::{Id, Record};
use pergola_service::workspace::Snapshot;

use super::{ExportError, cells, columns::Columns};

/// Ids that are looked up at once.
const IDS_MAX: usize = 500;

/// Titles by id. Ids are unique across objects.
#[derive(Default)]
pub(super) struct Titles(HashMap<Id, String>);

impl Titles {
    /// Reads the titles of all records to which these refer.
    pub(super) async fn find(
        snapshot: &mut Snapshot,
        columns: &Columns,
        records: &[Record],
    ) -> Result<Self, ExportError> {
        let mut titles = Self::default();
        for (key, to) in &columns.referred {
            let Some(title) = &to.title else { continue };
            let wanted = records.iter().filter_map(|record| record.fields.get(key).as_ref_id());
            let wanted: HashSet<Id> = wanted.filter(|id| !titles.0.contains_key(id)).collect();
            let wanted: Vec<Id> = wanted.into_iter().collect();
            for ids in wanted.chunks(IDS_MAX) {
                for record in snapshot.find_many(to, ids).await? {
                    titles.0.insert(record.id, cells::text(record.fields.get(title)));
                }
            }
        }
        Ok(titles)
    }

    /// The title; empty for a record without one.
    pub(super) fn get(&self, id: Option<Id>) -> &str {
        id.and_then(|id| self.0.get(&id)).map_or("", String::as_str)
    }
}
