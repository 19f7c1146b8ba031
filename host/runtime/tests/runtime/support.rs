//! The one helper that touches the runtime, and a host that answers from a list.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{ChangeKind, Fields, Id, Locale, ObjectName, PluginId, decl::Manifest};
use pergola_runtime::{Runtime, RuntimeConfig};
use pergola_service::ports::{
    Ids,
    plugins::{
        Budget, Call, CallContext, CallError, Failure, Host, Limits, Pending, PendingBatch, Plugins, Reply, Request,
        Response,
    },
};
use uuid::Uuid;

/// Ids that count up.
pub(crate) struct Counted;

impl Ids for Counted {
    fn next(&self, _: Timestamp) -> Id {
        id(7)
    }
}

/// A `UUIDv7` that ends in a number.
pub(crate) fn id(number: u64) -> Id {
    Id(Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | number))
}

pub(crate) fn plugin() -> PluginId {
    PluginId::new("sample").unwrap()
}

/// A manifest with an id and whatever else a test needs.
pub(crate) fn manifest(rest: &str) -> Manifest {
    toml::from_str(&format!("id = \"sample\"\nversion = \"1.0.0\"\napi = \"0.1\"\n{rest}")).unwrap()
}

/// Asks for everything that there is.
pub(crate) const ALL: &str = "[capabilities]\nmessages = true\nrecords = { \"*\" = \"all\" }";

/// What the host answers after a while.
pub(crate) struct Answering {
    pub(crate) answer: Response,
    pub(crate) takes: Duration,
    pub(crate) finished: usize,
}

impl Answering {
    /// No record, at once.
    pub(crate) fn nothing() -> Self {
        Self { answer: Response::Record(None), takes: Duration::ZERO, finished: 0 }
    }
}

#[async_trait]
impl Host for Answering {
    async fn ask(&mut self, _: Request) -> Result<Response, Failure> {
        let until = Instant::now() + self.takes;
        while Instant::now() < until {
            tokio::task::yield_now().await;
        }
        self.finished += 1;
        Ok(self.answer.clone())
    }
}

/// A runtime with one component loaded.
pub(crate) struct Bench {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) digest: String,
}

pub(crate) fn runtime() -> Arc<Runtime> {
    let config = RuntimeConfig { calls_max: 8, queue_wait: Duration::from_millis(50), ..RuntimeConfig::default() };
    Runtime::new(config, Arc::new(Counted)).unwrap()
}

/// Loads a component that may do anything.
pub(crate) fn bench(component: &[u8]) -> Bench {
    let runtime = runtime();
    let digest = runtime.load(&plugin(), &manifest(ALL), component, None).unwrap();
    Bench { runtime, digest }
}

pub(crate) fn context(limits: Limits) -> CallContext {
    CallContext {
        now: "2026-01-05T10:00:00Z".parse().unwrap(),
        locale: Arc::new(Locale::default()),
        settings: Arc::default(),
        budget: Budget::new(limits),
        depth: 0,
    }
}

/// A write of new contacts.
pub(crate) fn create(rows: u64) -> Call {
    let row =
        |number| Pending { id: id(number), before: Fields::new(), changes: Fields::new().with("name", "Анна") };
    Call::BeforeWrite(PendingBatch {
        object: ObjectName::new("contact").unwrap(),
        kind: ChangeKind::Create,
        rows: (0..rows).map(row).collect(),
    })
}

impl Bench {
    pub(crate) async fn call(
        &self,
        call: Call,
        context: &CallContext,
        host: &mut dyn Host,
    ) -> Result<Reply, CallError> {
        self.runtime.call(&plugin(), &self.digest, call, context, host).await
    }

    /// One new contact, within a hook's limits.
    pub(crate) async fn hook(&self) -> Result<Reply, CallError> {
        self.call(create(1), &context(Limits::hook()), &mut Answering::nothing()).await
    }

    /// Calls with these limits, and then a good plugin on the same runtime, which must work.
    pub(crate) async fn failing(&self, call: Call, limits: Limits) -> String {
        let error = self.call(call, &context(limits), &mut Answering::nothing()).await.unwrap_err();
        self.assert_good_plugin_works().await;
        error.to_string()
    }

    pub(crate) async fn assert_good_plugin_works(&self) {
        let component = crate::samples::counting();
        let digest = self.runtime.load(&plugin(), &manifest(""), &component, None).unwrap();
        let good = Bench { runtime: Arc::clone(&self.runtime), digest };
        assert_eq!(calls_seen(&good.hook().await.unwrap()), 1);
    }
}

/// What [`crate::samples::counting`] set.
pub(crate) fn calls_seen(reply: &Reply) -> i64 {
    let Reply::Verdicts(verdicts) = reply else { panic!("{reply:?}") };
    match verdicts[0].changes.get("calls") {
        pergola_model::Value::Integer(calls) => *calls,
        other => panic!("{other:?}"),
    }
}
