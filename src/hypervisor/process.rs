//! A process that is held, not remembered: a pidfd names the same process for ever.

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal},
};
use std::{
    io,
    os::fd::OwnedFd,
    process::{Child, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A process that was alive when this was made.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    handle: OwnedFd,
    /// Whether it is a child of ours that was not waited for: then nobody else has its number, dead or alive.
    unwaited: Mutex<bool>,
}

/// As long as this is there the number is the process's, also when it has ended.
pub(super) struct Pinned<'a> {
    pid: Pid,
    _unwaited: MutexGuard<'a, bool>,
}

impl Pinned<'_> {
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl Process {
    /// Takes hold of the process that has this number now. The caller must see afterwards, by some other sign, that the
    /// one it means is still alive: then it was this one.
    pub fn hold(pid: Pid) -> Result<Self, Errno> {
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self {
            pid,
            handle,
            unwaited: Mutex::new(false),
        })
    }

    /// As [`hold`](Self::hold), of a child of ours that nobody waits for but by [`wait`](Self::wait).
    pub fn hold_child(pid: Pid) -> Result<Self, Errno> {
        let held = Self::hold(pid)?;
        *held.unwaited() = true;
        Ok(held)
    }

    /// Waits for a child that was held as one.
    pub fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut unwaited = self.unwaited();
        *unwaited = false;
        child.wait()
    }

    /// Sees to it that the number stays the process's; none where that cannot be. What waits for its end waits meanwhile.
    pub fn pin(&self) -> Option<Pinned<'_>> {
        let unwaited = self.unwaited();
        let pid = self.pid;
        unwaited.then_some(Pinned {
            pid,
            _unwaited: unwaited,
        })
    }

    fn unwaited(&self) -> MutexGuard<'_, bool> {
        self.unwaited.lock().unwrap_or_else(PoisonError::into_inner)
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
