//! Keeps messages instead of sending them.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use pergola_service::ports::sink::{Outgoing, Sink, SinkError};

/// The messages that left.
#[derive(Debug, Default)]
pub struct Outbox {
    sent: Mutex<Vec<Outgoing>>,
    failing: Mutex<Option<String>>,
}

impl Outbox {
    /// All of them, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes every message fail for the time being, or no longer.
    pub fn fail_with(&self, cause: Option<&str>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = cause.map(str::to_owned);
    }
}

#[async_trait]
impl Sink for Outbox {
    async fn send(&self, message: &Outgoing) -> Result<(), SinkError> {
        if let Some(cause) = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(SinkError::Temporary(cause));
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Ok(())
    }
}
