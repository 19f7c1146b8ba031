//! The Plugins port: calling a plugin's code, and what its code may ask for meanwhile.

mod budget;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{
    Change, ChangeKind, Fields, Id, Locale, ObjectName, PluginId, Record, Value, query::aggregate::Table,
};
use std::collections::BTreeMap;

pub use budget::{Budget, Limits};

use crate::{balances::BalancePage, lookup::Holder, ports::store::StoredTimer};

/// Calls plugins' code.
#[async_trait]
pub trait Plugins: Send + Sync + 'static {
    /// Calls one handler once, in a fresh instance. While it runs, what the code asks of the
    /// host comes to `host`, one request at a time; a request that has begun is always
    /// finished, even when the guest runs out of time meanwhile.
    ///
    /// # Errors
    /// [`CallError`]; then nothing that the guest answered counts.
    async fn call(
        &self,
        plugin: &PluginId,
        digest: &str,
        call: Call,
        context: &CallContext,
        host: &mut dyn Host,
    ) -> Result<Reply, CallError>;
}

/// What a guest may ask for while it runs. Limits on number and size are kept by the caller of this trait.
#[async_trait]
pub trait Host: Send {
    /// Does what was asked, within the plugin's grants and the actor's rights.
    async fn ask(&mut self, request: Request) -> Result<Response, Failure>;
}

/// One call of a handler.
#[derive(Debug, Clone)]
pub enum Call {
    /// Hooks before a write.
    BeforeWrite(PendingBatch),
    /// Hooks after a write.
    AfterWrite(WrittenBatch),
    /// What happened.
    Events(Vec<Happened>),
    /// A timer that fell due.
    Timer(Due),
    /// A timer that the plugin set itself.
    OwnTimer(OwnDue),
    /// A named command; the input is JSON.
    Action {
        /// Its name.
        id: String,
        /// JSON.
        input: String,
    },
    /// HTTP.
    Route(RouteRequest),
    /// After install or upgrade.
    Installed {
        /// The version before, on an upgrade.
        previous: Option<String>,
    },
}

impl Call {
    /// The handler's name in messages and limits: `before-write`, …
    #[must_use]
    pub fn handler(&self) -> &'static str {
        match self {
            Self::BeforeWrite(_) => "before-write",
            Self::AfterWrite(_) => "after-write",
            Self::Events(_) => "event",
            Self::Timer(_) => "timer",
            Self::OwnTimer(_) => "own-timer",
            Self::Action { .. } => "action",
            Self::Route(_) => "route",
            Self::Installed { .. } => "lifecycle",
        }
    }

    /// Whether it runs inside a write transaction, and so under the tight budget.
    #[must_use]
    pub fn is_hook(&self) -> bool {
        matches!(self, Self::BeforeWrite(_) | Self::AfterWrite(_) | Self::Installed { .. })
    }
}

/// Records of one object about to be written.
#[derive(Debug, Clone)]
pub struct PendingBatch {
    /// The object.
    pub object: ObjectName,
    /// What is done to them.
    pub kind: ChangeKind,
    /// The records.
    pub rows: Vec<Pending>,
}

/// One record about to be written.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its id.
    pub id: Id,
    /// The fields as stored; empty on create.
    pub before: Fields,
    /// On create all fields that have a value; on update the changed ones.
    pub changes: Fields,
}

/// Records of one object that were written.
#[derive(Debug, Clone)]
pub struct WrittenBatch {
    /// The object.
    pub object: ObjectName,
    /// What was done to them.
    pub kind: ChangeKind,
    /// The records.
    pub rows: Vec<Written>,
}

/// One record that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The fields as they were; empty on create.
    pub before: Fields,
    /// The record as it is; as it was, on delete.
    pub now: Record,
    /// Keys of the fields whose value changed.
    pub changed: Vec<String>,
}

/// One committed change.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Idempotency key.
    pub key: String,
    /// The object.
    pub object: ObjectName,
    /// What was done.
    pub kind: ChangeKind,
    /// To which record.
    pub record: Id,
    /// Keys of the fields whose value changed.
    pub changed: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// A timer that fell due.
