//! The Store port: records and the system's own rows, in one transaction.

mod accounts;
mod schema;
mod timers;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{
    Catalog, ChangeKind, Id, Object, ObjectName, Page, PluginId, Query, Record, Value,
    expr::Children,
    object::{Capacity, Exclude, Rollup},
    query::aggregate::{Aggregate, Table},
    rollup::Tally,
    upgrade::Upgrade,
};

pub use accounts::{StoredToken, StoredUser};
pub use schema::{ConvertedRow, SchemaChanges, SchemaStep, SchemaWork, ToConvert};
pub use timers::{OwnTimer, StoredTimer, TimerKey, TimerOf, TimerReader, TimerWriter};

use super::{
    bin::{BinItem, BinQuery, Deletion},
    counters::{Balance, BalanceKey, SequenceKey},
    imports::{EntryOutcome, ImportEntry, StoredImport},
    purge::{Forgotten, Place, Trace, TraceKey},
    search::{IndexQuery, IndexRow, IndexState},
};

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique rule was broken; nothing of the statement was written.
    #[error("the values are taken already ({constraint})")]
    Taken {
        /// Name of the [`pergola_model::object::Unique`].
        constraint: String,
    },
    /// A reference leads nowhere, or the record is referred to.
    #[error("a reference leads to no record, or the record is still referred to")]
    Reference,
    /// The record is not at the version that the writer saw, or is gone.
    #[error("the record was changed by somebody else")]
    Stale,
    /// The disk or the quota is full. Reads go on.
    #[error("the disk is full")]
    Full,
    /// The queue of writers is full, or a lock was not to be had in time: try again.
    #[error("too many writes at once")]
    Busy,
    /// The unit was ended from outside: it and another one waited for each other, or the server went away. Nothing
    /// of it was written, so the whole unit can be tried again at once.
    #[error("another unit of work was in the way, or the database server went away")]
    Interrupted,
    /// The server went away, or fell silent, during a commit: whether it was written cannot be said.
    #[error("the database server was lost during a commit")]
    InDoubt,
    /// The stored schema cannot become the declared one by additive steps.
    #[error("{0}")]
    Schema(String),
    /// A number that was calculated leaves the range of its type.
    #[error("{0}")]
    Range(String),
    /// The database failed otherwise.
    #[error("the database failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where a workspace's data are.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A consistent view for reading. Does not wait for writers.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when no connection is free in time.
    async fn read(&self) -> Result<Box<dyn Reader>, StoreError>;

    /// A view for one statement, which is cheaper where a consistent view costs more: a second statement may see a
    /// later state.
    ///
    /// # Errors
    /// As [`Self::read`].
    async fn read_once(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.read().await
    }

    /// The turn to write. Dropped without [`Transaction::commit`], nothing was written.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the queue is full or the turn does not come in time.
    async fn write(&self) -> Result<Box<dyn Transaction>, StoreError>;

    /// Finishes what is under way, takes no more, and closes files or connections.
    async fn close(&self);

    /// The steps that make the stored tables fit the catalog, by way of what an upgrade declares; empty when they fit.
    /// Without an upgrade, no data are dropped.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when a column has another type than declared.
    async fn plan(&self, catalog: &Catalog, upgrade: &Upgrade) -> Result<Vec<SchemaStep>, StoreError>;

    /// Makes sure that no bytes of deleted rows are left in the database's files; whether it could. Readers of old
    /// states may be in the way. Writers wait meanwhile, so that a larger database than `bytes_max` is left alone.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    async fn scrub(&self, bytes_max: u64) -> Result<bool, StoreError>;
}

/// Reads records and the system's rows.
#[async_trait]
pub trait Reader: TimerReader {
    /// The record, or none.
    async fn find(&mut self, object: &Object, id: Id) -> Result<Option<Record>, StoreError>;

    /// The records that exist among these ids (at most 1,000), in no particular order.
    async fn find_many(&mut self, object: &Object, ids: &[Id]) -> Result<Vec<Record>, StoreError>;

