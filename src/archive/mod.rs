//! The archive: the region's object store of volume snapshots.
//!
//! # Map
//!
//! | file | knows |
//! |---|---|
//! | `mod`, `types` | the blocking facade; what its callers say and are told |
//! | `format`, `seal`, `keys`, `master` | the header of every object; its sealing; an organization's secrets; what they are wrapped with |
//! | `pack`, `segment`, `manifest` | the bytes of these objects |
//! | `kit` | the recovery kit |
//! | `store` | names, the five operations asked of the store; time-outs, retries, the rate |
//! | `identity` | which store it is, and that it is there |
//! | `connect`, `folder`, `s3` | where the store is; what is peculiar to a folder; what S3's refusals mean |
//! | `organization` | what the process knows of one organization, read from the store at first use; pins |
//! | `refresh` | what others have written or removed since |
//! | `ledger` | who needs what, what a deletion frees: pure |
//! | `index` | from chunk ids to packs, for de-duplication |
//! | `save`, `plan`, `pipeline`, `packer` | saving: the order of things; what to read; reading, naming, compressing; packing and writing |
//! | `hold`, `condemned` | what is needed without a manifest; what is about to be removed |
//! | `commit` | the last look and the manifest; why it is safe among other writers |
//! | `prune` | removing what nothing needs, in two phases |
//! | `crew` | worker threads of one operation, and its progress |
//! | `restore`, `head`, `copy`, `delete`, `check`, `verify` | what they say |
//! | `standing` | what there is in the store, for who keeps a list of it |
//! | `remote` | a hold as a source of blocks for a volume that is in use |
//! | `clock` | the time that passes for this process |
//!
//! # Layout
//!
//! A volume is cut into **chunks** of 64 KiB. A chunk that is all zeros, or was never written, is neither read nor
//! stored. The others have an id, the keyed BLAKE3 of their content, and stand compressed in **packs** of up to 32 MiB.
//! A **segment** says for 64 MiB of volume which chunk stands where. A **manifest** names a snapshot's segments and
//! packs. Each file documents its bytes. Every organization has names, keys and packs of its own: nothing is ever
//! shared between two.
//!
//! The sizes were measured on an ext4 image of 2.2 GiB of programs and documents in 4 GiB, on two cores: 64 KiB chunks
//! at zstd level 3 took 2.7 s and 758 MB, 128 KiB 2.7 s and 750 MB, 256 KiB 3.1 s and 726 MB (level 1: 2.3 s, and
//! 788, 786 and 766 MB). The largest chunk saves 4 % once; the smallest halves and quarters what each scattered write
//! costs in every later save, and finds most of what is double. Level 2 is within 2 % of both.
//!
//! # What may never be true
//!
//! - A manifest stands in the store and something it needs is not there, or was not durable before it. (I-8)
//! - A byte is handed to a device that was not proved by its chunk's id, in a segment and a manifest proved by their
//!   tags. (I-9)
//! - An object is removed that a manifest or a hold needs, by whatever process; or, by this one, that a running save,
//!   restore or check has pinned. (I-10)
//! - A machine's clock has a part in what is removed.
//! - A name is written with two contents.
//! - A part of this room but the constructor [`Archive::open_folder`] assumes that the store is a folder.
//! - A store that is not there is taken for one in which things are missing, or something is made in its place.
//! - The content, a name or a chunk's id stands in the store for who has no key to read; a secret stands in it that is
//!   not wrapped, or in a log. (I-11)
//!
//! # Saving
//!
//! Plan (from the device's extents, or from the changed blocks and the base's segments), read and compress on all
//! cores, pack, write packs and segments, look at each new pack's length, write the manifest, read it back. Only then
//! is the snapshot *saved*. An incremental save reads the changed chunks, the base's manifest and the segments they lie
//! in, and writes the changed chunks, those segments and a manifest; all else is named, not touched.
//! Memory for one archive, however many saves run: [`ArchiveOptions::pack_buffers`] packs of 32 MiB, and beside them
//! some 20 MiB a save, 60 MiB an organization for the index, and the ledger.
//!
//! # Several processes
//!
//! A local folder is locked by the one process that has it open: what nothing needs goes at once, and what the process
//! knows is what there is. In any other store others may write too. Then each operation looks again first, a deletion
//! removes the manifest alone, a save is committed as `commit` says, and [`Archive::prune`], of any process and of
//! several at once, removes the rest. A prune and a save never talk to each other: all that they have of each other is
//! holds, condemnations, and the grace. A restore that takes longer than the grace, of a snapshot that was deleted
//! meanwhile, may find something missing; it says so.
//!
//! # Crash story
//!
//! Everything before the manifest is garbage if the process dies: packs whose index is readable are found again and
//! reused by the next save of the organization (that is how a save resumes), and the rest is removed by the next
//! [`Archive::delete`] or [`Archive::collect`], or where others write by a prune; so is an upload's hold. A manifest
//! whose PUT failed without saying whether it took place keeps what it needs pinned until the process ends (where
//! others write it is kept as every manifest is), and is looked for before the next save or deletion. A deletion
//! removes the manifest durably, then what nothing needs: a crash between leaves garbage, collected in the same way.
//! The local folder's half-written temporaries are removed when it is opened.

