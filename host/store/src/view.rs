//! The port's traits over a connection that was lent: each method hands on to the module that knows.

mod timers;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{
    Catalog, Id, Object, ObjectName, Page, PluginId, Query, Record, Value,
    expr::Children,
    object::{Capacity, Exclude, Rollup},
    query::aggregate::{Aggregate, Table},
    rollup::Tally,
    upgrade::Conversion,
};
use pergola_service::ports::bin::{BinItem, BinQuery, Deletion};
use pergola_service::ports::counters::{Balance, BalanceKey, SequenceKey};
use pergola_service::ports::imports::{EntryOutcome, ImportEntry, StoredImport};
use pergola_service::ports::purge::{Forgotten, Place, Trace, TraceKey};
use pergola_service::ports::search::{IndexQuery, IndexRow, IndexState};
use pergola_service::ports::store::{
    AuditEntry, ConvertedRow, NewEvent, Overlap, Reader, SchemaChanges, SchemaStep, StoreError, StoredAnswer,
    StoredEvent, StoredPlugin, StoredToken, StoredUser, SubscriptionState, ToConvert, Transaction,
};

use crate::{
    accounts, aggregate, bin, counters, filter, imports,
    late::Late,
    layout::Layouts,
    outbox::{self, Mark, Pending},
    overlaps, page,
    postgres::Loan as PostgresLoan,
    purge,
    readers::Loan,
    records, rooms,
    schema::{self, conversion},
    search,
    session::Session,
    tally,
    turn::Turn,
};

/// Where a view's connection comes from.
pub(crate) trait Source: Send {
    /// The connection, on which everything is written that later statements must see.
    fn session(&mut self) -> impl Future<Output = Result<&mut Session, StoreError>> + Send;

    /// The same, for a search in what was written.
    fn searching(&mut self) -> impl Future<Output = Result<&mut Session, StoreError>> + Send {
        self.session()
    }
}

impl Source for Loan {
    async fn session(&mut self) -> Result<&mut Session, StoreError> {
        Loan::session(self)
    }
}

impl Source for PostgresLoan {
    async fn session(&mut self) -> Result<&mut Session, StoreError> {
        PostgresLoan::session(self)
    }
}

/// The write connection and what the unit of work has yet to write.
pub(crate) struct Unit {
    turn: Turn,
    layouts: Arc<Layouts>,
    pending: Pending,
    /// Statements that wait for company.
    late: Late,
    /// What was pending at each open savepoint.
    marks: Vec<Mark>,
}

impl Source for Unit {
    async fn session(&mut self) -> Result<&mut Session, StoreError> {
        self.late.flush(&mut self.turn).await?;
        self.turn.session().await
    }

    async fn searching(&mut self) -> Result<&mut Session, StoreError> {
        let session = self.session().await?;
        if let Some(words) = session.dialect().index_words() {
            session.run(words).await?;
        }
        Ok(session)
    }
}

impl Unit {
    /// Writes everything and makes it durable: in one step where all of it fits in one.
    async fn commit(&mut self) -> Result<(), StoreError> {
        if !self.pending.is_small() {
            self.late.flush(&mut self.turn).await?;
            self.pending.flush(self.turn.session().await?).await?;
        }
        for (table, sql) in self.pending.take_small()? {
            self.late.add(&mut self.turn, table, sql).await?;
        }
        let last = self.late.take(self.layouts.dialect());
        self.turn.commit(last).await
    }
}

/// A connection as the port sees it.
pub(crate) struct View<S>(S);

impl<S: Source> View<S> {
    /// A reader.
    pub(crate) fn reading(loan: S) -> Self {
        Self(loan)
    }
}

impl View<Unit> {
    /// A unit of work.
    pub(crate) fn writing(turn: Turn, layouts: Arc<Layouts>) -> Self {
        Self(Unit { turn, layouts, pending: Pending::default(), late: Late::default(), marks: Vec::new() })
    }
}

