//! The open pool itself: which volumes are open and leased, and the parts that act on it.

use crate::domain::id::VolumeId;
use crate::engine::catalog::Rows;
use crate::engine::checkpoint::Swap;
use crate::engine::core::Core;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::fetch::Remote;
use crate::engine::format::LayerId;
use crate::engine::layer::Layer;
use crate::engine::lease::Lease;
use crate::engine::maps::{self, MapHeader, Maps};
use crate::engine::record::read_whole;
use crate::engine::standing::Met;
use crate::engine::volume::Volume;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak, mpsc};

/// See the module. Locks are taken in this order: slots' `admin` (by id), `lease`, `sealing`, a slot's `open`,
/// `remotes`, and then one at a time for a moment only: `swaps`, `layers`, the rows. None is held while a source is asked.
pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    slots: Mutex<HashMap<VolumeId, Arc<Slot>>>,
    /// Sealed layers that some stack holds, so that stacks share bitmaps and files.
    pub(crate) layers: Mutex<HashMap<LayerId, Weak<Layer>>>,
    /// Layers that still fill, as all stacks share them; opened with the first volume that stands on them.
    pub(crate) remotes: Mutex<HashMap<LayerId, Arc<Remote>>>,
    /// Checkpoints whose heads are swapped and whose layers are not sealed yet.
    pub(crate) swaps: Mutex<Vec<Arc<Swap>>>,
    /// Held by who seals, and by who changes what a seal relies on.
    pub(crate) sealing: Mutex<()>,
    /// One pass of reclaim at a time; the sealed layers whose files were searched for leaked room in this life.
    pub(crate) swept: Mutex<BTreeSet<LayerId>>,
    /// Volumes opened, the longest ago first.
    opened: Mutex<VecDeque<VolumeId>>,
    /// What was met, for who looks after the pool.
    pub(crate) met: Met,
    /// Wakes the thread that reclaims.
    pub(crate) wake: Mutex<Option<mpsc::Sender<()>>>,
    /// Held for life: one process a pool.
    pub(crate) _lock: Option<std::fs::File>,
}

/// What the pool knows of a volume while it runs.
#[derive(Default)]
pub(crate) struct Slot {
    /// Held by what changes the volume's place in the tree: create, clone, checkpoint, rollback, delete.
    pub(crate) admin: Mutex<()>,
    /// Held while the lease is given or taken away.
    pub(crate) lease: Mutex<Weak<Lease>>,
    pub(crate) open: Mutex<Option<Arc<Volume>>>,
}

impl Slot {
    /// The lease that is out, if one is that still allows anything.
    pub(crate) fn leased(lease: &Weak<Lease>) -> Option<Arc<Lease>> {
        lease.upgrade().filter(|lease| !lease.is_revoked())
    }
}

impl Inner {
    pub(crate) fn new(core: Arc<Core>, held: Option<std::fs::File>) -> Self {
        Self {
            core,
            slots: Mutex::default(),
            layers: Mutex::default(),
            remotes: Mutex::default(),
            swaps: Mutex::default(),
            sealing: Mutex::default(),
            swept: Mutex::default(),
            opened: Mutex::default(),
            met: Met::default(),
            wake: Mutex::default(),
            _lock: held,
        }
    }

    pub(crate) fn slot(&self, id: VolumeId) -> Arc<Slot> {
        Arc::clone(lock(&self.slots).entry(id).or_default())
    }

    /// The volume, opened if it was not.
    pub(crate) fn volume(&self, id: VolumeId) -> Result<Arc<Volume>> {
        let slot = self.slot(id);
        let mut open = lock(&slot.open);
        if let Some(volume) = &*open {
            return Ok(Arc::clone(volume));
        }
        let volume = self.open_volume(id);
        self.met.opened(id, &volume);
        let volume = volume?;
        *open = Some(Arc::clone(&volume));
        drop(open);
        lock(&self.opened).push_back(id);
        self.close_idle(id);
        self.close_remotes();
        Ok(volume)
    }

