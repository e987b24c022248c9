//! A layer in memory: its bitmaps and its file. The lowest of the room's objects; heads and volumes are made of it.
//!
//! The bitmaps of a sealed layer never change here. When reclaim writes a smaller generation, stacks that are open keep
//! the old one: a block that reclaim takes is found further up by every read that begins after it was taken, and reads
//! that began before are waited for ([`crate::engine::drain::Epoch`]).

use crate::engine::core::Core;
use crate::engine::drain::{lock, read, write};
use crate::engine::error::{Error, Result};
use crate::engine::fetch::Remote;
use crate::engine::format::LayerId;
use crate::engine::maps::{Maps, Presence};
use crate::engine::storage::File;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock, Weak};

/// See the module.
pub(crate) struct Layer {
    pub(crate) id: LayerId,
    maps: RwLock<Maps>,
    file: Arc<FileSlot>,
    /// What is absent here is not zero: it is to be asked for. Never set again once it is not.
    asks: AtomicBool,
    remote: OnceLock<Weak<Remote>>,
}

/// The data file of a layer, open or not.
#[derive(Default)]
struct FileSlot {
    file: RwLock<Option<Arc<dyn File>>>,
    /// Read since the cache of files last looked.
    touched: AtomicBool,
    /// An open layer keeps its file: a failed writeback is told to those who have the file open, and to nobody later.
    kept: AtomicBool,
}

impl Layer {
    /// A sealed layer; its file is opened when it is first read.
    pub(crate) fn sealed(id: LayerId, maps: Maps) -> Self {
        Self {
            id,
            maps: RwLock::new(maps),
            file: Arc::default(),
            asks: AtomicBool::new(false),
            remote: OnceLock::new(),
        }
    }

    /// An open layer, whose file stays open as long as it does.
    pub(crate) fn open(id: LayerId, maps: Maps, file: Arc<dyn File>) -> Self {
        let slot = FileSlot {
            file: RwLock::new(Some(file)),
            touched: AtomicBool::new(false),
            kept: AtomicBool::new(true),
        };
        Self {
            id,
            maps: RwLock::new(maps),
            file: Arc::new(slot),
            asks: AtomicBool::new(false),
            remote: OnceLock::new(),
        }
    }

    /// A layer whose absent blocks come from elsewhere: open, as [`Layer::open`].
    pub(crate) fn remote_of(self, remote: &Weak<Remote>) -> Self {
        // Just made: it has none yet.
        let _ = self.remote.set(Weak::clone(remote));
        self.asks.store(true, Ordering::SeqCst);
        self
    }

    /// Whether an absent block is to be asked for.
    pub(crate) fn asks(&self) -> bool {
        self.asks.load(Ordering::SeqCst)
    }

    /// Whom to ask.
    pub(crate) fn remote(&self) -> Result<Arc<Remote>> {
        let closed = || {
            Error::damaged(
                self.id.log(),
                0,
                "what it lacks cannot be asked for any more",
            )
        };
        self.remote.get().and_then(Weak::upgrade).ok_or_else(closed)
    }

    /// All that anybody needs is here: what is absent is zero from now on.
    pub(crate) fn asks_no_more(&self) {
        self.asks.store(false, Ordering::SeqCst);
    }

    /// Puts other bitmaps in the place of these: some of the blocks turned out not to be safe in the file.
    pub(crate) fn fall_back(&self, maps: Maps) {
        *write(&self.maps) = maps;
    }

    /// A look at the bitmaps.
    pub(crate) fn with_maps<T>(&self, look: impl FnOnce(&Maps) -> T) -> T {
        look(&read(&self.maps))
    }

    /// Whether the layer holds all these blocks as data.
    pub(crate) fn has_data(&self, blocks: &Range<u32>) -> bool {
        let maps = read(&self.maps);
        if blocks.end.saturating_sub(blocks.start) == 1 {
            maps.data.contains(blocks.start)
        } else {
            maps.data.contains_range(blocks.clone())
        }
    }

    /// Notes blocks that the log has just taken; the caller holds the log.
    pub(crate) fn set(&self, runs: &[(Presence, Range<u32>)]) {
        let mut maps = write(&self.maps);
        for (presence, run) in runs {
            maps.set(*presence, run.clone());
        }
    }

    /// The layer is sealed: its file goes to the bounded cache.
    pub(crate) fn release_file(&self, core: &Core) {
        if self.file.kept.swap(false, Ordering::SeqCst) {
            core.files.opened(&self.file);
        }
    }

    /// The data file.
    pub(crate) fn file(&self, core: &Core) -> Result<Arc<dyn File>> {
        if let Some(file) = &*read(&self.file.file) {
            if !self.file.touched.load(Ordering::Relaxed) {
                self.file.touched.store(true, Ordering::Relaxed);
            }
            return Ok(Arc::clone(file));
        }
        let name = self.id.data();
        let file = core
            .storage
            .open(&name)
            .map_err(|source| Error::io("open", &name, source))?;
        *write(&self.file.file) = Some(Arc::clone(&file));
        core.files.opened(&self.file);
        Ok(file)
    }

    /// Fills `buffer` from the layer's own file.
    pub(crate) fn read_own(&self, core: &Core, buffer: &mut [u8], offset: u64) -> Result<()> {
        let failed = |source| Error::io("read", &self.id.data(), source);
        let got = self.file(core)?.read_at(buffer, offset).map_err(failed)?;
        if got < buffer.len() {
            return Err(Error::damaged(
                self.id.data(),
                offset + got as u64,
                "the file ends before its data",
            ));
        }
        Ok(())
    }
}

/// The files of sealed layers that are open: at most so many, the longest untouched are closed first.
pub(crate) struct Files {
    most: usize,
    queue: Mutex<VecDeque<Weak<FileSlot>>>,
}

impl Files {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            queue: Mutex::default(),
        }
    }

    fn opened(&self, slot: &Arc<FileSlot>) {
        let mut queue = lock(&self.queue);
        queue.push_back(Arc::downgrade(slot));
        // Each is passed over at most once for having been used, so this ends.
        let mut looks = queue.len().saturating_mul(2);
        while queue.len() > self.most && looks > 0 {
            looks -= 1;
            let Some(oldest) = queue.pop_front() else {
                break;
            };
            let Some(slot) = oldest.upgrade() else {
                continue;
            };
            if slot.touched.swap(false, Ordering::Relaxed) && looks > self.most {
                queue.push_back(oldest);
            } else {
                *write(&slot.file) = None;
            }
        }
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn open_now(&self) -> usize {
        let open = |slot: &Weak<FileSlot>| {
            slot.upgrade()
                .is_some_and(|slot| read(&slot.file).is_some())
        };
        lock(&self.queue).iter().filter(|slot| open(slot)).count()
    }
}
