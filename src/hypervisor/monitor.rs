//! The connection to one QEMU, kept up as long as the QEMU lives.
//!
//! One thread reads. When a connection ends and the process has not, it makes another: a command that cannot be answered
//! costs that command, not the machine.

use super::{
    Error, ProtocolError,
    folder::{self, Folder},
    process::Process,
    qmp::{Event, Link},
};
use serde_json::Value;
use std::{
    io,
    net::Shutdown,
    os::{fd::BorrowedFd, unix::net::UnixStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long a connection may take to greet: QEMU serves one client at a time and opens its disks first.
const GREETING_DEADLINE: Duration = Duration::from_secs(60);
/// Pause before a connection is made anew; an end of the process cuts it short.
const PAUSE: Duration = Duration::from_secs(1);

/// The way to one QEMU's machine protocol.
pub(super) struct Monitor {
    folder: Arc<Folder>,
    process: Arc<Process>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// The connection that is shaking hands.
    greeting: Option<UnixStream>,
    /// Nobody wants it any more.
    closed: bool,
    /// The process has ended and all it had sent has been read.
    finished: bool,
}

impl Monitor {
    /// Starts on a fresh connection. `on_event` is called by the reading thread: it must not wait for an answer.
    pub fn start(
        folder: Arc<Folder>,
        process: Arc<Process>,
        stream: UnixStream,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> Result<Arc<Self>, Error> {
        let monitor = Arc::new(Self {
            folder,
            process,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let running = Arc::clone(&monitor);
        thread::Builder::new()
            .name("qemu-monitor".to_owned())
            .spawn(move || running.run(stream, on_event))
            .map_err(Error::io("start a thread for", monitor.folder.path()))?;
        Ok(monitor)
    }

    fn run(&self, first: UnixStream, mut on_event: impl FnMut(Event)) {
        let mut next = Some(first);
        loop {
            let end = match next.take().map_or_else(|| self.connect(), Ok) {
                Ok(stream) => self.serve(stream, &mut on_event),
                Err(error) => ProtocolError::Io(error.to_string()),
            };
            self.state().link = None;
            if self.process.gone_within(Duration::ZERO) {
                break;
            }
            if self.state().closed {
                return;
            }
            tracing::debug!(%end, folder = %self.folder.path().display(), "the connection to a QEMU ended");
            if self.process.gone_within(PAUSE) {
                break;
            }
        }
        self.state().finished = true;
        self.changed.notify_all();
    }

    fn connect(&self) -> io::Result<UnixStream> {
        Ok(self.folder.connect(folder::QMP)?)
    }

    /// One connection, from its greeting to its end.
    fn serve(&self, stream: UnixStream, on_event: &mut impl FnMut(Event)) -> ProtocolError {
        {
            let mut state = self.state();
            if state.closed {
                return ProtocolError::Closed;
            }
            state.greeting = stream.try_clone().ok();
        }
        let shaken = Link::shake_hands(stream, Instant::now() + GREETING_DEADLINE);
        let (link, lines) = match shaken {
            Ok((link, lines)) => (Arc::new(link), lines),
            Err(error) => return error,
        };
        {
            let mut state = self.state();
            state.greeting = None;
            if state.closed {
                return ProtocolError::Closed;
            }
            state.link = Some(Arc::clone(&link));
        }
        self.changed.notify_all();
        link.read(lines, on_event)
    }

    /// The connection, waited for.
    fn link(&self, command: &'static str, deadline: Instant) -> Result<Arc<Link>, Error> {
        let began = Instant::now();
        let mut state = self.state();
        loop {
            if state.finished {
                return Err(Error::Gone);
            }
            if let Some(link) = &state.link {
                return Ok(Arc::clone(link));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::TimedOut {
                    command,
                    within: deadline.saturating_duration_since(began),
                });
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until commands can be given.
    pub fn ready(&self, within: Duration) -> Result<(), Error> {
        self.link("the greeting", Instant::now() + within).map(drop)
    }

    /// One command and its answer.
    pub fn execute(
        &self,
        command: &'static str,
        arguments: Option<Value>,
        within: Duration,
    ) -> Result<Value, Error> {
        self.execute_with(command, arguments, None, within)
    }

    /// The same, with a handle that goes along.
    pub fn execute_with(
        &self,
        command: &'static str,
        arguments: Option<Value>,
        handle: Option<BorrowedFd<'_>>,
        within: Duration,
    ) -> Result<Value, Error> {
        let deadline = Instant::now() + within;
        match self
            .link(command, deadline)?
            .execute_with(command, arguments, handle, deadline)
        {
            Err(Error::Broken { .. }) if self.process.gone_within(Duration::ZERO) => {
                Err(Error::Gone)
            }
            other => other,
        }
    }

    /// After the process's end: waits until what it sent last has been read.
    pub fn finished_within(&self, within: Duration) -> bool {
        let state = self
            .changed
            .wait_timeout_while(self.state(), within, |state| !state.finished)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        state.finished
    }

    /// Ends the connection, not the QEMU.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if let Some(link) = state.link.take() {
            link.close();
        }
        if let Some(stream) = state.greeting.take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
