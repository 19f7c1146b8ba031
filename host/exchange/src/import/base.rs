//! What an import needs of a workspace, so that tests can stand in for one.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{Actor, Catalog, Change, Id, Locale, ObjectName, Page, Query};
use pergola_service::{
    Error, Workspace,
    ports::imports::{ImportEntry, ImportState, StoredImport},
    workspace::RowOutcome,
};

/// What was written for a change, or the refusal.
pub(crate) type Outcome = RowOutcome;

/// What is kept of an import with its rows.
pub(crate) struct Counted {
    /// The number of the last row that was dealt with.
    pub(crate) last_line: i64,
    /// What became of the rows so far.
    pub(crate) tally: serde_json::Value,
}

/// How changes are written.
pub(crate) struct Writing<'a> {
    /// The import that they belong to; without one, it is a dry run.
    pub(crate) import: Option<&'a mut StoredImport>,
    /// Sees what became of the changes before they are committed; without its answer they are not.
    pub(crate) count: &'a mut (dyn FnMut(&[Outcome]) -> Option<Counted> + Send),
}

/// The data that an import goes into, as its actor sees them.
#[async_trait]
pub(crate) trait Base: Sync {
    /// What the workspace knows how to hold.
    fn catalog(&self) -> Arc<Catalog>;

    /// How people write here.
    fn locale(&self) -> Arc<Locale>;

    /// The present instant.
    fn now(&self) -> Timestamp;

    /// One page of records.
    async fn list(&self, query: &Query) -> Result<Page, Error>;

    /// Applies each change on its own, with one commit; `lines` are the numbers of their rows.
    async fn write(&self, lines: &[i64], changes: Vec<Change>, writing: Writing<'_>) -> Result<Vec<Outcome>, Error>;

    /// An import that is not stored yet, with nothing said of its file.
    fn new_import(&self) -> StoredImport;

    /// An unfinished import of the same file, read in the same way.
    async fn find_running(&self, digest: &[u8], settings: &str) -> Result<Option<StoredImport>, Error>;

    /// All that an import wrote, last first.
    async fn visit_import(&self, import: Id, visit: &mut (dyn FnMut(ImportEntry) + Send)) -> Result<(), Error>;

    /// Writes an import's own row.
    async fn put_import(&self, import: &mut StoredImport) -> Result<(), Error>;
}

/// A workspace and who imports into it.
pub(crate) struct OfWorkspace<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) actor: &'a Actor,
    /// The object whose records the rows become.
    pub(crate) object: &'a ObjectName,
}

#[async_trait]
impl Base for OfWorkspace<'_> {
    fn catalog(&self) -> Arc<Catalog> {
        self.workspace.catalog()
    }

    fn locale(&self) -> Arc<Locale> {
        self.workspace.locale()
    }

    fn now(&self) -> Timestamp {
        self.workspace.now()
    }

    async fn list(&self, query: &Query) -> Result<Page, Error> {
        self.workspace.list(self.actor, query).await
    }

    async fn write(&self, lines: &[i64], changes: Vec<Change>, writing: Writing<'_>) -> Result<Vec<Outcome>, Error> {
        let mut unit = self.workspace.import_unit(self.actor, changes.len()).await?;
        let outcomes = unit.apply_each(changes).await?;
        if let (Some(counted), Some(import)) = ((writing.count)(&outcomes), writing.import) {
            let mut next = StoredImport { last_line: counted.last_line, tally: counted.tally, ..import.clone() };
            unit.commit(&mut next, lines, &outcomes).await?;
            *import = next;
        }
        Ok(outcomes)
    }

    fn new_import(&self) -> StoredImport {
        StoredImport {
            id: self.workspace.new_id(),
            object: self.object.clone(),
            file: String::new(),
            digest: Vec::new(),
            settings: String::new(),
            actor: self.actor.label(),
            started_at: self.now(),
            state: ImportState::Running,
            last_line: 0,
            entries: 0,
            tally: serde_json::Value::Null,
            revision: 0,
        }
    }

    async fn find_running(&self, digest: &[u8], settings: &str) -> Result<Option<StoredImport>, Error> {
        self.workspace.find_running_import(digest, settings).await
    }

    async fn visit_import(&self, import: Id, visit: &mut (dyn FnMut(ImportEntry) + Send)) -> Result<(), Error> {
        self.workspace.visit_import(import, visit).await
    }

    async fn put_import(&self, import: &mut StoredImport) -> Result<(), Error> {
        self.workspace.put_import(import).await
    }
}
