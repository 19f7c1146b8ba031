//! A small HTTP/1.1 client that keeps connections busy and counts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One kind of request, to be sent over and over.
pub(crate) struct Load {
    address: SocketAddr,
    /// Of the requests that are sent one after the other and counted as one.
    heads: Vec<String>,
    body: Option<fn(u64) -> String>,
    /// Whether each request has an `Idempotency-Key` of its own.
    keyed: bool,
}

/// Numbers of the bodies sent so far: no two contacts are alike in one process.
static SENT: AtomicU64 = AtomicU64::new(1);

/// How it went.
pub(crate) struct Outcome {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Load {
    pub(crate) fn get(address: SocketAddr, path: &str, token: Option<&str>) -> Self {
        Self::get_all(address, &[path], token)
    }

    /// What one look at a screen takes, one request after the other.
    pub(crate) fn get_all(address: SocketAddr, paths: &[&str], token: Option<&str>) -> Self {
        let heads = paths.iter().map(|path| head("GET", path, token)).collect();
        Self { address, heads, body: None, keyed: false }
    }

    pub(crate) fn post(address: SocketAddr, path: &str, token: Option<&str>, body: fn(u64) -> String) -> Self {
        Self { address, heads: vec![head("POST", path, token)], body: Some(body), keyed: false }
    }

    /// With an `Idempotency-Key` for each request.
    pub(crate) fn keyed(self) -> Self {
        Self { keyed: true, ..self }
    }

    /// Sends on so many connections for so long; every answer must be a success.
    pub(crate) async fn run(self, connections: usize, time: Duration) -> Outcome {
        let load = Arc::new(self);
        let began = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let load = Arc::clone(&load);
                tokio::spawn(async move { load.keep_sending(began + time).await })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        Outcome { latencies, elapsed: began.elapsed() }
    }

    async fn keep_sending(&self, end: Instant) -> Vec<Duration> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut latencies = Vec::new();
        while Instant::now() < end {
            latencies.push(self.send(&mut stream).await);
        }
        latencies
    }

    async fn send(&self, stream: &mut TcpStream) -> Duration {
        let number = SENT.fetch_add(1, Ordering::Relaxed);
        let body = self.body.map(|body| body(number)).unwrap_or_default();
        let key = if self.keyed { format!("Idempotency-Key: bench-{number}\r\n") } else { String::new() };
        let began = Instant::now();
        for head in &self.heads {
            let (status, text) = exchange(stream, &format!("{head}{key}"), &body).await;
            assert!((200..300).contains(&status), "{status} {text}");
        }
        began.elapsed()
    }
}

fn head(method: &str, path: &str, token: Option<&str>) -> String {
    let auth = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{auth}")
}

/// Sends to both in turns, one request each, so that whatever else the machine does hits both alike.
pub(crate) async fn in_turns(first: Load, second: Load, time: Duration) -> (Outcome, Outcome) {
    let began = Instant::now();
    let mut sides = Vec::new();
    for load in [first, second] {
        let stream = TcpStream::connect(load.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        sides.push((load, stream, Vec::new()));
    }
    while began.elapsed() < time {
        for (load, stream, latencies) in &mut sides {
            latencies.push(load.send(stream).await);
        }
    }
    let mut outcomes = sides.into_iter().map(|(_, _, latencies)| Outcome { latencies, elapsed: began.elapsed() });
    (outcomes.next().unwrap(), outcomes.next().unwrap())
}

/// Sends one request and reads the whole answer.
pub(crate) async fn exchange(stream: &mut TcpStream, head: &str, body: &str) -> (u16, String) {
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::with_capacity(2_048);
    let mut chunk = [0; 8_192];
    loop {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "the server hung up");
        answer.extend_from_slice(&chunk[..read]);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if answer.len() >= end + 4 + length {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return (status, String::from_utf8_lossy(&answer[end + 4..]).into_owned());
        }
    }
}

/// One request on a connection of its own.
pub(crate) async fn once(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    Some(exchange(&mut stream, &head(method, path, token), body).await)
}

impl Outcome {
    /// Answers in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The median latency.
    pub(crate) fn p50(&self) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        sorted[sorted.len() / 2]
    }

    /// The latency that one of twenty exceeds.
    pub(crate) fn p95(&self) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        sorted[sorted.len() * 95 / 100]
    }
}
