//! What other rooms find wrong, and what of it a user may know. The one place where the two meet.
//!
//! What a user can act on has a code of its own. Everything else is logged here, once, with a reference, and the user
//! gets that reference.

use crate::archive;
use crate::catalog;
use crate::domain::fault::Fault;
use crate::domain::size::{Bytes, MAX_VOLUME_GIB, MIN_VOLUME_GIB};
use crate::engine;
use crate::engine::block::DeviceError;
use crate::hypervisor;
use crate::jobs::Failure;
use std::io;
use std::path::PathBuf;

/// What another room, or the system, found wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog.
    #[error("the catalog failed")]
    Catalog(#[from] catalog::Error),
    /// A pool.
    #[error("the pool failed")]
    Engine(#[from] engine::Error),
    /// The region's object store.
    #[error("the object store failed")]
    Archive(#[from] archive::Error),
    /// The hypervisor.
    #[error("the hypervisor failed")]
    Hypervisor(#[from] hypervisor::Error),
    /// A disk.
    #[error("the disk failed")]
    Device(#[from] DeviceError),
    /// A file or a child process of our own.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was being done, as a verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// JSON that only this program writes is not what it writes.
    #[error("{what} is not what this program writes")]
    Json {
        /// Which text.
        what: &'static str,
        /// The parser's answer.
        #[source]
        source: serde_json::Error,
    },
    /// The tool that converts images failed in a way that says nothing about the image.
    #[error("qemu-img failed: {0}")]
    Importer(String),
    /// A rule of this room was broken.
    #[error("{0}")]
    Broken(&'static str),
}

/// What the work was about, for the words of a fault.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    /// The volume's or the snapshot's name.
    pub name: &'a str,
    /// The zone's name.
    pub zone: &'a str,
    /// What the zone's pool has left.
    pub free: Bytes,
}

/// A refusal on the way through a transaction: a user's mistake, or a fault of the catalog.
#[derive(Debug)]
pub(super) enum Refusal {
    Fault(Fault),
    Catalog(catalog::Error),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<catalog::Error> for Refusal {
    fn from(error: catalog::Error) -> Self {
        Self::Catalog(error)
    }
}

/// The sizes one can ask for.
pub(super) const SIZE_OUT_OF_RANGE: Fault = Fault::SizeOutOfRange {
    min_gib: MIN_VOLUME_GIB,
    max_gib: MAX_VOLUME_GIB,
};

/// Logs a fault of ours once, with every cause, and gives its reference.
pub(super) fn internal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Fault {
    let reference = format!("{:08x}", rand::random::<u32>());
    tracing::error!(%reference, doing, error = chain(error), "a fault of ours");
    Fault::Internal { reference }
}

/// The error with its causes, in one line. Many an error of a library says what its cause says: that is not said again.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// What a user may know of an error, and whether trying again may help.
pub(super) fn explain(doing: &'static str, error: Error, about: About<'_>) -> Failure {
    let named = |fault: Fault, error: &Error| {
        tracing::warn!(doing, ?fault, error = chain(error), "an act cannot succeed");
        fault
    };
    match &error {
        Error::Engine(source) => engine_failure(doing, source, &error, about),
        Error::Device(source) => device_failure(source, about).map(|fault| named(fault, &error)),
        Error::Archive(source) => archive_failure(doing, source, &error, about),
        Error::Io { source, .. } => match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Failure::Final(named(Fault::ServerFull, &error))
            }
            _ => Failure::Passing(internal(doing, &error)),
        },
        Error::Catalog(_) | Error::Hypervisor(_) => Failure::Passing(internal(doing, &error)),
        Error::Json { .. } | Error::Importer(_) | Error::Broken(_) => {
            Failure::Final(internal(doing, &error))
        }
    }
}

impl Failure {
    fn map(self, with: impl FnOnce(Fault) -> Fault) -> Self {
        match self {
            Self::Passing(fault) => Self::Passing(with(fault)),
            Self::Final(fault) => Self::Final(with(fault)),
            Self::Stopped => Self::Stopped,
        }
    }

    /// What a user may know of it.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Passing(fault) | Self::Final(fault) => fault,
            Self::Stopped => Fault::Interrupted,
        }
    }
}

fn engine_failure(
    doing: &'static str,
    source: &engine::Error,
    error: &Error,
    about: About<'_>,
) -> Failure {
    use engine::Error as E;
    let fault = match source {
        E::NoSpace => Fault::PoolFull {
            zone: about.zone.to_owned(),
            free: about.free,
        },
        E::Interrupted => return Failure::Stopped,
        E::Remote { source, .. } if !source.permanent => {
            tracing::warn!(
                doing,
                error = chain(error),
                "the object store gives nothing"
            );
            return Failure::Passing(Fault::ObjectStoreUnavailable);
        }
        E::InUse(_) => {
            return Failure::Passing(Fault::InUse {
                name: about.name.to_owned(),
            });
        }
        E::Damaged { .. } | E::Poisoned(_) | E::Remote { .. } => Fault::VolumeDamaged {
            name: about.name.to_owned(),
        },
        E::TooLarge(_) | E::BadSize(_) => SIZE_OUT_OF_RANGE,
        E::Io { .. } | E::Database { .. } | E::CommitInDoubt => {
            return Failure::Passing(internal(doing, error));
        }
        _ => return Failure::Final(internal(doing, error)),
    };
    tracing::warn!(doing, ?fault, error = chain(error), "the pool refused");
    Failure::Final(fault)
}

fn device_failure(source: &DeviceError, about: About<'_>) -> Failure {
    match source {
        DeviceError::NoSpace => Failure::Final(Fault::PoolFull {
            zone: about.zone.to_owned(),
            free: about.free,
        }),
        DeviceError::Revoked => Failure::Passing(Fault::InUse {
            name: about.name.to_owned(),
        }),
        DeviceError::Io { .. }
        | DeviceError::OutOfRange { .. }
        | DeviceError::ReadOnly
        | DeviceError::NotFast => Failure::Final(Fault::VolumeDamaged {
            name: about.name.to_owned(),
        }),
    }
}

fn archive_failure(
    doing: &'static str,
    source: &archive::Error,
    error: &Error,
    about: About<'_>,
) -> Failure {
    use archive::Error as E;
    let fault = match source {
        E::Cancelled => return Failure::Stopped,
        E::NoSpace { .. } => Fault::ObjectStoreFull,
        E::Denied { .. }
        | E::Store { .. }
        | E::Folder { .. }
        | E::Locked { .. }
        | E::NoBucket { .. }
        | E::Away { .. }
        | E::Clock { .. } => Fault::ObjectStoreUnavailable,
        E::AnotherStore { .. } => Fault::ObjectStoreOther,
        E::NoKey { .. } => Fault::ObjectStoreKeyMissing,
        E::WrongKey { .. } | E::MasterKey { .. } => Fault::ObjectStoreKeyWrong,
        E::Damaged { object, .. } => Fault::SnapshotDamaged {
            object: object.clone(),
        },
        E::NoSuchSnapshot { .. } => Fault::SnapshotNotUsable {
            name: about.name.to_owned(),
        },
        E::Source { source, .. } | E::Target { source, .. } => {
            return device_failure(source, about).map(|fault| {
                tracing::warn!(doing, ?fault, error = chain(error), "the disk refused");
                fault
            });
        }
        _ => internal(doing, error),
    };
    if !matches!(fault, Fault::Internal { .. }) {
        tracing::warn!(
            doing,
            ?fault,
            error = chain(error),
            "the object store refused"
        );
    }
    if source.is_permanent() {
        Failure::Final(fault)
    } else {
        Failure::Passing(fault)
    }
}
