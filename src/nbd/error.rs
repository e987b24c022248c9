//! What can go wrong on this door.

use std::{io, path::PathBuf};

/// Bytes from a client that are not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A message does not begin with its magic number.
    #[error("a message begins with {found:#x}, which is no magic number of NBD here")]
    Magic {
        /// What stands there.
        found: u64,
    },
    /// A length goes beyond the data.
    #[error("the data end before the lengths in them say")]
    Short,
    /// Bytes are left over.
    #[error("the data go on after their end")]
    Long,
    /// Not UTF-8, or with a NUL, or longer than 4096 bytes.
    #[error("not a string: UTF-8 without NUL, of at most 4096 bytes")]
    NotAString,
}

/// Why a socket could not be offered. Comes inside the [`io::Error`] of [`Server::listen`](super::Server::listen).
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody answers on it.
    #[error("another server answers on {}", .socket.display())]
    Live {
        /// The socket.
        socket: PathBuf,
    },
    /// Something that is not a socket stands in its place; it was left alone.
    #[error("{} exists and is not a socket", .path.display())]
    NotASocket {
        /// What stands in the way.
        path: PathBuf,
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
}

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        let kind = match &error {
            ListenError::Live { .. } => io::ErrorKind::AddrInUse,
            ListenError::NotASocket { .. } => io::ErrorKind::AlreadyExists,
            ListenError::Io { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a connection ended before it came to transmission. Logged, never sent.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client's bytes make no sense.
    #[error("the client sent something else than NBD")]
    Malformed(#[from] Malformed),
    /// The client asks for what was not offered.
    #[error("the client set handshake flags that do not exist ({flags:#x})")]
    Flags {
        /// All that it set.
        flags: u32,
    },
    /// An option's data are longer than anyone would send.
    #[error("the client announced {length} bytes of option data")]
    TooLong {
        /// The announced length in bytes.
        length: u32,
    },
    /// `OPT_EXPORT_NAME` has no way to refuse but this.
    #[error("the client asked for an export in a way that cannot be refused politely")]
    NoExport(#[source] super::OpenError),
    /// The client did not come to an end in time.
    #[error("the client took too long")]
    TimedOut,
    /// The socket failed, or was cut.
    #[error("the connection broke")]
    Io(#[source] io::Error),
}
