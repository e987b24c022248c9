//! Our end of the stream of a guest's memory: one connection, written to a file as it comes.
//!
//! It never lets QEMU wait for longer than a write to the file takes. Where the file may not grow any more, or nobody wants
//! it, the rest is taken all the same, and dropped: a save that comes to its own end is the one that surely leaves the
//! guest running. One that is cut off or cancelled while the guest runs was seen to leave the guest's memory watched by
//! nobody, its next write never answered (7.2: QEMU's threads in `handle_userfault`, run state *running*).
//!
//! QEMU says that a save has ended *before* it gives up that watch, and a save begun in between does the same harm. It
//! closes the connection when all is put away: that is what is waited for.

use rustix::event::{PollFd, PollFlags, Timespec};
use std::{
    fs::File,
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Read at once.
const PIECE: usize = 1 << 20;

/// See the module. Made before its thread.
#[derive(Debug, Default)]
pub(super) struct Stream {
    bytes: AtomicU64,
    state: Mutex<Receiving>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Receiving {
    /// The connection, once there is one.
    socket: Option<UnixStream>,
    /// Nothing more is wanted.
    given_up: bool,
    /// Nor is anything more taken.
    cut: bool,
    /// It has come to an end: that of the stream, or by what went wrong.
    ended: Option<Result<(), String>>,
    /// QEMU has closed its end, or never had one.
    closed: bool,
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, Receiving> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a connection that QEMU has not closed.
    pub fn is_connected(&self) -> bool {
        self.state().socket.is_some()
    }

    /// Bytes in the file so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Writes nothing more. What still comes is taken and dropped, as fast as it comes.
    pub fn give_up(&self) {
        self.state().given_up = true;
    }

    /// Takes nothing more: QEMU's next write fails.
    pub fn cut(&self) {
        let mut state = self.state();
        state.given_up = true;
        state.cut = true;
        if let Some(socket) = &state.socket {
            // Not both ways: from the other one is seen when QEMU closes its end.
            let _ = socket.shutdown(Shutdown::Read);
        }
    }

    /// Waits for the end of the stream, or for what went wrong.
    pub fn ended_within(&self, within: Duration) -> Option<Result<(), String>> {
        self.within(within, |state| state.ended.is_some())
            .ended
            .clone()
    }

    /// Waits until QEMU has closed its end, which it does when it has put everything of a save away.
    pub fn closed_within(&self, within: Duration) -> bool {
        self.within(within, |state| state.closed).closed
    }

    fn within(
        &self,
        within: Duration,
        is_so: impl Fn(&Receiving) -> bool,
    ) -> MutexGuard<'_, Receiving> {
        self.changed
            .wait_timeout_while(self.state(), within, |state| !is_so(state))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// The thread: one connection, until QEMU closes it.
    pub fn run(&self, listener: UnixListener, file: File, limit: u64) {
        let mut connection = None;
        let end = self
            .accept(&listener)
            .and_then(|socket| self.receive(connection.insert(socket), &file, limit));
        drop((listener, file));
        self.state().ended = Some(end);
        self.changed.notify_all();
        if let Some(mut socket) = connection {
            // Up to its end, or to a cut.
            let _ = io::copy(&mut socket, &mut io::sink());
            wait_for_the_close(&socket);
        }
        let mut state = self.state();
        state.socket = None;
        state.closed = true;
        self.changed.notify_all();
    }

    fn accept(&self, listener: &UnixListener) -> Result<UnixStream, String> {
        let failed = |error: io::Error| format!("no connection: {error}");
        loop {
            if self.state().cut {
                return Err("it was given up before it began".to_owned());
            }
            match poll(listener, PollFlags::IN) {
                Ok(false) => {}
                Ok(true) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        let socket = listener.accept().map_err(failed)?.0;
        let mut state = self.state();
        state.socket = Some(socket.try_clone().map_err(failed)?);
        drop(state);
        Ok(socket)
    }

    fn receive(&self, socket: &mut UnixStream, mut file: &File, limit: u64) -> Result<(), String> {
        let mut piece = vec![0; PIECE];
        let mut bytes = 0_u64;
        while !self.state().given_up {
            let length = match socket.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("the stream broke: {error}")),
            };
            bytes += length as u64;
            if bytes > limit {
                return Err(format!("it is longer than {limit} bytes"));
            }
            file.write_all(piece.get(..length).unwrap_or_default())
                .map_err(|error| format!("the file cannot be written: {error}"))?;
            self.bytes.store(bytes, Ordering::Relaxed);
        }
        if self.state().given_up {
            return Err("it was given up".to_owned());
        }
        Ok(())
    }
}

/// Waits a moment; whether it is so.
fn poll(on: &impl AsFd, what: PollFlags) -> io::Result<bool> {
    let mut polled = [PollFd::new(on, what)];
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    match rustix::event::poll(&mut polled, Some(&tick)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
        Ok(_) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// An end of the peer's process closes it too.
fn wait_for_the_close(socket: &UnixStream) {
    // A hang-up is told without being asked for.
    while matches!(poll(socket, PollFlags::empty()), Ok(false)) {}
}
