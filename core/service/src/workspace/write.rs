//! Writing: every change, from wherever it comes, enters here and becomes a unit of work.

use std::time::Duration;

use pergola_model::{Actor, Change, ObjectName, Record};

use super::Workspace;
use crate::{
    error::Error,
    mutants::Rule,
    ports::{
        plugins::{Budget, Limits},
        store::StoredAnswer,
    },
    rights::Rights,
    unit::Unit,
};

/// The most changes in one unit of work.
const CHANGES_MAX: usize = 1_000;

/// How long an answer is kept under its idempotency key.
const ANSWER_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The pauses before a unit of work is tried again.
const RETRY_PAUSES: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(25), Duration::from_millis(125), Duration::from_millis(500)];

/// A record and the object that it is of.
pub type RecordOf = (ObjectName, Record);

/// What becomes of the writes of [`Workspace::apply_each`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyMode {
    /// They are committed.
    Commit,
    /// They are undone, after all rules have seen them.
    DryRun,
}

/// An idempotency key and the request that it stands for.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// The caller's name and their key.
    pub key: String,
    /// SHA-256 of the request.
    pub request_sha256: Vec<u8>,
}

/// An answer under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Workspace {
    /// Applies the changes in order, all or nothing, and answers the records as they are afterwards,
    /// one for each change (a deleted one as it was).
    ///
    /// Goes on to its end even if the caller stops waiting.
    ///
    /// # Errors
    /// Any of [`Error`]; then nothing was written.
    pub async fn apply(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<RecordOf>, Error> {
        self.apply_with(Rights::of(actor), changes, Budget::new(Limits::hook()), 0).await
    }

    pub(crate) async fn apply_with(
        &self,
        rights: Rights,
        changes: Vec<Change>,
        budget: std::sync::Arc<Budget>,
        depth: u32,
    ) -> Result<Vec<RecordOf>, Error> {
        check_count(changes.len())?;
        self.detached(move |workspace| {
            let (rights, changes, budget) = (rights.clone(), changes.clone(), budget.clone());
            async move {
                let _open = workspace.0.gate.read().await;
                let mut unit = Unit::begin(&workspace, budget).await?;
                let records = unit.apply_all(&rights, changes, depth).await?;
                unit.commit().await?;
                Ok(records)
            }
        })
        .await
    }

    /// Applies each group all-or-nothing on its own, and all that succeed with one commit.
    ///
    /// # Errors
    /// The outer error when nothing could be done at all; the inner ones tell what is wrong with a group.
    pub async fn apply_each(
        &self,
        actor: &Actor,
        groups: Vec<Vec<Change>>,
        mode: ApplyMode,
    ) -> Result<Vec<Result<Vec<RecordOf>, Error>>, Error> {
        let total = groups.iter().map(Vec::len).sum();
        check_count(total)?;
        let rights = Rights::of(actor);
        self.detached(move |workspace| {
            let (rights, groups) = (rights.clone(), groups.clone());
            async move {
                let _open = workspace.0.gate.read().await;
                let mut unit = Unit::begin(&workspace, Budget::new(Limits::batch(total))).await?;
                let mut results = Vec::with_capacity(groups.len());
                let done = apply_groups(&mut unit, &rights, groups, &mut results).await;
                unit.outcome(done)?;
                if mode == ApplyMode::Commit {
                    unit.commit().await?;
                }
                Ok(results)
            }
        })
        .await
    }

    /// As [`Self::apply`], once for each key: a repeated request gets the first one's answer.
    ///
    /// `render` makes the answer, which is kept in the same transaction for 24 hours.
    ///
    /// # Errors
    /// `idempotency_key_reused` when the key stood for another request.
    pub async fn apply_once<F>(
        &self,
        actor: &Actor,
        keyed: Keyed,
        changes: Vec<Change>,
        render: F,
    ) -> Result<KeyedAnswer, Error>
    where
        F: Fn(&[RecordOf]) -> KeyedAnswer + Clone + Send + 'static,
    {
        check_count(changes.len())?;
        let rights = Rights::of(actor);
        self.detached(move |workspace| {
            let (rights, changes, keyed, render) = (rights.clone(), changes.clone(), keyed.clone(), render.clone());
            async move {
                let _open = workspace.0.gate.read().await;
                match workspace.apply_and_keep(&rights, &keyed, changes, render).await {
                    Ok(answer) => Ok(answer),
                    // The database does not answer; it would not say more about the key.
                    Err(Error::Busy) => Err(Error::Busy),
                    // Keys seldom come twice, so the earlier answer is looked for only when the work fails: by the key
                    // itself at the latest, of which there can be one.
                    Err(error) => match workspace.0.store.read_once().await?.find_answer(&keyed.key).await? {
                        Some(earlier) if earlier.expires_at > workspace.now() => answer_again(earlier, &keyed),
                        // Under its key it can be done again: if the first attempt is there after all, this one fails.
                        _ if matches!(error, Error::InDoubt) => Err(Error::Interrupted),
                        _ => Err(error),
                    },
                }
            }
        })
        .await
    }

    async fn apply_and_keep<F>(
        &self,
        rights: &Rights,
        keyed: &Keyed,
        changes: Vec<Change>,
        render: F,
    ) -> Result<KeyedAnswer, Error>
    where
        F: FnOnce(&[RecordOf]) -> KeyedAnswer,
    {
        let mut unit = Unit::begin(self, Budget::new(Limits::hook())).await?;
        let records = unit.apply_all(rights, changes, 0).await?;
        let answer = render(&records);
        if !self.is_off(Rule::Dedup) {
            unit.keep_answer(keyed, &answer, ANSWER_KEPT).await?;
        }
        unit.commit().await?;
        Ok(answer)
    }

    /// Runs a unit of work in a task of its own, so that nobody's impatience cancels it half-way, and again a few
    /// times if the database ended it from outside: it waited in a circle with another one, say.
    pub(crate) async fn detached<T, W, F>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Fn(Workspace) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let workspace = self.clone();
        let task = tokio::spawn(async move {
            let mut pauses = RETRY_PAUSES.into_iter();
            loop {
                match (work(workspace.clone()).await, pauses.next()) {
                    (Err(Error::Interrupted), Some(pause)) => tokio::time::sleep(pause).await,
                    (Err(Error::Interrupted), None) => return Err(Error::Busy),
                    (result, _) => return result,
                }
            }
        });
        task.await.unwrap_or_else(|error| Err(Error::Internal(Box::new(error))))
    }
}

