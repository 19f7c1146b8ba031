//! Messages on their way out: queued → sending → sent, once each.
//!
//! `sending` is committed before a message leaves, with a time: a message that is still so by then was left behind by a
//! process that ended, and is sent again. The sink is told that it may have left already.

use pergola_model::{Actor, Change, Fields, Query, Record, Value};

use super::{Worker, retry_at};
use crate::{
    error::Error,
    guest::{compile_filter, core_object, parse_sort},
    mutants::Rule,
    ports::sink::{Outgoing, SinkError},
    workspace::no_object,
};

/// Messages in one round.
const ROUND: u32 = 20;
/// What can be claimed: queued and not put off, or left behind.
const WAITING: &str = "(status == 'queued' || status == 'sending') && (retry_at == null || retry_at <= now)";
/// After so many attempts a message has failed for good.
const ATTEMPTS_MAX: i64 = 16;

impl Worker {
    pub(super) async fn send_messages(&self) -> Result<usize, Error> {
        let waiting = self.messages(WAITING).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let object = core_object("message")?;
        let lease = self.new_lease();
        let until = if self.workspace.is_off(Rule::Claim) { lease.now } else { lease.until };
        let claims = waiting
            .iter()
            .map(|record| {
                let claim = Fields::new().with("status", "sending").with("retry_at", until);
                vec![Change { if_version: Some(record.version), ..Change::update(object.clone(), record.id, claim) }]
            })
            .collect();
        let mode = crate::workspace::ApplyMode::Commit;
        let claimed = self.workspace.apply_each(&Actor::System, claims, mode).await?;
        let mut sent = 0;
        for (before, claimed) in waiting.iter().zip(claimed) {
            // A message that somebody cancelled or claimed meanwhile is not ours to send.
            let Some((_, record)) = claimed.ok().and_then(|records| records.into_iter().next()) else { continue };
            // What is left over comes back when the lease ends.
            if self.workspace.now() > lease.begins_until {
                break;
            }
            let was_under_way = before.fields.get("status").as_text() == Some("sending");
            self.send(&record, was_under_way).await?;
            sent += 1;
        }
        Ok(sent.max(1))
    }

    async fn messages(&self, filter: &str) -> Result<Vec<Record>, Error> {
        let catalog = self.workspace.catalog();
        let name = core_object("message")?;
        let object = catalog.object(&name).ok_or_else(|| no_object("message"))?;
        let query = Query {
            object: name.clone(),
            filter: Some(compile_filter(&catalog, object, filter, &[])?),
            parameters: vec![],
            now: self.workspace.now(),
            sort: parse_sort(object, "")?,
            fields: None,
            limit: ROUND,
            after: None,
        };
        Ok(self.workspace.list(&Actor::System, &query).await?.records)
    }

    async fn send(&self, record: &Record, maybe_sent: bool) -> Result<(), Error> {
        let now = self.workspace.now();
        let text = |key: &str| record.fields.get(key).as_text().unwrap_or_default().to_owned();
        let outgoing = Outgoing {
            id: record.id,
            channel: text("channel"),
            address: text("address"),
            subject: text("subject"),
            body: text("body"),
            at: now,
            maybe_sent: maybe_sent || self.attempts(record) > 0,
        };
        let attempts = self.attempts(record) + 1;
        let fields = Fields::new().with("attempts", attempts);
        let fields = match self.sink.send(&outgoing).await {
            Ok(()) => {
                let fields = fields.with("status", "sent").with("sent_at", now);
                fields.with("error", Value::Null).with("retry_at", Value::Null)
            }
            Err(SinkError::Temporary(cause)) if attempts < ATTEMPTS_MAX => {
                tracing::warn!(message.id = %record.id, attempts, cause, "a message could not leave and is put off");
                fields
                    .with("status", "queued")
                    .with("retry_at", retry_at(now, attempts - 1))
                    .with("error", clipped(&cause))
            }
            Err(error) => {
                tracing::warn!(message.id = %record.id, attempts, %error, "a message could not leave");
                let fields = fields.with("status", "failed").with("error", clipped(&error.to_string()));
                fields.with("retry_at", Value::Null)
            }
        };
        let change = Change::update(core_object("message")?, record.id, fields);
        self.workspace.apply(&Actor::System, vec![change]).await?;
        Ok(())
    }

    fn attempts(&self, record: &Record) -> i64 {
        match record.fields.get("attempts") {
            Value::Integer(attempts) => *attempts,
            _ => 0,
        }
    }
}

fn clipped(cause: &str) -> String {
    cause.chars().filter(|char| !char.is_control()).take(500).collect()
}
