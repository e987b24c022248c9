//! Listening, the connections, and the end.

use super::{Exports, error::HandshakeError, handshake::negotiate, socket::Socket, transmission};
use std::{
    collections::HashMap,
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Bytes of answers that the kernel may hold for a client; the system's limit applies.
const SEND_BUFFER: usize = 1 << 20;
/// How long accepting pauses when the system has no file or memory left for one more connection.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(100);

/// What may be tuned.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Connections at one time; one more is closed at once.
    pub max_connections: usize,
    /// How long a handshake may take in all.
    pub handshake: Duration,
    /// How long a stop waits for clients to take their answers, and for requests that can be answered still. Then the
    /// connections are closed, so that no client hears of a failure, and requests that the device is executing are waited
    /// for without limit.
    pub farewell: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_connections: 512,
            handshake: Duration::from_secs(20),
            farewell: Duration::from_secs(5),
        }
    }
}

/// A running server. Dropping it is [`Server::shutdown`].
pub struct Server {
    house: Arc<House>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// What all connections share.
struct House {
    socket: Socket,
    exports: Arc<dyn Exports>,
    options: ServerOptions,
    stopping: AtomicBool,
    links: Mutex<HashMap<u64, Arc<Link>>>,
    /// A connection has ended.
    left: Condvar,
}

/// One connection, as the server holds it.
pub(super) struct Link {
    pub socket: UnixStream,
    /// No further request is taken.
    pub stopping: AtomicBool,
}

impl Server {
    /// Listens on a unix socket of mode 0600. A socket that a dead server left is replaced.
    ///
    /// # Errors
    /// The [`io::Error`] holds a [`ListenError`](super::error::ListenError): somebody answers on the socket
    /// (`AddrInUse`), something else has its name (`AlreadyExists`), or the system refuses.
    pub fn listen(socket: &Path, exports: Arc<dyn Exports>) -> io::Result<Self> {
        Self::listen_with(socket, exports, ServerOptions::default())
    }

    /// As [`Server::listen`], tuned.
    ///
    /// # Errors
    /// As [`Server::listen`].
    pub fn listen_with(
        socket: &Path,
        exports: Arc<dyn Exports>,
        options: ServerOptions,
    ) -> io::Result<Self> {
        let house = Arc::new(House {
            socket: Socket::bind(socket)?,
            exports,
            options,
            stopping: AtomicBool::new(false),
            links: Mutex::default(),
            left: Condvar::new(),
        });
        let accepting = Arc::clone(&house);
        let acceptor = thread::Builder::new()
            .name("nbd-accept".to_owned())
            .spawn(move || accepting.accept())
            .inspect_err(|_| {
                // Nobody would ever answer on it.
                let _ = house.socket.remove();
            })?;
        Ok(Self {
            house,
            acceptor: Mutex::new(Some(acceptor)),
        })
    }

    /// Connections at this moment.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.house.links().len()
    }

    /// Stops: no new connection, no new request; requests that are being executed end and are answered where that does not
    /// take long, then the connections are closed. When this returns, every export has been dropped and the socket's name is gone. A second
    /// call waits for the same.
    pub fn shutdown(&self) {
        let house = &self.house;
        house.stopping.store(true, Ordering::Release);
        // Wakes `accept`, on Linux. Fails only when it was done before.
        let _ = rustix::net::shutdown(&house.socket.listener, rustix::net::Shutdown::Both);
        let acceptor = self
            .acceptor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(acceptor) = acceptor {
            // A panic there is already in the log, and leaves nothing to be done here.
            let _ = acceptor.join();
            if let Err(error) = house.socket.remove() {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the NBD socket's name remains"
                );
            }
        }
        let mut links = house.links();
        for link in links.values() {
            link.stopping.store(true, Ordering::Release);
            // Wakes the reader; answers still go out.
            let _ = link.socket.shutdown(Shutdown::Read);
        }
        let deadline = Instant::now() + house.options.farewell;
        while !links.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            links = if left.is_zero() {
                // Somebody does not take its answers, or a request does not end.
                for link in links.values() {
                    let _ = link.socket.shutdown(Shutdown::Both);
                }
                house.exports.unheard();
                house
                    .left
                    .wait(links)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                house
                    .left
                    .wait_timeout(links, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            };
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl House {
    fn links(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>) {
        let mut next_id = 0;
        loop {
            let accepted = self.socket.listener.accept();
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            match accepted {
                Ok((socket, _)) => {
                    self.admit(next_id, socket);
                    next_id += 1;
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an NBD connection");
                    thread::sleep(OUT_OF_RESOURCES);
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, id: u64, socket: UnixStream) {
        let link = Arc::new(Link {
            socket,
            stopping: AtomicBool::new(false),
        });
        {
            let mut links = self.links();
            if links.len() >= self.options.max_connections {
                tracing::warn!(
                    limit = self.options.max_connections,
                    "an NBD connection is refused: too many"
                );
                return;
            }
            links.insert(id, Arc::clone(&link));
        }
        let leaving = Leaving {
            house: Arc::clone(self),
            id,
        };
        let spawned = thread::Builder::new()
            .name("nbd".to_owned())
            .spawn(move || {
                let leaving = leaving;
                leaving.house.converse(&link);
            });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for an NBD connection");
        }
    }

    /// One connection from greeting to end.
    fn converse(&self, link: &Link) {
        // Larger than the default, so that a batch of answers leaves in one call; where the system refuses, as it is.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&link.socket, SEND_BUFFER);
        match negotiate(
            &link.socket,
            &*self.exports,
            self.options.handshake,
            &link.stopping,
        ) {
            Ok(Some(session)) => {
                tracing::debug!(
                    export = session.name,
                    structured = session.structured,
                    "an NBD client begins"
                );
                transmission::serve(link, &session);
                tracing::debug!(export = session.name, "an NBD client has ended");
                // Before the socket: a client that sees its connection closed may open the same export again.
                drop(session);
            }
            Ok(None) => {}
            Err(HandshakeError::Io(error)) => tracing::debug!(%error, "an NBD handshake broke off"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an NBD handshake failed"
                );
            }
        }
        let _ = link.socket.shutdown(Shutdown::Both);
    }
}

/// Strikes a connection off the list, however its thread ends.
struct Leaving {
    house: Arc<House>,
    id: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut links = self.house.links();
        // `None` for a connection that was too many.
        links.remove(&self.id);
        self.house.left.notify_all();
    }
}
