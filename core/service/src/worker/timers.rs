//! Timers that fell due.
//!
//! A round claims some, fires them, several at once, and ends them together. Timers of one record, and of one name, are
//! fired one after the other, in the order of their times.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use pergola_model::{Actor, Catalog, Id, ObjectName, Record};
use tokio::task::JoinSet;

use super::{Worker, call_after_commit, chain, retry_at};
use crate::{
    error::Error,
    ports::{
        plugins::{Call, Due, OwnDue},
        store::{StoredTimer, TimerKey, TimerOf},
    },
    workspace::Workspace,
};

/// Timers claimed in one round.
const ROUND: u32 = 500;
/// Records and names whose timers are fired at once: fewer than the calls that the runtime takes, so that people who
/// wait for an answer find room beside them.
const AT_ONCE: usize = 16;
/// Records that are read at once, just before their timers are told.
const PORTION: usize = 50;

/// Timers of one record or name, in the order of their times.
type Queue = Vec<StoredTimer>;
/// A timer and, if it could not be fired, why not.
type Fired = (StoredTimer, Result<(), String>);

impl Worker {
    pub(super) async fn fire_timers(&self) -> Result<usize, Error> {
        let lease = self.new_lease();
        if self.next_due().await?.is_none_or(|at| at > lease.now) {
            return Ok(0);
        }
        let mut tx = self.workspace.0.store.write().await?;
        let claimed = tx.claim_timers(lease.now, lease.until, ROUND).await?;
        tx.commit().await?;
        let catalog = self.workspace.catalog();
        let mut tasks = JoinSet::new();
        let mut outcomes = Vec::with_capacity(claimed.len());
        for portion in queues(claimed).chunks(PORTION) {
            // What is left over comes back when the lease ends.
            if self.workspace.now() > lease.begins_until {
                break;
            }
            let records = self.records_of(&catalog, portion).await?;
            for queue in portion {
                if tasks.len() >= AT_ONCE {
                    outcomes.extend(next_of(&mut tasks).await);
                }
                let record = queue.first().and_then(|first| first.key.record()).and_then(|(_, id)| records.get(&id));
                let (workspace, catalog) = (self.workspace.clone(), Arc::clone(&catalog));
                tasks.spawn(fire_in_turn(workspace, catalog, queue.clone(), record.cloned()));
            }
        }
        while !tasks.is_empty() {
            outcomes.extend(next_of(&mut tasks).await);
        }
        self.settle(outcomes).await
    }

