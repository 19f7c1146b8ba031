//! The index of search against the records.

use std::sync::PoisonError;

use super::{Finding, Severity};
use crate::{error::Error, workspace::Workspace};

impl Workspace {
    /// Entries that are missing, out of date or of nothing.
    pub(super) async fn examine_search(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        // What the worker has still to index after a change of declarations is no damage.
        let is_under_way = !self.0.unindexed.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let severity = if is_under_way { Severity::Notice } else { Severity::Damage };
        let what = "records that search does not find, or finds as they are not";
        let report = self.check_search(fix).await?;
        let mut finding = Finding::mendable("search", severity, what, "writes their entries anew");
        for (count, kind) in
            [(report.missing, "missing"), (report.stale, "out of date"), (report.orphaned, "of deleted records")]
        {
            if count > 0 {
                finding.places.push(format!("{count} {kind}"));
                finding.count += count;
            }
        }
        finding.mended = fix;
        Ok(finding.if_any().into_iter().collect())
    }
}
