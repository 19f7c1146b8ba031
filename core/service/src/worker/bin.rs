//! The bin, emptied of what was in it for long enough; and purges that were cut off.

use super::Worker;
use crate::error::Error;

impl Worker {
    /// Drops a portion of what is due, at most once in a while; how many deletions.
    pub(super) async fn empty_bin(&self) -> Result<usize, Error> {
        let now = self.workspace.now();
        if !self.bin.is_due(now) {
            return Ok(0);
        }
        self.workspace.forget_purged().await?;
        self.workspace.scrub_if_due().await?;
        let emptied = self.workspace.empty_bin().await?;
        if emptied == 0 {
            self.bin.note(now);
        }
        Ok(usize::try_from(emptied).unwrap_or(usize::MAX))
    }
}
