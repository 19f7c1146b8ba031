//! `pergola workspace …`: create, list, hosts, suspend, resume, export, delete.

mod delete;
mod export;

use pergola_store::directory::{Entry, HostName, WorkspaceState};

use super::prepare;
use crate::{
    cli::{PlaceArgs, WorkspaceCommand},
    data::DataDir,
    directory,
    say::{self, problem},
    wire::{self, Shared},
};

pub(crate) async fn run(command: WorkspaceCommand) -> anyhow::Result<()> {
    match command {
        WorkspaceCommand::Create { place, name, hosts } => create(&place, &name, &hosts).await,
        WorkspaceCommand::List { place, json } => list(&place, json).await,
        WorkspaceCommand::Hosts { place, name, hosts } => set_hosts(&place, &name, &hosts).await,
        WorkspaceCommand::Suspend { place, name } => set_state(&place, &name, WorkspaceState::Suspended).await,
        WorkspaceCommand::Resume { place, name } => set_state(&place, &name, WorkspaceState::Active).await,
        WorkspaceCommand::Export { place, name, out } => export::export(&place, &name, out.as_deref()).await,
        WorkspaceCommand::Delete { place, name, yes, without_backup } => {
            delete::delete(&place, &name, delete::Consent { is_sure: yes, without_backup }).await
        }
    }
}

fn host_names(hosts: &[String]) -> anyhow::Result<Vec<HostName>> {
    hosts.iter().map(|host| HostName::new(host).map_err(|error| problem(error.to_string()))).collect()
}

async fn create(place: &PlaceArgs, name: &str, hosts: &[String]) -> anyhow::Result<()> {
    let hosts = host_names(hosts)?;
    let data = DataDir::open_all(place, Some(name))?;
    let config = prepare(&data, true)?;
    let directory = directory::open(&data, &config).await?;
    let known = directory::list_with_found(&directory).await?;
    // All that can be wrong with it is told before anything is made.
    directory.check_new(data.workspace(), &hosts, &known).map_err(directory::told)?;
    let Some(lock) = data.try_lock()? else {
        return Err(problem(format!("somebody makes or restores workspace {name} just now; look again in a moment")));
    };
    let opened = wire::open_shared(&data, &config, &Shared::new()?).await?;
    let token = opened.owner_token(&data).await;
    opened.close().await;
    let token = token?;
    directory.insert(data.workspace(), &hosts, directory::now()).await.map_err(directory::told)?;
    drop(lock);
    say::line(format_args!("created workspace {name}"));
    say::line(format_args!("token {token}"));
    let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    say::note(if hosts.is_empty() {
        format!("requests find it once it has a host name: pergola workspace hosts {name} HOST")
    } else {
        format!("requests whose host name is {} lead to it, within a few seconds if a server runs", hosts.join(" or "))
    });
    say::note(format_args!("other commands take --workspace {name}: pergola import clients.xlsx --workspace {name}"));
    Ok(())
}

async fn list(place: &PlaceArgs, json: bool) -> anyhow::Result<()> {
    let data = DataDir::open_all(place, None)?;
    let config = prepare(&data, true)?;
    let directory = directory::open(&data, &config).await?;
    for entry in directory::list_with_found(&directory).await? {
        let bytes = directory.size(&entry.name).await.map_err(directory::told)?;
        say::line(if json { as_json(&entry, bytes).to_string() } else { as_line(&entry, bytes) });
    }
    Ok(())
}

fn as_json(entry: &Entry, bytes: Option<u64>) -> serde_json::Value {
    let hosts: Vec<&str> = entry.hosts.iter().map(HostName::as_str).collect();
    let is_open = entry.is_held(directory::now());
    serde_json::json!({
        "name": entry.name.as_str(), "state": entry.state.as_str(), "hosts": hosts,
        "created_at": entry.created_at.to_string(), "bytes": bytes, "open": is_open,
        "wake_at": (!is_open).then(|| entry.wake_at.to_string()),
    })
}

fn as_line(entry: &Entry, bytes: Option<u64>) -> String {
    let size = bytes.map_or_else(|| "its database is missing".to_owned(), size);
    let wakes = if entry.is_held(directory::now()) {
        "open".to_owned()
    } else {
        format!("wakes {}", entry.wake_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    };
    let hosts: Vec<&str> = entry.hosts.iter().map(HostName::as_str).collect();
    let hosts = if hosts.is_empty() { "no host names".to_owned() } else { hosts.join(" ") };
    format!("{} {} {size}, {wakes}, {hosts}", entry.name, entry.state.as_str())
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

async fn set_hosts(place: &PlaceArgs, name: &str, hosts: &[String]) -> anyhow::Result<()> {
    let hosts = host_names(hosts)?;
    let data = DataDir::open_all(place, Some(name))?;
    let config = prepare(&data, true)?;
    let directory = directory::open(&data, &config).await?;
    directory::list_with_found(&directory).await?;
    directory.set_hosts(data.workspace(), &hosts).await.map_err(directory::told)?;
    let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    say::line(match hosts.as_slice() {
        [] => format!("no host name leads to workspace {name}"),
        hosts => {
            format!("{} {} to workspace {name}", hosts.join(", "), if hosts.len() == 1 { "leads" } else { "lead" })
        }
    });
    Ok(())
}

async fn set_state(place: &PlaceArgs, name: &str, state: WorkspaceState) -> anyhow::Result<()> {
    let data = DataDir::open_all(place, Some(name))?;
    let config = prepare(&data, true)?;
    let directory = directory::open(&data, &config).await?;
    directory::list_with_found(&directory).await?;
    directory.set_state(data.workspace(), state, directory::now()).await.map_err(directory::told)?;
    say::line(match state {
        WorkspaceState::Suspended => format!("workspace {name} is suspended: nobody gets in, and everything waits"),
        WorkspaceState::Active => format!("workspace {name} is active"),
    });
    Ok(())
}
