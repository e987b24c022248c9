//! The guest agent: a program in the guest that freezes its file systems for a moment.
//!
//! The guest decides whether it is there and what it answers. So each operation makes a connection of its own, begins
//! with `guest-sync-delimited` (whatever an earlier one left unanswered ends before the byte 0xFF that the agent sends
//! first), and has a deadline over all of it. After a time-out the next operation finds the agent as new.
//!
//! QEMU knows whether any program in the guest has the agent's port open. Where none has, nobody is waited for long.

use super::{
    Error, ProtocolError,
    folder::{self, Folder},
    machine::until,
    monitor::Monitor,
    qmp::{self, Lines},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// How long [`Agent::status`] waits.
const STATUS_DEADLINE: Duration = Duration::from_secs(5);
/// How long one try of [`Agent::thaw`] waits before it begins anew.
const THAW_TRY: Duration = Duration::from_secs(3);
/// Pause between two tries of [`Agent::thaw`].
const THAW_PAUSE: Duration = Duration::from_millis(100);
/// How long QEMU may take to say whether the port is open.
const OPEN_DEADLINE: Duration = Duration::from_secs(1);
/// How long a guest that goes on may take until it is seen that it has the port open, as it had then.
const OPENING: Duration = Duration::from_millis(500);
/// How long one may take to answer whose port is closed, as QEMU says: who stands in for the port is not seen by it.
const CLOSED: Duration = Duration::from_millis(200);
/// Ahead of a command, it ends what the agent may have read of one that was cut off; it answers with the same byte.
const MARK: u8 = 0xff;

/// Whether the guest's file systems are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeStatus {
    /// They are.
    Frozen,
    /// They are not.
    Thawed,
}

/// The agent of one machine. Operations of all clones come one after the other, waiting included in their deadlines.
#[derive(Clone)]
pub struct Agent {
    port: Arc<Port>,
}

struct Port {
    folder: Arc<Folder>,
    busy: Mutex<bool>,
    free: Condvar,
    /// Who can be asked whether it is open.
    monitor: OnceLock<Weak<Monitor>>,
}

impl Agent {
    pub(super) fn new(folder: Arc<Folder>) -> Self {
        Self {
            port: Arc::new(Port {
                folder,
                busy: Mutex::new(false),
                free: Condvar::new(),
                monitor: OnceLock::new(),
            }),
        }
    }

    /// From here on it can be asked whether the port is open.
    pub(super) fn known_by(&self, monitor: &Arc<Monitor>) {
        let _ = self.port.monitor.set(Arc::downgrade(monitor));
    }

    /// Whether an agent answers. Where QEMU knows of none, it has little time for it.
    #[must_use]
    pub fn ping(&self, within: Duration) -> bool {
        let within = if self.port.is_closed() {
            within.min(CLOSED)
        } else {
            within
        };
        self.ask("guest-ping", within).is_ok()
    }

    /// Freezes the guest's file systems: what they hold is on the disks, and nothing is written until they are thawed.
    /// Says how many. After any error but [`Error::Refused`] they may be frozen, or be so a moment later: thaw.
    ///
    /// # Errors
    /// [`Error::Refused`] by the agent, [`Error::TimedOut`], [`Error::Broken`], [`Error::Io`].
    pub fn freeze(&self, within: Duration) -> Result<u32, Error> {
        let command = "guest-fsfreeze-freeze";
        let answer = self.ask(command, within)?;
        answer
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .ok_or(Error::Broken {
                command,
                source: ProtocolError::Unexpected("the number of file systems is none"),
            })
    }

