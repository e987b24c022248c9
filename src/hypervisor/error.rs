//! What can go wrong with machines.

use super::RunState;
use std::{io, path::PathBuf, time::Duration};

/// Why something could not be asked of a machine, or of the host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no QEMU on this host.
    #[error("there is no qemu-system-x86_64 in PATH")]
    Missing,
    /// There is one, and it does not start so much as an empty machine.
    #[error("{} does not run here: {words}", .binary.display())]
    Unusable {
        /// The program.
        binary: PathBuf,
        /// What it said.
        words: String,
    },
    /// A machine that cannot be.
    #[error("the machine cannot be started as specified: {what}")]
    Spec {
        /// Which part, and why.
        what: String,
    },
    /// The system refused.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// What was tried: a verb.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A QEMU lives in this folder.
    #[error("a machine is running in {}", .folder.display())]
    AlreadyRunning {
        /// The instance's folder.
        folder: PathBuf,
    },
    /// QEMU ended, or was ended by us, before it answered.
    #[error("QEMU did not start ({how}): {words}")]
    NotStarted {
        /// How it came to an end.
        how: String,
        /// Its own last words.
        words: String,
    },
    /// The peer understood, and will not.
    #[error("{command} was refused ({class}): {reason}")]
    Refused {
        /// The command.
        command: &'static str,
        /// The peer's class of error.
        class: String,
        /// The peer's words.
        reason: String,
    },
    /// No answer in time. The command may still take effect later.
    #[error("no answer to {command} within {} ms", .within.as_millis())]
    TimedOut {
        /// The command.
        command: &'static str,
        /// How long we waited.
        within: Duration,
    },
    /// The connection ended before the answer. The command may have taken effect.
    #[error("the connection broke before an answer to {command}")]
    Broken {
        /// The command.
        command: &'static str,
        /// What happened to the connection.
        #[source]
        source: ProtocolError,
    },
    /// The machine is in a state in which this cannot be done.
    #[error("the machine cannot do this now: {state:?}")]
    State {
        /// What it is doing.
        state: RunState,
    },
    /// A guest's memory was not saved. The guest is as it was before.
    #[error("the memory was not saved: {why}")]
    NotSaved {
        /// What happened, for the log.
        why: String,
    },
    /// A file that keeps a guest's memory cannot be read as written.
    #[error("{}, at byte {offset}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A guest's memory was not taken in; no machine is left.
    #[error("the memory was not restored: {why}")]
    NotRestored {
        /// What happened, for the log.
        why: String,
    },
    /// No program in the guest has the agent's port open.
    #[error("there is no agent in the guest")]
    NoAgent,
    /// The caller broke it off.
    #[error("it was broken off")]
    Cancelled,
    /// The QEMU process has ended.
    #[error("the machine has ended")]
    Gone,
}

/// What a peer did that no peer does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// It closed the connection, or went away.
    #[error("the peer closed the connection")]
    Closed,
    /// A line longer than any answer.
    #[error("a line of more than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line that is not JSON.
    #[error("a line that is not JSON: {0}")]
    NotJson(String),
    /// JSON that is not a message.
    #[error("not a message of this protocol: {0}")]
    Unexpected(&'static str),
    /// It did not speak, or not listen, in time.
    #[error("the peer did not come to an end of its line in time")]
    TimedOut,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(String),
}

impl Error {
    /// For `map_err`: the operation and what it was tried on.
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }
}