    /// One page. The store reads one row more than the limit to know whether there is a next page.
    async fn list(&mut self, catalog: &Catalog, query: &Query) -> Result<Page, StoreError>;

    /// How many records match; limit and cursor do not count.
    async fn count(&mut self, catalog: &Catalog, query: &Query) -> Result<u64, StoreError>;

    /// What records come to under rollups that count the same object by the same field: for each of these parents (at
    /// most 500) one tally for each rollup, in their order. Parents for whom nothing counts may be left out.
    async fn tally(
        &mut self,
        catalog: &Catalog,
        rollups: &[&Rollup],
        parents: &[Id],
    ) -> Result<BTreeMap<Id, Vec<Tally>>, StoreError>;

    /// The balances that are there among these.
    async fn find_balances(&mut self, keys: &[BalanceKey]) -> Result<Vec<Balance>, StoreError>;

    /// Balances of an object's entries in the order of account, unit and currency: of one account, or of all; those
    /// after `after`.
    async fn list_balances(
        &mut self,
        object: &ObjectName,
        account: Option<&str>,
        after: Option<&BalanceKey>,
        limit: u32,
    ) -> Result<Vec<Balance>, StoreError>;

    /// The answer to a question about groups of records.
    ///
    /// # Errors
    /// [`StoreError::Range`] for a sum that leaves 64 bits or meets several currencies, and for too many groups.
    async fn aggregate(&mut self, catalog: &Catalog, asked: &Aggregate) -> Result<Table, StoreError>;

    /// The answer to a question about the records that refer to `of`. It speaks of no parameters.
    ///
    /// # Errors
    /// [`StoreError::Range`] when a sum leaves 64 bits.
    async fn ask_children(
        &mut self,
        catalog: &Catalog,
        asked: &Children,
        of: Id,
        now: Timestamp,
    ) -> Result<Value, StoreError>;

    /// All plugins of the workspace.
    async fn list_plugins(&mut self) -> Result<Vec<StoredPlugin>, StoreError>;

    /// The workspace's own setting, as JSON: `locale`, …
    async fn find_setting(&mut self, key: &str) -> Result<Option<serde_json::Value>, StoreError>;

    /// Whether there are events after the plugin's place in the outbox.
    async fn has_events(&mut self, plugin: &PluginId) -> Result<bool, StoreError>;

    /// The plugin's place in the outbox; a new one for a plugin that has none.
    async fn subscription(&mut self, plugin: &PluginId) -> Result<SubscriptionState, StoreError>;

    /// The answer that was given under this idempotency key.
    async fn find_answer(&mut self, key: &str) -> Result<Option<StoredAnswer>, StoreError>;

    /// How many answers have expired by `now`.
    async fn count_expired_answers(&mut self, now: Timestamp) -> Result<u64, StoreError>;

    /// Deletions in the bin, newest first.
    async fn list_deletions(&mut self, query: &BinQuery) -> Result<Vec<Deletion>, StoreError>;

    /// When the oldest deletion in the bin was.
    async fn find_oldest_deletion(&mut self) -> Result<Option<Timestamp>, StoreError>;

    /// The deletion, and what it took along, in the order in which that was done.
    async fn find_deletion(&mut self, id: Id) -> Result<Option<(Deletion, Vec<BinItem>)>, StoreError>;

    /// Records that were purged and whose traces are still to be removed.
    async fn list_purged(&mut self) -> Result<Vec<Id>, StoreError>;

    /// Texts that are kept at a place, in order, after a key. None of the outbox and the timers, which hold no values.
    async fn list_traces(
        &mut self,
        place: Place,
        after: Option<&TraceKey>,
        limit: u32,
    ) -> Result<Vec<Trace>, StoreError>;

    /// The import, or none.
    async fn find_import(&mut self, id: Id) -> Result<Option<StoredImport>, StoreError>;

    /// The newest unfinished import of the file with this SHA-256, read with these settings.
    async fn find_running_import(&mut self, digest: &[u8], settings: &str) -> Result<Option<StoredImport>, StoreError>;