    /// Ends the timers that were fired and puts off the others; how many there were.
    async fn settle(&self, outcomes: Vec<Fired>) -> Result<usize, Error> {
        let done = outcomes.len();
        if done > 0 {
            let now = self.workspace.now();
            let mut tx = self.workspace.0.store.write().await?;
            let (fired, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
            let fired: Vec<StoredTimer> = fired.into_iter().map(|(timer, _)| timer).collect();
            tx.finish_timers(&fired).await?;
            for (timer, error) in failed.into_iter().filter_map(|(timer, outcome)| Some((timer, outcome.err()?))) {
                tx.delay_timer(&timer, retry_at(now, timer.attempts), &error).await?;
            }
            tx.commit().await?;
        }
        Ok(done)
    }

    /// The records that these timers follow, as they are now.
    async fn records_of(&self, catalog: &Catalog, queues: &[Queue]) -> Result<BTreeMap<Id, Record>, Error> {
        let mut ids: BTreeMap<&ObjectName, Vec<Id>> = BTreeMap::new();
        for (object, record) in queues.iter().filter_map(|queue| queue.first()?.key.record()) {
            ids.entry(object).or_default().push(record);
        }
        let mut records = BTreeMap::new();
        for (object, ids) in ids {
            let Some(object) = catalog.object(object) else { continue };
            let found = self.workspace.0.store.read_once().await?.find_many(object, &ids).await?;
            records.extend(found.into_iter().map(|record| (record.id, record)));
        }
        Ok(records)
    }
}

/// The timers of each record and name, in the order of the first of each.
fn queues(timers: Vec<StoredTimer>) -> Vec<Queue> {
    let mut places: BTreeMap<TimerOf, usize> = BTreeMap::new();
    let mut queues: Vec<Queue> = Vec::new();
    for timer in timers {
        match places.entry(timer.key.of.clone()) {
            Entry::Occupied(place) => {
                queues.get_mut(*place.get()).into_iter().for_each(|queue| queue.push(timer.clone()))
            }
            Entry::Vacant(place) => {
                place.insert(queues.len());
                queues.push(vec![timer]);
            }
        }
    }
    queues
}

/// What became of the queue that is done next.
async fn next_of(tasks: &mut JoinSet<Vec<Fired>>) -> Vec<Fired> {
    match tasks.join_next().await {
        Some(Ok(fired)) => fired,
        // They come back when the lease ends.
        Some(Err(error)) => {
            tracing::error!(error = %chain(&error), "timers could not be fired; they are tried again");
            Vec::new()
        }
        None => Vec::new(),
    }
}

async fn fire_in_turn(
    workspace: Workspace,
    catalog: Arc<Catalog>,
    queue: Queue,
    mut record: Option<Record>,
) -> Vec<Fired> {
    let mut fired = Vec::with_capacity(queue.len());
    for timer in queue {
        // What the one before did to the record is seen by the next.
        if !fired.is_empty()
            && let Some((object, id)) = timer.key.record()
        {
            match workspace.find(&Actor::System, object, id).await {
                Ok(found) => record = found,
                Err(error) => {
                    fired.push((timer, Err(chain(&error))));
                    continue;
                }
            }
        }
        let outcome = fire(&workspace, &catalog, &timer, record.clone()).await;
        fired.push((timer, outcome));
    }
    fired
}

/// Tells the plugin; an error is a line for the row and the log.
async fn fire(
    workspace: &Workspace,
    catalog: &Catalog,
    timer: &StoredTimer,
    record: Option<Record>,
) -> Result<(), String> {
    let TimerKey { plugin, action, of } = &timer.key;
    let is_declared = match of {
        TimerOf::Record(object, _) => catalog.has_timer(plugin, object, action),
        TimerOf::Own(_) => catalog.has_own_timer(plugin, action),
    };
    if !is_declared {
        tracing::info!(%plugin, %action, "a timer of an earlier version of the plugin is dropped");
        return Ok(());
    }
    let call = match of {
        TimerOf::Record(object, id) if plugin.is_core() => {
            return end_hold(workspace, object, *id, timer.attempts).await;
        }
        TimerOf::Record(object, _) => record.map(|target| Call::Timer(due(timer, object, target))),
        TimerOf::Own(name) => Some(Call::OwnTimer(own_due(timer, name))),
    };
    let Some(call) = call else { return Ok(()) };
    let told = call_after_commit(workspace, catalog, plugin, &Actor::System, call).await;
    told.map(|_| ()).map_err(|error| {
        tracing::warn!(%plugin, %action, attempts = timer.attempts + 1, %error, "a timer failed and is put off");
        error.to_string()
    })
}

/// The engine's own timer: nobody is told, the record gets its next code.
async fn end_hold(workspace: &Workspace, object: &ObjectName, record: Id, attempts: i64) -> Result<(), String> {
    workspace.end_hold(object, record).await.map_err(|error| {
        tracing::warn!(%object, %record, attempts = attempts + 1, %error, "a hold could not be ended and is tried again");
        error.to_string()
    })
}

fn due(timer: &StoredTimer, object: &ObjectName, target: Record) -> Due {
    let (action, at) = (&timer.key.action, timer.due_at);
    Due {
        action: action.to_string(),
        key: format!("{object}:{}:{action}:{}", target.id, at.as_microsecond()),
        at,
        object: object.clone(),
        target,
    }
}

fn own_due(timer: &StoredTimer, name: &str) -> OwnDue {
    let (action, at) = (&timer.key.action, timer.due_at);
    OwnDue {
        action: action.to_string(),
        name: name.to_owned(),
        key: format!("own:{action}:{name}:{}", at.as_microsecond()),
        at,
        payload: timer.payload.clone(),
    }
}
