//! One call of a guest: a fresh store, a turn for the guest, a turn for the host, and the limits between.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use pergola_model::PluginId;
use pergola_service::ports::{
    Ids,
    plugins::{Budget, Call, CallContext, CallError, Host, Reply, Request},
};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, component::Instance};

use crate::{
    answers::{self, Answer, Arguments},
    bindings::pergola::plugin::types::Failure,
    guest::{Exchange, Guest},
    limits::{MemoryLimit, Stop, figure_of_bytes, figure_of_time},
    load::{Handlers, Loaded, in_a_line},
    runtime::RuntimeConfig,
};

/// What a guest may hand over at once, as argument of a host function or as answer: 1 MiB of
/// result with what the encoding adds, and for a route its body.
const TRANSFER_BYTES_MAX: usize = 8 << 20;
const ROUTE_TRANSFER_BYTES_MAX: usize = 12 << 20;
/// wasmtime's error for that has no public type; a test holds the words.
const TRANSFER_ERROR: &str = "too much data";

/// One call, about to be made.
pub(crate) struct Calling<'a> {
    pub(crate) plugin: &'a PluginId,
    pub(crate) handler: &'static str,
    pub(crate) context: &'a CallContext,
    pub(crate) config: &'a RuntimeConfig,
}

impl Calling<'_> {
    /// Makes the call in a fresh store, which is dropped with it.
    pub(crate) async fn run(
        &self,
        loaded: &Loaded,
        ids: &Arc<dyn Ids>,
        call: Call,
        host: &mut dyn Host,
    ) -> Result<Reply, CallError> {
        let rows = if let Call::BeforeWrite(batch) = &call { batch.rows.len() } else { 0 };
        let arguments = answers::arguments(call).map_err(|unfit| self.unavailable(unfit.0))?;
        let mut store = self.store(loaded.pre.engine(), ids);
        let exchange = Arc::clone(&store.data().exchange);
        let outcome = {
            let guest = pin!(invoke(loaded, &mut store, arguments));
            self.take_turns(guest, &exchange, host).await
        };
        let answered = match outcome {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(self.explain(&error, store.data())),
            Err(stop) => return Err(self.stopped(stop)),
        };
        match answered {
            Ok(answer) => answers::reply(answer, rows).map_err(|stop| self.stopped(stop)),
            Err(failure) => match answers::refusal(failure) {
                Ok(failure) => Err(CallError::Refused { plugin: self.plugin.clone(), failure }),
                Err(stop) => Err(self.stopped(stop)),
            },
        }
    }

    fn store(&self, engine: &Engine, ids: &Arc<dyn Ids>) -> Store<Guest> {
        let memory_bytes_max = self.context.budget.limits.memory_bytes.min(self.config.memory_bytes_max);
        let guest = Guest {
            plugin: self.plugin.clone(),
            handler: self.handler,
            context: self.context.clone(),
            ids: Arc::clone(ids),
            memory: MemoryLimit::new(memory_bytes_max),
            exchange: Arc::default(),
            log_full: false,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(self.transfer_bytes_max());
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        store
    }

    /// Lets the guest compute until it ends or asks, then lets the host answer, and so on.
    ///
    /// The guest is not polled while the host is busy with its question, and what it had asked
    /// is finished even if its own time is over by then.
    async fn take_turns<T>(
        &self,
        mut guest: Pin<&mut (impl Future<Output = T> + Send)>,
        exchange: &Exchange,
        host: &mut dyn Host,
    ) -> Result<T, Stop> {
        let mut turns = Turns::new(&self.context.budget, self.config.tick);
        loop {
            match std::future::poll_fn(|task| turns.poll(guest.as_mut(), exchange, task)).await {
                Turn::Ended(output) => return Ok(output),
                Turn::Stopped(stop) => return Err(stop),
                Turn::Asked(request) => exchange.answer(host.ask(request).await),
            }
        }
    }

    /// What to tell about a guest that ended by an error.
    fn explain(&self, error: &wasmtime::Error, guest: &Guest) -> CallError {
        tracing::debug!(plugin = %self.plugin, handler = self.handler, ?error, "a plugin's call failed");
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return self.stopped(stop.clone());
        }
        if guest.memory.refused {
            return self.limit("memory", figure_of_bytes(guest.memory.bytes_max));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => self.limit("stack", figure_of_bytes(self.config.stack_bytes)),
            Some(Trap::UnreachableCodeReached) => self.trap("unreachable".to_owned()),
            Some(trap) => self.trap(trap.to_string().trim_start_matches("wasm trap: ").to_owned()),
            None if error.is::<PoolConcurrencyLimitError>() => self.unavailable("too many calls at once".to_owned()),
            None if error.root_cause().to_string().contains(TRANSFER_ERROR) => {
                self.limit("transfer size", figure_of_bytes(self.transfer_bytes_max()))
            }
            None => self.trap(in_a_line(error)),
        }
    }

    fn stopped(&self, stop: Stop) -> CallError {
        match stop {
            Stop::Limit { limit, figure } => self.limit(limit, figure),
            Stop::Nonsense(cause) => self.trap(cause),
            Stop::Host(cause) => self.unavailable(cause),
        }
    }

    pub(crate) fn limit(&self, limit: &'static str, figure: String) -> CallError {
        CallError::Limit { plugin: self.plugin.clone(), handler: self.handler, limit, figure }
    }

    fn trap(&self, cause: String) -> CallError {
        CallError::Trap { plugin: self.plugin.clone(), handler: self.handler, cause }
    }

    pub(crate) fn unavailable(&self, cause: String) -> CallError {
        CallError::Unavailable { plugin: self.plugin.clone(), cause }
    }

    fn transfer_bytes_max(&self) -> usize {
        if self.handler == "route" { ROUTE_TRANSFER_BYTES_MAX } else { TRANSFER_BYTES_MAX }
    }
}

