//! The directory: which workspaces an installation has, which host names lead to them, and when each has something to do.
//!
//! It is a small database of its own, beside those of the workspaces: the file `directory.db`, or a schema. `place`
//! knows where the databases are; `host` what a host name is.
//!
//! Invariants: every change is one transaction; what one process says about a workspace is never overwritten by what
//! another one thought before ([`Directory::sleep`]).

mod host;
mod place;
mod turn;

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use pergola_model::Name;
use pergola_service::ports::store::StoreError;
use tokio::sync::Mutex;

pub use host::{BadHostName, HostName};
pub use place::{file_of, schema_of};

use self::{place::Place, turn::Turn};
use crate::{
    dialect::{Connection, Row},
    error::unexpected,
    row::Cells,
    sql::Sql,
};

/// The name that no workspace can have: on PostgreSQL it is the directory's own schema.
pub const RESERVED: &str = "directory";

/// How much a directory takes.
#[derive(Debug, Clone)]
pub struct DirectoryLimits {
    /// Workspaces in it: servers read all of it every few seconds.
    pub workspaces_max: usize,
    /// Host names of one workspace.
    pub hosts_max: usize,
}

impl Default for DirectoryLimits {
    fn default() -> Self {
        Self { workspaces_max: 1_000, hosts_max: 20 }
    }
}

/// Whether anybody gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkspaceState {
    /// Served, and its timers fire.
    Active,
    /// Neither: everything waits.
    Suspended,
}

impl WorkspaceState {
    /// As it is stored and told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        [Self::Active, Self::Suspended]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| unexpected(format!("a workspace is in no known state: {text:?}")))
    }
}

/// What the directory knows of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, which is also where its database is.
    pub name: Name,
    /// Whether anybody gets in.
    pub state: WorkspaceState,
    /// Host names that lead to it, in order.
    pub hosts: Vec<HostName>,
    /// Since when it is in the directory.
    pub created_at: Timestamp,
    /// When there is something to do in it, at the earliest, if nobody has it open.
    pub wake_at: Timestamp,
    /// A server has it open and says so again before then.
    pub held_until: Option<Timestamp>,
    /// Goes up with whatever is said about the two.
    pub touched: i64,
}

impl Entry {
    /// Whether somebody should open it now and look.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.held_until {
            // Who held it went away without a word.
            Some(until) => until <= now,
            None => self.wake_at <= now,
        }
    }

    /// Whether a server has it open, as far as is known.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }
}

/// Why the directory did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such workspace.
    #[error("there is no workspace {0}; pergola workspace list shows those that there are")]
    Unknown(Name),
    /// There is one already.
    #[error("there is a workspace {0} already; take another name")]
    NameTaken(Name),
    /// The name has another meaning.
    #[error("no workspace can have the name {RESERVED}; take another one")]
    NameReserved,
    /// A host name leads elsewhere.
    #[error("the host name {host} leads to workspace {workspace} already; take it away there first")]
    HostTaken {
        /// Which.
        host: HostName,
        /// Where to.
        workspace: Name,
    },
    /// There are too many workspaces.
    #[error("there are {0} workspaces, as many as a directory takes; delete one, or begin another data directory")]
    Full(usize),
    /// Too many host names for one.
    #[error("a workspace has at most {0} host names; give fewer")]
    TooManyHosts(usize),
    /// It must be suspended first.
    #[error("workspace {0} is active; suspend it first: pergola workspace suspend {0}")]
    Active(Name),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The directory of an installation. All its users share one connection.
pub struct Directory {
    place: Place,
    limits: DirectoryLimits,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Directory {
    /// The directory in a file, which is made if it is missing; the workspaces are files in `folder`.
    ///
    /// # Errors
    /// [`DirectoryError::Store`].
    pub async fn in_file(file: &Path, folder: &Path, limits: DirectoryLimits) -> Result<Self, DirectoryError> {
        Self::at(Place::file(file, folder), limits).await
    }

    /// The directory beside the workspaces on a PostgreSQL server; its schema is made if it is missing.
    ///
    /// # Errors
    /// [`DirectoryError::Store`]; see [`crate::PostgresStore::open`].
    pub async fn on_server(url: &str, limits: DirectoryLimits) -> Result<Self, DirectoryError> {
        Self::at(Place::server(url)?, limits).await
    }

    async fn at(place: Place, limits: DirectoryLimits) -> Result<Self, DirectoryError> {
        let connection = place.prepare().await?;
        Ok(Self { place, limits, connection: Arc::new(Mutex::new(Some(connection))) })
    }

    /// Whether servers on other machines may use the same directory.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.place.is_shared()
    }

    async fn read(&self) -> Result<Turn, StoreError> {
        Turn::begin(&self.place, &self.connection, false).await
    }

    async fn write(&self) -> Result<Turn, StoreError> {
        Turn::begin(&self.place, &self.connection, true).await
    }

