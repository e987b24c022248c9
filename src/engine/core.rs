//! What every part of an open pool shares: storage, rows, the readers' epoch, room. It knows no volume, so that
//! volumes can hold it without a circle.

use crate::engine::catalog::{Catalog, Change, Rows};
use crate::engine::drain::{Epoch, lock, read, write};
use crate::engine::error::{Error, Result};
use crate::engine::format::LayerId;
use crate::engine::layer::Files;
use crate::engine::remote::RemoteSources;
use crate::engine::storage::Storage;
use crate::engine::types::PoolOptions;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// The file of the reserve, from the pool's folder.
pub(crate) const RESERVE: &str = "reserve";

/// See the module.
pub(crate) struct Core {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) options: PoolOptions,
    pub(crate) epoch: Epoch,
    pub(crate) files: Files,
    pub(crate) room: RoomKeeper,
    layers: AtomicU64,
    /// Where layers that still fill find their sources.
    sources: RwLock<Option<Arc<dyn RemoteSources>>>,
    /// Nobody waits any more for blocks that live elsewhere.
    pub(crate) stopping: AtomicBool,
    meta: Mutex<Meta>,
}

/// The rows in memory, equal to what was last committed, and what holds layers beside them.
pub(crate) struct Meta {
    pub(crate) rows: Rows,
    /// Layers that are being read through an open checkpoint: references, like checkpoints.
    pub(crate) pins: HashMap<LayerId, usize>,
    catalog: Box<dyn Catalog>,
    in_doubt: bool,
}