    /// The newest imports, newest first.
    async fn list_imports(&mut self, limit: u32) -> Result<Vec<StoredImport>, StoreError>;

    /// An import's entries without an outcome whose place is before that one, last first.
    async fn list_import_entries(
        &mut self,
        import: Id,
        before: i64,
        limit: u32,
    ) -> Result<Vec<ImportEntry>, StoreError>;

    /// Which of these records the import created.
    async fn list_created_by_import(&mut self, import: Id, records: &[Id]) -> Result<Vec<Id>, StoreError>;

    /// Entries of search that fulfil the query, those that were written last first.
    async fn search(&mut self, query: &IndexQuery) -> Result<Vec<IndexRow>, StoreError>;

    /// The entries of these records (at most 1,000), in no particular order.
    async fn find_index_rows(&mut self, object: &ObjectName, records: &[Id]) -> Result<Vec<IndexRow>, StoreError>;

    /// The records of an object that have entries, by id.
    async fn list_indexed(&mut self, object: &ObjectName, after: Option<Id>, limit: u32)
    -> Result<Vec<Id>, StoreError>;

    /// How far all objects are indexed, by name.
    async fn list_index_states(&mut self) -> Result<Vec<IndexState>, StoreError>;

    /// Who has the token with this SHA-256.
    async fn find_token(&mut self, sha256: &[u8]) -> Result<Option<StoredToken>, StoreError>;

    /// The user with this e-mail address.
    async fn find_user(&mut self, email: &str) -> Result<Option<StoredUser>, StoreError>;
}

/// Writes records and the system's rows, all or nothing.
#[async_trait]
pub trait Transaction: Reader + SchemaChanges + TimerWriter {
    /// As [`Reader::find_many`], for records that are about to be changed: nobody else changes them until the end of
    /// the transaction.
    async fn find_for_change(&mut self, object: &Object, ids: &[Id]) -> Result<Vec<Record>, StoreError>;

    /// New records of one object.
    async fn insert(&mut self, object: &Object, records: &[Record]) -> Result<(), StoreError>;

    /// A new record, written with whatever comes next, the commit at the latest: what is wrong with it comes as that
    /// one's error.
    async fn insert_late(&mut self, object: &Arc<Object>, record: &Record) -> Result<(), StoreError>;

    /// Writes the `changed` fields of `record`, and its `version` and `updated_at`, if the stored version is `version - 1`.
    async fn update(&mut self, object: &Object, record: &Record, changed: &[String]) -> Result<(), StoreError>;

    /// Ends a record that is at `version`.
    async fn delete(&mut self, object: &Object, id: Id, version: i64) -> Result<(), StoreError>;

    /// One of these stored records (at most 1,000, whose `when` the caller has checked) and another record that shares
    /// a resource with it and overlaps it under the rule, if there is such a pair.
    async fn find_overlap(
        &mut self,
        catalog: &Catalog,
        object: &Object,
        rule: &Exclude,
        records: &[Id],
        now: Timestamp,
    ) -> Result<Option<Overlap>, StoreError>;

    /// The sum of the sizes of stored records that take room under the rule, by what it is room in (at most 1,000,
    /// left out where there are none).
    async fn sum_taken(
        &mut self,
        catalog: &Catalog,
        object: &Object,
        rule: &Capacity,
        on: &[Id],
        now: Timestamp,
    ) -> Result<BTreeMap<Id, i64>, StoreError>;

    /// Holds these names until the end of the transaction: another unit of work that asks for one of them waits,
    /// and its statements after that see what this one committed.
    ///
    /// A rule that looks at other records (overlap, capacity, balance, a number without gaps) takes the name of what
    /// it looks at first, so that two units at once cannot both find room. Where one unit writes at a time, as on
    /// SQLite, this returns at once. Names are taken in order, whatever order they are given in.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when a name is not to be had in time.
    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError>;