#[async_trait]
impl<S: Source> Reader for View<S> {
    async fn find(&mut self, object: &Object, id: Id) -> Result<Option<Record>, StoreError> {
        records::find(self.0.session().await?, object, id).await
    }

    async fn find_many(&mut self, object: &Object, ids: &[Id]) -> Result<Vec<Record>, StoreError> {
        records::find_many(self.0.session().await?, object, ids).await
    }

    async fn list(&mut self, catalog: &Catalog, query: &Query) -> Result<Page, StoreError> {
        page::list(self.0.session().await?, catalog, query).await
    }

    async fn count(&mut self, catalog: &Catalog, query: &Query) -> Result<u64, StoreError> {
        page::count(self.0.session().await?, catalog, query).await
    }

    async fn tally(
        &mut self,
        catalog: &Catalog,
        rollups: &[&Rollup],
        parents: &[Id],
    ) -> Result<BTreeMap<Id, Vec<Tally>>, StoreError> {
        tally::tally(self.0.session().await?, catalog, rollups, parents).await
    }

    async fn find_balances(&mut self, keys: &[BalanceKey]) -> Result<Vec<Balance>, StoreError> {
        counters::find_balances(self.0.session().await?, keys).await
    }

    async fn list_balances(
        &mut self,
        object: &ObjectName,
        account: Option<&str>,
        after: Option<&BalanceKey>,
        limit: u32,
    ) -> Result<Vec<Balance>, StoreError> {
        counters::list_balances(self.0.session().await?, object, account, after, limit).await
    }

    async fn aggregate(&mut self, catalog: &Catalog, asked: &Aggregate) -> Result<Table, StoreError> {
        aggregate::ask(self.0.session().await?, catalog, asked).await
    }

    async fn ask_children(
        &mut self,
        catalog: &Catalog,
        asked: &Children,
        of: Id,
        now: Timestamp,
    ) -> Result<Value, StoreError> {
        filter::ask(self.0.session().await?, catalog, asked, of, now).await
    }

    async fn list_plugins(&mut self) -> Result<Vec<StoredPlugin>, StoreError> {
        accounts::list_plugins(self.0.session().await?).await
    }

    async fn find_setting(&mut self, key: &str) -> Result<Option<serde_json::Value>, StoreError> {
        accounts::find_setting(self.0.session().await?, key).await
    }

    async fn has_events(&mut self, plugin: &PluginId) -> Result<bool, StoreError> {
        outbox::has_events(self.0.session().await?, plugin).await
    }

    async fn subscription(&mut self, plugin: &PluginId) -> Result<SubscriptionState, StoreError> {
        outbox::subscription(self.0.session().await?, plugin).await
    }

    async fn find_answer(&mut self, key: &str) -> Result<Option<StoredAnswer>, StoreError> {
        accounts::find_answer(self.0.session().await?, key).await
    }

    async fn count_expired_answers(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        accounts::count_expired_answers(self.0.session().await?, now).await
    }

    async fn list_deletions(&mut self, query: &BinQuery) -> Result<Vec<Deletion>, StoreError> {
        bin::list(self.0.session().await?, query).await
    }

    async fn find_oldest_deletion(&mut self) -> Result<Option<Timestamp>, StoreError> {
        bin::find_oldest(self.0.session().await?).await
    }

    async fn find_deletion(&mut self, id: Id) -> Result<Option<(Deletion, Vec<BinItem>)>, StoreError> {
        bin::find(self.0.session().await?, id).await
    }

    async fn list_purged(&mut self) -> Result<Vec<Id>, StoreError> {
        purge::list_purged(self.0.session().await?).await
    }

    async fn list_traces(
        &mut self,
        place: Place,
        after: Option<&TraceKey>,
        limit: u32,
    ) -> Result<Vec<Trace>, StoreError> {
        purge::list(self.0.session().await?, place, after, limit).await
    }

