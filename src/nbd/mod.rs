//! The NBD server: the door by which QEMU, `qemu-img`, `nbdcopy` and `nbdinfo` reach disks.
//!
//! | file | what lives there |
//! |---|---|
//! | `wire` | the protocol's bytes: pure, tested with any bytes |
//! | `handshake` | the options, up to the choice of an export |
//! | `intake` | requests and payloads, read in large gulps |
//! | `transmission` | who reads, who executes, who waits: the threads of one connection |
//! | `outbox` | answers, gathered |
//! | `commands` | one request: checks, the device's call, the answer |
//! | `socket` | a unix socket made without a moment of wider rights |
//! | `server` | listening, connections, the end |
//! | `fence` | a disk whose flush tells that a guest stands |
//!
//! The protocol is that of `doc/proto.md` in <https://github.com/NetworkBlockDevice/nbd>: fixed newstyle, structured
//! replies, metadata contexts. TLS is not offered: the socket is the user's own (mode 0600).
//!
//! # What holds
//! - A device handle is dropped only when every request of its connection has ended. So nothing that a dead client sent
//!   can reach the disk after its lease was given up.
//! - An answer is sent after its effect: a write is answered when the device has taken it, a flush when the device says so.
//! - A flush covers every write whose answer was sent before the flush was read; that is the device's promise, and
//!   requests are given to it only after they were read.
//! - A read of 64 KiB or more asks the device for its extents first: [`BlockDevice::extents`] must cost in proportion to the
//!   range, not to the disk.
//! - Nothing a client sends ends the server, and what a client can make the server hold in memory is bounded
//!   (`transmission` gives the sum).
//! - [`Server::shutdown`] answers what is being executed, unless that takes long, and drops what is not begun. It sends no `ESHUTDOWN`: QEMU would
//!   hand that to its guest as a disk error, whereas after a cut connection it reconnects and asks again.
//!
//! # A crash
//! The room keeps nothing on disk but the socket's name. A socket left by a dead process is replaced at the next start.

mod commands;
pub mod error;
mod fence;
mod handshake;
mod intake;
mod outbox;
mod server;
mod socket;
mod transmission;
pub mod wire;

#[cfg(test)]
mod tests;

use crate::engine::block::{BlockDevice, DeviceError};
use std::{fmt, sync::Arc};

pub use fence::{AlreadyArmed, Armed, Fence, HOLD, Window};
pub use server::{Server, ServerOptions};

/// Smallest range a client may ask for, in bytes.
pub const MINIMUM_BLOCK: u32 = 1;
/// Size and alignment at which requests cost least, in bytes: the engine's block.
pub const PREFERRED_BLOCK: u32 = 4096;
/// Largest payload of a read or a write, in bytes.
pub const MAXIMUM_PAYLOAD: u32 = 32 << 20;

/// The disks that a server offers. Called from many threads.
pub trait Exports: Send + Sync {
    /// The names to be told to a client that asks.
    fn list(&self) -> Vec<String>;

    /// Opens a disk by its name; what the client sent, so any string at all.
    ///
    /// Also called for a client that only asks what the export is (`OPT_INFO`, `OPT_SET_META_CONTEXT`); the export is
    /// dropped again when the client goes on to another or goes away. May block for a moment.
    ///
    /// # Errors
    /// [`OpenError`], of which the text is sent to the client.
    fn open(&self, name: &str) -> Result<Export, OpenError>;

    /// The server stops, and its connections are closed: no client hears any more how its requests end. Those of which the
    /// effect depends on something far away need not wait for that.
    fn unheard(&self) {}
}

/// A disk as one connection sees it. It is dropped when the connection has ended and all its requests with it.
#[derive(Clone)]
pub struct Export {
    /// The disk.
    pub device: Arc<dyn BlockDevice>,
    /// Whether several connections to this name see one cache: a flush on one covers what was answered on the others.
    pub multi_conn: bool,
    /// A text for people, if any.
    pub description: Option<String>,
    /// Metadata contexts beyond `base:allocation`, if any.
    pub contexts: Option<Arc<dyn MetaContexts>>,
}

impl Export {
    /// A disk with no more to be said about it, for one connection at a time.
    #[must_use]
    pub fn new(device: Arc<dyn BlockDevice>) -> Self {
        Self {
            device,
            multi_conn: false,
            description: None,
            contexts: None,
        }
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("size", &self.device.size())
            .field("read_only", &self.device.read_only())
            .field("multi_conn", &self.multi_conn)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

/// Why a disk is not offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no such disk.
    #[error("there is no export of this name")]
    NotFound,
    /// Another client has it, or it is about to move.
    #[error("the export is in use")]
    InUse,
    /// It exists, and cannot be opened now.
    #[error("{0}")]
    Unavailable(String),
}

/// Where an export's own metadata contexts come from, such as `reprise:changed-since/<checkpoint>`.
pub trait MetaContexts: Send + Sync {
    /// Names to be told to a client that asks; it may leave out what would be too many.
    fn list(&self) -> Vec<String>;

    /// The context of this name; `None` when there is none. The name is any string that a client sent.
    fn open(&self, name: &str) -> Option<Arc<dyn MetaContext>>;
}

/// One metadata context: flags for ranges of the disk.
pub trait MetaContext: Send + Sync {
    /// What the range holds, in order, without gaps, beginning at `offset`. It may stop early after at least one status;
    /// the caller asks again.
    ///
    /// # Errors
    /// As [`BlockDevice::extents`].
    fn status(&self, offset: u64, length: u64) -> Result<Vec<Status>, DeviceError>;
}

/// A run of bytes that have the same flags in a [`MetaContext`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Bytes, not zero.
    pub length: u64,
    /// What the context means by them.
    pub flags: u32,
}