#[derive(Debug, Clone)]
pub struct Due {
    /// What the plugin is told.
    pub action: String,
    /// Idempotency key.
    pub key: String,
    /// When it was due.
    pub at: Timestamp,
    /// The object of the record that it follows.
    pub object: ObjectName,
    /// The record as it is now.
    pub target: Record,
}

/// A timer that the plugin set itself.
#[derive(Debug, Clone)]
pub struct OwnDue {
    /// What the plugin is told.
    pub action: String,
    /// The name that the plugin gave it.
    pub name: String,
    /// Idempotency key.
    pub key: String,
    /// When it was due.
    pub at: Timestamp,
    /// What the plugin left for itself.
    pub payload: String,
}

/// An HTTP request to a plugin's route.
#[derive(Debug, Clone)]
pub struct RouteRequest {
    /// Upper case.
    pub method: String,
    /// The declared path.
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A plugin's answer to an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteResponse {
    /// 200–599.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What a handler answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// To [`Call::BeforeWrite`]: none, or one for each row.
    Verdicts(Vec<Verdict>),
    /// To the handlers that answer nothing.
    Done,
    /// To [`Call::Action`]: JSON.
    Json(String),
    /// To [`Call::Route`].
    Response(RouteResponse),
}

/// What a plugin says to one row.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Fields to set besides.
    pub changes: Fields,
    /// Refuses the row, and with it the unit of work.
    pub refusal: Option<Failure>,
}

/// Why something was refused or could not be done, in the words of the plugin contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// The field that it concerns.
    pub field: Option<String>,
    /// JSON object with more for programs.
    pub detail: Option<serde_json::Value>,
}

impl Failure {
    /// A failure without field and detail.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None, detail: None }
    }
}

/// What a guest asks of the host. Log lines, time, new ids and settings do not come here:
/// the runtime answers them from the [`CallContext`].
#[derive(Debug, Clone)]
pub enum Request {
    /// One record.
    Get {
        /// Its object's name.
        object: String,
        /// Its id.
        id: Id,
    },
    /// One page of records.
    Query(GuestQuery),
    /// Groups of records, counted and summed.
    Aggregate(GuestAggregate),
    /// One page of a ledger's balances.
    Balances(GuestBalances),
    /// Who has a phone number.
    Lookup {
        /// As somebody wrote it.
        number: String,
    },
    /// Changes, all or nothing.
    Apply(Vec<Change>),
    /// A message to a contact.
    QueueMessage(OutgoingMessage),
    /// Cancel this plugin's messages about a record.
    CancelMessages {
        /// Its object's name.
        object: String,
        /// Its id.
        id: Id,
    },
    /// Something about the plugin's own timers.
    Timer(TimerRequest),
}

/// What a guest asks about its own timers; each is of an `action` that its manifest names.
#[derive(Debug, Clone)]
pub enum TimerRequest {
    /// Set one, or move it.
    Set {
        /// What the plugin will be told.
        action: String,
        /// Its name.
        name: String,
        /// When it is due.
        at: Timestamp,
        /// What the plugin leaves for itself.
        payload: String,
    },
    /// Clear one.
    Cancel {
        /// Its action.
        action: String,
        /// Its name.
        name: String,
    },
    /// Look at one.
    Find {
        /// Its action.
        action: String,
        /// Its name.
        name: String,
    },
    /// List those of an action, by name.
    List {
        /// Their action.
        action: String,
        /// Those after this name.
        after: Option<String>,
        /// 1–1000; 0 takes 200.
        limit: u32,
    },
}

/// A guest's query, not yet checked.
#[derive(Debug, Clone)]
pub struct GuestQuery {
    /// The object's name.
    pub object: String,
    /// CEL; empty takes all.
    pub filter: String,
    /// Values of `p0`, `p1`, ….
    pub parameters: Vec<Value>,
    /// `-created_at,name`
    pub sort: String,
    /// The wanted fields; empty takes all.
    pub fields: Vec<String>,
    /// 1–1000; 0 takes 200.
    pub limit: u32,
    /// The cursor of the page before.
    pub after: Option<String>,
}

