//! The reading half of a save: worker threads read the volume, name and compress its chunks, and look for them among
//! those that are stored already.
//!
//! A unit of work is up to 1 MiB of one segment. Units are handed out in order of the volume and their results come
//! back through a queue of bounded length, in nearly the same order: when the packer cannot keep up, the workers wait.
//! Memory: 1 MiB read and at most as much compressed a worker and a place in the queue, some 15 MiB on two cores.

use super::commit::UploadHold;
use super::error::Error;
use super::format::Kind;
use super::keys::{ChunkId, Key};
use super::manifest::SegmentUse;
use super::organization::{self, Organization, Pins};
use super::pack::FrameWriter;
use super::plan::{self, Plan};
use super::segment::{ChunkRef, Segment};
use super::store::{self, Keys, Store};
use super::{CHUNK_SIZE, ZSTD_LEVEL};
use crate::engine::block::BlockDevice;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::SyncSender};

/// Chunks in a unit of work.
pub const UNIT_CHUNKS: usize = 16;

/// What a chunk turned out to be.
pub enum Outcome {
    /// All zeros.
    Zero,
    /// Stored already, or about to be by this save.
    Known(ChunkRef),
    /// To be stored: its id and its frame.
    New(ChunkId, Vec<u8>),
}

/// The result of one unit.
pub struct Batch {
    /// Number of the segment.
    pub segment: u32,
    /// The base's segment, with the first unit of a segment that has one.
    pub base: Option<Segment>,
    /// Chunk numbers and what they are.
    pub outcomes: Vec<(usize, Outcome)>,
    /// Bytes of the volume that were read.
    pub read: u64,
}

struct Unit {
    segment: u32,
    chunks: Vec<usize>,
    base: Option<SegmentUse>,
}

/// What the workers of one save share.
pub struct Reader<'a> {
    pub store: &'a Store,
    pub organization: &'a Organization,
    pub keys: Arc<Keys>,
    pub key: &'a Key,
    pub source: &'a dyn BlockDevice,
    pub pins: &'a Pins,
    /// What says the same to others.
    pub hold: &'a UploadHold<'a>,
    /// Chunks of packs that are not in the store yet.
    pub pending: Mutex<HashMap<ChunkId, ChunkRef>>,
    /// Set when the save has ended, well or not.
    pub stop: AtomicBool,
}

/// The units of a plan, in order. Every segment has at least one, so that its base is read.
struct Units<'p> {
    plan: std::collections::btree_map::Iter<'p, u32, plan::SegmentPlan>,
    bases: &'p BTreeMap<u32, SegmentUse>,
    current: std::collections::VecDeque<Unit>,
}

/// Number of units that a segment's plan makes.
pub fn unit_count(plan: &plan::SegmentPlan) -> usize {
    plan.read.iter().count().div_ceil(UNIT_CHUNKS).max(1)
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.current.is_empty() {
            let (number, segment) = self.plan.next()?;
            let chunks: Vec<usize> = segment.read.iter().collect();
            let mut base = self.bases.get(number).copied();
            if chunks.is_empty() {
                return Some(Unit {
                    segment: *number,
                    chunks,
                    base,
                });
            }
            for part in chunks.chunks(UNIT_CHUNKS) {
                self.current.push_back(Unit {
                    segment: *number,
                    chunks: part.to_vec(),
                    base: base.take(),
                });
            }
        }
        self.current.pop_front()
    }
}

/// Hands out the units of one plan to all workers.
pub struct Queue<'p>(Mutex<Units<'p>>);

impl<'p> Queue<'p> {
    pub fn new(plan: &'p Plan, bases: &'p BTreeMap<u32, SegmentUse>) -> Self {
        Self(Mutex::new(Units {
            plan: plan.iter(),
            bases,
            current: std::collections::VecDeque::new(),
        }))
    }

    fn next(&self) -> Option<Unit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

impl Reader<'_> {
    /// The chunks on their way to the store.
    pub fn pending(&self) -> MutexGuard<'_, HashMap<ChunkId, ChunkRef>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a worker thread: until the queue is empty, nobody listens any more, or something failed.
    pub fn work(&self, queue: &Queue<'_>, results: &SyncSender<Result<Batch, Error>>) {
        let mut frames = match FrameWriter::new(ZSTD_LEVEL) {
            Ok(frames) => frames,
            Err(source) => {
                let _ = results.send(Err(Error::Process {
                    what: "the compressor cannot be set up",
                    source,
                }));
                return;
            }
        };
        let mut buffer = vec![0; UNIT_CHUNKS * CHUNK_SIZE];
        while !self.stop.load(Ordering::Relaxed)
            && let Some(unit) = queue.next()
        {
            let result = self.unit(&unit, &mut frames, &mut buffer);
            let failed = result.is_err();
            if results.send(result).is_err() || failed {
                return;
            }
        }
    }

