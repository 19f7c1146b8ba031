//! `timers`: timers that the plugin sets itself.

use pergola_service::ports::{
    plugins::{Request, Response, TimerRequest},
    store::{StoredTimer, TimerOf},
};
use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::{timers, types},
    capabilities::wrong_answer,
    guest::Guest,
    limits::Stop,
    values::{failure_to_guest, instant_of},
};

impl timers::Host for Guest {
    async fn set(
        &mut self,
        action: String,
        name: String,
        at: i64,
        payload: String,
    ) -> Result<Result<(), types::Failure>> {
        let at = instant_of(at).map_err(Stop::from)?;
        match self.ask(Request::Timer(TimerRequest::Set { action, name, at, payload }), 1).await? {
            Ok(Response::Done) => Ok(Ok(())),
            Ok(_) => Err(wrong_answer("timers")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn cancel(&mut self, action: String, name: String) -> Result<Result<bool, types::Failure>> {
        match self.ask(Request::Timer(TimerRequest::Cancel { action, name }), 1).await? {
            Ok(Response::Flag(was_set)) => Ok(Ok(was_set)),
            Ok(_) => Err(wrong_answer("timers")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn get(&mut self, action: String, name: String) -> Result<Result<Option<timers::Pending>, types::Failure>> {
        match self.ask(Request::Timer(TimerRequest::Find { action, name }), 1).await? {
            Ok(Response::Timer(timer)) => Ok(Ok(timer.map(pending_to_guest))),
            Ok(_) => Err(wrong_answer("timers")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn list_page(
        &mut self,
        action: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Result<Vec<timers::Pending>, types::Failure>> {
        match self.ask(Request::Timer(TimerRequest::List { action, after, limit }), 0).await? {
            Ok(Response::Timers(found)) => {
                self.take_rows(found.len())?;
                Ok(Ok(found.into_iter().map(pending_to_guest).collect()))
            }
            Ok(_) => Err(wrong_answer("timers")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }
}

fn pending_to_guest(timer: StoredTimer) -> timers::Pending {
    let name = if let TimerOf::Own(name) = timer.key.of { name } else { String::new() };
    timers::Pending {
        name,
        at: timer.due_at.as_microsecond(),
        payload: timer.payload,
        attempts: u32::try_from(timer.attempts).unwrap_or(u32::MAX),
    }
}
