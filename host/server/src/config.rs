//! The configuration: DIR/pergola.toml, then PERGOLA_… variables, over defaults.
//!
//! `docs/configuration.md` lists every key.

use std::{net::SocketAddr, path::Path};

use anyhow::Context;
use serde::Deserialize;

use crate::say::problem;

/// Everything that can be configured.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) worker: Worker,
    pub(crate) locale: Locale,
    pub(crate) messages: Messages,
    pub(crate) log: Log,
}

impl Config {
    /// The server's database, if the data are not in a file.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.database.url.as_deref()
    }
}

/// `[database]`
#[derive(Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// `postgres://…`; an SQLite file in the data directory, if absent.
    pub(crate) url: Option<String>,
}

impl std::fmt::Debug for Database {
    /// Without the URL, which has a password in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("url", &self.url.as_ref().map(|_| "…")).finish()
    }
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Worker {
    /// How long what a server takes on is its own; after that others do what it left.
    pub(crate) lease_seconds: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self { lease_seconds: 120 }
    }
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Workspaces that are open at once.
    pub(crate) workspaces_open_max: usize,
    /// After how long without a request a workspace may be closed, if there are several.
    pub(crate) workspace_idle_seconds: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7420)), workspaces_open_max: 64, workspace_idle_seconds: 600 }
    }
}

/// `[locale]`: how people write things in a workspace created from now on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Locale {
    /// BCP 47.
    pub(crate) language: String,
    /// ISO 3166.
    pub(crate) region: String,
    /// ISO 4217.
    pub(crate) currency: String,
    /// IANA.
    pub(crate) zone: String,
}

impl Default for Locale {
    fn default() -> Self {
        Self {
            language: "en".to_owned(),
            region: "RU".to_owned(),
            currency: "RUB".to_owned(),
            zone: "Europe/Moscow".to_owned(),
        }
    }
}

/// `[messages]`: how messages leave.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Messages {
    pub(crate) sink: SinkKind,
    pub(crate) smtp: Option<Smtp>,
}

/// Which way out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SinkKind {
    /// To DIR/messages/WORKSPACE.jsonl, which can be read.
    #[default]
    File,
    /// To an SMTP server.
    Smtp,
}

/// `[messages.smtp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    pub(crate) host: String,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) tls: Tls,
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    pub(crate) from: String,
}

/// How the connection to the SMTP server is kept private.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tls {
    /// Not at all: for a server on this machine.
    None,
    /// After STARTTLS.
    #[default]
    Starttls,
    /// From the first byte.
    #[serde(rename = "tls")]
    Implicit,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `info`, or directives such as `info,pergola_runtime=debug`.
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How log lines look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads the configuration of a data directory.
pub(crate) fn load(data: &Path) -> anyhow::Result<Config> {
    let file = data.join("pergola.toml");
    let source = config::Config::builder()
        .add_source(config::File::from(file.clone()).required(false).format(config::FileFormat::Toml))
        .add_source(
            config::Environment::with_prefix("PERGOLA").prefix_separator("_").separator("__").ignore_empty(true),
        )
        .build()
        .and_then(config::Config::try_deserialize::<Loose>)
        .map_err(|error| problem(format!("{} or a PERGOLA_… variable: {error}", file.display())))?;
    Ok(source.into())
}

/// As [`Config`], but `PERGOLA_DATA` and `PERGOLA_WORKSPACE`, which the command line reads, are not mistakes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loose {
    #[serde(default)]
    server: Server,
    #[serde(default)]
    database: Database,
    #[serde(default)]
    worker: Worker,
    #[serde(default)]
    locale: Locale,
    #[serde(default)]
    messages: Messages,
    #[serde(default)]
    log: Log,
    #[serde(default, rename = "data")]
    _data: Option<String>,
    #[serde(default, rename = "workspace")]
    _workspace: Option<String>,
}

impl From<Loose> for Config {
    fn from(loose: Loose) -> Self {
        let Loose { server, database, worker, locale, messages, log, _data, _workspace } = loose;
        Self { server, database, worker, locale, messages, log }
    }
}

/// Starts logging to standard error.
pub(crate) fn start_log(log: &Log) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&log.level)
        .map_err(|error| problem(format!("log.level {:?}: {error}", log.level)))?;
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = match log.format {
        LogFormat::Text => builder.with_target(false).compact().try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error)).context("logging was started twice")
}
