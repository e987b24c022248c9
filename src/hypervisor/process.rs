//! A process that is held, not remembered: a pidfd names the same process for ever.

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal},
};
use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// A process that was alive when this was made.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// Takes hold of the process that has this number now. The caller must see afterwards, by some other sign, that the
    /// one it means is still alive: then it was this one.
    pub fn hold(pid: Pid) -> Result<Self, Errno> {
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, handle })
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// A copy of one of its handles, by its number there.
    pub fn copy_of(&self, number: i32) -> Result<OwnedFd, Errno> {
        rustix::process::pidfd_getfd(&self.handle, number, PidfdGetfdFlags::empty())
    }

    /// Waits for its end; true when it has ended.
    pub fn gone_within(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut polled = [PollFd::new(&self.handle, PollFlags::IN)];
            match rustix::event::poll(&mut polled, Some(&timeout)) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(Errno::INTR) => {}
                Err(error) => {
                    // Out of kernel memory, the one reason left: not a sign of its end.
                    tracing::warn!(%error, "cannot wait for a process");
                    return false;
                }
            }
        }
    }

    /// SIGKILL. A process that has ended is no error.
    pub fn kill(&self) {
        match rustix::process::pidfd_send_signal(&self.handle, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => {
                tracing::error!(%error, pid = self.pid.as_raw_nonzero().get(), "cannot kill a process");
            }
        }
    }
}
