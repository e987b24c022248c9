//! From chunk ids to packs, for de-duplication only. It may know too little: that costs room, never data. What it says
//! is believed only after the pack's own authenticated index said the same.
//!
//! Memory: an entry is 16 bytes and is keyed by the first eight bytes of the chunk id (which are as good as random);
//! at most [`MAX_CHUNKS`] entries, together some 40 MiB an organization that saves. That is 112 GiB of distinct data;
//! chunks beyond it are not found again. The packs' indexes, which hold the whole ids, are fetched when a candidate is
//! looked at and [`CACHED_INDEXES`] of them are kept, 20 MiB at worst: duplicates come in runs, as they were written.

use super::format::ObjectId;
use super::keys::ChunkId;
use super::pack::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Chunks that are remembered for each organization.
pub const MAX_CHUNKS: usize = 7 << 18;
/// Packs' indexes that are kept.
pub const CACHED_INDEXES: usize = 64;

/// A place to look at: the chunk may be this entry of this pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The pack.
    pub pack: ObjectId,
    /// Number of the chunk in the pack's index.
    pub entry: u16,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Index {
    places: HashMap<u64, (u32, u16)>,
    packs: Vec<Option<ObjectId>>,
    numbers: HashMap<ObjectId, u32>,
    cache: HashMap<ObjectId, Arc<Vec<Entry>>>,
    order: VecDeque<ObjectId>,
    unreadable: HashSet<ObjectId>,
}

fn short(id: &ChunkId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id[..8]);
    u64::from_le_bytes(bytes)
}

impl Index {
    /// Whether no more chunks are taken in.
    pub fn is_full(&self) -> bool {
        self.places.len() >= MAX_CHUNKS
    }

    /// Whether the pack needs no loading: it is known, or cannot be read.
    pub fn knows(&self, pack: ObjectId) -> bool {
        self.numbers.contains_key(&pack) || self.unreadable.contains(&pack)
    }

    /// Takes note that a pack's index cannot be read, so that it is not tried at each save.
    pub fn unreadable(&mut self, pack: ObjectId) {
        self.unreadable.insert(pack);
    }

    /// Takes in a pack.
    pub fn add(&mut self, pack: ObjectId, entries: &Arc<Vec<Entry>>) {
        if self.numbers.contains_key(&pack) {
            return;
        }
        let number = self.packs.len() as u32;
        self.packs.push(Some(pack));
        self.numbers.insert(pack, number);
        for (n, entry) in entries.iter().enumerate() {
            if self.is_full() {
                break;
            }
            // Lossless: a pack has at most `PACK_CHUNKS` chunks. The newest place of a chunk wins.
            self.places.insert(short(&entry.id), (number, n as u16));
        }
        self.keep(pack, Arc::clone(entries));
    }

    /// Forgets a pack.
    pub fn remove(&mut self, pack: ObjectId) {
        if let Some(number) = self.numbers.remove(&pack)
            && let Some(place) = self.packs.get_mut(number as usize)
        {
            *place = None;
        }
        self.cache.remove(&pack);
        self.unreadable.remove(&pack);
    }

    /// Where the chunk may be.
    pub fn candidate(&mut self, id: &ChunkId) -> Option<Candidate> {
        let (number, entry) = *self.places.get(&short(id))?;
        match self.packs.get(number as usize) {
            Some(Some(pack)) => Some(Candidate { pack: *pack, entry }),
            _ => {
                self.places.remove(&short(id));
                None
            }
        }
    }

    /// A pack's index, if it is kept.
    pub fn cached(&self, pack: ObjectId) -> Option<Arc<Vec<Entry>>> {
        self.cache.get(&pack).cloned()
    }

    /// Keeps a pack's index, in place of the one that has been kept longest.
    pub fn keep(&mut self, pack: ObjectId, entries: Arc<Vec<Entry>>) {
        if self.cache.insert(pack, entries).is_none() {
            self.order.push_back(pack);
        }
        while self.order.len() > CACHED_INDEXES {
            if let Some(oldest) = self.order.pop_front() {
                self.cache.remove(&oldest);
            }
        }
    }
}
