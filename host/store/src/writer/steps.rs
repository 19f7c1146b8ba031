//! Units of work that are one statement each: those that queued up run together, which is one step to SQLite's thread for
//! many of them. Where one fails, they run again one by one.

use std::time::Instant;

use pergola_service::ports::store::StoreError;

use super::{Group, Message, Step, Writer};
use crate::sql::Sql;

/// How many statements of one text run together, largest first: few enough that each is prepared once and kept.
const TOGETHER: [usize; 5] = [16, 8, 4, 2, 1];

impl Writer {
    /// The steps at the head of the queue that fit in the group, and the message after them. Waits a little for as many
    /// as came to the last commits.
    pub(super) async fn steps_in_line(&mut self, first: Step, waiting: usize) -> (Vec<Step>, Option<Message>) {
        let began = Instant::now();
        let mut steps = vec![first];
        while waiting.saturating_add(steps.len()) < self.limits.units_max {
            let has_company = waiting.saturating_add(steps.len()) >= self.pace.expected();
            match self.queue.try_recv() {
                Ok(Message::Step(step)) => steps.push(step),
                Ok(other) => return (steps, Some(other)),
                // No sleep: tokio's clock ticks in milliseconds.
                Err(_) if !has_company && began.elapsed() < self.pace.patience() => tokio::task::yield_now().await,
                Err(_) => break,
            }
        }
        (steps, None)
    }

    /// Runs them in the group's transaction.
    pub(super) async fn run_steps(&mut self, group: &mut Group, mut steps: Vec<Step>) {
        let now = Instant::now();
        for late in steps.extract_if(.., |step| step.answer.is_closed() || step.until <= now) {
            drop(late.answer.send(Err(StoreError::Busy)));
        }
        // In any order: nobody has been told of any of them.
        steps.sort_by(|a, b| a.sql.text().cmp(b.sql.text()));
        for alike in split_alike(steps) {
            self.run_together(group, alike).await;
        }
    }

    async fn run_together(&mut self, group: &mut Group, steps: Vec<Step>) {
        let mut sql = Sql::default();
        for step in &steps {
            sql.append(step.sql.clone());
        }
        let object = match steps.as_slice() {
            [alone] => alone.object.clone(),
            _ => None,
        };
        let done = match self.session(group).await {
            Ok(mut session) => {
                let done = session.execute_on(object.as_deref(), sql).await;
                self.take_back(group, session).and(done)
            }
            Err(error) => return fail(steps, &error),
        };
        match done {
            Ok(_) => group.waiting.extend(steps.into_iter().map(|step| step.answer)),
            Err(error) => {
                self.undo_turn(group, crate::error::again(&error)).await;
                if steps.len() == 1 {
                    return fail(steps, &error);
                }
                for step in steps {
                    Box::pin(self.run_together(group, vec![step])).await;
                }
            }
        }
    }
}

fn fail(steps: Vec<Step>, error: &StoreError) {
    for step in steps {
        drop(step.answer.send(Err(crate::error::again(error))));
    }
}

/// Runs of one text, in the sizes of [`TOGETHER`].
fn split_alike(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut runs: Vec<Vec<Step>> = Vec::new();
    for step in steps {
        match runs.last_mut() {
            Some(run) if run.first().is_some_and(|first| first.sql.text() == step.sql.text()) => run.push(step),
            _ => runs.push(vec![step]),
        }
    }
    runs.into_iter().flat_map(split).collect()
}

fn split(mut run: Vec<Step>) -> Vec<Vec<Step>> {
    let mut parts = Vec::new();
    while let Some(size) = TOGETHER.into_iter().find(|size| *size <= run.len()) {
        let rest = run.split_off(size);
        parts.push(run);
        run = rest;
    }
    parts
}
