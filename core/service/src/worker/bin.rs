//! The bin, emptied of what was in it for long enough; and purges that were cut off.

use std::{sync::PoisonError, time::Duration};

use super::Worker;
use crate::error::Error;

/// Between two looks at the bin; days are what people count in.
const PAUSE: Duration = Duration::from_secs(3600);

impl Worker {
    /// Drops a portion of what is due, at most once in a while; how many deletions.
    pub(super) async fn empty_bin(&self) -> Result<usize, Error> {
        let now = self.workspace.now();
        if self.swept_at().is_some_and(|at| now < at.checked_add(PAUSE).unwrap_or(at)) {
            return Ok(0);
        }
        self.workspace.forget_purged().await?;
        self.workspace.scrub_if_due().await?;
        let emptied = self.workspace.empty_bin().await?;
        if emptied == 0 {
            *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        Ok(usize::try_from(emptied).unwrap_or(usize::MAX))
    }

    fn swept_at(&self) -> Option<jiff::Timestamp> {
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
