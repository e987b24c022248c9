//! A machine that goes on with a memory that was kept.
//!
//! QEMU is started, paused, with the hardware that the memory knows, and is told to take its memory from a socket in the
//! instance's folder. The guest's memory itself is written into QEMU's process before ([`Window`](super::window)), by all
//! processors, which read, prove and decompress the file; what is sent is what is left. Where that cannot be, all of it is
//! sent, read, proved and decompressed ahead.
//!
//! # What holds
//! - The guest does not run before all of its memory was proved and QEMU said that it has it. Damage that is found late
//!   ends QEMU.
//! - A restore that fails leaves no process and no socket.

use super::{
    Error, Hypervisor, Incoming, Machine, RunState, Spec, folder, launch, machine::soon,
    memory::Image,
};
use crate::domain::size::Bytes;
use rustix::io::Errno;
use serde_json::{Value, json};
use std::{
    io::Write,
    net::Shutdown,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// How long QEMU may take to open the socket.
const CONNECT: Duration = Duration::from_secs(10);
/// How long QEMU may not take anything before it is given up.
const STALLED: Duration = Duration::from_secs(30);
/// How long QEMU may take, once it has everything, to say so.
const LOADED: Duration = Duration::from_secs(30);

impl Hypervisor {
    /// Starts a machine that goes on with a memory that was kept. When this returns it has the memory and is paused:
    /// [`Machine::resume`] lets it run. `spec` must be of the same hardware as the memory; which way its `rest` says is
    /// this function's to know.
    ///
    /// # Errors
    /// As [`Hypervisor::start`]; [`Error::Damaged`] when the memory is, or [`Error::NotRestored`] when QEMU does not take
    /// it. Nothing is left then but QEMU's log.
    pub fn start_from(&self, spec: &Spec, image: &Image) -> Result<Machine, Error> {
        match self.start_by(spec, image, By::Window) {
            Err(Error::NotRestored { why }) => {
                tracing::warn!(
                    instance = %spec.instance,
                    why,
                    "a memory could not be put into QEMU's process: it is streamed"
                );
                self.start_by(spec, image, By::Stream)
            }
            ended => ended,
        }
    }

    /// As [`start_from`](Self::start_from), in this way only.
    pub(super) fn start_by(&self, spec: &Spec, image: &Image, by: By) -> Result<Machine, Error> {
        let spec = &Spec {
            rest: Incoming::Stream,
            ..spec.clone()
        };
        let machine = self.launch(spec, launch::START_DEADLINE)?;
        match machine.load(image, spec.memory, by) {
            Ok(()) => Ok(machine),
            Err(error @ Error::Damaged { .. }) => {
                let _ = launch::undo(&machine, &error);
                Err(error)
            }
            Err(error) => {
                let words = launch::undo(&machine, &error);
                Err(Error::NotRestored {
                    why: words.to_string(),
                })
            }
        }
    }
}

/// How a memory comes into QEMU's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The guest's memory is written by us, the rest is streamed.
    Window,
    /// All of it is streamed.
    Stream,
}

impl Machine {
    fn load(&self, image: &Image, memory: Bytes, by: By) -> Result<(), Error> {
        let rest = match by {
            By::Stream => None,
            By::Window => {
                let window = self.window(self.pin(), memory.0)?;
                Some(image.fill(&window.block, memory.0, &window)?)
            }
        };
        let uri = json!({ "uri": format!("unix:{}", folder::MEMORY) });
        self.execute("migrate-incoming", Some(uri))?;
        let folder = self.folder();
        let socket = soon(Instant::now() + CONNECT, || {
            if self.exit().is_some() {
                return Some(Err(Error::Gone));
            }
            match folder.connect(folder::MEMORY) {
                Ok(socket) => Some(Ok(socket)),
                Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN) => None,
                Err(error) => Some(Err(Error::io(
                    "connect to",
                    folder.path().join(folder::MEMORY),
                )(error.into()))),
            }
        })
        .unwrap_or(Err(Error::TimedOut {
            command: "migrate-incoming",
            within: CONNECT,
        }))?;
        let sent = self.send(socket, |take| match rest {
            Some(rest) => take(&rest),
            None => image.read(take),
        });
        folder.forget(folder::MEMORY);
        sent?;
        self.loaded()
    }

    /// Sends the stream, as it comes.
    fn send(
        &self,
        mut socket: UnixStream,
        stream: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let path = self.folder().path().join(folder::MEMORY);
        let sending = || Error::io("send to", &path);
        socket.set_write_timeout(Some(STALLED)).map_err(sending())?;
        // Where QEMU closes it, it says why in its log.
        stream(&mut |piece| socket.write_all(piece).map_err(sending()))?;
        let _ = socket.shutdown(Shutdown::Write);
        Ok(())
    }

    /// Waits until QEMU has taken all in and stands ready.
    fn loaded(&self) -> Result<(), Error> {
        let loaded = soon(Instant::now() + LOADED, || {
            let status = match self.execute("query-migrate", None) {
                Ok(answer) => answer
                    .get("status")
                    .and_then(Value::as_str)
                    .map(ToOwned::to_owned),
                Err(error) => return Some(Err(error)),
            };
            match status.as_deref() {
                Some("completed") => {}
                Some("failed" | "cancelled") => {
                    return Some(Err(Error::NotRestored {
                        why: "QEMU did not take the memory".to_owned(),
                    }));
                }
                _ => return None,
            }
            match self.run_state() {
                Ok(RunState::Paused | RunState::Prelaunch) => Some(Ok(())),
                Ok(RunState::Migrating) => None,
                Ok(state) => Some(Err(Error::State { state })),
                Err(error) => Some(Err(error)),
            }
        });
        loaded.unwrap_or(Err(Error::TimedOut {
            command: "migrate-incoming",
            within: LOADED,
        }))
    }
}