    async fn find_import(&mut self, id: Id) -> Result<Option<StoredImport>, StoreError> {
        imports::find(self.0.session().await?, id).await
    }

    async fn find_running_import(&mut self, digest: &[u8], settings: &str) -> Result<Option<StoredImport>, StoreError> {
        imports::find_running(self.0.session().await?, digest, settings).await
    }

    async fn list_imports(&mut self, limit: u32) -> Result<Vec<StoredImport>, StoreError> {
        imports::list(self.0.session().await?, limit).await
    }

    async fn list_import_entries(
        &mut self,
        import: Id,
        before: i64,
        limit: u32,
    ) -> Result<Vec<ImportEntry>, StoreError> {
        imports::list_entries(self.0.session().await?, import, before, limit).await
    }

    async fn list_created_by_import(&mut self, import: Id, records: &[Id]) -> Result<Vec<Id>, StoreError> {
        imports::created(self.0.session().await?, import, records).await
    }

    async fn search(&mut self, query: &IndexQuery) -> Result<Vec<IndexRow>, StoreError> {
        search::matches(self.0.searching().await?, query).await
    }

    async fn find_index_rows(&mut self, object: &ObjectName, records: &[Id]) -> Result<Vec<IndexRow>, StoreError> {
        search::find(self.0.session().await?, object, records).await
    }

    async fn list_indexed(
        &mut self,
        object: &ObjectName,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Id>, StoreError> {
        search::list(self.0.session().await?, object, after, limit).await
    }

    async fn list_index_states(&mut self) -> Result<Vec<IndexState>, StoreError> {
        search::states(self.0.session().await?).await
    }

    async fn find_token(&mut self, sha256: &[u8]) -> Result<Option<StoredToken>, StoreError> {
        accounts::find_token(self.0.session().await?, sha256).await
    }

    async fn find_user(&mut self, email: &str) -> Result<Option<StoredUser>, StoreError> {
        accounts::find_user(self.0.session().await?, email).await
    }
}

#[async_trait]
impl Transaction for View<Unit> {
    async fn insert(&mut self, object: &Object, records: &[Record]) -> Result<(), StoreError> {
        records::insert(self.0.session().await?, object, records).await
    }

    async fn insert_late(&mut self, object: &Arc<Object>, record: &Record) -> Result<(), StoreError> {
        let Unit { turn, layouts, late, .. } = &mut self.0;
        let sql = records::insert_one(layouts, object, record)?;
        late.add_of(turn, object, sql).await
    }

    async fn update(&mut self, object: &Object, record: &Record, changed: &[String]) -> Result<(), StoreError> {
        records::update(self.0.session().await?, object, record, changed).await
    }

    async fn delete(&mut self, object: &Object, id: Id, version: i64) -> Result<(), StoreError> {
        records::delete(self.0.session().await?, object, id, version).await
    }

    async fn find_overlap(
        &mut self,
        catalog: &Catalog,
        object: &Object,
        rule: &Exclude,
        records: &[Id],
        now: Timestamp,
    ) -> Result<Option<Overlap>, StoreError> {
        overlaps::find(self.0.session().await?, catalog, object, rule, records, now).await
    }

