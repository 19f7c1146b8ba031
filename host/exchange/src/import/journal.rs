//! How far an import is, kept with its rows: where a killed one goes on, and what is already written beyond.

use std::collections::{BTreeMap, HashMap};

use pergola_model::Id;
use pergola_service::{
    Error,
    ports::imports::{ImportState, StoredImport, Wrote},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ImportOptions, ImportSummary, base::Base, plan::Planner};

/// What became of the rows so far, as it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) merged: u64,
    pub(crate) refused: u64,
    /// How long the report is.
    pub(crate) report_bytes: u64,
}

impl Counts {
    pub(crate) fn of(summary: &ImportSummary, report_bytes: u64) -> Self {
        let ImportSummary { rows, created, updated, merged, refused, .. } = *summary;
        Self { rows, created, updated, merged, refused, report_bytes }
    }

    pub(crate) fn put_into(self, summary: &mut ImportSummary) {
        let Self { rows, created, updated, merged, refused, .. } = self;
        (summary.rows, summary.created, summary.updated) = (rows, created, updated);
        (summary.merged, summary.refused) = (merged, refused);
    }

    pub(crate) fn to_json(self) -> serde_json::Value {
        // Numbers always have a JSON form.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// An import's own row, and what an interrupted run has left.
pub(crate) struct Journal {
    pub(crate) stored: StoredImport,
    /// Rows that were dealt with before.
    pub(crate) counts: Counts,
    /// Rows beyond the last note that are written all the same, and whether they made a record: where a plugin breaks
    /// over a batch, its rows are committed one by one.
    pub(crate) written: HashMap<u64, bool>,
}

impl Journal {
    /// Goes on with an interrupted import of the same file in the same way, or begins one.
    pub(crate) async fn open<B: Base>(
        base: &B,
        file: &str,
        digest: &[u8],
        options: &ImportOptions,
        planner: &mut Planner,
    ) -> Result<Self, Error> {
        let settings = settings(options);
        let mut found = base.find_running(digest, &settings).await?;
        if options.restart
            && let Some(mut earlier) = found.take()
        {
            // It stays what it is, and can be taken back.
            earlier.state = ImportState::Done;
            base.put_import(&mut earlier).await?;
        }
        let Some(stored) = found else {
            let stored = StoredImport {
                object: options.object.clone(),
                file: file.to_owned(),
                digest: digest.to_owned(),
                settings,
                ..base.new_import()
            };
            return Ok(Self { stored, counts: Counts::default(), written: HashMap::new() });
        };
        let counts = serde_json::from_value(stored.tally.clone()).unwrap_or_default();
        let mut written = HashMap::new();
        let mut records: Vec<Id> = Vec::new();
        base.visit_import(stored.id, &mut |entry| {
            records.push(entry.record);
            if entry.line > stored.last_line {
                let is_new = matches!(entry.wrote, Wrote::Created { .. });
                written.insert(u64::try_from(entry.line).unwrap_or_default(), is_new);
            }
        })
        .await?;
        records.into_iter().for_each(|id| planner.remember(id));
        Ok(Self { stored, counts, written })
    }

    /// The number of the last row that was dealt with.
    pub(crate) fn last_line(&self) -> u64 {
        u64::try_from(self.stored.last_line).unwrap_or_default()
    }

    /// The import's id, once anything of it is written.
    pub(crate) fn batch(&self) -> Option<Id> {
        (self.stored.revision > 0).then_some(self.stored.id)
    }
}

/// All that decides what a file's rows become.
fn settings(options: &ImportOptions) -> String {
    let map: BTreeMap<&String, &String> = options.map.iter().map(|(heading, field)| (heading, field)).collect();
    let refs: BTreeMap<&String, &String> = options.refs.iter().map(|(heading, field)| (heading, field)).collect();
    json!({
        "object": options.object.as_str(),
        "region": options.region,
        "map": map,
        "match": options.matches,
        "on_match": options.on_match,
        "ref": refs,
        "sheet": options.sheet,
        "encoding": options.encoding,
        "separator": options.delimiter,
    })
    .to_string()
}