mod check;
mod clock;
mod commit;
mod condemned;
mod connect;
mod copy;
mod crew;
mod delete;
mod error;
mod folder;
mod format;
mod head;
mod hold;
mod identity;
mod index;
mod keys;
mod kit;
mod ledger;
mod manifest;
mod master;
mod organization;
mod pack;
mod packer;
mod pipeline;
mod plan;
mod prune;
mod refresh;
mod remote;
mod restore;
mod s3;
mod save;
mod seal;
mod segment;
mod standing;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod types;
mod verify;

pub use connect::StoreConfig;
pub use error::{Damage, Error};
pub use format::FORMAT_VERSION;
pub use hold::{Held, HoldId, HoldInfo, Holder};
pub use kit::{
    Imported, Kit, KitError, KitOrganization, OneKit, SHORTEST_PASSPHRASE, random_passphrase,
};
pub use manifest::Description;
pub use master::MasterKey;
pub use plan::most_to_read;
pub use prune::{MINIMUM_GRACE, PruneOptions, Pruned};
pub use s3::{Credentials, S3Config};
pub use standing::Inventory;
pub use store::Retry;
pub use types::{
    ArchiveOptions, Base, Finding, Freed, ManifestInfo, Progress, Restored, SaveRequest, Saved,
};
pub use verify::Verified;

use crate::domain::id::{OrganizationId, SnapshotId};
use crate::engine::block::BlockDevice;
use clock::Clock;
use identity::Identity;
use object_store::ObjectStore;
use organization::Organization;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{Settle, Store};
use tokio::sync::Semaphore;

/// log2 of [`CHUNK_SIZE`], as it stands in segments and manifests.
const CHUNK_BITS: u8 = 16;
/// log2 of [`SEGMENT_SIZE`], as it stands in segments and manifests.
const SEGMENT_BITS: u8 = 26;
/// Bytes of a volume that are named, compressed and stored as one.
pub const CHUNK_SIZE: usize = 1 << CHUNK_BITS;
/// Bytes of a volume that one segment object describes.
pub const SEGMENT_SIZE: u64 = 1 << SEGMENT_BITS;
const SEGMENT_CHUNKS: usize = 1 << (SEGMENT_BITS - CHUNK_BITS);
const ZSTD_LEVEL: i32 = 3;

/// The region's object store. Clones are the same archive.
///
/// Calls block the calling thread, which must not be a thread of an asynchronous runtime (`spawn_blocking` is fine).
#[derive(Clone)]
pub struct Archive {
    shared: Arc<Shared>,
}

type Place = Arc<Mutex<Option<Arc<Organization>>>>;

struct Shared {
    store: Store,
    options: ArchiveOptions,
    pack_buffers: Arc<Semaphore>,
    organizations: Mutex<HashMap<OrganizationId, Place>>,
    /// Nobody else writes to the store.
    sole: bool,
    clock: Clock,
    runtime: Option<tokio::runtime::Runtime>,
    /// Holds the lock on a local folder for as long as the archive is open.
    _lock: Option<File>,
}