    async fn sum_taken(
        &mut self,
        catalog: &Catalog,
        object: &Object,
        rule: &Capacity,
        on: &[Id],
        now: Timestamp,
    ) -> Result<BTreeMap<Id, i64>, StoreError> {
        rooms::sum_taken(self.0.session().await?, catalog, object, rule, on, now).await
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError> {
        let session = self.0.session().await?;
        match session.dialect().lock(names) {
            Some(sql) => session.execute(sql).await.map(|_| ()),
            // There is one writer, so whoever writes holds every name.
            None => Ok(()),
        }
    }

    async fn find_for_change(&mut self, object: &Object, ids: &[Id]) -> Result<Vec<Record>, StoreError> {
        records::find_for_change(self.0.session().await?, object, ids).await
    }

    async fn take_numbers(&mut self, key: &SequenceKey, start: i64, count: i64) -> Result<i64, StoreError> {
        counters::take_numbers(self.0.session().await?, key, start, count).await
    }

    async fn put_balances(&mut self, balances: &[Balance]) -> Result<(), StoreError> {
        counters::put_balances(self.0.session().await?, balances).await
    }

    async fn savepoint(&mut self) -> Result<(), StoreError> {
        let name = format!("s{}", self.0.marks.len());
        self.0.session().await?.savepoint(&name).await?;
        self.0.marks.push(self.0.pending.mark());
        Ok(())
    }

    async fn release_savepoint(&mut self) -> Result<(), StoreError> {
        self.0.marks.pop().ok_or_else(no_savepoint)?;
        let name = format!("s{}", self.0.marks.len());
        self.0.session().await?.release(&name).await
    }

    async fn rollback_savepoint(&mut self) -> Result<(), StoreError> {
        let mark = self.0.marks.pop().ok_or_else(no_savepoint)?;
        self.0.pending.truncate(mark);
        // Whatever waits came after the savepoint, which has written what came before.
        self.0.late = Late::default();
        let name = format!("s{}", self.0.marks.len());
        self.0.session().await?.roll_back_to(&name).await
    }

    async fn append_audit(&mut self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.0.pending.append_audit(entries);
        Ok(())
    }

    async fn append_events(&mut self, events: &[NewEvent]) -> Result<(), StoreError> {
        self.0.pending.append_events(events);
        Ok(())
    }

    async fn claim_events(
        &mut self,
        plugin: &PluginId,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        outbox::claim(self.0.session().await?, plugin, now, until, limit).await
    }

    async fn finish_events(
        &mut self,
        plugin: &PluginId,
        claimed_until: Timestamp,
        state: &SubscriptionState,
    ) -> Result<(), StoreError> {
        outbox::finish(self.0.session().await?, plugin, claimed_until, state).await
    }

    async fn trim_events(&mut self, plugins: &[PluginId]) -> Result<(), StoreError> {
        outbox::trim(self.0.session().await?, plugins).await
    }

    async fn insert_answer(&mut self, answer: &StoredAnswer, now: Timestamp) -> Result<(), StoreError> {
        let Unit { turn, late, .. } = &mut self.0;
        late.add(turn, "pergola_answer", accounts::insert_answer(answer, now)).await
    }

    async fn drop_expired_answers(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        accounts::drop_expired_answers(self.0.session().await?, now, limit).await
    }

    async fn insert_deletions(&mut self, deletions: &[Deletion], items: &[BinItem]) -> Result<(), StoreError> {
        bin::insert(self.0.session().await?, deletions, items).await
    }

    async fn remove_deletion(&mut self, id: Id) -> Result<bool, StoreError> {
        bin::remove(self.0.session().await?, id).await
    }

    async fn empty_bin(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        bin::empty(self.0.session().await?, before, limit).await
    }

    async fn insert_purged(&mut self, ids: &[Id]) -> Result<(), StoreError> {
        purge::insert_purged(self.0.session().await?, ids).await
    }

    async fn remove_purged(&mut self, ids: &[Id]) -> Result<(), StoreError> {
        purge::remove_purged(self.0.session().await?, ids).await
    }

    async fn forget(&mut self, place: Place, forgotten: &Forgotten) -> Result<u64, StoreError> {
        purge::forget(self.0.session().await?, place, forgotten).await
    }

    async fn put_import(&mut self, import: &StoredImport) -> Result<(), StoreError> {
        imports::put(self.0.session().await?, import).await
    }

    async fn append_import_entries(&mut self, import: Id, entries: &[ImportEntry]) -> Result<(), StoreError> {
        imports::append(self.0.session().await?, import, entries).await
    }

    async fn set_import_version(&mut self, import: Id, record: Id, version: i64) -> Result<(), StoreError> {
        imports::set_version(self.0.session().await?, import, record, version).await
    }

    async fn settle_import_entries(
        &mut self,
        import: Id,
        places: &[i64],
        outcome: EntryOutcome,
    ) -> Result<(), StoreError> {
        imports::settle(self.0.session().await?, import, places, outcome).await
    }

    async fn reopen_import_entries(&mut self, import: Id) -> Result<(), StoreError> {
        imports::reopen(self.0.session().await?, import).await
    }

    async fn index(&mut self, rows: &[IndexRow]) -> Result<(), StoreError> {
        let Unit { turn, late, .. } = &mut self.0;
        for sql in search::index(rows) {
            late.add(turn, "pergola_search", sql).await?;
        }
        Ok(())
    }

    async fn unindex(&mut self, object: &ObjectName, records: &[Id]) -> Result<(), StoreError> {
        search::unindex(self.0.session().await?, object, records).await
    }

    async fn unindex_some(&mut self, object: &ObjectName, limit: u32) -> Result<u64, StoreError> {
        search::unindex_some(self.0.session().await?, object, limit).await
    }

    async fn put_index_state(&mut self, state: &IndexState) -> Result<(), StoreError> {
        search::put_state(self.0.session().await?, state).await
    }

    async fn remove_index_state(&mut self, object: &ObjectName) -> Result<(), StoreError> {
        search::remove_state(self.0.session().await?, object).await
    }

    async fn put_plugin(&mut self, plugin: &StoredPlugin) -> Result<(), StoreError> {
        accounts::put_plugin(self.0.session().await?, plugin).await
    }

    async fn put_setting(&mut self, key: &str, value: &serde_json::Value) -> Result<(), StoreError> {
        accounts::put_setting(self.0.session().await?, key, value).await
    }

    async fn insert_token(&mut self, token: &StoredToken) -> Result<(), StoreError> {
        accounts::insert_token(self.0.session().await?, token).await
    }

    async fn put_user(&mut self, user: &StoredUser) -> Result<(), StoreError> {
        accounts::put_user(self.0.session().await?, user).await
    }

    fn is_interrupted(&self) -> bool {
        self.0.turn.is_interrupted()
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.0.commit().await
    }
}

#[async_trait]
impl SchemaChanges for View<Unit> {
    async fn apply_schema(&mut self, steps: &[SchemaStep]) -> Result<(), StoreError> {
        schema::apply(self.0.session().await?, steps).await
    }

