//! What one call of a guest holds, and how its questions reach the host.

use std::{
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use pergola_model::PluginId;
use pergola_service::ports::{
    Ids,
    plugins::{CallContext, Failure, Request, Response},
};

use crate::limits::{MemoryLimit, Stop};

/// The data of one store.
pub(crate) struct Guest {
    pub(crate) plugin: PluginId,
    pub(crate) handler: &'static str,
    pub(crate) context: CallContext,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) memory: MemoryLimit,
    pub(crate) exchange: Arc<Exchange>,
    /// Whether the warning about dropped log lines is out.
    pub(crate) log_full: bool,
}

impl Guest {
    /// Asks the host; charges one host call and the `rows` that it certainly touches.
    pub(crate) async fn ask(&mut self, request: Request, rows: usize) -> Result<Result<Response, Failure>, Stop> {
        let limits = &self.context.budget.limits;
        if !self.context.budget.take_host_call() {
            return Err(Stop::limit("host calls", limits.host_calls));
        }
        self.take_rows(rows)?;
        Ok(self.exchange.ask(request).await)
    }

    /// Charges rows to the root request.
    pub(crate) fn take_rows(&self, rows: usize) -> Result<(), Stop> {
        if self.context.budget.take_rows(rows) {
            return Ok(());
        }
        Err(Stop::limit("rows", self.context.budget.limits.rows))
    }
}

/// Where a guest leaves its question and finds the answer.
///
/// Guest and host are polled by one task in turn, so neither has to wake the other: the task
/// looks here whenever the guest has to wait, and polls it again once the answer is here.
#[derive(Default)]
pub(crate) struct Exchange(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Asked(Box<Request>),
    Answered(Box<Result<Response, Failure>>),
}

impl Exchange {
    async fn ask(&self, request: Request) -> Result<Response, Failure> {
        self.put(State::Asked(Box::new(request)));
        poll_fn(|_| self.take(|state| if let State::Answered(answer) = state { Ok(*answer) } else { Err(state) })).await
    }

    /// The guest's question, if it has one.
    pub(crate) fn question(&self) -> Option<Request> {
        let taken = self.take(|state| if let State::Asked(request) = state { Ok(*request) } else { Err(state) });
        if let Poll::Ready(request) = taken { Some(request) } else { None }
    }

    /// Leaves the answer for the guest.
    pub(crate) fn answer(&self, answer: Result<Response, Failure>) {
        self.put(State::Answered(Box::new(answer)));
    }

    fn put(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Takes what `choose` wants of the state, and leaves the state as it is otherwise.
    fn take<T>(&self, choose: impl FnOnce(State) -> Result<T, State>) -> Poll<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match choose(mem::take(&mut state)) {
            Ok(taken) => Poll::Ready(taken),
            Err(kept) => {
                *state = kept;
                Poll::Pending
            }
        }
    }
}
