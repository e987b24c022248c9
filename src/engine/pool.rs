//! The pool as the rest of the house sees it.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::block::BLOCK_SIZE;
use crate::engine::catalog::{Catalog, Change, CheckpointRow, Sqlite};
use crate::engine::core::Core;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::{LAYERS, Name, TEMPORARY};
use crate::engine::inner::{Inner, Slot};
use crate::engine::lease::{CheckpointDevice, Lease};
use crate::engine::open::{count_room, remove_orphans};
use crate::engine::remote::Filling;
use crate::engine::storage::{Folder, Storage};
use crate::engine::types::{
    CheckpointInfo, Finding, PoolOptions, Reclaimed, Reference, Space, VolumeInfo,
};
use crate::engine::{BlockSet, check, repair};
use roaring::RoaringBitmap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A folder of volumes and checkpoints. Clones share it; it is closed when the last one, the last [`Lease`] and the
/// last [`CheckpointDevice`] are dropped.
///
/// Calls block; use them from threads that may wait. Ids come from the caller, so that a job can write them down before
/// it acts; calls that name the same id again do nothing.
///
/// ```no_run
/// use reprise::domain::id::{CheckpointId, VolumeId};
/// use reprise::engine::{Pool, PoolOptions, block::BlockDevice};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::open("pool".as_ref(), PoolOptions::default())?;
/// let disk = VolumeId::new();
/// pool.create_volume(disk, 1 << 30)?;
///
/// let lease = pool.lease(disk)?;
/// lease.write_at(0, b"before", false)?;
/// let moment = CheckpointId::new();
/// pool.checkpoint(&[(disk, moment)])?;
/// lease.write_at(0, b"after ", true)?;
///
/// let mut bytes = [0; 6];
/// pool.open_checkpoint(moment)?.read_at(0, &mut bytes)?;
/// assert_eq!(&bytes, b"before");
///
/// drop(lease);
/// pool.rollback(disk, moment)?;
/// pool.delete_checkpoint(moment)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// Takes the pool's lock for as long as the file lives. It belongs to the open file, not to the process: a forked
/// child that has the file keeps it.
pub(crate) fn take_lock(dir: &Path) -> Result<std::fs::File> {
    let failed = |source| Error::io("open", "lock", source);
    let file = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("lock"));
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked {
            dir: dir.display().to_string(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Tries what the engine stands on: a hole takes no room and reads as zero.
fn probe(storage: &dyn Storage) -> Result<()> {
    let name = format!("{LAYERS}/probe{}", TEMPORARY);
    let failed = |source| Error::io("probe with", &name, source);
    let file = storage.create(&name).map_err(failed)?;
    let holes = (|| -> std::io::Result<bool> {
        file.set_len(1 << 20)?;
        file.write_at(&[1; 2 * BLOCK_SIZE as usize], 0)?;
        file.punch(0, 1 << 20)?;
        let mut byte = [1];
        file.read_at(&mut byte, 0)?;
        Ok(byte == [0] && file.next_data(0)?.is_none())
    })();
    storage.unlink(&name).map_err(failed)?;
    match holes {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Unsupported {
            missing: "it keeps no holes in files",
        }),
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Err(Error::Unsupported {
            missing: "it cannot punch holes into files",
        }),
        Err(error) => Err(failed(error)),
    }
}

impl Pool {
    /// Opens the pool in a folder, or makes one in a folder that is empty or not there.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::Unsupported`] when the file system cannot carry it,
    /// [`Error::Damaged`] when `pool.db` is gone or cannot be true ([`Pool::repair`] makes a new one).
    pub fn open(dir: &Path, options: PoolOptions) -> Result<Self> {
        let made = std::fs::create_dir_all(dir.join(LAYERS));
        made.map_err(|source| Error::io("make", LAYERS, source))?;
        let held = take_lock(dir)?;
        let storage = Arc::new(Folder::new(dir));
        let database = dir.join("pool.db");
        let names = storage
            .list(LAYERS)
            .map_err(|source| Error::io("list", LAYERS, source))?;
        // Only where nothing could be lost is anything begun.
        let bare = !names.iter().any(|name| Name::parse(name).is_some());
        if !database.exists() {
            if !bare {
                let what = "it is gone, and there are layers; repair makes a new one";
                return Err(Error::damaged("pool.db", 0, what));
            }
            probe(&*storage)?;
        }
        let catalog = Sqlite::open(&database, bare)?;
        storage
            .sync_folder(".")
            .map_err(|source| Error::io("sync", ".", source))?;
        Self::assemble(storage, Box::new(catalog), options, Some(held))
    }

    /// Opens a pool on any storage.
    pub(crate) fn assemble(
        storage: Arc<dyn Storage>,
        catalog: Box<dyn Catalog>,
        options: PoolOptions,
        held: Option<std::fs::File>,
    ) -> Result<Self> {
        let core = Core::new(storage, catalog, options)?;
        remove_orphans(&core)?;
        core.room.counted(count_room(&core)?);
        let inner = Arc::new(Inner::new(Arc::clone(&core), held));
        if core.options.background {
            let (wake, woken) = mpsc::channel();
            let pool = Arc::downgrade(&inner);
            let run = move || {
                while woken.recv().is_ok() {
                    // Several deletions at once need one pass.
                    while woken.try_recv().is_ok() {}
                    let Some(pool) = pool.upgrade() else { break };
                    if let Err(error) = pool.reclaim() {
                        tracing::warn!(%error, "a pass of reclaim failed; the next deletion starts another");
                    }
                }
            };
            let started = std::thread::Builder::new()
                .name("reclaim".to_owned())
                .spawn(run);
            started.map_err(|source| Error::io("start the thread of", "reclaim", source))?;
            *lock(&inner.wake) = Some(wake);
            // What a life before left undone.
            inner.deleted();
        }
        Ok(Self { inner })
    }

    /// Makes an empty volume of `size` bytes. If it is there already, with that size, nothing happens.
    ///
    /// # Errors
    /// [`Error::BadSize`], [`Error::TooLarge`], [`Error::VolumeExists`], [`Error::NoSpace`].
    pub fn create_volume(&self, id: VolumeId, size: u64) -> Result<()> {
        self.inner.create_volume(id, size)
    }

    /// Makes a volume with the content of a checkpoint. No data moves.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`], [`Error::VolumeExists`] when one of another size has the id, [`Error::NoSpace`].
    pub fn clone_volume(&self, id: VolumeId, from: CheckpointId) -> Result<()> {
        self.inner.clone_volume(id, from)
    }

    /// Puts the volume back to a checkpoint: a new head stands on it, everything written since is given up. A lease
    /// that is out is revoked and drained first. Heals a poisoned volume.
    ///
    /// # Errors
    /// [`Error::NoVolume`], [`Error::NoCheckpoint`], [`Error::SizeMismatch`], [`Error::NoSpace`].
    pub fn rollback(&self, id: VolumeId, to: CheckpointId) -> Result<()> {
        self.inner.rollback(id, to)
    }

    /// Removes a volume. Its checkpoints stay. That it is not there is no error.
    ///
    /// # Errors
    /// [`Error::InUse`] while it is leased.
    pub fn delete_volume(&self, id: VolumeId) -> Result<()> {
        self.inner.delete_volume(id)
    }

    /// The one right to write a volume.
    ///
    /// # Errors
    /// [`Error::NoVolume`]; [`Error::InUse`] while another lease is out; [`Error::Damaged`] when its log or a map is.
    pub fn lease(&self, id: VolumeId) -> Result<Arc<Lease>> {
        let slot = self.inner.slot(id);
        let mut lease = lock(&slot.lease);
        if Slot::leased(&lease).is_some() {
            return Err(Error::InUse(id));
        }
        let volume = self.inner.volume(id)?;
        volume.own_flush.shut();
        let new = Arc::new(Lease::new(Arc::clone(&self.inner), volume));
        *lease = Arc::downgrade(&new);
        Ok(new)
    }

    /// Makes checkpoints of several volumes at one moment, leased or not: no write acknowledged before it is missing,
    /// none issued after it is in. The writers are held up for microseconds. All of them come to exist, or none.
    ///
    /// After an error the same call tries again where it stopped; [`Pool::delete_checkpoint`] cancels it.
    ///
    /// Tells how long the writers were held up, from before the first of them to after the last; none when an earlier
    /// call has done that already.
    ///
    /// # Errors
    /// [`Error::NoVolume`], [`Error::CheckpointExists`], [`Error::Poisoned`], [`Error::NoSpace`].
    pub fn checkpoint(&self, of: &[(VolumeId, CheckpointId)]) -> Result<Option<Duration>> {
        self.inner.checkpoint(of)
    }

    /// As [`Pool::checkpoint`], of a moment that the caller finds: one at which the guest that writes these volumes stands,
    /// with its requests done, and of which a hypervisor is to flush each of them next.
    ///
    /// When all is prepared `moment` is called, once, with the act that makes the checkpoints' content what it is then.
    /// That act waits for no disk and tells how long it took; called again it does nothing more. Then the guest may run.
    /// If `moment` says false, or has not acted, there is no checkpoint. What follows happens while the guest runs.
    ///
    /// The first flush of each volume after the act is answered at once, for it is the hypervisor's own and no guest
    /// waits for what it promises; the syncs follow here. That holds until something is written into the volume, it is
    /// leased anew, or [a second](crate::engine::OWN_FLUSH) has passed.
    ///
    /// Until `moment` returns, other acts on these volumes (rollback, deletion, another checkpoint) wait.
    ///
    /// # Errors
    /// As [`Pool::checkpoint`]; [`Error::NoMoment`].
    pub fn checkpoint_at(
        &self,
        of: &[(VolumeId, CheckpointId)],
        moment: &mut dyn FnMut(&mut dyn FnMut() -> Duration) -> bool,
    ) -> Result<Option<Duration>> {
        self.inner.checkpoint_at(of, moment)
    }

    /// Flushes volumes until a pass over all of them takes less than 5 ms, three times at most, so that a flush that
    /// comes next has little to do. How long the last pass took.
    ///
    /// # Errors
    /// [`Error::NoVolume`], [`Error::Poisoned`], [`Error::Io`].
    pub fn settle(&self, volumes: &[VolumeId]) -> Result<Duration> {
        self.inner.settle(volumes)
    }

    /// Opens a checkpoint for reading. While it is open its data stays, even if it is deleted.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`]; [`Error::Damaged`] when a map is.
    pub fn open_checkpoint(&self, id: CheckpointId) -> Result<Arc<CheckpointDevice>> {
        let core = &self.inner.core;
        let (pinned, size) = {
            let mut meta = core.meta();
            let row = meta.rows.checkpoints.get(&id).filter(|row| !row.retired);
            let layer = row.ok_or(Error::NoCheckpoint(id))?.layer;
            // Seen and pinned in one step: reclaim looks at both in one step too.
            *meta.pins.entry(layer).or_default() += 1;
            (
                layer,
                meta.rows.layers.get(&layer).map_or(0, |row| row.size),
            )
        };
        // From here on dropping it unpins.
        let mut device = CheckpointDevice {
            id,
            size,
            inner: Arc::clone(&self.inner),
            pinned,
            layers: Vec::new(),
        };
        device.layers = self.inner.sealed_stack(Some(pinned))?;
        Ok(Arc::new(device))
    }

    /// Removes a checkpoint, or cancels one that is not whole yet. That it is not there is no error. Its room comes
    /// back with the next pass of reclaim.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn delete_checkpoint(&self, id: CheckpointId) -> Result<()> {
        self.inner.cancel(id);
        let there = self.inner.core.commit(|rows| {
            let there = rows.checkpoints.contains_key(&id);
            Ok((
                there
                    .then_some(Change::Checkpoint(id, None))
                    .into_iter()
                    .collect(),
                there,
            ))
        })?;
        if there {
            self.inner.deleted();
        }
        Ok(())
    }

    /// Turns a checkpoint into a mere base: [`Pool::diff`] from it still works, its data may go. That it is not there
    /// (any more) is no error.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn retire_checkpoint(&self, id: CheckpointId) -> Result<()> {
        let changed = self.inner.core.commit(|rows| {
            let row = rows.checkpoints.get(&id).filter(|row| !row.retired);
            let change = row.map(|row| {
                Change::Checkpoint(
                    id,
                    Some(CheckpointRow {
                        retired: true,
                        ..*row
                    }),
                )
            });
            Ok((change.into_iter().collect(), row.is_some()))
        })?;
        if changed {
            self.inner.deleted();
        }
        Ok(())
    }

    /// The blocks in which `to` may differ from `from`: every block that differs is in it. None when `from` is not
    /// known (any more), or is only a base and `to` does not descend from it: then `to` has to be read whole.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] for `to`; [`Error::Damaged`] when a map is.
    pub fn diff(&self, from: CheckpointId, to: CheckpointId) -> Result<Option<BlockSet>> {
        self.inner.diff(from, to)
    }

    /// What is known of a volume; it is opened for that.
    ///
    /// # Errors
    /// [`Error::Damaged`] when its log or a map is.
    pub fn volume(&self, id: VolumeId) -> Result<Option<VolumeInfo>> {
        if !self.inner.core.meta().rows.volumes.contains_key(&id) {
            return Ok(None);
        }
        let volume = match self.inner.volume(id) {
            Err(Error::NoVolume(_)) => return Ok(None),
            other => other?,
        };
        let stack = volume.stack();
        let (mut seen, mut written) = (RoaringBitmap::new(), 0);
        for layer in &stack.layers {
            layer.with_maps(|maps| {
                written += maps.data.len() - maps.data.intersection_len(&seen);
                seen |= &maps.data;
                seen |= &maps.zero;
            });
        }
        let leased = Slot::leased(&lock(&self.inner.slot(id).lease)).is_some();
        let poisoned = volume.poisoned();
        let bottom = stack.layers.last().filter(|bottom| bottom.asks());
        // Sealed just now, if it cannot be asked.
        let filling = bottom.and_then(|bottom| {
            Some(Filling {
                source: bottom.remote().ok()?.source,
                present: bottom.with_maps(|maps| maps.data.len()) * BLOCK_SIZE,
            })
        });
        Ok(Some(VolumeInfo {
            id,
            size: volume.size,
            written: written * BLOCK_SIZE,
            filling,
            poisoned,
            leased,
        }))
    }

    /// All volumes.
    #[must_use]
    pub fn volumes(&self) -> Vec<VolumeId> {
        self.inner
            .core
            .meta()
            .rows
            .volumes
            .keys()
            .copied()
            .collect()
    }

    /// All checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<CheckpointInfo> {
        let meta = self.inner.core.meta();
        let size = |layer| meta.rows.layers.get(&layer).map_or(0, |row| row.size);
        let info = |(id, row): (&CheckpointId, &CheckpointRow)| CheckpointInfo {
            id: *id,
            volume: row.volume,
            size: size(row.layer),
            retired: row.retired,
        };
        meta.rows.checkpoints.iter().map(info).collect()
    }

    /// Bytes of data that would be freed if all of these were deleted. Exact in blocks; what is not there counts
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a map is.
    pub fn reclaimable(&self, of: &[Reference]) -> Result<u64> {
        self.inner
            .reclaimable(&of.iter().copied().collect::<BTreeSet<_>>())
    }

    /// The same for each of several selections by itself, at hardly more cost than for one.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a map is.
    pub fn reclaimable_each(&self, of: &[BTreeSet<Reference>]) -> Result<Vec<u64>> {
        self.inner.reclaimable_each(of)
    }

    /// Gives back the room of everything that no volume, checkpoint or open checkpoint needs. Also finishes
    /// checkpoints that could not be sealed.
    ///
    /// # Errors
    /// The first that a layer gave; the others are done all the same.
    pub fn reclaim(&self) -> Result<Reclaimed> {
        self.inner.reclaim()
    }

    /// Room in the pool.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn space(&self) -> Result<Space> {
        let core = &self.inner.core;
        let room = core
            .storage
            .room()
            .map_err(|source| Error::io("measure", ".", source))?;
        let limit = core.options.limit;
        let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(core.room.used()));
        Ok(Space {
            total: room.total.min(limit.unwrap_or(u64::MAX)),
            free: room.free.min(left),
            used: core.room.used(),
            reserve: core.room.reserve(),
        })
    }

    /// Reads every map and log, compares them with `pool.db` and with what the files hold.
    ///
    /// # Errors
    /// Only what keeps it from looking at all; everything else is a finding.
    pub fn check(&self) -> Result<Vec<Finding>> {
        check::check(&self.inner)
    }

    /// Makes a new `pool.db` from the headers of maps and logs, keeping the old one beside it, and heals poison. The
    /// pool must not be open. The findings say what could not be kept.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Io`]; [`Error::Database`].
    pub fn repair(dir: &Path) -> Result<Vec<Finding>> {
        let _held = take_lock(dir)?;
        repair::repair(dir)
    }
}