    /// Takes so many numbers and answers the first of them; the first ever is `start`. Others who want numbers of the
    /// same row wait until the end of the transaction, with which the numbers are taken, or are not.
    async fn take_numbers(&mut self, key: &SequenceKey, start: i64, count: i64) -> Result<i64, StoreError>;

    /// Sets balances; the caller has looked at them under their locks.
    async fn put_balances(&mut self, balances: &[Balance]) -> Result<(), StoreError>;

    /// A place to go back to; places nest.
    async fn savepoint(&mut self) -> Result<(), StoreError>;

    /// Keeps what was written since the last savepoint.
    async fn release_savepoint(&mut self) -> Result<(), StoreError>;

    /// Undoes what was written since the last savepoint, and forgets that.
    async fn rollback_savepoint(&mut self) -> Result<(), StoreError>;

    /// Adds to the audit.
    async fn append_audit(&mut self, entries: &[AuditEntry]) -> Result<(), StoreError>;

    /// Adds to the outbox.
    async fn append_events(&mut self, events: &[NewEvent]) -> Result<(), StoreError>;

    /// Events after the plugin's place in the outbox, in order of commit, at most so many; none if the plugin waits for
    /// a retry or another process claims its events. They are the caller's until that time.
    async fn claim_events(
        &mut self,
        plugin: &PluginId,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Sets the plugin's place in the outbox and its attempts after a claim until that time; not if another process
    /// has claimed its events since.
    async fn finish_events(
        &mut self,
        plugin: &PluginId,
        claimed_until: Timestamp,
        state: &SubscriptionState,
    ) -> Result<(), StoreError>;

    /// Drops outbox rows that all these plugins have been told.
    async fn trim_events(&mut self, plugins: &[PluginId]) -> Result<(), StoreError>;

    /// Keeps an answer under its idempotency key, until `expires_at`, in the place of one that has expired by `now`.
    /// Written late, as [`Self::insert_late`]: [`StoreError::Taken`] where there is an answer already.
    async fn insert_answer(&mut self, answer: &StoredAnswer, now: Timestamp) -> Result<(), StoreError>;

    /// Drops so many answers that have expired by `now`; how many there were.
    async fn drop_expired_answers(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Adds entries of search, each in the place of the record's earlier one.
    async fn index(&mut self, rows: &[IndexRow]) -> Result<(), StoreError>;

    /// Takes the entries of these records out, where there are any.
    async fn unindex(&mut self, object: &ObjectName, records: &[Id]) -> Result<(), StoreError>;

    /// Takes out so many entries of an object; how many there were.
    async fn unindex_some(&mut self, object: &ObjectName, limit: u32) -> Result<u64, StoreError>;

    /// Notes how far an object is indexed.
    async fn put_index_state(&mut self, state: &IndexState) -> Result<(), StoreError>;

    /// Forgets an object that is not indexed any more.
    async fn remove_index_state(&mut self, object: &ObjectName) -> Result<(), StoreError>;

    /// Puts deletions into the bin.
    async fn insert_deletions(&mut self, deletions: &[Deletion], items: &[BinItem]) -> Result<(), StoreError>;

    /// Takes a deletion out of the bin; whether it was there. Another unit of work that asks for the same one waits.
    async fn remove_deletion(&mut self, id: Id) -> Result<bool, StoreError>;

    /// Drops deletions from before that time, oldest first; how many.
    async fn empty_bin(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Notes records whose traces are to be removed.
    async fn insert_purged(&mut self, ids: &[Id]) -> Result<(), StoreError>;

    /// Takes out notes of [`Self::insert_purged`].
    async fn remove_purged(&mut self, ids: &[Id]) -> Result<(), StoreError>;

    /// Removes traces from a place; how many rows were changed or dropped.
    async fn forget(&mut self, place: Place, forgotten: &Forgotten) -> Result<u64, StoreError>;

    /// Writes an import: a new one if its revision is 1, else the stored one if that is at the revision before.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is at another revision.
    async fn put_import(&mut self, import: &StoredImport) -> Result<(), StoreError>;

    /// Adds to what an import wrote.
    async fn append_import_entries(&mut self, import: Id, entries: &[ImportEntry]) -> Result<(), StoreError>;

    /// Notes the version of a record that the import created.
    async fn set_import_version(&mut self, import: Id, record: Id, version: i64) -> Result<(), StoreError>;

    /// Notes what became of an import's entries at these places.
    async fn settle_import_entries(
        &mut self,
        import: Id,
        places: &[i64],
        outcome: EntryOutcome,
    ) -> Result<(), StoreError>;

    /// Makes an import's kept entries ones without an outcome.
    async fn reopen_import_entries(&mut self, import: Id) -> Result<(), StoreError>;

    /// Installs or replaces a plugin.
    async fn put_plugin(&mut self, plugin: &StoredPlugin) -> Result<(), StoreError>;

    /// Sets one of the workspace's own settings.
    async fn put_setting(&mut self, key: &str, value: &serde_json::Value) -> Result<(), StoreError>;

    /// Adds a token.
    async fn insert_token(&mut self, token: &StoredToken) -> Result<(), StoreError>;

    /// Adds or replaces a user, by e-mail address.
    async fn put_user(&mut self, user: &StoredUser) -> Result<(), StoreError>;

    /// Whether the database has ended it from outside: see [`StoreError::Interrupted`].
    fn is_interrupted(&self) -> bool;

    /// Returns when everything is durable; then the transaction is over.
    ///
    /// # Errors
    /// Then nothing of this transaction was written. After [`StoreError::Taken`] and [`StoreError::Reference`] it can
    /// still be asked what is there.
    async fn commit(&mut self) -> Result<(), StoreError>;
}

/// Two records that overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// The one that was asked about.
    pub record: Id,
    /// The one in its way.
    pub other: Id,
}

/// One line of the audit.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a user's name, `system`, `public`.
    pub actor: String,
    /// The plugin through which they acted.
    pub plugin: Option<PluginId>,
    /// What was done.
    pub kind: AuditKind,
    /// To a record of which object.
    pub object: ObjectName,
    /// To which record; an export has an id of its own.
    pub record: Id,
    /// `{field: [before, after]}`; on create `{field: value}`; of an export, what was asked for.
    pub changes: serde_json::Value,
}

/// What a line of the audit tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// A record was written.
    Change(ChangeKind),
    /// Records of an object were taken along as a file.
    Export,
}