    fn unit(
        &self,
        unit: &Unit,
        frames: &mut FrameWriter,
        buffer: &mut [u8],
    ) -> Result<Batch, Error> {
        let base = unit
            .base
            .map(|base| self.read_segment(unit.segment, base))
            .transpose()?;
        let size = self.source.size();
        let mut batch = Batch {
            segment: unit.segment,
            base,
            outcomes: Vec::with_capacity(unit.chunks.len()),
            read: 0,
        };
        for run in unit.chunks.chunk_by(|a, b| a + 1 == *b) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            let range = plan::chunk_range(unit.segment, *first, size).start
                ..plan::chunk_range(unit.segment, *last, size).end;
            let length = (range.end - range.start) as usize;
            let run_buffer = &mut buffer[..run.len() * CHUNK_SIZE];
            self.source
                .read_at(range.start, &mut run_buffer[..length])
                .map_err(|source| Error::Source {
                    offset: range.start,
                    source,
                })?;
            run_buffer[length..].fill(0);
            batch.read += range.end - range.start;
            for (chunk, content) in run.iter().zip(run_buffer.chunks(CHUNK_SIZE)) {
                batch.outcomes.push((*chunk, self.chunk(content, frames)?));
            }
        }
        Ok(batch)
    }

    fn chunk(&self, content: &[u8], frames: &mut FrameWriter) -> Result<Outcome, Error> {
        if is_zero(content) {
            return Ok(Outcome::Zero);
        }
        let id = self.key.chunk_id(content);
        if let Some(known) = self.find(&id)? {
            return Ok(Outcome::Known(known));
        }
        Ok(Outcome::New(id, frames.frame(self.key, &id, content)))
    }

    /// Where the chunk stands already, if that is known and sound. The pack it stands in is pinned.
    fn find(&self, id: &ChunkId) -> Result<Option<ChunkRef>, Error> {
        if let Some(pending) = self.pending().get(id) {
            return Ok(Some(*pending));
        }
        let (candidate, cached, size) = {
            let mut state = self.organization.state();
            let Some(candidate) = state.index.candidate(id) else {
                return Ok(None);
            };
            let object = (Kind::Pack, candidate.pack);
            let Some(size) = state.ledger.size(object) else {
                return Ok(None);
            };
            if state.condemned.contains(object) {
                return Ok(None);
            }
            if !self.pins.pin(&mut state, object) {
                return Ok(None);
            }
            (candidate, state.index.cached(candidate.pack), size)
        };
        let entries = match cached {
            Some(entries) => entries,
            None => {
                let read = organization::read_index(
                    self.store,
                    self.organization.id,
                    candidate.pack,
                    size,
                    &self.keys,
                );
                match self.store.runtime().block_on(read) {
                    Ok(entries) => {
                        let entries = Arc::new(entries);
                        self.organization
                            .state()
                            .index
                            .keep(candidate.pack, Arc::clone(&entries));
                        entries
                    }
                    Err(Error::Damaged { .. }) => {
                        let mut state = self.organization.state();
                        state.index.remove(candidate.pack);
                        state.index.unreadable(candidate.pack);
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        let found = entries
            .get(candidate.entry as usize)
            .filter(|entry| entry.id == *id);
        let state = self.organization.state();
        // So few of its chunks are needed that it should die with them.
        if state
            .ledger
            .is_nearly_dead((Kind::Pack, candidate.pack), entries.len())
        {
            return Ok(None);
        }
        Ok(found
            .filter(|entry| !state.is_damaged((Kind::Pack, candidate.pack), entry.offset))
            .map(|entry| ChunkRef {
                pack: candidate.pack,
                entry: *entry,
            }))
    }

    /// Reads a segment of the base. One that is damaged is marked, so that the next try does without it.
    pub fn read_segment(&self, number: u32, place: SegmentUse) -> Result<Segment, Error> {
        let read = read_segment(self.store, self.organization, number, place, &self.keys);
        let result = self
            .store
            .runtime()
            .block_on(read)
            .map(|(segment, _)| segment);
        if matches!(result, Err(Error::Damaged { .. })) {
            self.organization
                .state()
                .mark((Kind::Segment, place.id), organization::WHOLE);
        }
        result
    }
}

/// Reads, authenticates and decodes a segment; gives the id of its key as well.
pub async fn read_segment(
    store: &Store,
    organization: &Organization,
    number: u32,
    place: SegmentUse,
    keys: &Keys,
) -> Result<(Segment, super::format::ObjectId), Error> {
    let path = store::name(organization.id, Kind::Segment, place.id);
    let (body, key) = store
        .open(organization.id, Kind::Segment, place.id, &path, keys)
        .await?;
    let segment = Segment::decode(&body).map_err(|damage| store::damaged(&path, damage))?;
    if segment.number != number {
        let what = "it is another segment of the volume";
        return Err(store::damaged(
            &path,
            super::error::Damage::Reference { what },
        ));
    }
    Ok((segment, key))
}

/// Whether all bytes are zero. Comparing the slice with itself, shifted, runs at the speed of memory.
pub fn is_zero(bytes: &[u8]) -> bool {
    match bytes.split_at_checked(16) {
        Some((head, tail)) => head == [0; 16] && bytes[..tail.len()] == *tail,
        None => bytes.iter().all(|byte| *byte == 0),
    }
}
