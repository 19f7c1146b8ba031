//! Timers that records should have by their declarations: after a change of settings, an upgrade or a loss.

use pergola_model::{Id, Object};

use super::{Finding, Severity};
use crate::{
    error::Error,
    ports::{
        plugins::{Budget, Limits},
        store::StoreError,
    },
    unit::Unit,
    workspace::Workspace,
};

/// Records in one unit of work.
const PORTION: usize = 100;

impl Workspace {
    /// Timers that are not set, or for another time than their records say.
    pub(super) async fn examine_missing_timers(&self, fix: bool) -> Result<Option<Finding>, Error> {
        let what = "timers that are not set as declarations, settings and records say";
        let advice = "sets them, as the next write of each record would";
        let mut finding = Finding::mendable("timer_missing", Severity::Notice, what, advice);
        for object in self.catalog().objects.values().filter(|object| !object.timers.is_empty()) {
            let mut after = None;
            while let Some((ids, next)) = self.page(&object.name, after.take()).await? {
                for ids in ids.chunks(PORTION) {
                    for place in self.missing_timers_of(object, ids, fix).await? {
                        finding.add(|| place);
                    }
                }
                let Some(next) = next else { break };
                after = Some(next);
            }
        }
        finding.mended = fix;
        Ok(finding.if_any())
    }

    async fn missing_timers_of(&self, object: &Object, ids: &[Id], fix: bool) -> Result<Vec<String>, Error> {
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        let records = match unit.tx.find_for_change(object, ids).await {
            Ok(records) => records,
            // One of them cannot be read, which is told of by itself.
            Err(StoreError::Backend(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut missing = Vec::new();
        for record in &records {
            missing.extend(unit.missing_timers(object, record, fix).await?);
        }
        if fix && !missing.is_empty() {
            unit.commit().await?;
        }
        Ok(missing)
    }
}