/// A guest's question about groups, not yet checked.
#[derive(Debug, Clone)]
pub struct GuestAggregate {
    /// The object's name.
    pub object: String,
    /// CEL; empty takes all.
    pub filter: String,
    /// Values of `p0`, `p1`, ….
    pub parameters: Vec<Value>,
    /// `master,month(starts_at)`
    pub groups: String,
    /// `count,sum(price)`
    pub measures: String,
    /// `-sum(price),master`
    pub sort: String,
    /// 1–1000; 0 takes 100.
    pub limit: u32,
}

/// A guest's question about balances, not yet checked.
#[derive(Debug, Clone)]
pub struct GuestBalances {
    /// The name of the ledger's object.
    pub object: String,
    /// Of one account, as text.
    pub account: Option<String>,
    /// 1–1000; 0 takes 200.
    pub limit: u32,
    /// The cursor of the page before.
    pub after: Option<String>,
}

/// A message to a contact.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// To whom.
    pub contact: Id,
    /// `email`, `sms`, or empty.
    pub channel: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// Names the message for good, within the plugin.
    pub key: String,
    /// Object's name and record that it is about.
    pub about: Option<(String, Id)>,
}

/// What the host answers.
#[derive(Debug, Clone)]
pub enum Response {
    /// To [`Request::Get`].
    Record(Option<(ObjectName, Record)>),
    /// To [`Request::Query`]: the columns in the order of the answer, the records, the cursor.
    Page {
        /// The columns' keys.
        columns: Vec<String>,
        /// The rows.
        records: Vec<Record>,
        /// Where the next page starts.
        next: Option<String>,
    },
    /// To [`Request::Aggregate`].
    Table(Table),
    /// To [`Request::Balances`].
    Balances(BalancePage),
    /// To [`Request::Lookup`].
    Holders(Vec<Holder>),
    /// To [`Request::Apply`]: one for each change.
    Records(Vec<(ObjectName, Record)>),
    /// To [`Request::QueueMessage`].
    Id(Id),
    /// To [`Request::CancelMessages`].
    Count(u32),
    /// To [`TimerRequest::Set`].
    Done,
    /// To [`TimerRequest::Cancel`]: whether it was set.
    Flag(bool),
    /// To [`TimerRequest::Find`].
    Timer(Option<StoredTimer>),
    /// To [`TimerRequest::List`].
    Timers(Vec<StoredTimer>),
}

/// What a call carries besides its arguments.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The time of the request, the same throughout.
    pub now: Timestamp,
    /// The workspace's zone, and how phones are written there.
    pub locale: Arc<Locale>,
    /// The plugin's settings.
    pub settings: Arc<BTreeMap<String, Value>>,
    /// What the root request may still use; nested calls share it.
    pub budget: Arc<Budget>,
    /// How deep this call is nested: 0 for the first.
    pub depth: u32,
}

/// Why a call of a plugin gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The plugin said no.
    #[error("plugin {plugin} refused: {failure}")]
    Refused {
        /// Which plugin.
        plugin: PluginId,
        /// What it said.
        failure: Failure,
    },
    /// A limit was reached.
    #[error("plugin {plugin} used more than its {limit} of {figure} in {handler}")]
    Limit {
        /// Which plugin.
        plugin: PluginId,
        /// In which handler.
        handler: &'static str,
        /// `computing time`, `time`, `memory`, `host calls`, `rows`, `depth`, `stack`, `answer size`, `transfer size`.
        limit: &'static str,
        /// How much was allowed: `50 ms`.
        figure: String,
    },
    /// The code trapped or answered nonsense.
    #[error("plugin {plugin} failed in {handler}: {cause}")]
    Trap {
        /// Which plugin.
        plugin: PluginId,
        /// In which handler.
        handler: &'static str,
        /// In a line: `unreachable`, `answered 2 verdicts to 3 rows`.
        cause: String,
    },
    /// The host has too much to do, or the plugin is not loaded.
    #[error("plugin {plugin} cannot be called: {cause}")]
    Unavailable {
        /// Which plugin.
        plugin: PluginId,
        /// In a line.
        cause: String,
    },
}
