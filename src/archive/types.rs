//! What callers of the archive say and are told.

use super::error::{Damage, Error};
use super::manifest::Description;
use super::master::MasterKey;
use super::store::Retry;
use crate::domain::id::{OrganizationId, SnapshotId, VolumeId};
use crate::engine::BlockSet;
use crate::engine::block::BlockDevice;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How an archive works.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    /// Threads that read and compress, of each save, restore and deep check.
    pub workers: usize,
    /// Packs of 32 MiB in memory at once, for all saves together; at least 2.
    pub pack_buffers: usize,
    /// When to try an operation of the store again.
    pub retry: Retry,
    /// Bytes a second that are written into the store at most, on average, by all saves together.
    pub upload_rate: Option<NonZeroU64>,
    /// What the organizations' keys are wrapped with.
    pub master: MasterKey,
    /// The file that says which store it was, so that one that is not there, and another one, are known as such. None:
    /// whatever is there is taken for it.
    pub identity: Option<PathBuf>,
}

impl ArchiveOptions {
    /// The defaults, and this master key. Which store it was is not asked.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        let workers = std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
        Self {
            workers,
            pack_buffers: 3,
            retry: Retry::default(),
            upload_rate: None,
            master,
            identity: None,
        }
    }

    /// The defaults for a data folder whose keys are in `folder`: its master key, which is made at the first use, and
    /// which store it was.
    ///
    /// # Errors
    /// As [`MasterKey::open`].
    pub fn of_keys(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            identity: Some(folder.join("store")),
            ..Self::new(MasterKey::open(folder)?)
        })
    }
}

/// Is told how far an operation is, and may interrupt it.
pub trait Progress {
    /// Bytes of volume there are to do. May be said again when the operation has to begin anew.
    fn total(&mut self, bytes: u64);

    /// Bytes of volume done so far, of those announced. `Break` interrupts: [`Error::Cancelled`].
    fn done(&mut self, bytes: u64) -> ControlFlow<()>;
}

/// Progress that nobody looks at.
impl Progress for () {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// What an incremental save builds upon.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// A saved snapshot of the same organization.
    pub snapshot: SnapshotId,
    /// Every block in which the volume may differ from it.
    pub changed: &'a BlockSet,
}

/// What is to be saved.
#[derive(Clone, Copy)]
pub struct SaveRequest<'a> {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The snapshot's id: saving it again is harmless.
    pub snapshot: SnapshotId,
    /// Its name, kept in the manifest.
    pub name: &'a str,
    /// The volume, kept in the manifest.
    pub volume: VolumeId,
    /// The volume's name, kept in the manifest.
    pub volume_name: &'a str,
    /// The volume's kind in the caller's words, kept in the manifest.
    pub kind: &'a str,
    /// When it was taken: milliseconds since 1970, UTC.
    pub taken_ms: i64,
    /// What else is to be found again with it: names and values, in the caller's words.
    pub labels: &'a [(&'a str, &'a str)],
    /// The content. It must not change meanwhile: a checkpoint.
    pub source: &'a dyn BlockDevice,
    /// What to build upon. When it is not in the archive (any more), or is damaged, or is larger, everything is read.
    pub base: Option<Base<'a>>,
}

/// Labels as a manifest keeps them.
pub(super) fn owned(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    let labels = labels.iter();
    labels
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A snapshot was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Size of the volume in bytes.
    pub size: u64,
    /// Bytes of its chunks that are not all zeros.
    pub data_bytes: u64,
    /// Bytes that were written into the store, but the manifest's.
    pub uploaded_bytes: u64,
    /// Bytes that were read from the volume; 0 when the snapshot had been saved before.
    pub read_bytes: u64,
    /// Whether the base was built upon.
    pub incremental: bool,
}

impl Saved {
    pub(super) const fn from_description(description: &Description) -> Self {
        Self {
            size: description.size,
            data_bytes: description.data_bytes,
            uploaded_bytes: description.uploaded_bytes,
            read_bytes: 0,
            incremental: false,
        }
    }
}

/// A snapshot was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Size of the snapshot's volume in bytes.
    pub size: u64,
    /// Bytes of its chunks that are not all zeros.
    pub data_bytes: u64,
    /// Bytes that were written to the target: its blocks that are not all zeros.
    pub written_bytes: u64,
    /// Reads that were asked of the store.
    pub objects_read: u64,
}

/// A snapshot as its manifest tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestInfo {
    /// What the manifest says.
    pub description: Description,
    /// Bytes that deleting it would free at this moment.
    pub reclaimable_bytes: u64,
}

/// A snapshot was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Bytes of the snapshot's own objects that were freed.
    pub bytes: u64,
    /// Bytes of its own objects that a running operation still holds; freed when that ends, or by the next deletion.
    pub deferred_bytes: u64,
    /// Bytes of other objects that nothing needed: what interrupted operations had left.
    pub garbage_bytes: u64,
}

/// Something is wrong with an object of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose object it is.
    pub organization: OrganizationId,
    /// The object's name in the store.
    pub object: String,
    /// The snapshots that cannot be restored whole because of it.
    pub snapshots: Vec<SnapshotId>,
    /// What is wrong.
    pub damage: Damage,
}
