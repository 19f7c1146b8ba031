//! `GET …/export`: all records that a query asks, as a file that is sent while it is made.
//!
//! An export holds one of the store's readers, so at most a few run at once, each for a limited time, and one whose
//! caller stops reading ends. A file that cannot be finished ends with its connection, so that nobody takes it for whole.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Uri, header},
    response::Response,
};
use pergola_exchange::{Export, ExportError, ExportFormat, ExportOptions};
use pergola_model::{Actor, Object};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, timeout, timeout_at},
};

use crate::{app::App, parameters::Parameters, problem::Problem};

/// What can be asked of an export.
pub(crate) const PARAMETERS: [&str; 7] = ["format", "filter", "sort", "fields", "labels", "separator", "bom"];
/// Pieces made ahead of what the caller has taken.
const PIECES_AHEAD: usize = 2;

/// Some of the file, or its end. A channel that closes without the end was cut off.
enum Piece {
    Bytes(Bytes),
    End,
}

pub(super) async fn export(app: &App, actor: &Actor, object: &Object, uri: &Uri) -> Result<Response, Problem> {
    let options = options(app, object, &Parameters::read(uri, &PARAMETERS)?)?;
    let slot = Arc::clone(&app.export_slots).try_acquire_owned().map_err(|_| {
        let most = app.limits.exports_max;
        Problem::come_again("busy", format!("{most} exports run already; try again when one of them is done"))
    })?;
    let export = Export::open(&app.workspace, actor, &options).await.map_err(problem)?;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let sending = Sending {
        sender,
        until: Instant::now() + app.limits.export_timeout,
        stall: app.limits.export_stall,
        _slot: slot,
    };
    tokio::spawn(sending.run(export));
    let stream = futures::stream::unfold(Some(pieces), async |pieces: Option<mpsc::Receiver<Piece>>| {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(pieces))),
            Some(Piece::End) => None,
            None => Some((Err(std::io::Error::other("the export was not finished")), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(options.format.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("attachment; filename=\"{}.{}\"", object.plural, options.format.extension());
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn options(app: &App, object: &Object, parameters: &Parameters) -> Result<ExportOptions, Problem> {
    let bad = |detail: String| Problem::bad_request("bad_export", detail);
    let format = parameters.get("format").unwrap_or_default();
    let format: ExportFormat = format.parse().map_err(bad)?;
    let text = |name: &str| parameters.get(name).unwrap_or_default().to_owned();
    let mut separator = parameters.get("separator").unwrap_or(",").chars();
    let (Some(separator), None) = (separator.next(), separator.next()) else {
        return Err(bad("separator is one character".to_owned()));
    };
    Ok(ExportOptions {
        filter: text("filter"),
        sort: text("sort"),
        fields: parameters.get("fields").map(|fields| fields.split(',').map(str::to_owned).collect()),
        labels: parameters.get("labels").map(str::to_owned),
        separator,
        byte_order_mark: parameters.flag("bom")?,
        records_max: app.limits.export_records_max,
        ..ExportOptions::new(object.name.clone(), format)
    })
}

fn problem(error: ExportError) -> Problem {
    match error {
        ExportError::Options(detail) | ExportError::Format(detail) => Problem::bad_request("bad_export", detail),
        ExportError::Service(error) => error.into(),
        ExportError::Io(error) => Problem::internal(error.to_string()),
    }
}

/// Makes the pieces of a file as its reader takes them.
struct Sending {
    sender: mpsc::Sender<Piece>,
    until: Instant,
    stall: Duration,
    _slot: OwnedSemaphorePermit,
}

impl Sending {
    async fn run(self, mut export: Export) {
        let records = export.records();
        if let Err(cause) = self.send_all(&mut export).await {
            tracing::warn!(cause, done = export.done(), records, "an export ended before its end");
        }
    }

    async fn send_all(&self, export: &mut Export) -> Result<(), String> {
        loop {
            let made = timeout_at(self.until, export.next()).await;
            let made = made.map_err(|_| "it took too long".to_owned())?;
            let Some(bytes) = made.map_err(|error| error.to_string())? else {
                return self.send(Piece::End).await;
            };
            if !bytes.is_empty() {
                self.send(Piece::Bytes(bytes.into())).await?;
            }
        }
    }

    async fn send(&self, piece: Piece) -> Result<(), String> {
        let sent = timeout(self.stall, self.sender.send(piece)).await;
        let sent = sent.map_err(|_| "its reader stopped reading".to_owned())?;
        sent.map_err(|_| "its reader went away".to_owned())
    }
}
