//! Mail over SMTP.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        Error as TransportError,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use pergola_service::ports::sink::{Outgoing, Sink, SinkError};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: only for a server on the same machine.
    None,
    /// From the `STARTTLS` command on, usually on port 587; refused if the server cannot.
    StartTls,
    /// From the start, usually on port 465.
    Tls,
}

/// The mail server and who we are to it.
#[derive(Clone)]
pub struct SmtpConfig {
    /// The server's name, which its certificate must bear.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// User name and password, if the server asks for them.
    pub credentials: Option<(String, String)>,
    /// The sender: `Salon Anna <hello@salon.example>`.
    pub from: String,
    /// How long one message may take in all.
    pub timeout: Duration,
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No password in logs.
        f.debug_struct("SmtpConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum SmtpConfigError {
    /// The sender is no address.
    #[error("\"{0}\" is not a sender; write it like Salon Anna <hello@salon.example>")]
    From(String),
    /// The server's name cannot be in a certificate.
    #[error("encryption with {host} cannot be set up: {cause}")]
    Tls {
        /// The server's name.
        host: String,
        /// Of the TLS library.
        cause: String,
    },
}

/// Sends messages of the channel `email` over SMTP.
///
/// A message keeps its `Message-ID` over all attempts, so that a receiver can tell a repetition.
#[derive(Debug)]
pub struct SmtpSink {
    config: SmtpConfig,
    from: Mailbox,
    /// Replaced after a message that did not end well: its connection may still owe an answer.
    transport: Mutex<Transport>,
}

impl SmtpSink {
    /// Prepares connections; makes none yet.
    ///
    /// # Errors
    /// [`SmtpConfigError`] when the configuration cannot work.
    pub fn new(config: SmtpConfig) -> Result<Self, SmtpConfigError> {
        let from: Mailbox = config.from.parse().map_err(|_| SmtpConfigError::From(config.from.clone()))?;
        let transport = Mutex::new(connect(&config, &from)?);
        Ok(Self { config, from, transport })
    }

    fn compose(&self, message: &Outgoing) -> Result<Message, SinkError> {
        let address: Address = message
            .address
            .parse()
            .map_err(|_| SinkError::Permanent(format!("\"{}\" is not an e-mail address", message.address)))?;
        let micros = u64::try_from(message.at.as_microsecond()).unwrap_or_default();
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(message.subject.replace(['\r', '\n'], " "))
            .date(UNIX_EPOCH + Duration::from_micros(micros))
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(message.body.clone())
            .map_err(|error| SinkError::Permanent(format!("the message cannot be put into mail form: {error}")))
    }

    fn transport(&self) -> Transport {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn renew(&self) {
        // The configuration worked once, so it does again.
        if let Ok(fresh) = connect(&self.config, &self.from) {
            *self.transport.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }
}

fn connect(config: &SmtpConfig, from: &Mailbox) -> Result<Transport, SmtpConfigError> {
    let parameters = || {
        TlsParameters::new(config.host.clone())
            .map_err(|error| SmtpConfigError::Tls { host: config.host.clone(), cause: error.to_string() })
    };
    let tls = match config.tls {
        SmtpTls::None => Tls::None,
        SmtpTls::StartTls => Tls::Required(parameters()?),
        SmtpTls::Tls => Tls::Wrapper(parameters()?),
    };
    let mut builder = Transport::builder_dangerous(config.host.as_str())
        .port(config.port)
        .tls(tls)
        .timeout(Some(config.timeout))
        .hello_name(ClientId::Domain(from.email.domain().to_owned()));
    if let Some((user, password)) = &config.credentials {
        builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
    }
    Ok(builder.build())
}

#[async_trait]
impl Sink for SmtpSink {
    async fn send(&self, message: &Outgoing) -> Result<(), SinkError> {
        match message.channel.as_str() {
            "email" => {}
            "sms" => return Err(SinkError::Permanent("no SMS gateway is configured".to_owned())),
            other => return Err(SinkError::Permanent(format!("there is no way to send messages by {other}"))),
        }
        let mail = self.compose(message)?;
        // The library limits connecting only, so a server that falls silent later needs this.
        let sent = tokio::time::timeout(self.config.timeout, self.transport().send(mail)).await;
        let host = &self.config.host;
        let failure = match sent {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => told(&error, message, host),
            Err(_) => SinkError::Temporary(format!("the mail server {host} did not answer in time")),
        };
        self.renew();
        Err(failure)
    }
}

/// Whether trying again is of use. A refused password is the configuration's fault and not the
/// message's, so it waits for the configuration to be mended.
fn told(error: &TransportError, message: &Outgoing, host: &str) -> SinkError {
    let answer = causes(error);
    let text = format!("the mail server {host} did not take the message: {answer}");
    let code = error.status().map(|code| code.to_string());
    let about_login = code.is_some_and(|code| ["530", "534", "535", "538"].contains(&code.as_str()));
    // Of the library's own refusals only this one is about the message.
    let impossible = error.is_client() && !message.address.is_ascii();
    if (error.is_permanent() && !about_login) || impossible {
        SinkError::Permanent(text)
    } else {
        SinkError::Temporary(text)
    }
}

/// An error and its sources in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
