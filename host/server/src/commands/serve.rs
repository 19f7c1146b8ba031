//! `pergola serve`: HTTP and the workers of all workspaces, until a signal.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use pergola_api::FrontLimits;
use tokio::{net::TcpListener, sync::watch};

use super::prepare;
use crate::{
    cli::ServeArgs,
    config::Config,
    data::DataDir,
    say::{self, problem},
    serving::{Failure, Serving},
};

/// How long requests and the workers may take to end after a signal.
const GRACE: Duration = Duration::from_secs(20);

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let data = DataDir::open(&args.data)?;
    let config = prepare(&data, false)?;
    serve(&data, &config, args.listen, |_, _| {}).await
}

/// Serves until a signal; `ready` may say more, given the address and the owner's token of the workspace that answers
/// where no host name leads elsewhere.
pub(crate) async fn serve(
    data: &DataDir,
    config: &Config,
    listen: Option<SocketAddr>,
    ready: impl FnOnce(&str, &str),
) -> anyhow::Result<()> {
    let lock = if data.is_named() { None } else { Some(data.lock_all()?) };
    let serving = Serving::new(data, config).await?;
    let address = listen.unwrap_or(config.server.listen);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; give another --listen, for instance 127.0.0.1:0")
    })?;
    let url = format!("http://{}", listener.local_addr().context("the listener has no address")?);
    let token = first_token(data, &serving).await?;
    let router = pergola_api::front(Arc::clone(&serving), FrontLimits::default());
    let (stop, stopped) = watch::channel(false);
    let keeping = tokio::spawn(Arc::clone(&serving).keep(stopped.clone()));
    let answering = tokio::spawn(axum_serve(listener, router, stopped));
    // Before anybody is told that it runs: a signal that came before this would end the process at once.
    let signalled = signal()?;
    say::line(format_args!("ready {url}"));
    if let Some(token) = &token {
        say::line(format_args!("token {token}"));
        ready(&url, token);
    }
    signalled.await?;
    tracing::info!("stopping: requests under way are finished first");
    stop.send_replace(true);
    let ended = tokio::time::timeout(GRACE, async {
        drop(answering.await);
        drop(keeping.await);
    });
    if ended.await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    drop(lock);
    Ok(())
}

/// Opens the workspace that answers where no host name leads elsewhere: at the first start of all, it is made. If there
/// are others, one that cannot be opened does not keep them down.
async fn first_token(data: &DataDir, serving: &Arc<Serving>) -> anyhow::Result<Option<String>> {
    let Some(name) = serving.first() else { return Ok(None) };
    match serving.open(&name).await {
        Ok(open) => open.owner_token().await.map(Some),
        Err(Failure::Suspended) => Ok(None),
        Err(_) if serving.count() > 1 => Ok(None),
        Err(Failure::Broken(error)) => Err(error),
        Err(Failure::InUse | Failure::Full) => Err(problem(format!(
            "another server runs on workspace {name} of {}; stop it first, or give another --data",
            data.root().display()
        ))),
    }
}

async fn axum_serve(listener: TcpListener, router: pergola_api::Router, mut stopped: watch::Receiver<bool>) {
    let until = async move {
        drop(stopped.wait_for(|stop| *stop).await);
    };
    if let Err(error) = pergola_api::serve(listener, router, until).await {
        tracing::error!(%error, "serving ended");
    }
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
