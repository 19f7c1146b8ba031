//! A call as the contract's arguments, and what a guest answered as the port's reply, checked.

use pergola_model::ObjectName;
use pergola_service::ports::plugins::{
    Call, Due, Failure, Happened, OwnDue, PendingBatch, Reply, RouteRequest, RouteResponse, Verdict, WrittenBatch,
};
use serde::de::IgnoredAny;

use crate::{
    bindings::{
        exports::pergola::plugin::{after_write, before_write, event, own_timer, route, timer},
        pergola::plugin::types,
    },
    limits::{Stop, figure_of_bytes},
    values::{
        Unfit, failure_bytes, failure_from_guest, fields_bytes, fields_from_guest, fields_to_guest, id_to_guest,
        record_to_guest, shorten,
    },
};

/// What a handler may answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What a route may answer as body.
const BODY_BYTES_MAX: usize = 10 << 20;
const CONTENT_TYPE_BYTES_MAX: usize = 200;

/// A call in the contract's types.
pub(crate) enum Arguments {
    BeforeWrite(before_write::Batch),
    AfterWrite(after_write::Batch),
    Events(Vec<event::Happened>),
    Timer(timer::Due),
    OwnTimer(own_timer::Due),
    Action { id: String, input: String },
    Route(route::Request),
    Installed { previous: Option<String> },
}

/// What a guest answered, not yet checked.
pub(crate) enum Answer {
    Verdicts(Vec<before_write::Verdict>),
    Done,
    Json(String),
    Response(route::Response),
}

/// The contract's arguments of a call.
pub(crate) fn arguments(call: Call) -> Result<Arguments, Unfit> {
    Ok(match call {
        Call::BeforeWrite(batch) => Arguments::BeforeWrite(pending(batch)?),
        Call::AfterWrite(batch) => Arguments::AfterWrite(written(batch)?),
        Call::Events(events) => Arguments::Events(events.into_iter().map(happened).collect()),
        Call::Timer(due) => Arguments::Timer(fallen_due(due)?),
        Call::OwnTimer(due) => Arguments::OwnTimer(own_due(due)),
        Call::Action { id, input } => Arguments::Action { id, input },
        Call::Route(request) => Arguments::Route(request_of(request)),
        Call::Installed { previous } => Arguments::Installed { previous },
    })
}

fn pending(batch: PendingBatch) -> Result<before_write::Batch, Unfit> {
    let rows = batch.rows.into_iter().map(|row| {
        Ok(before_write::Pending {
            id: id_to_guest(row.id),
            before: fields_to_guest(row.before)?,
            changes: fields_to_guest(row.changes)?,
        })
    });
    Ok(before_write::Batch {
        rows: rows.collect::<Result<_, _>>()?,
        object: batch.object.into(),
        kind: batch.kind.as_str().to_owned(),
    })
}

fn written(batch: WrittenBatch) -> Result<after_write::Batch, Unfit> {
    let record = |object: &ObjectName, record| record_to_guest(object, record);
    let rows = batch.rows.into_iter().map(|row| {
        Ok(after_write::Written {
            before: fields_to_guest(row.before)?,
            now: record(&batch.object, row.now)?,
            changed: row.changed,
        })
    });
    Ok(after_write::Batch {
        rows: rows.collect::<Result<_, _>>()?,
        object: batch.object.as_str().to_owned(),
        kind: batch.kind.as_str().to_owned(),
    })
}

fn happened(event: Happened) -> event::Happened {
    event::Happened {
        key: event.key,
        object: event.object.into(),
        kind: event.kind.as_str().to_owned(),
        id: id_to_guest(event.record),
        changed: event.changed,
        at: event.at.as_microsecond(),
    }
}

fn fallen_due(due: Due) -> Result<timer::Due, Unfit> {
    Ok(timer::Due {
        action: due.action,
        key: due.key,
        at: due.at.as_microsecond(),
        target: record_to_guest(&due.object, due.target)?,
    })
}

fn own_due(due: OwnDue) -> own_timer::Due {
    let OwnDue { action, name, key, at, payload } = due;
    own_timer::Due { action, name, key, at: at.as_microsecond(), payload }
}

fn request_of(request: RouteRequest) -> route::Request {
    route::Request { method: request.method, path: request.path, query: request.query, body: request.body }
}

/// The reply to a call with `rows` rows, or what is wrong with the answer.
pub(crate) fn reply(answer: Answer, rows: usize) -> Result<Reply, Stop> {
    match answer {
        Answer::Done => Ok(Reply::Done),
        Answer::Verdicts(verdicts) => verdicts_of(verdicts, rows),
        Answer::Json(text) => json_of(text),
        Answer::Response(response) => response_of(response),
    }
}

/// What the plugin refused with.
pub(crate) fn refusal(failure: types::Failure) -> Result<Failure, Stop> {
    within(failure_bytes(&failure), ANSWER_BYTES_MAX)?;
    Ok(failure_from_guest(failure)?)
}

fn verdicts_of(verdicts: Vec<before_write::Verdict>, rows: usize) -> Result<Reply, Stop> {
    if !verdicts.is_empty() && verdicts.len() != rows {
        return Err(Stop::Nonsense(format!("answered {} verdicts to {rows} rows", verdicts.len())));
    }
    let bytes = verdicts
        .iter()
        .map(|verdict| fields_bytes(&verdict.changes) + verdict.refusal.as_ref().map_or(0, failure_bytes));
    within(bytes.sum(), ANSWER_BYTES_MAX)?;
    let verdicts = verdicts.into_iter().map(|verdict| {
        Ok(Verdict {
            changes: fields_from_guest(verdict.changes)?,
            refusal: verdict.refusal.map(failure_from_guest).transpose()?,
        })
    });
    Ok(Reply::Verdicts(verdicts.collect::<Result<_, Unfit>>()?))
}

fn json_of(text: String) -> Result<Reply, Stop> {
    within(text.len(), ANSWER_BYTES_MAX)?;
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(IgnoredAny) => Ok(Reply::Json(text)),
        Err(error) => Err(Stop::Nonsense(format!("answered no JSON text: {error}"))),
    }
}

fn response_of(response: route::Response) -> Result<Reply, Stop> {
    let route::Response { status, content_type, body } = response;
    within(body.len(), BODY_BYTES_MAX)?;
    if !(200..600).contains(&status) {
        return Err(Stop::Nonsense(format!("answered the status {status}, which is not in 200 to 599")));
    }
    // It becomes a header, so a line break in it would be a header of the plugin's own making.
    let is_header = content_type.len() <= CONTENT_TYPE_BYTES_MAX
        && content_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !is_header {
        return Err(Stop::Nonsense(format!("answered {:?}, which is no content type", shorten(&content_type))));
    }
    Ok(Reply::Response(RouteResponse { status, content_type, body }))
}

fn within(bytes: usize, bytes_max: usize) -> Result<(), Stop> {
    if bytes <= bytes_max { Ok(()) } else { Err(Stop::limit("answer size", figure_of_bytes(bytes_max))) }
}