pub(super) fn check_count(changes: usize) -> Result<(), Error> {
    if changes > CHANGES_MAX {
        let message = format!("{changes} changes at once are too many; send at most {CHANGES_MAX}");
        return Err(Error::BadRequest { code: "too_many_changes", message });
    }
    Ok(())
}

fn answer_again(earlier: StoredAnswer, keyed: &Keyed) -> Result<KeyedAnswer, Error> {
    if earlier.request_sha256 != keyed.request_sha256 {
        return Err(Error::Conflict {
            code: "idempotency_key_reused",
            message: "this Idempotency-Key was used for another request; take a new key for each".to_owned(),
            issues: vec![],
        });
    }
    Ok(KeyedAnswer { status: earlier.status, body: earlier.body })
}

/// Tries all groups as one batch, so that hooks are called once; where that fails for a record's
/// fault, halves the batch until the culprits stand alone.
pub(super) fn apply_groups<'a>(
    unit: &'a mut Unit,
    rights: &'a Rights,
    mut groups: Vec<Vec<Change>>,
    results: &'a mut Vec<Result<Vec<RecordOf>, Error>>,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
    Box::pin(async move {
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let all: Vec<Change> = groups.iter().flatten().cloned().collect();
        match unit.apply_nested(rights, all, 0).await {
            Ok(records) => {
                let mut records = records.into_iter();
                results.extend(sizes.into_iter().map(|size| Ok(records.by_ref().take(size).collect())));
                Ok(())
            }
            Err(error) if !error.is_about_the_record() => Err(error),
            Err(error) if groups.len() == 1 => {
                results.push(Err(error));
                Ok(())
            }
            Err(_) => {
                let second = groups.split_off(groups.len() / 2);
                apply_groups(unit, rights, groups, results).await?;
                apply_groups(unit, rights, second, results).await
            }
        }
    })
}
