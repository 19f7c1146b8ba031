//! Answers under idempotency keys, dropped when nobody may ask for them any more.

use super::Worker;
use crate::{error::Error, workspace::Workspace};

/// Answers dropped at once.
const PORTION: u32 = 1_000;

impl Worker {
    /// Drops a portion of what has expired, at most once in a while; how many.
    pub(super) async fn drop_answers(&self) -> Result<usize, Error> {
        let now = self.workspace.now();
        if !self.answers.is_due(now) {
            return Ok(0);
        }
        let dropped = self.workspace.drop_expired_answers().await?;
        if dropped < u64::from(PORTION) {
            self.answers.note(now);
        }
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }
}

impl Workspace {
    /// Drops a portion of the answers that have expired; how many.
    pub(crate) async fn drop_expired_answers(&self) -> Result<u64, Error> {
        let now = self.now();
        if self.0.store.read_once().await?.count_expired_answers(now).await? == 0 {
            return Ok(0);
        }
        let mut tx = self.0.store.write().await?;
        let dropped = tx.drop_expired_answers(now, PORTION).await?;
        tx.commit().await?;
        Ok(dropped)
    }
}
