//! Proves the mail sink against a small server that speaks SMTP over a real socket.

use std::time::Instant;

use jiff::Timestamp;
use pergola_model::Id;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;

/// How the server answers a command that it does not take; all others get what RFC 5321 says.
#[derive(Clone, Copy)]
struct Script {
    /// The command that gets `answer`.
    at: &'static str,
    /// Nothing, to hang.
    answer: Option<&'static str>,
}

const FINE: Script = Script { at: "never", answer: None };

struct Server {
    port: u16,
    mails: mpsc::UnboundedReceiver<String>,
}

impl Server {
    /// Follows one script on each connection, the last one for ever.
    async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, mails) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut scripts = scripts.into_iter().peekable();
            loop {
                let script = scripts.next().unwrap_or(FINE);
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, script, sender.clone()));
            }
        });
        Self { port, mails }
    }

    fn sink(&self) -> SmtpSink {
        SmtpSink::new(SmtpConfig {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: SmtpTls::None,
            credentials: None,
            from: "Salon Anna <hello@salon.example>".to_owned(),
            timeout: Duration::from_millis(500),
        })
        .unwrap()
    }
}

async fn serve(socket: TcpStream, script: Script, mails: mpsc::UnboundedSender<String>) -> Option<()> {
    let mut socket = BufReader::new(socket);
    say(&mut socket, script, "connect", "220 test ESMTP").await?;
    let mut line = String::new();
    while socket.read_line(&mut line).await.ok()? > 0 {
        let command = line.split_whitespace().next().unwrap_or_default().to_uppercase();
        match command.as_str() {
            "EHLO" => say(&mut socket, script, "EHLO", "250 test").await?,
            "DATA" => {
                say(&mut socket, script, "DATA", "354 go on").await?;
                if script.at == "DATA" {
                    line.clear();
                    continue;
                }
                let mut mail = String::new();
                while socket.read_line(&mut mail).await.ok()? > 0 && !mail.ends_with("\r\n.\r\n") {}
                say(&mut socket, script, "end", "250 taken").await?;
                if script.at != "end" {
                    mails.send(mail).ok()?;
                }
            }
            other => say(&mut socket, script, other, "250 fine").await?,
        }
        line.clear();
    }
    Some(())
}

async fn say(socket: &mut BufReader<TcpStream>, script: Script, command: &str, usual: &str) -> Option<()> {
    let answer = if script.at == command { script.answer } else { Some(usual) };
    match answer {
        Some(answer) => socket.write_all(format!("{answer}\r\n").as_bytes()).await.ok(),
        None => std::future::pending().await,
    }
}

fn message(address: &str) -> Outgoing {
    Outgoing {
        id: Id(uuid::Uuid::from_u128(7)),
        channel: "email".to_owned(),
        address: address.to_owned(),
        subject: "Запись на завтра\r\nBcc: x@y.z".to_owned(),
        body: "Ждём вас в 10:00".to_owned(),
        at: Timestamp::from_second(1_700_000_000).unwrap(),
        maybe_sent: false,
    }
}

#[tokio::test]
async fn a_mail_arrives_with_a_stable_id_and_no_smuggled_header() {
    let mut server = Server::start(vec![FINE]).await;
    let sink = server.sink();
    sink.send(&message("olga@example.com")).await.unwrap();
    sink.send(&message("olga@example.com")).await.unwrap();
    let mails = [server.mails.recv().await.unwrap(), server.mails.recv().await.unwrap()];
    for mail in &mails {
        assert!(mail.contains("Message-ID: <00000000-0000-0000-0000-000000000007@salon.example>"), "{mail}");
        assert!(mail.contains("To: olga@example.com"), "{mail}");
        assert!(mail.contains("Date: Tue, 14 Nov 2023 22:13:20"), "{mail}");
        assert!(!mail.contains("\nBcc:"), "{mail}");
    }
}

#[tokio::test]
async fn answers_of_the_server_tell_whether_to_try_again() {
    let cases = [
        ("RCPT", "550 no such mailbox", true),
        ("RCPT", "450 mailbox busy", false),
        ("MAIL", "552 too much mail", true),
        ("DATA", "451 try later", false),
        ("end", "554 spam", true),
        ("end", "452 disk full", false),
        ("connect", "421 too many connections", false),
        ("MAIL", "530 log in first", false),
    ];
    for (at, answer, permanent) in cases {
        let mut server = Server::start(vec![Script { at, answer: Some(answer) }]).await;
        let sink = server.sink();
        let error = sink.send(&message("olga@example.com")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::Permanent(_)), permanent, "{answer}: {error:?}");
        assert!(error.to_string().contains(&answer[4..]), "{error}");
        assert!(server.mails.try_recv().is_err(), "{answer}");
        // The next message gets a connection of its own.
        sink.send(&message("olga@example.com")).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_in_time_and_tried_anew() {
    for at in ["connect", "EHLO", "RCPT", "end"] {
        let server = Server::start(vec![Script { at, answer: None }]).await;
        let sink = server.sink();
        let begun = Instant::now();
        let error = sink.send(&message("olga@example.com")).await.unwrap_err();
        assert!(matches!(error, SinkError::Temporary(_)), "{at}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{at}");
        sink.send(&message("olga@example.com")).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_mailed_is_refused_without_a_connection() {
    let server = Server::start(vec![]).await;
    let sink = server.sink();
    let sms = Outgoing { channel: "sms".to_owned(), ..message("+358401234567") };
    for (message, reason) in [
        (sms, "no SMS gateway is configured"),
        (message("nobody"), "\"nobody\" is not an e-mail address"),
        (message("a@b.c\r\nRCPT TO:<x@y.z>"), "is not an e-mail address"),
    ] {
        let error = sink.send(&message).await.unwrap_err();
        assert!(matches!(error, SinkError::Permanent(_)) && error.to_string().contains(reason), "{error:?}");
    }
}

#[tokio::test]
async fn no_server_is_a_reason_to_try_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (_sender, mails) = mpsc::unbounded_channel();
    let error = Server { port, mails }.sink().send(&message("olga@example.com")).await.unwrap_err();
    assert!(matches!(error, SinkError::Temporary(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_without_encryption_gets_no_mail_when_encryption_is_asked_for() {
    let mut server = Server::start(vec![]).await;
    let sink = SmtpSink::new(SmtpConfig { tls: SmtpTls::StartTls, ..server.sink().config }).unwrap();
    let error = sink.send(&message("olga@example.com")).await.unwrap_err();
    assert!(matches!(error, SinkError::Temporary(_)), "{error:?}");
    assert!(server.mails.try_recv().is_err());
}

#[tokio::test]
async fn a_bad_sender_is_told_at_start_and_passwords_stay_out_of_logs() {
    let server = Server::start(vec![]).await;
    let config = server.sink().config;
    let error = SmtpSink::new(SmtpConfig { from: "nobody".to_owned(), ..config.clone() }).unwrap_err();
    assert!(error.to_string().contains("hello@salon.example"));
    let secret = SmtpConfig { credentials: Some(("anna".to_owned(), "tiger".to_owned())), ..config };
    assert!(!format!("{:?}", SmtpSink::new(secret).unwrap()).contains("tiger"));
}
