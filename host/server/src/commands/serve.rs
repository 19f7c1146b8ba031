//! `pergola serve`: HTTP and the worker, until a signal.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use pergola_api::ApiState;
use pergola_exchange::sink::{FileSink, SmtpConfig, SmtpSink, SmtpTls};
use pergola_service::{Worker, mutants::Rule, ports::sink::Sink};
use tokio::{net::TcpListener, sync::watch};

use super::prepare;
use crate::{
    broken,
    cli::ServeArgs,
    config::{Config, SinkKind, Smtp, Tls},
    data::DataDir,
    say::{self, problem},
    wire::{self, Opened, Place},
};

/// The largest file that is looked at before a server begins: well below a second.
const LOOKED_AT_BYTES_MAX: u64 = 64 << 20;
/// How long one message may take.
const SMTP_PATIENCE: Duration = Duration::from_secs(30);
/// How long requests and the worker may take to end after a signal.
const GRACE: Duration = Duration::from_secs(20);

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let data = DataDir::open(&args.data)?;
    let config = prepare(&data, false)?;
    let lock = data.lock()?;
    look_at_pages(&data, &config).await?;
    let opened = wire::open(&data, &config).await?;
    serve(&data, &config, args.listen, opened, |_, _| {}).await?;
    drop(lock);
    Ok(())
}

/// Passes unless the file's pages are damaged: what is served of them might be anything. A large file would take long;
/// `doctor` and `backup` look at that one.
async fn look_at_pages(data: &DataDir, config: &Config) -> anyhow::Result<()> {
    let Place::File(file) = wire::place(data, config)? else { return Ok(()) };
    let bytes = fs::metadata(&file).map_or(0, |file| file.len());
    if bytes == 0 || bytes > LOOKED_AT_BYTES_MAX || broken::rules()?.contains(&Rule::Pages) {
        return Ok(());
    }
    super::backup::check(&file).await
}

/// Serves until a signal; `ready` may say more, given the address and the token.
pub(crate) async fn serve(
    data: &DataDir,
    config: &Config,
    listen: Option<SocketAddr>,
    opened: Opened,
    ready: impl FnOnce(&str, &str),
) -> anyhow::Result<()> {
    let address = listen.unwrap_or(config.server.listen);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; give another --listen, for instance 127.0.0.1:0")
    })?;
    let url = format!("http://{}", listener.local_addr().context("the listener has no address")?);
    let sink = sink(data, config)?;
    let token = opened.owner_token(data).await?;
    let router = pergola_api::router(ApiState::new(opened.workspace.clone()));
    let (stop, stopped) = watch::channel(false);
    let lease = Duration::from_secs(config.worker.lease_seconds);
    let worker = Worker::new(opened.workspace.clone(), sink).with_lease(lease);
    let working = tokio::spawn({
        let stopped = stopped.clone();
        async move { worker.run(stopped).await }
    });
    let serving = tokio::spawn(axum_serve(listener, router, stopped));
    // Before anybody is told that it runs: a signal that came before this would end the process at once.
    let signalled = signal()?;
    say::line(format_args!("ready {url}"));
    say::line(format_args!("token {token}"));
    ready(&url, &token);
    signalled.await?;
    tracing::info!("stopping: requests under way are finished first");
    stop.send_replace(true);
    let ended = tokio::time::timeout(GRACE, async {
        drop(serving.await);
        drop(working.await);
    });
    if ended.await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    opened.close().await;
    Ok(())
}

async fn axum_serve(listener: TcpListener, router: pergola_api::Router, mut stopped: watch::Receiver<bool>) {
    let until = async move {
        drop(stopped.wait_for(|stop| *stop).await);
    };
    if let Err(error) = pergola_api::serve(listener, router, until).await {
        tracing::error!(%error, "serving ended");
    }
}

fn sink(data: &DataDir, config: &Config) -> anyhow::Result<Arc<dyn Sink>> {
    match (config.messages.sink, &config.messages.smtp) {
        (SinkKind::File, _) => {
            Ok(Arc::new(FileSink::open(&data.messages()).context("cannot open the file of messages")?))
        }
        (SinkKind::Smtp, Some(smtp)) => Ok(Arc::new(smtp_sink(smtp)?)),
        (SinkKind::Smtp, None) => {
            Err(problem("messages.sink is smtp, but there is no [messages.smtp]; add host and from there"))
        }
    }
}

fn smtp_sink(smtp: &Smtp) -> anyhow::Result<SmtpSink> {
    let tls = match smtp.tls {
        Tls::None => SmtpTls::None,
        Tls::Starttls => SmtpTls::StartTls,
        Tls::Implicit => SmtpTls::Tls,
    };
    let port = smtp.port.unwrap_or(match smtp.tls {
        Tls::None => 25,
        Tls::Starttls => 587,
        Tls::Implicit => 465,
    });
    let credentials = smtp.user.clone().map(|user| (user, smtp.password.clone().unwrap_or_default()));
    let config =
        SmtpConfig { host: smtp.host.clone(), port, tls, credentials, from: smtp.from.clone(), timeout: SMTP_PATIENCE };
    SmtpSink::new(config).map_err(|error| problem(format!("[messages.smtp]: {error}")))
}

/// Catches signals from now on; done when one asks the server to end.
#[cfg(unix)]
fn signal() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

/// Done when a signal asks the server to end.
#[cfg(not(unix))]
fn signal() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    Ok(async { tokio::signal::ctrl_c().await.context("cannot wait for signals") })
}
