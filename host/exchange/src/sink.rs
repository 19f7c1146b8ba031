//! Ways out for messages: a file, for trying things out and for other programs; mail over SMTP.

mod file;
mod smtp;

pub use file::{FileSink, FileSinkError};
pub use smtp::{SmtpConfig, SmtpConfigError, SmtpSink, SmtpTls};
