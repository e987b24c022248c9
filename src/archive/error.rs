//! What can go wrong in the archive, and whether trying again may help.

use super::kit::KitError;
use super::s3::{self, Meaning, Refused};
use crate::domain::id::{OrganizationId, SnapshotId};
use crate::engine::block::DeviceError;
use std::path::PathBuf;

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The object is not in the store.
    #[error("it is missing")]
    Missing,
    /// The object's length is not the one that was recorded when it was written.
    #[error("it has {found} bytes instead of {expected}")]
    Size {
        /// Recorded length in bytes.
        expected: u64,
        /// Length found in bytes.
        found: u64,
    },
    /// The object ends before its content does, or goes on after it.
    #[error("it is cut off or has a wrong length")]
    Truncated,
    /// The first bytes are not those of an object of this archive and kind.
    #[error("its header is not that of a {expected}")]
    Header {
        /// The kind of object that should stand under this name.
        expected: &'static str,
    },
    /// The header names another object, organization or kind: the object was put under a wrong name.
    #[error("it is another object under this name")]
    Identity,
    /// Written by a newer version of the format.
    #[error("its format version {version} is newer than this program knows")]
    Version {
        /// The version found.
        version: u16,
    },
    /// The key that the object names is not there.
    #[error("the key {key} it names is not there")]
    Key {
        /// The key's id.
        key: String,
    },
    /// The authentication tag does not fit the content.
    #[error("its content does not fit its authentication tag")]
    Authentication,
    /// The content is authentic or plausible, but not what the format allows.
    #[error("its content is not valid: {what}")]
    Invalid {
        /// The rule that is broken.
        what: &'static str,
    },
    /// One chunk of a pack cannot be read back.
    #[error("the chunk at byte {offset} is damaged: {what}")]
    Chunk {
        /// Where the chunk's frame begins, in bytes from the start of the pack.
        offset: u32,
        /// What does not fit.
        what: &'static str,
    },
    /// Something that refers to the object disagrees with what the object says of itself.
    #[error("what refers to it does not fit it: {what}")]
    Reference {
        /// What disagrees.
        what: &'static str,
    },
}

