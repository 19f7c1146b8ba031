//! A unit of work's connection, from wherever it comes.

use pergola_service::ports::store::StoreError;

use crate::{postgres, session::Session, writer};

/// The turn to write. Dropped, what was written is undone.
pub(crate) enum Turn {
    /// With others in one commit, after the other.
    Group(writer::Lease),
    /// Beside others.
    Own(postgres::Loan),
}

impl Turn {
    /// The connection.
    pub(crate) fn session(&mut self) -> Result<&mut Session, StoreError> {
        match self {
            Self::Group(lease) => lease.session(),
            Self::Own(loan) => loan.session(),
        }
    }

    /// Whether the database has ended the transaction from outside.
    pub(crate) fn is_interrupted(&self) -> bool {
        match self {
            // There is one writer: nobody is in its way.
            Self::Group(_) => false,
            Self::Own(loan) => loan.is_interrupted(),
        }
    }

    /// Gives the connection back and waits until everything is durable.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Group(lease) => lease.commit().await,
            Self::Own(loan) => loan.commit().await,
        }
    }
}