    /// Closes volumes that nobody leases, the first opened first, down to the number allowed.
    fn close_idle(&self, but: VolumeId) {
        let mut looks = lock(&self.opened).len();
        while looks > 0 && lock(&self.opened).len() > self.core.options.idle_volumes {
            looks -= 1;
            let Some(id) = lock(&self.opened).pop_front() else {
                break;
            };
            let slot = self.slot(id);
            // Whoever works on it keeps it: this never waits.
            let closed = id != but
                && match (slot.admin.try_lock(), slot.lease.try_lock()) {
                    (Ok(_admin), Ok(lease)) if Slot::leased(&lease).is_none() => {
                        let mut open = lock(&slot.open);
                        match &*open {
                            // Flushed while its files are still open, so that a failure is seen. One reference is
                            // ours; more mean that somebody uses it.
                            Some(volume) if Arc::strong_count(volume) == 1 => {
                                let whole =
                                    volume.stack().pending.is_empty() && volume.sync().is_ok();
                                if whole {
                                    *open = None;
                                }
                                whole
                            }
                            Some(_) => false,
                            None => true,
                        }
                    }
                    _ => false,
                };
            if !closed {
                lock(&self.opened).push_back(id);
            }
        }
    }

    /// The layers below a head from one down, with their bitmaps: sealed, but perhaps the last.
    pub(crate) fn sealed_stack(&self, from: Option<LayerId>) -> Result<Vec<Arc<Layer>>> {
        let Some(from) = from else {
            return Ok(Vec::new());
        };
        let chain = self.core.meta().rows.chain(from);
        chain.into_iter().map(|id| self.layer_below(id)).collect()
    }

    fn layer_below(&self, id: LayerId) -> Result<Arc<Layer>> {
        let fills = || self.core.meta().rows.remotes.contains_key(&id);
        if fills() {
            match self.remote_layer(id) {
                Ok(remote) => return Ok(Arc::clone(&remote.head.layer)),
                // Sealed between the two looks.
                Err(_) if !fills() => {}
                Err(error) => return Err(error),
            }
        }
        self.sealed_layer(id)
    }

    /// A sealed layer as stacks share it.
    fn sealed_layer(&self, id: LayerId) -> Result<Arc<Layer>> {
        let mut layers = lock(&self.layers);
        if let Some(layer) = layers.get(&id).and_then(Weak::upgrade) {
            return Ok(layer);
        }
        let (_, maps) = self.load_map(id)?;
        let layer = Arc::new(Layer::sealed(id, maps));
        layers.retain(|_, layer| layer.strong_count() > 0);
        layers.insert(id, Arc::downgrade(&layer));
        Ok(layer)
    }

    /// Reads the map of a sealed layer, as `pool.db` names it.
    pub(crate) fn load_map(&self, id: LayerId) -> Result<(MapHeader, Maps)> {
        let named = |rows: &Rows| rows.layers.get(&id).and_then(|row| row.sealed);
        let gone = || Error::damaged("pool.db", 0, format!("layer {id} is not sealed"));
        loop {
            let generation = named(&self.core.meta().rows).ok_or_else(gone)?;
            let name = id.map(generation);
            let loaded = self
                .core
                .storage
                .open(&name)
                .map_err(|source| Error::io("open", &name, source))
                .and_then(|file| read_whole(&name, &*file))
                .and_then(|bytes| maps::decode(&name, &bytes))
                .and_then(|(header, maps)| {
                    if header.layer != id || header.generation != generation {
                        return Err(Error::damaged(
                            name.as_str(),
                            16,
                            "this is the map of another layer",
                        ));
                    }
                    Ok((header, maps))
                });
            match loaded {
                // Reclaim may have put the next generation in its place between the two looks.
                Err(_) if named(&self.core.meta().rows) != Some(generation) => {}
                other => return other,
            }
        }
    }

    /// Something was deleted: there may be room to take back.
    pub(crate) fn deleted(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            // A thread that has gone with its pool needs no waking.
            let _ = wake.send(());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The page cache would keep what was written; but a failed writeback is told only to those who have the file
        // open, so ask while it is.
        for slot in lock(&self.slots).values() {
            if let Some(volume) = lock(&slot.open).take()
                && let Err(error) = volume.sync()
            {
                tracing::warn!(volume = %volume.id, %error, "a volume could not be flushed when the pool was closed");
            }
        }
        self.sync_remotes();
    }
}
