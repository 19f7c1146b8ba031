//! The bin: what was deleted, brought back or dropped for good.

use std::time::Duration;

use jiff::Timestamp;
use pergola_model::{Actor, Fields, Id, ObjectName, Operation};

use super::{Workspace, no_object};
use crate::{
    error::Error,
    ports::{
        bin::{BinQuery, Deletion},
        plugins::{Budget, Limits},
    },
    rights::Rights,
    unit::{Restored, Unit, no_deletion},
};

/// The setting that says how many days deletions are kept.
const KEEP_DAYS: &str = "bin_keep_days";
/// Unless it says otherwise.
const KEEP_DAYS_DEFAULT: u32 = 30;
/// The most that it can say: ten years.
pub const KEEP_DAYS_MAX: u32 = 3_650;
/// Deletions dropped in one unit of work; each has up to 1,000 records.
const EMPTIED_AT_ONCE: u32 = 10;

impl Workspace {
    /// A page of the bin, newest first, of one object or of all.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for those who may not delete.
    pub async fn list_bin(&self, actor: &Actor, query: &BinQuery) -> Result<Vec<Deletion>, Error> {
        let rights = Rights::of(actor);
        let catalog = self.catalog();
        let objects: Vec<&ObjectName> = query.object.as_ref().map_or(catalog.objects.keys().collect(), |one| vec![one]);
        for object in objects {
            catalog.object(object).ok_or_else(|| no_object(object.as_str()))?;
            rights.check(Operation::Delete, object, &Fields::new())?;
        }
        Ok(self.0.store.read().await?.list_deletions(query).await?)
    }

    /// Brings back what a deletion took, with the same ids, all or nothing.
    ///
    /// # Errors
    /// `cannot_restore` when something does not fit any more, naming it; [`Error::NotFound`]; [`Error::Forbidden`].
    pub async fn restore(&self, actor: &Actor, deletion: Id) -> Result<Restored, Error> {
        let rights = Rights::of(actor);
        self.detached(move |workspace| {
            let rights = rights.clone();
            async move {
                let _open = workspace.0.gate.read().await;
                let mut unit = Unit::begin(&workspace, Budget::new(Limits::batch(1_000))).await?;
                let restored = unit.restore(&rights, deletion).await;
                let restored = unit.outcome(restored)?;
                unit.commit().await?;
                Ok(restored)
            }
        })
        .await
    }

    /// Drops a deletion from the bin: it cannot be restored any more.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn drop_deletion(&self, actor: &Actor, id: Id) -> Result<(), Error> {
        let mut tx = self.0.store.write().await?;
        let Some((deletion, _)) = tx.find_deletion(id).await? else { return Err(no_deletion(id)) };
        Rights::of(actor).check(Operation::Delete, &deletion.object, &Fields::new())?;
        tx.remove_deletion(id).await?;
        Ok(tx.commit().await?)
    }

    /// How many days deletions are kept.
    ///
    /// # Errors
    /// The store's.
    pub async fn bin_keep_days(&self) -> Result<u32, Error> {
        let stored = self.find_setting(KEEP_DAYS).await?;
        Ok(stored.and_then(|days| u32::try_from(days.as_u64()?).ok()).unwrap_or(KEEP_DAYS_DEFAULT))
    }

    /// Sets how many days deletions are kept; with none they are gone at the next sweep.
    ///
    /// # Errors
    /// [`Error::Invalid`] beyond [`KEEP_DAYS_MAX`].
    pub async fn put_bin_keep_days(&self, days: u32) -> Result<(), Error> {
        if days > KEEP_DAYS_MAX {
            let message = format!("a whole number of days from 0 to {KEEP_DAYS_MAX}");
            return Err(Error::invalid("keep_days", "out_of_range", message));
        }
        self.put_setting(KEEP_DAYS, &days.into()).await
    }

    /// Drops some of the deletions whose days are over; how many.
    pub(crate) async fn empty_bin(&self) -> Result<u64, Error> {
        let kept = Duration::from_secs(u64::from(self.bin_keep_days().await?) * 24 * 3600);
        let before = self.now().checked_sub(kept).unwrap_or(Timestamp::MIN);
        let mut tx = self.0.store.write().await?;
        let emptied = tx.empty_bin(before, EMPTIED_AT_ONCE).await?;
        tx.commit().await?;
        Ok(emptied)
    }
}
