//! What an import needs of a workspace, so that tests can stand in for one.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{Actor, Catalog, Change, Locale, Page, Query};
use pergola_service::{
    Error, Workspace,
    workspace::{ApplyMode, RecordOf},
};

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

    /// Applies each change on its own, with one commit.
    async fn apply_each(
        &self,
        changes: Vec<Change>,
        mode: ApplyMode,
    ) -> Result<Vec<Result<Vec<RecordOf>, Error>>, Error>;
}

/// A workspace and who imports into it.
pub(crate) struct OfWorkspace<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) actor: &'a Actor,
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

    async fn apply_each(
        &self,
        changes: Vec<Change>,
        mode: ApplyMode,
    ) -> Result<Vec<Result<Vec<RecordOf>, Error>>, Error> {
        let groups = changes.into_iter().map(|change| vec![change]).collect();
        self.workspace.apply_each(self.actor, groups, mode).await
    }
}
