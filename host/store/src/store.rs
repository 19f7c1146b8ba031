//! A workspace's file and the way in.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use pergola_model::{Catalog, upgrade::Upgrade};
use pergola_service::ports::store::{Reader, SchemaStep, Store, StoreError, Transaction};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    connect,
    dialect::Dialect,
    layout::Layouts,
    line::Line,
    readers::Readers,
    schema, scrub,
    turn::{GroupTurn, Turn},
    view::View,
    writer::{GroupLimits, Message, Writer, stopped},
};

/// Limits of one workspace's store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Readers at once; each is a thread with 16 MB of cache at most.
    pub readers_max: usize,
    /// How long a reader waits for a connection.
    pub reader_timeout: Duration,
    /// How long one statement of a reader may run.
    pub statement_timeout: Duration,
    /// Units of work at once: they think beside each other, and write one after the other.
    pub units_max: usize,
    /// Units of work that wait for a place among them.
    pub queue_max: usize,
    /// How long each waits, for the place and then for the turn to write.
    pub turn_timeout: Duration,
    /// Units of work in one commit.
    pub group_units_max: usize,
    /// How long the first unit of a group may be kept waiting by the others' turns.
    pub group_age_max: Duration,
    /// How long to wait while another process writes to the file, an import for instance.
    pub busy_timeout: Duration,
    /// The quota of the file, in pages of 4 KiB; none is unlimited.
    pub pages_max: Option<u32>,
    /// Whether a commit is on the disk before it is told. False only where a test shows that it would notice.
    pub waits_for_disk: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers_max: 4,
            reader_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
            units_max: 64,
            queue_max: 1_024,
            turn_timeout: Duration::from_secs(10),
            group_units_max: 64,
            group_age_max: Duration::from_millis(10),
            busy_timeout: Duration::from_secs(30),
            pages_max: None,
            waits_for_disk: true,
        }
    }
}

/// One workspace in one SQLite file.
pub struct SqliteStore {
    readers: Arc<Readers>,
    queue: mpsc::Sender<Message>,
    layouts: Arc<Layouts>,
    line: Line,
    /// One permit per unit of work.
    units: Arc<Semaphore>,
    turn_timeout: Duration,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, or makes it, and brings the system's tables up to date. Objects' tables come by
    /// [`Store::plan`] and a transaction that follows the plan.
    ///
    /// Must be called within a tokio runtime, on which the writer then runs.
    ///
    /// # Errors
    /// [`StoreError::Backend`] when the file cannot be opened, comes from a newer version, or SQLite is too old.
    pub async fn open(path: &Path, options: Options) -> Result<Arc<Self>, StoreError> {
        let writing = connect::writing(path, options.busy_timeout);
        let writing = if options.waits_for_disk { writing } else { connect::careless(writing) };
        let mut connection = connect::open(&writing).await?;
        connect::check_version(&mut connection).await?;
        connect::migrate(&mut connection).await?;
        let layouts = Arc::new(Layouts::new(Dialect::Sqlite));
        let units_max = options.units_max.max(1);
        // A unit has one message there at most.
        let (queue, messages) = mpsc::channel(units_max);
        let limits = GroupLimits { units_max: options.group_units_max, age_max: options.group_age_max };
        tokio::spawn(Writer::new(writing, connection, Arc::clone(&layouts), limits, messages).run());
        let readers = Arc::new(Readers::new(
            connect::reading(path, options.busy_timeout),
            Arc::clone(&layouts),
            options.readers_max,
            options.reader_timeout,
            options.statement_timeout,
        ));
        let path = path.to_owned();
        let store = Arc::new(Self {
            readers,
            queue,
            layouts,
            line: Line::new(units_max.saturating_add(options.queue_max), options.turn_timeout),
            units: Arc::new(Semaphore::new(units_max)),
            turn_timeout: options.turn_timeout,
            path,
        });
        if let Some(pages_max) = options.pages_max {
            store.set_pages_max(pages_max).await?;
        }
        Ok(store)
    }

    /// Changes the quota of the file, in pages of 4 KiB. A file that is larger stays as it is and does not grow.
    ///
    /// # Errors
    /// [`StoreError::Backend`] when the store is closed.
    pub async fn set_pages_max(&self, pages_max: u32) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Message::PagesMax(pages_max, answer)).await.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(View::reading(self.readers.lend().await?)))
    }

    async fn write(&self) -> Result<Box<dyn Transaction>, StoreError> {
        let place = self.line.enter(&self.units).await?;
        if self.queue.is_closed() {
            return Err(stopped());
        }
        let turn = GroupTurn::new(self.queue.clone(), self.turn_timeout, place);
        Ok(Box::new(View::writing(Turn::Group(turn), Arc::clone(&self.layouts))))
    }

    async fn close(&self) {
        // Readers first: only a connection that may write takes the log into the file when it closes as the last one.
        self.readers.close().await;
        let (closed, done) = oneshot::channel();
        if self.queue.send(Message::Close(closed)).await.is_ok() {
            // An error means that somebody else closed it meanwhile.
            drop(done.await);
        }
    }

    async fn plan(&self, catalog: &Catalog, upgrade: &Upgrade) -> Result<Vec<SchemaStep>, StoreError> {
        schema::plan(self.readers.lend().await?.session()?, catalog, upgrade).await
    }

    async fn scrub(&self, bytes_max: u64) -> Result<bool, StoreError> {
        scrub::scrub(&self.path, bytes_max).await
    }
}