/// Who writes to the store.
enum Writers {
    /// This process alone: what is not needed goes at once. A local folder's lock keeps it so.
    This(Option<File>),
    /// Perhaps others: what is not needed goes by [`Archive::prune`].
    Many,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nothing is under way: operations borrow the archive. Not waiting lets it be dropped on any thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Archive {
    /// Opens the archive in a local folder, which is made when it is not there, unless it was there once. One process at
    /// a time.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Folder`], [`Error::Away`], [`Error::AnotherStore`], [`Error::Process`].
    pub fn open_folder(dir: &Path, options: ArchiveOptions) -> Result<Self, Error> {
        let identity = options
            .identity
            .clone()
            .map(|file| Identity::new(file, dir.display().to_string(), true));
        let folder = folder::open(dir, identity.as_ref())?;
        Self::build(
            folder.store,
            options,
            Some(folder.settle),
            Writers::This(Some(folder.lock)),
            Clock::default(),
            identity,
        )
    }

    /// Opens the archive that the settings name.
    ///
    /// # Errors
    /// As [`Archive::open_folder`], with [`Error::Away`] and [`Error::AnotherStore`]; a bucket is not asked for anything
    /// yet.
    pub fn connect(store: &StoreConfig, options: ArchiveOptions) -> Result<Self, Error> {
        match store {
            StoreConfig::Folder(dir) => Self::open_folder(dir, options),
            StoreConfig::S3(config) => {
                let retry = match options.retry {
                    retry if retry == Retry::default() => Retry::remote(),
                    retry => retry,
                };
                let identity = options
                    .identity
                    .clone()
                    .map(|file| Identity::new(file, config.to_string(), false));
                let options = ArchiveOptions { retry, ..options };
                let (store, clock) = (s3::open(config)?, Clock::default());
                Self::build(store, options, None, Writers::Many, clock, identity)
            }
        }
    }

    /// An archive in any object store, of which PUT, ranged GET, HEAD, DELETE and LIST are asked. A PUT or a DELETE
    /// that succeeded must be durable and seen by every GET and LIST that begins later. Others may write there.
    ///
    /// # Errors
    /// [`Error::Process`].
    pub fn with_store(store: Arc<dyn ObjectStore>, options: ArchiveOptions) -> Result<Self, Error> {
        Self::build(store, options, None, Writers::Many, Clock::default(), None)
    }

    /// As [`Archive::with_store`], with a clock that the test turns.
    #[cfg(test)]
    fn with_clock(
        store: Arc<dyn ObjectStore>,
        options: ArchiveOptions,
        clock: Clock,
    ) -> Result<Self, Error> {
        Self::build(store, options, None, Writers::Many, clock, None)
    }

    /// As [`Archive::with_store`], where no other process writes.
    #[cfg(test)]
    fn with_store_alone(
        store: Arc<dyn ObjectStore>,
        options: ArchiveOptions,
    ) -> Result<Self, Error> {
        let alone = Writers::This(None);
        Self::build(store, options, None, alone, Clock::default(), None)
    }

    fn build(
        store: Arc<dyn ObjectStore>,
        options: ArchiveOptions,
        settle: Option<Arc<Settle>>,
        writers: Writers,
        clock: Clock,
        identity: Option<Identity>,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(16)
            .thread_name("archive-store")
            .enable_all()
            .build()
            .map_err(|source| Error::Process {
                what: "the archive's threads cannot be started",
                source,
            })?;
        let store = Store::new(store, runtime.handle().clone(), &options, settle, identity);
        let pack_buffers = Arc::new(Semaphore::new(options.pack_buffers.max(2)));
        let (sole, lock) = match writers {
            Writers::This(lock) => (true, lock),
            Writers::Many => (false, None),
        };
        let shared = Shared {
            store,
            options,
            pack_buffers,
            organizations: Mutex::default(),
            sole,
            clock,
            runtime: Some(runtime),
            _lock: lock,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Saves a volume. Saving a snapshot that is saved does nothing. An interrupted save is gone on with by calling again.
    ///
    /// # Errors
    /// Any of [`Error`] but `NoSuchSnapshot`, `TooSmall` and `Target`. After an error the snapshot is not saved, and
    /// every other one is as it was.
    pub fn save(
        &self,
        request: &SaveRequest<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Saved, Error> {
        save::save(self, request, progress)
    }

    /// Writes a snapshot's content to a device of at least its size and makes the rest of the device zero. The device
    /// holds a mixture until this returns well.
    ///
    /// # Errors
    /// [`Error::NoSuchSnapshot`], [`Error::TooSmall`], [`Error::Damaged`], [`Error::Target`], [`Error::Cancelled`], and those of the store.
    pub fn restore(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
        target: &dyn BlockDevice,
        progress: &mut dyn Progress,
    ) -> Result<Restored, Error> {
        restore::restore(self, organization, snapshot, target, progress)
    }

    /// Copies a snapshot under another id and name: one new manifest, nothing else is written. Either can be deleted
    /// afterwards. Copying again is harmless, also when the original is gone.
    ///
    /// # Errors
    /// [`Error::NoSuchSnapshot`]; [`Error::Busy`] while `to` is being made; [`Error::Damaged`] when the original is
    /// known to be; those of the store.
    pub fn copy(
        &self,
        organization: OrganizationId,
        from: SnapshotId,
        to: SnapshotId,
        name: &str,
    ) -> Result<Saved, Error> {
        self.copy_labelled(organization, from, to, name, &[])
    }

    /// As [`Archive::copy`]; `labels` are the copy's, which has none of the original's.
    ///
    /// # Errors
    /// As for [`Archive::copy`].
    pub fn copy_labelled(
        &self,
        organization: OrganizationId,
        from: SnapshotId,
        to: SnapshotId,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<Saved, Error> {
        copy::copy(self, organization, from, to, name, labels)
    }

    /// Reads the first bytes of a snapshot, at most [`SEGMENT_SIZE`]; zeros follow where its disk is smaller.
    ///
    /// # Errors
    /// [`Error::NoSuchSnapshot`], [`Error::Damaged`], [`Error::InvalidRequest`], and those of the store.
    pub fn read_head(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
        head: &mut [u8],
    ) -> Result<(), Error> {
        head::read_head(self, organization, snapshot, head)
    }

    /// Organizations that have anything in the store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn organizations(&self) -> Result<Vec<OrganizationId>, Error> {
        let store = &self.shared.store;
        store.runtime().block_on(store.organizations())
    }

    /// What is known of a snapshot. Costs no access to the store after the organization's first use, but where others
    /// write as well and it is not known.
    ///
    /// # Errors
    /// Those of the store.
    pub fn manifest(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
    ) -> Result<Option<ManifestInfo>, Error> {
        let organization = self.organization(organization)?;
        self.look_for(&organization, snapshot)?;
        let state = organization.state();
        Ok(state.ledger.snapshot(snapshot).map(info))
    }

    /// All snapshots of an organization that can be read, by id, whoever made them. The organization's first use reads
    /// every manifest once (1.1 MiB for 1 TiB of data). After that it costs no access to the store, or where others
    /// write as well two LISTs and a GET a new manifest.
    ///
    /// # Errors
    /// Those of the store.
    pub fn list(&self, organization: OrganizationId) -> Result<Vec<ManifestInfo>, Error> {
        let organization = self.organization(organization)?;
        if !organization.sole {
            self.refresh(&organization)?;
        }
        let state = organization.state();
        Ok(state.ledger.snapshots().map(info).collect())
    }

    /// Bytes that deleting the snapshot would free: its manifest, and every pack and segment that only it needs. A
    /// look into a table.
    ///
    /// # Errors
    /// [`Error::NoSuchSnapshot`], and those of the store.
    pub fn reclaimable(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
    ) -> Result<u64, Error> {
        self.manifest(organization, snapshot)?
            .map(|info| info.reclaimable_bytes)
            .ok_or(Error::NoSuchSnapshot { snapshot })
    }

    /// Bytes that deleting all these snapshots would free: what several of them share is freed only with the last. Those
    /// that are not there count nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub fn reclaimable_together(
        &self,
        organization: OrganizationId,
        snapshots: &[SnapshotId],
    ) -> Result<u64, Error> {
        let organization = self.organization(organization)?;
        for snapshot in snapshots {
            self.look_for(&organization, *snapshot)?;
        }
        let state = organization.state();
        let chosen: HashSet<SnapshotId> = snapshots.iter().copied().collect();
        let manifests = chosen.iter().filter_map(|id| state.ledger.snapshot(*id));
        let manifests: u64 = manifests.map(|known| known.manifest_size).sum();
        Ok(manifests + state.ledger.exclusive_of(&chosen))
    }

    /// Deletes a snapshot. Where nobody else writes to the store, what nothing needs any more is freed at once, also
    /// what interrupted operations had left; else by [`Archive::prune`]. Deleting one that is not there is harmless.
    ///
    /// # Errors
    /// Those of the store. When the manifest was removed already the snapshot is gone, and calling again frees the rest.
    pub fn delete(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
    ) -> Result<Freed, Error> {
        delete::delete(self, organization, snapshot)
    }

    /// Removes what interrupted operations of an organization have left; gives the bytes freed. Does nothing where
    /// others write to the store as well: see [`Archive::prune`].
    ///
    /// # Errors
    /// Those of the store.
    pub fn collect(&self, organization: OrganizationId) -> Result<u64, Error> {
        delete::collect(self, organization)
    }

    /// Looks for damage: at every manifest and segment and at the end of every pack, and if `deep`, at every chunk.
    /// What is found is remembered, and not built upon by later saves.
    ///
    /// # Errors
    /// Those of the store: a store that does not answer is not damage.
    pub fn check(&self, deep: bool) -> Result<Vec<Finding>, Error> {
        check::check(self, deep)
    }

    /// Reads and authenticates every chunk of a snapshot, the packs' lengths and the segments. All that is wrong is
    /// remembered, and not built upon by later saves; the first of it is the error.
    ///
    /// # Errors
    /// [`Error::NoSuchSnapshot`], [`Error::Damaged`], [`Error::Cancelled`], and those of the store.
    pub fn verify(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
        progress: &mut dyn Progress,
    ) -> Result<Verified, Error> {
        verify::verify(self, organization, snapshot, progress)
    }

    /// Removes what no snapshot and no hold needs, of every organization, in two phases: what is found is condemned,
    /// and removed by a prune that comes after the grace (of this or another process) and finds the same. Where
    /// nobody else writes to the store it is removed at once.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a grace under [`MINIMUM_GRACE`], [`Error::Cancelled`], and those of the store.
    /// Calling again goes on.
    pub fn prune(
        &self,
        options: &PruneOptions,
        progress: &mut dyn Progress,
    ) -> Result<Pruned, Error> {
        prune::prune(self, options, progress)
    }

    /// Writes a hold with a copy of the snapshot's manifest: from now on nothing of its content is removed, by any
    /// process, though the snapshot be deleted. The id is given by the caller, who has written it down before: calling
    /// again gives the same hold, also when the snapshot is gone. It is kept until [`Archive::release_hold`].
    ///
    /// # Errors
    /// [`Error::NoSuchSnapshot`], [`Error::Damaged`], and those of the store.
    pub fn hold_for(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
        hold: HoldId,
    ) -> Result<Held, Error> {
        hold::hold_for(self, organization, snapshot, hold)
    }

    /// Reads a hold that [`Archive::hold_for`] gave. `None`: it was released, or never was.
    ///
    /// # Errors
    /// [`Error::Damaged`], and those of the store.
    pub fn held(&self, organization: OrganizationId, hold: HoldId) -> Result<Option<Held>, Error> {
        hold::held(self, organization, hold)
    }

    /// Lets go of what a hold keeps. One that is not there was released already. Its id must not be used again.
    ///
    /// # Errors
    /// Those of the store.
    pub fn release_hold(&self, organization: OrganizationId, hold: HoldId) -> Result<(), Error> {
        hold::release(self, organization, hold)
    }

    /// All holds of an organization, the oldest first: two LISTs, and a GET each.
    ///
    /// # Errors
    /// Those of the store.
    pub fn holds(&self, organization: OrganizationId) -> Result<Vec<HoldInfo>, Error> {
        hold::holds(self, organization)
    }

    /// Whether others may write to the store as well.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !self.shared.sole
    }

    /// Looks again where others write as well and the snapshot is not known here.
    fn look_for(&self, organization: &Organization, snapshot: SnapshotId) -> Result<(), Error> {
        let known = organization.state().ledger.snapshot(snapshot).is_some();
        if known || organization.sole {
            return Ok(());
        }
        self.refresh(organization)
    }

    fn refresh(&self, organization: &Organization) -> Result<(), Error> {
        let store = &self.shared.store;
        store.runtime().block_on(organization.refresh(store))
    }

    /// What is known of the organization; read from the store at the first call.
    fn organization(&self, id: OrganizationId) -> Result<Arc<Organization>, Error> {
        self.organization_while(id, &mut ())
    }

    /// As [`Archive::organization`], for as long as `progress` does not say that it is enough.
    fn organization_while(
        &self,
        id: OrganizationId,
        progress: &mut dyn Progress,
    ) -> Result<Arc<Organization>, Error> {
        let place = Arc::clone(lock(&self.shared.organizations).entry(id).or_default());
        // One organization's first use does not hold up another's.
        let mut place = lock(&place);
        if let Some(organization) = &*place {
            return Ok(Arc::clone(organization));
        }
        let store = &self.shared.store;
        let load = Organization::load(store, id, self.shared.sole);
        let loaded = store
            .runtime()
            .block_on(standing::patiently(load, progress))?;
        let organization = Arc::new(loaded);
        Ok(Arc::clone(place.insert(organization)))
    }

    fn sweep(&self, organization: &Organization) -> Result<u64, Error> {
        self.shared
            .store
            .runtime()
            .block_on(organization.sweep(&self.shared.store))
    }

    /// Frees what a deletion had to leave because an operation, which has ended now, had pinned it.
    fn sweep_if_deleted(&self, organization: &Organization) -> Result<(), Error> {
        if std::mem::take(&mut organization.state().sweep_wanted) {
            self.sweep(organization)?;
        }
        Ok(())
    }
}

fn info(known: &ledger::Known) -> ManifestInfo {
    ManifestInfo {
        description: known.description.clone(),
        reclaimable_bytes: known.manifest_size + known.exclusive,
    }
}
