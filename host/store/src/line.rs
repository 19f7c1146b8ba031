//! A bounded line of those who wait for a place, and of those who have one.

use std::{sync::Arc, time::Duration};

use pergola_service::ports::store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::writer::stopped;

/// A place, and a place in the line with it.
pub(crate) type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// The line.
pub(crate) struct Line {
    /// One permit for everybody who has a place or waits for one.
    all: Arc<Semaphore>,
    timeout: Duration,
}

impl Line {
    /// A line of so many, with those who have places, in which nobody waits longer than that.
    pub(crate) fn new(all: usize, timeout: Duration) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), timeout }
    }

    /// Waits for one of these places.
    pub(crate) async fn enter(&self, places: &Arc<Semaphore>) -> Result<Place, StoreError> {
        let in_line = Arc::clone(&self.all).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => StoreError::Busy,
            TryAcquireError::Closed => stopped(),
        })?;
        let place = tokio::time::timeout(self.timeout, Arc::clone(places).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| stopped())?;
        Ok((place, in_line))
    }

    /// Takes nobody any more.
    pub(crate) fn close(&self) {
        self.all.close();
    }

    /// Whether it takes nobody any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.all.is_closed()
    }
}