impl Core {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        mut catalog: Box<dyn Catalog>,
        options: PoolOptions,
    ) -> Result<Arc<Self>> {
        let rows = catalog.load()?;
        if let Some(fault) = rows.fault() {
            return Err(Error::damaged("pool.db", 0, fault));
        }
        let room = RoomKeeper::new(&*storage, &options)?;
        let meta = Mutex::new(Meta {
            rows,
            pins: HashMap::new(),
            catalog,
            in_doubt: false,
        });
        let files = Files::new(options.open_files);
        Ok(Arc::new(Self {
            storage,
            epoch: Epoch::default(),
            files,
            room,
            layers: AtomicU64::new(0),
            sources: RwLock::default(),
            stopping: AtomicBool::new(false),
            meta,
            options,
        }))
    }

    pub(crate) fn attach_sources(&self, sources: Arc<dyn RemoteSources>) {
        *write(&self.sources) = Some(sources);
    }

    pub(crate) fn sources(&self) -> Option<Arc<dyn RemoteSources>> {
        read(&self.sources).clone()
    }

    /// The rows, locked. Hold it for a look only.
    pub(crate) fn meta(&self) -> MutexGuard<'_, Meta> {
        lock(&self.meta)
    }

    /// Commits what `plan` makes of the present rows; nothing, if it fails or wants no change. `plan` may run twice.
    pub(crate) fn commit<T>(&self, plan: impl Fn(&Rows) -> Result<(Vec<Change>, T)>) -> Result<T> {
        self.with_reserve(|| {
            let mut meta = self.meta();
            let (changes, value) = plan(&meta.rows)?;
            if changes.is_empty() {
                return Ok(value);
            }
            if meta.in_doubt {
                return Err(Error::CommitInDoubt);
            }
            match meta.catalog.commit(&changes) {
                Ok(()) => {}
                // The database says clearly that it was full, and took everything back.
                Err(Error::NoSpace) => return Err(Error::NoSpace),
                Err(error) => {
                    meta.in_doubt = true;
                    return Err(error);
                }
            }
            for change in &changes {
                meta.rows.apply(change);
            }
            Ok(value)
        })
    }

    /// Gives out the number of a new layer. Numbers that no row was committed for may be given again after a restart;
    /// whatever file they left is removed at opening or replaced.
    pub(crate) fn new_layer(&self) -> LayerId {
        let committed = self.meta().rows.last_layer;
        self.layers.fetch_max(committed, Ordering::SeqCst);
        LayerId(self.layers.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Runs something that deletes or finishes; when there is no room, it runs again with the reserve given up.
    pub(crate) fn with_reserve<T>(&self, act: impl Fn() -> Result<T>) -> Result<T> {
        match act() {
            Err(Error::NoSpace) if self.room.give_up(&*self.storage) => act(),
            other => other,
        }
    }

    /// An open checkpoint was closed.
    pub(crate) fn unpin(&self, layer: LayerId) {
        let mut meta = self.meta();
        if let Some(count) = meta.pins.get_mut(&layer) {
            *count -= 1;
            if *count == 0 {
                meta.pins.remove(&layer);
            }
        }
    }
}

/// Who may still write new blocks: the limit of the pool, and the reserve that only deleting and finishing may use.
pub(crate) struct RoomKeeper {
    /// Bytes of data in the pool, as far as this process knows; exact after each pass of reclaim.
    used: AtomicU64,
    limit: Option<u64>,
    reserve: u64,
    /// The reserve was given up and is not whole again: no new blocks.
    given_up: AtomicBool,
    changing: Mutex<()>,
}

impl RoomKeeper {
    fn new(storage: &dyn Storage, options: &PoolOptions) -> Result<Self> {
        let room = storage
            .room()
            .map_err(|source| Error::io("measure", ".", source))?;
        let reserve = options
            .reserve
            .unwrap_or_else(|| (64 << 20).min(room.total / 100));
        let keeper = Self {
            used: AtomicU64::new(0),
            limit: options.limit,
            reserve,
            given_up: AtomicBool::new(true),
            changing: Mutex::new(()),
        };
        keeper.restore(storage);
        Ok(keeper)
    }

    /// Takes room for bytes of new data.
    pub(crate) fn take(&self, bytes: u64) -> Result<()> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Error::NoSpace);
        }
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if self
            .limit
            .is_some_and(|limit| before.saturating_add(bytes) > limit)
        {
            self.give(bytes);
            return Err(Error::NoSpace);
        }
        Ok(())
    }

    /// Gives room back.
    pub(crate) fn give(&self, bytes: u64) {
        let sub = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sub);
    }

    /// Sets what was counted on disk.
    pub(crate) fn counted(&self, bytes: u64) {
        self.used.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes of reserve that are there.
    pub(crate) fn reserve(&self) -> u64 {
        if self.given_up.load(Ordering::Relaxed) {
            0
        } else {
            self.reserve
        }
    }

    /// Gives the reserve up; false if it was already.
    fn give_up(&self, storage: &dyn Storage) -> bool {
        let _alone = lock(&self.changing);
        if self.given_up.swap(true, Ordering::SeqCst) {
            return false;
        }
        tracing::warn!("the pool's reserve is given up: no new data until something is deleted");
        storage
            .open(RESERVE)
            .and_then(|file| file.set_len(0))
            .is_ok()
    }

    /// Writes the reserve again, if there is room for it. New data is refused until it is whole.
    pub(crate) fn restore(&self, storage: &dyn Storage) {
        let _alone = lock(&self.changing);
        if !self.given_up.load(Ordering::SeqCst) {
            return;
        }
        let fill = || -> std::io::Result<()> {
            let file = match storage.open(RESERVE) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    storage.create(RESERVE)?
                }
                other => other?,
            };
            if file.len()? == self.reserve && file.allocated()? >= self.reserve {
                return Ok(());
            }
            // Written, not only allocated: a file system may promise room and not have it.
            let chunk = vec![0x5a; 1 << 20];
            file.set_len(0)?;
            let mut at = 0;
            while at < self.reserve {
                let count = (self.reserve - at).min(chunk.len() as u64);
                let piece = chunk
                    .get(..usize::try_from(count).unwrap_or(0))
                    .unwrap_or_default();
                if let Err(error) = file.write_at(piece, at) {
                    file.set_len(0)?;
                    return Err(error);
                }
                at += count;
            }
            // Only the room matters, not the content: but room is given at writeback, so see that it is.
            file.sync_data()
        };
        match fill() {
            Ok(()) => self.given_up.store(false, Ordering::SeqCst),
            Err(error) => tracing::warn!(%error, "the pool's reserve cannot be written"),
        }
    }
}
