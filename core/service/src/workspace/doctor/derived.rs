//! Rollups and formulas against their sources.

use super::{Finding, PLACES_MAX, Severity};
use crate::{error::Error, workspace::Workspace};

impl Workspace {
    /// Computed values that are not what they should be.
    pub(super) async fn examine_derived(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let report = self.check_derived(fix).await?;
        let what = "rollups and formulas that are not what their sources say";
        let mut finding = Finding::mendable("derived", Severity::Damage, what, "computes them anew");
        finding.count = report.wrong;
        finding.places = report
            .listed
            .iter()
            .take(PLACES_MAX)
            .map(|one| format!("{} of {} {}: {} → {}", one.field, one.object, one.record, one.stored, one.expected))
            .collect();
        finding.mended = fix;
        Ok(finding.if_any().into_iter().collect())
    }
}
