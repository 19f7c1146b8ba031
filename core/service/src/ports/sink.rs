//! The Sink port: the way out for messages.

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::Id;

/// A message ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The message record's id; sinks use it to send once.
    pub id: Id,
    /// `email` or `sms`.
    pub channel: String,
    /// E-mail address or E.164.
    pub address: String,
    /// One line; may be empty.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// When it leaves.
    pub at: Timestamp,
    /// Whether an earlier attempt may have left without our knowing.
    pub maybe_sent: bool,
}

/// Why a message did not leave.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Try again later.
    #[error("{0}")]
    Temporary(String),
    /// Trying again is no use: a bad address, a channel that is not set up.
    #[error("{0}")]
    Permanent(String),
}

/// Takes messages out. Called by one worker at a time, never inside a transaction.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Sends, and returns when the other side has taken it over.
    ///
    /// # Errors
    /// [`SinkError`], which says whether to try again.
    async fn send(&self, message: &Outgoing) -> Result<(), SinkError>;
}