    /// All workspaces, by name.
    ///
    /// # Errors
    /// [`DirectoryError::Store`].
    pub async fn list(&self) -> Result<Vec<Entry>, DirectoryError> {
        let mut turn = self.read().await?;
        let entries = entries(&mut turn, None).await?;
        turn.commit().await?;
        Ok(entries)
    }

    /// The workspace, or none.
    ///
    /// # Errors
    /// [`DirectoryError::Store`].
    pub async fn find(&self, name: &Name) -> Result<Option<Entry>, DirectoryError> {
        let mut turn = self.read().await?;
        let found = entries(&mut turn, Some(name)).await?.pop();
        turn.commit().await?;
        Ok(found)
    }

    /// Adds a workspace, active and due.
    ///
    /// # Errors
    /// See [`DirectoryError`]; then nothing was added.
    pub async fn insert(&self, name: &Name, hosts: &[HostName], now: Timestamp) -> Result<(), DirectoryError> {
        let mut turn = self.write().await?;
        let entries = entries(&mut turn, None).await?;
        self.check_new(name, hosts, &entries)?;
        let mut sql = Sql::new("INSERT INTO pergola_workspace (name, state, created_at, wake_at) VALUES (?, ?, ?, ?)");
        sql.value(name.as_str()).value(WorkspaceState::Active.as_str()).value(now).value(now);
        turn.execute(sql).await?;
        put_hosts(&mut turn, name, hosts).await?;
        Ok(turn.commit().await?)
    }

    /// Passes for a workspace that can be added to these.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn check_new(&self, name: &Name, hosts: &[HostName], entries: &[Entry]) -> Result<(), DirectoryError> {
        if name.as_str() == RESERVED {
            return Err(DirectoryError::NameReserved);
        }
        if entries.iter().any(|entry| entry.name == *name) {
            return Err(DirectoryError::NameTaken(name.clone()));
        }
        if entries.len() >= self.limits.workspaces_max {
            return Err(DirectoryError::Full(self.limits.workspaces_max));
        }
        self.check_hosts(name, hosts, entries)
    }

    fn check_hosts(&self, name: &Name, hosts: &[HostName], entries: &[Entry]) -> Result<(), DirectoryError> {
        if hosts.len() > self.limits.hosts_max {
            return Err(DirectoryError::TooManyHosts(self.limits.hosts_max));
        }
        for entry in entries.iter().filter(|entry| entry.name != *name) {
            if let Some(host) = hosts.iter().find(|host| entry.hosts.contains(host)) {
                return Err(DirectoryError::HostTaken { host: host.clone(), workspace: entry.name.clone() });
            }
        }
        Ok(())
    }

    /// Lets these host names and no others lead to a workspace.
    ///
    /// # Errors
    /// See [`DirectoryError`]; then nothing was changed.
    pub async fn set_hosts(&self, name: &Name, hosts: &[HostName]) -> Result<(), DirectoryError> {
        let mut turn = self.write().await?;
        let entries = entries(&mut turn, None).await?;
        if entries.iter().all(|entry| entry.name != *name) {
            return Err(DirectoryError::Unknown(name.clone()));
        }
        self.check_hosts(name, hosts, &entries)?;
        put_hosts(&mut turn, name, hosts).await?;
        Ok(turn.commit().await?)
    }

    /// Suspends or resumes a workspace; one that is resumed is due.
    ///
    /// # Errors
    /// [`DirectoryError::Unknown`], or the store's.
    pub async fn set_state(&self, name: &Name, state: WorkspaceState, now: Timestamp) -> Result<(), DirectoryError> {
        let mut turn = self.write().await?;
        let mut sql = Sql::new("UPDATE pergola_workspace SET state = ");
        sql.bind(state.as_str()).push(", wake_at = ").bind(now).push(", touched = touched + 1 WHERE name = ");
        sql.bind(name.as_str());
        if turn.execute(sql).await? == 0 {
            return Err(DirectoryError::Unknown(name.clone()));
        }
        Ok(turn.commit().await?)
    }

    /// Forgets a suspended workspace; its database stays.
    ///
    /// # Errors
    /// [`DirectoryError::Active`], [`DirectoryError::Unknown`], or the store's.
    pub async fn remove(&self, name: &Name) -> Result<(), DirectoryError> {
        let mut turn = self.write().await?;
        let entry = entries(&mut turn, Some(name)).await?.pop();
        let entry = entry.ok_or_else(|| DirectoryError::Unknown(name.clone()))?;
        if entry.state != WorkspaceState::Suspended {
            return Err(DirectoryError::Active(name.clone()));
        }
        let mut sql = Sql::new("DELETE FROM pergola_workspace WHERE name = ");
        sql.bind(name.as_str());
        turn.execute(sql).await?;
        Ok(turn.commit().await?)
    }

    /// Somebody writes to a workspace without being its server: it is to be looked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn touch(&self, name: &Name, now: Timestamp) -> Result<(), DirectoryError> {
        let mut sql = Sql::new("UPDATE pergola_workspace SET touched = touched + 1, wake_at = ");
        sql.bind(now).push(" WHERE name = ").bind(name.as_str());
        self.change(sql).await.map(|_| ())
    }

    /// A server has these open, and says so again before `until`.
    ///
    /// # Errors
    /// The store's.
    pub async fn hold(&self, names: &[Name], until: Timestamp) -> Result<(), DirectoryError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new("UPDATE pergola_workspace SET touched = touched + 1, held_until = ");
        sql.bind(until).push(" WHERE name IN (");
        for (index, name) in names.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).bind(name.as_str());
        }
        sql.push(")");
        self.change(sql).await.map(|_| ())
    }

    /// A server closed a workspace in which there is nothing to do before `wake_at`; whether that was noted. It is not
    /// if anybody touched the workspace after `touched` was read, which must have been before it was looked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn sleep(&self, name: &Name, touched: i64, wake_at: Timestamp) -> Result<bool, DirectoryError> {
        let mut sql = Sql::new("UPDATE pergola_workspace SET held_until = NULL, touched = touched + 1, wake_at = ");
        sql.bind(wake_at).push(" WHERE name = ").bind(name.as_str()).push(" AND touched = ").bind(touched);
        Ok(self.change(sql).await? > 0)
    }

    async fn change(&self, sql: Sql) -> Result<u64, DirectoryError> {
        let mut turn = self.write().await?;
        let changed = turn.execute(sql).await?;
        turn.commit().await?;
        Ok(changed)
    }

    /// The workspaces whose databases are there, whether the directory knows them or not.
    ///
    /// # Errors
    /// The store's.
    pub async fn found(&self) -> Result<Vec<Name>, DirectoryError> {
        let mut turn = self.read().await?;
        let found = self.place.found(&mut turn).await?;
        turn.commit().await?;
        Ok(found)
    }

    /// How many bytes a workspace's database has; none if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn size(&self, name: &Name) -> Result<Option<u64>, DirectoryError> {
        let mut turn = self.read().await?;
        let size = self.place.size(&mut turn, name).await?;
        turn.commit().await?;
        Ok(size)
    }

    /// Removes a workspace's database for good. Nobody may have it open.
    ///
    /// # Errors
    /// The store's.
    pub async fn drop_database(&self, name: &Name) -> Result<(), DirectoryError> {
        let mut turn = self.write().await?;
        self.place.drop_database(&mut turn, name).await?;
        Ok(turn.commit().await?)
    }
}