    /// Thaws the guest's file systems; none being frozen is no error. What does not answer is asked again until the time
    /// has passed.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze): the last one.
    pub fn thaw(&self, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ask("guest-fsfreeze-thaw", left.min(THAW_TRY)) {
                Ok(_) => return Ok(()),
                Err(error @ Error::Refused { .. }) => return Err(error),
                Err(error) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left <= THAW_PAUSE {
                        return Err(error);
                    }
                    std::thread::sleep(THAW_PAUSE);
                }
            }
        }
    }

    /// Whether the guest's file systems are frozen, as the agent says within five seconds.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn status(&self) -> Result<FreezeStatus, Error> {
        let command = "guest-fsfreeze-status";
        match self.ask(command, STATUS_DEADLINE)?.as_str() {
            Some("frozen") => Ok(FreezeStatus::Frozen),
            Some("thawed") => Ok(FreezeStatus::Thawed),
            _ => Err(Error::Broken {
                command,
                source: ProtocolError::Unexpected("neither frozen nor thawed"),
            }),
        }
    }

    /// Sets the guest's clock to this host's: one that goes on from an earlier instant has the time of then.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze); [`Error::NoAgent`].
    pub fn set_time(&self, within: Duration) -> Result<(), Error> {
        // QEMU tells of it a moment after the guest goes on.
        let deadline = Instant::now() + within.min(OPENING);
        if until(deadline, || (!self.port.is_closed()).then_some(())).is_none() {
            return Err(Error::NoAgent);
        }
        // A clock before 1970 has no time to hand on.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let time = json!({ "time": nanoseconds });
        self.ask_with("guest-set-time", Some(time), within)
            .map(drop)
    }

    fn ask(&self, command: &'static str, within: Duration) -> Result<Value, Error> {
        self.ask_with(command, None, within)
    }

    fn ask_with(
        &self,
        command: &'static str,
        arguments: Option<Value>,
        within: Duration,
    ) -> Result<Value, Error> {
        let deadline = Instant::now() + within;
        let timed_out = || Error::TimedOut { command, within };
        let _turn = self.port.take(deadline).ok_or_else(timed_out)?;
        let folder = &self.port.folder;
        let stream = folder.connect(folder::AGENT).map_err(|error| {
            Error::io("connect to", folder.path().join(folder::AGENT))(error.into())
        })?;
        let exchange = || -> Result<Value, ProtocolError> {
            let mut lines = Lines::new(
                stream
                    .try_clone()
                    .map_err(|error| ProtocolError::Io(error.to_string()))?,
            );
            // The agent takes a signed number.
            let id = Uuid::new_v4().as_u64_pair().0 >> 1;
            let sync = json!({ "execute": "guest-sync-delimited", "arguments": { "id": id } });
            let mut bytes = vec![MARK];
            bytes.extend_from_slice(sync.to_string().as_bytes());
            bytes.push(b'\n');
            qmp::write(&stream, &bytes, deadline)?;
            loop {
                lines.skip_past(MARK, deadline)?;
                let answer = lines.next(Some(deadline))?;
                // Another one's answer, or a guest that plays with us.
                let answer: Value = serde_json::from_slice(&answer).unwrap_or(Value::Null);
                if answer.get("return").and_then(Value::as_u64) == Some(id) {
                    break;
                }
            }
            let mut order = json!({ "execute": command });
            if let (Some(arguments), Some(order)) = (&arguments, order.as_object_mut()) {
                order.insert("arguments".to_owned(), arguments.clone());
            }
            let mut line = order.to_string();
            line.push('\n');
            qmp::write(&stream, line.as_bytes(), deadline)?;
            let answer = lines.next(Some(deadline))?;
            serde_json::from_slice(&answer)
                .map_err(|error| ProtocolError::NotJson(error.to_string()))
        };
        let mut answer = match exchange() {
            Ok(answer) => answer,
            Err(ProtocolError::TimedOut) => return Err(timed_out()),
            Err(source) => return Err(Error::Broken { command, source }),
        };
        if let Some(error) = answer.get("error") {
            let (class, reason) = qmp::refusal(error);
            return Err(Error::Refused {
                command,
                class,
                reason,
            });
        }
        match answer.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => Err(Error::Broken {
                command,
                source: ProtocolError::Unexpected("neither a value nor an error"),
            }),
        }
    }
}

impl Port {
    /// Whether no program in the guest has it open. What cannot be told is not so.
    fn is_closed(&self) -> bool {
        let monitor = self.monitor.get().and_then(Weak::upgrade);
        let told = monitor.and_then(|monitor| {
            let told = monitor.execute("query-chardev", None, OPEN_DEADLINE);
            told.ok()
        });
        let ports = told.as_ref().and_then(Value::as_array);
        ports.into_iter().flatten().any(|port| {
            port.get("label").and_then(Value::as_str) == Some("agent")
                && port.get("frontend-open").and_then(Value::as_bool) == Some(false)
        })
    }

    fn take(&self, deadline: Instant) -> Option<Turn<'_>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while *busy {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            busy = self
                .free
                .wait_timeout(busy, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *busy = true;
        Some(Turn(self))
    }
}

struct Turn<'a>(&'a Port);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}
