//! A unit of work's connection, from wherever it comes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pergola_model::Object;
use pergola_service::ports::store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::{
    error,
    line::Place,
    postgres,
    session::Session,
    sql::Sql,
    writer::{Lease, Message, Step, stopped},
};

/// A unit's last statement, and whose record it may write.
pub(crate) type Last = (Sql, Option<Arc<Object>>);

/// The way to write. Dropped, what was written is undone.
pub(crate) enum Turn {
    /// One after the other, and many in one commit.
    Group(GroupTurn),
    /// Beside others.
    Own(postgres::Loan),
}

impl Turn {
    /// The connection.
    pub(crate) async fn session(&mut self) -> Result<&mut Session, StoreError> {
        match self {
            Self::Group(turn) => turn.session().await,
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

    /// Runs the last statement, gives the connection back and waits until everything is durable.
    pub(crate) async fn commit(&mut self, last: Option<Last>) -> Result<(), StoreError> {
        match self {
            Self::Group(turn) => turn.commit(last).await,
            Self::Own(loan) => {
                if let Some((sql, object)) = last {
                    loan.session()?.execute_last(object.as_deref(), sql).await?;
                }
                loan.commit().await
            }
        }
    }
}

/// The turn to write to a file: taken with the first statement, so that units that think do not wait for each other. One
/// whose only statement is its last takes none: the writer runs it along with others of that kind.
pub(crate) struct GroupTurn {
    queue: mpsc::Sender<Message>,
    timeout: Duration,
    lease: Option<Lease>,
    place: Option<Place>,
}

impl GroupTurn {
    /// No turn yet; who is in line for it waits no longer than that.
    pub(crate) fn new(queue: mpsc::Sender<Message>, timeout: Duration, place: Place) -> Self {
        Self { queue, timeout, lease: None, place: Some(place) }
    }

    async fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.lease.is_none() {
            self.lease = Some(self.take().await?);
        }
        self.lease.as_mut().ok_or_else(stopped)?.session()
    }

    async fn take(&self) -> Result<Lease, StoreError> {
        if self.place.is_none() {
            return Err(error::unexpected("the unit of work is over"));
        }
        let (grant, granted) = oneshot::channel();
        self.queue.send(Message::Turn(grant)).await.map_err(|_| stopped())?;
        match tokio::time::timeout(self.timeout, granted).await {
            Ok(lease) => lease.unwrap_or_else(|_| Err(stopped())),
            Err(_) => Err(StoreError::Busy),
        }
    }

    async fn commit(&mut self, last: Option<Last>) -> Result<(), StoreError> {
        match (&mut self.lease, last) {
            (Some(lease), last) => {
                if let Some((sql, object)) = last {
                    lease.session()?.execute_last(object.as_deref(), sql).await?;
                }
                lease.commit().await?;
            }
            (None, Some((sql, object))) => self.hand_over(sql, object).await?,
            (None, None) => {}
        }
        self.place = None;
        Ok(())
    }

    async fn hand_over(&self, sql: Sql, object: Option<Arc<Object>>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let until = Instant::now().checked_add(self.timeout).unwrap_or_else(Instant::now);
        self.queue.send(Message::Step(Step { sql, object, until, answer })).await.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}