impl AuditKind {
    /// The name in the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change(kind) => kind.as_str(),
            Self::Export => "export",
        }
    }
}

impl From<ChangeKind> for AuditKind {
    fn from(kind: ChangeKind) -> Self {
        Self::Change(kind)
    }
}

/// An event on its way to the outbox.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// A record of which object.
    pub object: ObjectName,
    /// What was done.
    pub kind: ChangeKind,
    /// To which record.
    pub record: Id,
    /// Keys of the fields whose value changed.
    pub changed: Vec<String>,
}

/// An event in the outbox.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its place: an event that can be seen later has a larger one.
    pub sequence: i64,
    /// The event.
    pub event: NewEvent,
}

/// A plugin's place in the outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionState {
    /// The last event that it was told.
    pub sequence: i64,
    /// Failed attempts on the next one.
    pub attempts: i64,
    /// Not to be told before: after a failure, or because a process tells it until then.
    pub retry_at: Option<Timestamp>,
}

/// An answer kept under its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Caller and key.
    pub key: String,
    /// SHA-256 of the request, so that a key is not used for another one.
    pub request_sha256: Vec<u8>,
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// When it may be forgotten.
    pub expires_at: Timestamp,
}

/// An installed plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPlugin {
    /// Its id.
    pub id: PluginId,
    /// Its manifest, as it was written.
    pub manifest: String,
    /// SHA-256 of its component in hex; empty without code.
    pub digest: String,
    /// The business's settings.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// When it was installed or last upgraded.
    pub installed_at: Timestamp,
}
