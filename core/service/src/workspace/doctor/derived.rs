//! Rollups, formulas and balances against their sources.

use super::{Finding, PLACES_MAX, Severity, cause};
use crate::{error::Error, workspace::Workspace};

impl Workspace {
    /// Computed values that are not what they should be.
    pub(super) async fn examine_derived(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let report = match self.check_derived(fix).await {
            Ok(report) => report,
            Err(error @ Error::Internal(_)) => {
                let (what, advice) = ("computed values that could not be compared", "mend what cannot be read first");
                let mut finding = Finding::new("derived", Severity::Damage, what, advice);
                finding.add(|| cause(&error));
                return Ok(vec![finding]);
            }
            Err(error) => return Err(error),
        };
        let what = "rollups, formulas and balances that are not what their sources say";
        let mut finding = Finding::mendable("derived", Severity::Damage, what, "computes them anew");
        finding.count = report.wrong;
        finding.places = report
            .listed
            .iter()
            .take(PLACES_MAX)
            .map(|one| format!("{}: {} → {}", one.place, one.stored, one.expected))
            .collect();
        finding.mended = fix;
        Ok(finding.if_any().into_iter().collect())
    }
}