/// Hosts that lead nowhere else.
async fn put_hosts(turn: &mut Turn, name: &Name, hosts: &[HostName]) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_host WHERE workspace = ");
    sql.bind(name.as_str());
    turn.execute(sql).await?;
    for host in hosts {
        // One that was given twice leads to it once.
        let mut sql =
            Sql::new("INSERT INTO pergola_host (host, workspace) VALUES (?, ?) ON CONFLICT (host) DO NOTHING");
        sql.value(host.as_str()).value(name.as_str());
        turn.execute(sql).await?;
    }
    Ok(())
}

async fn entries(turn: &mut Turn, only: Option<&Name>) -> Result<Vec<Entry>, StoreError> {
    let mut sql = Sql::new("SELECT name, state, created_at, wake_at, held_until, touched FROM pergola_workspace");
    let mut hosts = Sql::new("SELECT workspace, host FROM pergola_host");
    if let Some(name) = only {
        sql.push(" WHERE name = ").bind(name.as_str());
        hosts.push(" WHERE workspace = ").bind(name.as_str());
    }
    sql.push(" ORDER BY name");
    hosts.push(" ORDER BY host");
    let mut entries = turn.fetch(sql).await?.iter().map(entry).collect::<Result<Vec<Entry>, StoreError>>()?;
    for row in turn.fetch(hosts).await? {
        let mut cells = Cells::new(&row);
        let (workspace, host): (String, String) = (cells.take()?, cells.take()?);
        let host = HostName::new(&host).map_err(|error| StoreError::Backend(Box::new(error)))?;
        // In order, by the statement above.
        if let Ok(at) = entries.binary_search_by(|entry| entry.name.as_str().cmp(&workspace))
            && let Some(entry) = entries.get_mut(at)
        {
            entry.hosts.push(host);
        }
    }
    Ok(entries)
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    let mut cells = Cells::new(row);
    let name = cells.take_name(Name::new)?;
    let state: String = cells.take()?;
    Ok(Entry {
        name,
        state: WorkspaceState::parse(&state)?,
        hosts: Vec::new(),
        created_at: cells.take_time()?,
        wake_at: cells.take_time()?,
        held_until: cells.take_optional_time()?,
        touched: cells.take()?,
    })
}