/// An operation of the archive failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `Progress::done` answered `Break`.
    #[error("the operation was interrupted")]
    Cancelled,
    /// No such snapshot is in this organization.
    #[error("the archive has no snapshot {snapshot} of this organization")]
    NoSuchSnapshot {
        /// The id that was asked for.
        snapshot: SnapshotId,
    },
    /// The same snapshot is being saved already.
    #[error("the snapshot {snapshot} is being saved already")]
    Busy {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// The request cannot be carried out as it was made.
    #[error("the request is not valid: {what}")]
    InvalidRequest {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The device to restore to is smaller than the snapshot.
    #[error("the target has {size} bytes, the snapshot needs {needed}")]
    TooSmall {
        /// Size of the snapshot's volume in bytes.
        needed: u64,
        /// Size of the target in bytes.
        size: u64,
    },
    /// Another process's prune was about to remove what this operation builds upon, or the store did not answer while
    /// that could be ruled out. Calling again begins anew.
    #[error("what the operation builds upon was about to be removed from the object store")]
    Overtaken,
    /// An object is missing or damaged; nothing of it was used.
    #[error("the object {object} cannot be used: {damage}")]
    Damaged {
        /// The object's name in the store.
        object: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The organization's objects are sealed with a key of which this data folder has no copy.
    #[error(
        "this data folder has no copy of the key {key} that objects of organization {organization} are sealed with: \
         import the recovery kit with `reprise keys import`, or put back the data folder's keys/ from a backup"
    )]
    NoKey {
        /// Whose objects they are.
        organization: OrganizationId,
        /// The key's id.
        key: String,
    },
    /// A key of that name is there, and it is another one.
    #[error(
        "the key {key} of organization {organization} is not the one its objects are sealed with: the master key or \
         the recovery kit belongs to another object store"
    )]
    WrongKey {
        /// Whose key it is.
        organization: OrganizationId,
        /// The key's id.
        key: String,
    },
    /// The recovery kit cannot be made or used.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The data folder's master key cannot be used.
    #[error(
        "the master key {} cannot be used: {what}. Without it nothing in the object store can be read; put it back \
         from a backup, or remove it and import the recovery kit", path.display()
    )]
    MasterKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The store is full.
    #[error("no space left in the object store ({operation} of {object})")]
    NoSpace {
        /// What was being done.
        operation: &'static str,
        /// The object's name in the store.
        object: String,
        /// The store's own error.
        #[source]
        source: object_store::Error,
    },
    /// The store refuses this program: read-only, or no permission.
    #[error("the object store refuses {operation} of {object}")]
    Denied {
        /// What was being done.
        operation: &'static str,
        /// The object's name in the store.
        object: String,
        /// The store's own error.
        #[source]
        source: object_store::Error,
    },
    /// There is no such bucket.
    #[error("the bucket is not there ({operation} of {object})")]
    NoBucket {
        /// What was being done.
        operation: &'static str,
        /// The object's name in the store.
        object: String,
        /// The store's own error.
        #[source]
        source: object_store::Error,
    },
    /// The store does not believe what was signed at this machine's time.
    #[error(
        "the clocks of this machine and of the object store are too far apart ({operation} of {object})"
    )]
    Clock {
        /// What was being done.
        operation: &'static str,
        /// The object's name in the store.
        object: String,
        /// The store's own error.
        #[source]
        source: object_store::Error,
    },
    /// The store failed in another way.
    #[error("{operation} of {object} failed in the object store")]
    Store {
        /// What was being done.
        operation: &'static str,
        /// The object's name in the store.
        object: String,
        /// The store's own error.
        #[source]
        source: object_store::Error,
    },
    /// The archive's folder cannot be used.
    #[error("the archive folder {} cannot be used: {operation}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What was being done.
        operation: &'static str,
        /// The system's own error.
        #[source]
        source: std::io::Error,
    },
    /// The store is not where it was: a folder that is not mounted, a bucket that was emptied. It may come back.
    #[error(
        "the object store is not there: {place} has not the mark that this data folder knows it by, nor any other. Is it \
         mounted, and rightly named? (To begin with an empty one on purpose, remove {} first)", file.display()
    )]
    Away {
        /// Where it should be.
        place: String,
        /// What says which one it was.
        file: PathBuf,
    },
    /// Where the store was, there is another one.
    #[error(
        "{place} is another object store than the one that this data folder has used so far: name the former one again, \
         or remove {} to go over to this one for good", file.display()
    )]
    AnotherStore {
        /// Where it is.
        place: String,
        /// What says which one it was.
        file: PathBuf,
    },
    /// Another process has the archive's folder open.
    #[error("the archive folder {} is in use by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The volume could not be read.
    #[error("the volume cannot be read at byte {offset}")]
    Source {
        /// First byte of the range.
        offset: u64,
        /// The device's own error.
        #[source]
        source: DeviceError,
    },
    /// The target of a restore could not be written.
    #[error("the target cannot be written at byte {offset}")]
    Target {
        /// First byte of the range.
        offset: u64,
        /// The device's own error.
        #[source]
        source: DeviceError,
    },
    /// A resource of the process is not to be had (thread, compressor).
    #[error("{what}")]
    Process {
        /// What could not be had.
        what: &'static str,
        /// The system's own error.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the same call would fail again until somebody does something (makes room, mends a permission, frees a
    /// lock, takes the snapshot anew). What is not permanent is worth another try after a pause.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Store { source, .. } => is_permanent(source),
            Self::Busy { .. } | Self::Overtaken | Self::Process { .. } | Self::Away { .. } => false,
            Self::Source { source, .. } | Self::Target { source, .. } => {
                !matches!(source, DeviceError::Io { .. })
            }
            _ => true,
        }
    }

    /// Puts a store's error into one of our kinds.
    pub(super) fn from_store(
        operation: &'static str,
        object: &object_store::path::Path,
        source: object_store::Error,
    ) -> Self {
        use std::io::ErrorKind;
        let object = match object.as_ref() {
            "" => "everything".to_owned(),
            name => name.to_owned(),
        };
        match s3::refusal(&source).map(Refused::meaning) {
            Some(Meaning::Full) => {
                return Self::NoSpace {
                    operation,
                    object,
                    source,
                };
            }
            Some(Meaning::Denied) => {
                return Self::Denied {
                    operation,
                    object,
                    source,
                };
            }
            Some(Meaning::NoBucket) => {
                return Self::NoBucket {
                    operation,
                    object,
                    source,
                };
            }
            Some(Meaning::Clock) => {
                return Self::Clock {
                    operation,
                    object,
                    source,
                };
            }
            Some(Meaning::Passing | Meaning::Permanent) | None => {}
        }
        match (&source, io_kind(&source)) {
            (object_store::Error::NotFound { .. }, _) => Self::Damaged {
                object,
                damage: Damage::Missing,
            },
            (_, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) => Self::NoSpace {
                operation,
                object,
                source,
            },
            (
                object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. },
                _,
            )
            | (_, Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)) => {
                Self::Denied {
                    operation,
                    object,
                    source,
                }
            }
            _ => Self::Store {
                operation,
                object,
                source,
            },
        }
    }
}

/// Whether the store's error will come back at every further try.
pub(super) fn is_permanent(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    use std::io::ErrorKind;
    if let Some(refused) = s3::refusal(error) {
        return refused.meaning() != Meaning::Passing;
    }
    match error {
        E::Generic { .. } | E::JoinError { .. } => matches!(
            io_kind(error),
            Some(
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::NotADirectory
                    | ErrorKind::IsADirectory
                    | ErrorKind::NotFound
            )
        ),
        _ => true,
    }
}

/// The kind of the system error at the bottom of a store's error, if one is there.
fn io_kind(error: &object_store::Error) -> Option<std::io::ErrorKind> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}
