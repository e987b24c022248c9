//! What can go wrong in the engine, with the file, the offset and the operation.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::block::DeviceError;
use crate::engine::remote::RemoteError;
use std::io;

/// The result of everything in this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the engine refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused an operation on a file of the pool.
    #[error("cannot {operation} {file}")]
    Io {
        /// What was being done, as a verb.
        operation: &'static str,
        /// The file, from the pool's folder.
        file: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file of the pool does not hold what the engine wrote there. It is never served as data.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file, from the pool's folder.
        file: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// `pool.db` refused an operation.
    #[error("cannot {operation} pool.db")]
    Database {
        /// What was being done, as a verb.
        operation: &'static str,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// A commit of `pool.db` failed in a way that leaves open whether it took effect: no more of them until the pool
    /// is opened again. Disks that are open go on reading, writing and flushing.
    #[error("an earlier commit of pool.db failed; the pool must be opened again")]
    CommitInDoubt,
    /// No room left, in the file system or under the pool's limit. Nothing acknowledged is affected.
    #[error("no space left in the pool")]
    NoSpace,
    /// Another process has the pool.
    #[error("the pool in {dir} is open in another process")]
    Locked {
        /// The pool's folder.
        dir: String,
    },
    /// The file system cannot carry a pool.
    #[error("the file system cannot carry a pool: {missing}")]
    Unsupported {
        /// What it lacks.
        missing: &'static str,
    },
    /// The pool was written in another format.
    #[error("the pool has format {found}; this program reads format {expected}")]
    Format {
        /// What the pool says.
        found: u64,
        /// What this program knows.
        expected: u64,
    },
    /// A volume's size is no multiple of 4 KiB, is zero, or is above 8 TiB.
    #[error("a volume cannot have {0} bytes")]
    BadSize(u64),
    /// The file system accepts no file of this size.
    #[error("the file system accepts no file of {0} bytes")]
    TooLarge(u64),
    /// The volume exists, and not as asked for.
    #[error("volume {0} exists already and is another one")]
    VolumeExists(VolumeId),
    /// No such volume.
    #[error("there is no volume {0}")]
    NoVolume(VolumeId),
    /// No such checkpoint (or it serves only as the base of a difference any more).
    #[error("there is no checkpoint {0}")]
    NoCheckpoint(CheckpointId),
    /// The checkpoint exists and belongs to another volume, or a volume was named twice.
    #[error("checkpoint {0} cannot be made so: its id is taken, or its volume is named twice")]
    CheckpointExists(CheckpointId),
    /// Volume and checkpoint differ in size.
    #[error("the volume has {volume} bytes and the checkpoint {checkpoint}")]
    SizeMismatch {
        /// Bytes of the volume.
        volume: u64,
        /// Bytes of the checkpoint.
        checkpoint: u64,
    },
    /// The moment that a checkpoint was to be of did not come. There is no checkpoint, and nothing has changed.
    #[error("the moment of the checkpoint did not come")]
    NoMoment,
    /// The volume is leased.
    #[error("volume {0} is in use")]
    InUse(VolumeId),
    /// A sync of this volume's files failed once: what was written may not be on disk, and no flush is reported as
    /// good until it is rolled back or repaired.
    #[error("volume {0} is poisoned: a sync of its files failed")]
    Poisoned(VolumeId),
    /// Blocks of this volume have not come yet, and cannot be fetched now. What is here is not affected.
    #[error("what volume {volume} holds at byte {offset} cannot be fetched")]
    Remote {
        /// The volume that was made from the source.
        volume: VolumeId,
        /// Where, in bytes from the start of the volume.
        offset: u64,
        /// Why.
        #[source]
        source: RemoteError,
    },
    /// Whoever was told how far it is said to stop. What has come stays.
    #[error("the operation was interrupted")]
    Interrupted,
}

impl Error {
    /// Turns a system error on `file` into ours; "no space" and "quota exceeded" become [`Error::NoSpace`].
    pub(crate) fn io(operation: &'static str, file: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io {
                operation,
                file: file.to_owned(),
                source,
            },
        }
    }

    pub(crate) fn damaged(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.into(),
            offset,
            what: what.into(),
        }
    }
}

impl From<Error> for DeviceError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSpace => Self::NoSpace,
            Error::Io {
                operation,
                file,
                source,
            } => Self::Io {
                context: format!("cannot {operation} {file}"),
                source: Some(source),
            },
            Error::Remote { ref source, .. } => Self::Io {
                context: format!("{error}: {source}"),
                source: None,
            },
            other => Self::Io {
                context: other.to_string(),
                source: None,
            },
        }
    }
}