    async fn begin_conversion(&mut self, conversion: &Conversion) -> Result<(), StoreError> {
        conversion::begin(self.0.session().await?, conversion).await
    }

    async fn list_to_convert(&mut self, object: &Object, limit: u32) -> Result<ToConvert, StoreError> {
        conversion::list(self.0.session().await?, object, limit).await
    }

    async fn put_converted(
        &mut self,
        conversion: &Conversion,
        which: &ToConvert,
        rows: &[ConvertedRow],
    ) -> Result<(), StoreError> {
        conversion::put(self.0.session().await?, conversion, which, rows).await
    }

    async fn abandon_conversion(&mut self, conversion: &Conversion) -> Result<(), StoreError> {
        conversion::abandon(self.0.session().await?, conversion).await
    }

    async fn hold_table(&mut self, object: &Object) -> Result<(), StoreError> {
        schema::hold(self.0.session().await?, object).await
    }

    async fn clear_dropped(&mut self) -> Result<bool, StoreError> {
        schema::dropped::clear(self.0.session().await?).await
    }

    async fn drop_cleared(&mut self) -> Result<(), StoreError> {
        schema::dropped::drop_cleared(self.0.session().await?).await
    }
}

fn no_savepoint() -> StoreError {
    crate::error::unexpected("there is no savepoint to go back to")
}
