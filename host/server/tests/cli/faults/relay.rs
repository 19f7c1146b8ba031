//! A way to a database server over TCP that can swallow everything without a word, as a firewall does.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Passes bytes on, or not. Connections that were silent once stay so; new ones are as good as the relay then is.
pub(crate) struct Relay {
    port: u16,
    is_silent: Arc<AtomicBool>,
}

impl Relay {
    /// A relay to a server's socket. Its thread ends with the test's process.
    pub(crate) fn to(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, is_silent) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let silent = Arc::clone(&is_silent);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = UnixStream::connect(&server) else { continue };
                let link = Link { is_silent: Arc::clone(&silent), is_dead: Arc::default() };
                let (of_client, of_server) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let back = link.clone();
                thread::spawn(move || link.pass(of_client, upstream));
                thread::spawn(move || back.pass(of_server, client));
            }
        });
        Self { port, is_silent }
    }

    pub(crate) fn url(&self, schema: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable&schema={schema}", self.port)
    }

    pub(crate) fn fall_silent(&self, silent: bool) {
        self.is_silent.store(silent, Ordering::SeqCst);
    }
}

/// One connection.
#[derive(Clone)]
struct Link {
    is_silent: Arc<AtomicBool>,
    /// Whether something was swallowed; what comes after it would make no sense.
    is_dead: Arc<AtomicBool>,
}

impl Link {
    fn pass(&self, mut from: impl Read, mut to: impl Write + Close) {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if self.is_silent.load(Ordering::SeqCst) {
                self.is_dead.store(true, Ordering::SeqCst);
            }
            if !self.is_dead.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The news of an end is swallowed, too.
        if !self.is_silent.load(Ordering::SeqCst) && !self.is_dead.load(Ordering::SeqCst) {
            to.close();
        }
    }
}

trait Close {
    fn close(&self);
}

impl Close for TcpStream {
    fn close(&self) {
        // The other side may have closed it already.
        drop(self.shutdown(Shutdown::Both));
    }
}

impl Close for UnixStream {
    fn close(&self) {
        drop(self.shutdown(Shutdown::Both));
    }
}
