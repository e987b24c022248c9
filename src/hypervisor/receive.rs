//! Our end of the stream of a guest's memory: one connection, written to a file as it comes.
//!
//! It never lets QEMU wait for longer than a write to the file takes: where the file may not grow any more, the socket is
//! closed, which QEMU sees as the end of the save and not of the guest.

use rustix::event::{PollFd, PollFlags, Timespec};
use std::{
    fs::File,
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
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
    cut: bool,
    /// The thread has ended, and how: by the end of the stream, or by what went wrong.
    ended: Option<Result<(), String>>,
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, Receiving> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes in the file so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Closes the socket: QEMU's next write to it fails.
    pub fn cut(&self) {
        let mut state = self.state();
        state.cut = true;
        if let Some(socket) = &state.socket {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Waits for the thread's end: by the end of the stream, or by what went wrong.
    pub fn ended_within(&self, within: Duration) -> Option<Result<(), String>> {
        let state = self
            .changed
            .wait_timeout_while(self.state(), within, |state| state.ended.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        state.ended.clone()
    }

    /// The thread: one connection, to its end.
    pub fn run(&self, listener: &UnixListener, file: &File, limit: u64) {
        let end = self.receive(listener, file, limit);
        let mut state = self.state();
        if let Some(socket) = state.socket.take() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        state.ended = Some(end);
        self.changed.notify_all();
    }

    fn receive(&self, listener: &UnixListener, mut file: &File, limit: u64) -> Result<(), String> {
        let words = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| format!("{what}: {error}")
        };
        let mut socket = loop {
            if self.state().cut {
                return Err("it was given up before it began".to_owned());
            }
            let mut polled = [PollFd::new(listener, PollFlags::IN)];
            let tick = Timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            match rustix::event::poll(&mut polled, Some(&tick)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => break listener.accept().map_err(words("no connection"))?.0,
                Err(error) => return Err(format!("no connection: {error}")),
            }
        };
        {
            let mut state = self.state();
            if state.cut {
                return Err("it was given up before it began".to_owned());
            }
            state.socket = Some(socket.try_clone().map_err(words("the socket"))?);
        }
        let mut piece = vec![0; PIECE];
        let mut bytes = 0_u64;
        loop {
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
                .map_err(words("the file cannot be written"))?;
            self.bytes.store(bytes, Ordering::Relaxed);
        }
        if self.state().cut {
            return Err("it was given up".to_owned());
        }
        Ok(())
    }
}