/// How a guest's turn ended.
enum Turn<T> {
    Ended(T),
    Asked(Request),
    Stopped(Stop),
}

/// Measures a guest's turns. The guest yields at every tick, so a poll is about one tick long at
/// most and the limits are looked at between polls; no timer is needed.
struct Turns<'a> {
    budget: &'a Budget,
    deadline: Instant,
    charge_max: Duration,
}

impl<'a> Turns<'a> {
    fn new(budget: &'a Budget, tick: Duration) -> Self {
        // A poll longer than two ticks was not the guest computing but this thread waiting for a processor.
        Self { budget, deadline: budget.deadline(Instant::now()), charge_max: tick * 2 }
    }

    fn poll<T>(
        &mut self,
        guest: Pin<&mut impl Future<Output = T>>,
        exchange: &Exchange,
        task: &mut Context<'_>,
    ) -> Poll<Turn<T>> {
        let limits = &self.budget.limits;
        let began = Instant::now();
        if began >= self.deadline {
            return Poll::Ready(Turn::Stopped(Stop::limit("time", figure_of_time(limits.wall))));
        }
        let polled = guest.poll(task);
        if !self.budget.take_cpu(began.elapsed().min(self.charge_max)) {
            return Poll::Ready(Turn::Stopped(Stop::limit("computing time", figure_of_time(limits.cpu))));
        }
        match polled {
            Poll::Ready(output) => Poll::Ready(Turn::Ended(output)),
            // Without a question the guest has yielded, and has woken its task already.
            Poll::Pending => exchange.question().map_or(Poll::Pending, |request| Poll::Ready(Turn::Asked(request))),
        }
    }
}

/// Instantiates the component and calls the handler.
async fn invoke(
    loaded: &Loaded,
    store: &mut Store<Guest>,
    arguments: Arguments,
) -> wasmtime::Result<Result<Answer, Failure>> {
    let instance = loaded.pre.instantiate_async(&mut *store).await?;
    handle(&loaded.handlers, store, &instance, arguments).await
}

async fn handle(
    handlers: &Handlers,
    store: &mut Store<Guest>,
    instance: &Instance,
    arguments: Arguments,
) -> wasmtime::Result<Result<Answer, Failure>> {
    macro_rules! guest {
        ($handler:ident) => {
            handlers.$handler.as_ref().ok_or_else(no_handler)?.load(&mut *store, instance)?
        };
    }
    let done = |answered: Result<(), Failure>| answered.map(|()| Answer::Done);
    Ok(match arguments {
        Arguments::BeforeWrite(batch) => guest!(before_write).call_handle(store, &batch).await?.map(Answer::Verdicts),
        Arguments::AfterWrite(batch) => done(guest!(after_write).call_handle(store, &batch).await?),
        Arguments::Events(events) => done(guest!(event).call_handle(store, &events).await?),
        Arguments::Timer(due) => done(guest!(timer).call_fire(store, &due).await?),
        Arguments::OwnTimer(due) => done(guest!(own_timer).call_fire(store, &due).await?),
        Arguments::Action { id, input } => guest!(action).call_run(store, &id, &input).await?.map(Answer::Json),
        Arguments::Route(request) => guest!(route).call_handle(store, &request).await?.map(Answer::Response),
        Arguments::Installed { previous } => done(guest!(lifecycle).call_installed(store, previous.as_deref()).await?),
    })
}

fn no_handler() -> wasmtime::Error {
    Stop::Host("it does not export this handler".to_owned()).into()
}
