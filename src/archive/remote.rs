//! A snapshot as a source of blocks: read chunk by chunk, from a volume's hold alone, while the volume is in use.
//!
//! Reading one chunk costs the hold (once, when the source is opened), its segment (kept: [`SEGMENTS`] at a time) and one
//! ranged GET; chunks that stand side by side in one pack come in one GET as far as the caller wants them. What no segment
//! names is zeros and costs nothing. Every byte is proved as in a restore.
//!
//! Nothing is written down here, so there is nothing to recover; a hold that was released is an error that lasts.

use super::error::Error;
use super::format::Kind;
use super::hold::{Held, HoldId, held_in};
use super::organization::Organization;
use super::pack::FrameReader;
use super::segment::{ChunkRef, Segment};
use super::store::{self, Store};
use super::{Archive, CHUNK_SIZE, SEGMENT_CHUNKS, lock, pipeline};
use crate::domain::id::OrganizationId;
use crate::engine::{RemoteError, RemoteId, RemoteRun, RemoteSource, RemoteSources};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Segments that a source keeps: 60 KiB each at most.
const SEGMENTS: usize = 16;
/// Chunks that a source keeps, for a pool that has no room to: neighbouring blocks of a chunk come with one GET.
const CHUNKS: usize = 16;
/// Bytes between two frames that are read along rather than asked for by themselves.
const GAP: u32 = 64 << 10;
/// Bytes of one GET at most.
const RUN: u32 = 4 << 20;

impl Archive {
    /// The name by which a pool finds a hold's snapshot again.
    #[must_use]
    pub fn remote_id(organization: OrganizationId, hold: HoldId) -> Option<RemoteId> {
        RemoteId::new(&[organization.to_bytes(), hold.to_bytes()].concat())
    }

    /// The organization and the hold that a name from [`Archive::remote_id`] stands for.
    #[must_use]
    pub fn parse_remote_id(id: &RemoteId) -> Option<(OrganizationId, HoldId)> {
        let (organization, hold) = id.as_bytes().split_at_checked(16)?;
        Some((
            OrganizationId::from_bytes(organization.try_into().ok()?),
            HoldId::from_bytes(hold.try_into().ok()?),
        ))
    }

    /// What a pool asks for the blocks of its volumes that still fill ([`crate::engine::Pool::attach_sources`]).
    #[must_use]
    pub fn sources(&self) -> Arc<dyn RemoteSources> {
        Arc::new(Sources(self.clone()))
    }
}

/// All holds of an archive.
struct Sources(Archive);

fn unknown() -> RemoteError {
    RemoteError {
        context: "the source's name is not one of this archive".to_owned(),
        permanent: true,
    }
}

fn failed(error: &Error) -> RemoteError {
    let mut context = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        context = format!("{context}: {error}");
        next = error.source();
    }
    RemoteError {
        context,
        permanent: error.is_permanent(),
    }
}

impl RemoteSources for Sources {
    fn open(&self, id: &RemoteId) -> Result<Arc<dyn RemoteSource>, RemoteError> {
        let (organization, hold) = Archive::parse_remote_id(id).ok_or_else(unknown)?;
        let store = self.0.shared.store.tried_once();
        let found = held_in(&store, &self.0, organization, hold);
        let held = found.map_err(|error| failed(&error))?;
        let held = held.ok_or_else(|| RemoteError {
            context: format!("the hold {hold} is not in the object store"),
            permanent: true,
        })?;
        let organization = self.0.organization(organization);
        Ok(Arc::new(Source {
            store,
            organization: organization.map_err(|error| failed(&error))?,
            held,
            segments: Mutex::default(),
            chunks: Mutex::default(),
            frames: Mutex::default(),
        }))
    }

    fn release(&self, id: &RemoteId) -> Result<(), RemoteError> {
        let (organization, hold) = Archive::parse_remote_id(id).ok_or_else(unknown)?;
        let released = self.0.release_hold(organization, hold);
        released.map_err(|error| failed(&error))
    }
}

/// One hold.
struct Source {
    /// Who reads here has a patience of his own: each request is made once.
    store: Store,
    organization: Arc<Organization>,
    held: Held,
    /// The last used first. Locked while one is fetched, so that several readers of a segment fetch it once.
    segments: Mutex<VecDeque<Arc<Opened>>>,
    /// Chunks that were asked for by themselves, the last used first.
    chunks: Mutex<VecDeque<(u32, Vec<u8>)>>,
    frames: Mutex<Vec<FrameReader>>,
}

/// A segment, and the key that its chunks' ids are made with.
struct Opened {
    segment: Segment,
    key: super::format::ObjectId,
}

impl Source {
    fn segment(&self, number: u32) -> Result<Option<Arc<Opened>>, Error> {
        let Some(place) = self.held.manifest.segments.get(&number) else {
            return Ok(None);
        };
        let mut segments = lock(&self.segments);
        let found = segments
            .iter()
            .position(|opened| opened.segment.number == number);
        let opened = match found.and_then(|at| segments.remove(at)) {
            Some(opened) => opened,
            None => {
                let store = &self.store;
                let keys = Arc::clone(&self.organization.state().keys);
                let read = pipeline::read_segment(store, &self.organization, number, *place, &keys);
                let (segment, key) = store.runtime().block_on(read)?;
                Arc::new(Opened { segment, key })
            }
        };
        segments.push_front(Arc::clone(&opened));
        segments.truncate(SEGMENTS);
        Ok(Some(opened))
    }

    /// How many chunks from the end of segment `number` on are in no segment.
    fn none_after(&self, number: u32) -> u32 {
        let chunks = self.size().div_ceil(CHUNK_SIZE as u64);
        let here = (u64::from(number) + 1) * SEGMENT_CHUNKS as u64;
        let next = self
            .held
            .manifest
            .segments
            .range(number.saturating_add(1)..)
            .next();
        let next = next.map_or(chunks, |(next, _)| u64::from(*next) * SEGMENT_CHUNKS as u64);
        u32::try_from(next.saturating_sub(here)).unwrap_or(u32::MAX)
    }

    fn read_chunks(&self, first: u32, most: u32) -> Result<RemoteRun, Error> {
        let per = SEGMENT_CHUNKS as u32;
        let (number, n) = (first / per, first % per);
        let Some(opened) = self.segment(number)? else {
            return Ok(RemoteRun::Zeros(per - n + self.none_after(number)));
        };
        let chunks = opened.segment.chunks.get(n as usize..).unwrap_or_default();
        let run = side_by_side(chunks, most);
        if run.is_empty() {
            let none = chunks.iter().take_while(|chunk| chunk.is_none()).count() as u32;
            let after = if none == per - n {
                self.none_after(number)
            } else {
                0
            };
            return Ok(RemoteRun::Zeros(none + after));
        }
        if let Some(bytes) = self.kept(first) {
            return Ok(RemoteRun::Data(bytes));
        }
        let bytes = self.fetch(&opened, &run)?;
        if run.len() == 1 {
            let mut chunks = lock(&self.chunks);
            chunks.push_front((first, bytes.clone()));
            chunks.truncate(CHUNKS);
        }
        Ok(RemoteRun::Data(bytes))
    }

    fn kept(&self, chunk: u32) -> Option<Vec<u8>> {
        let mut chunks = lock(&self.chunks);
        let at = chunks.iter().position(|(number, _)| *number == chunk)?;
        let found = chunks.remove(at)?;
        let bytes = found.1.clone();
        chunks.push_front(found);
        Some(bytes)
    }

    /// Fetches chunks that stand side by side, and proves each.
    fn fetch(&self, opened: &Opened, run: &[&ChunkRef]) -> Result<Vec<u8>, Error> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(Vec::new());
        };
        let store = &self.store;
        let path = store::name(self.organization.id, Kind::Pack, first.pack);
        let end = last.entry.offset.saturating_add(last.entry.length);
        let range = u64::from(first.entry.offset)..u64::from(end);
        let frames = store.runtime().block_on(store.get_range(&path, range))?;
        let keys = Arc::clone(&self.organization.state().keys);
        let key =
            store::find_key(&keys, opened.key).map_err(|damage| store::damaged(&path, damage))?;
        let reader = lock(&self.frames).pop();
        let mut reader = match reader {
            Some(reader) => reader,
            None => FrameReader::new().map_err(|source| Error::Process {
                what: "the decompressor cannot be set up",
                source,
            })?,
        };
        let mut bytes = vec![0; run.len() * CHUNK_SIZE];
        for (chunk, content) in run.iter().zip(bytes.chunks_mut(CHUNK_SIZE)) {
            let from = (chunk.entry.offset - first.entry.offset) as usize;
            let frame = frames.get(from..from + chunk.entry.length as usize);
            reader
                .read(key, &chunk.entry, frame.unwrap_or_default(), content)
                .map_err(|damage| store::damaged(&path, damage))?;
        }
        lock(&self.frames).push(reader);
        Ok(bytes)
    }
}

/// The chunks at the front of these that one GET brings: present, of one pack, in its order and close together.
fn side_by_side(chunks: &[Option<ChunkRef>], most: u32) -> Vec<&ChunkRef> {
    let mut run: Vec<&ChunkRef> = Vec::new();
    for chunk in chunks.iter().take(most as usize).map_while(Option::as_ref) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            let end = last.entry.offset.saturating_add(last.entry.length);
            let close = chunk.pack == first.pack
                && chunk.entry.offset >= end
                && chunk.entry.offset - end <= GAP
                && chunk
                    .entry
                    .offset
                    .saturating_add(chunk.entry.length)
                    .saturating_sub(first.entry.offset)
                    <= RUN;
            if !close {
                break;
            }
        }
        run.push(chunk);
    }
    run
}

impl RemoteSource for Source {
    fn size(&self) -> u64 {
        self.held.description().size
    }

    fn chunk_size(&self) -> u64 {
        CHUNK_SIZE as u64
    }

    fn data_bytes(&self) -> u64 {
        self.held.description().data_bytes
    }

    fn read(&self, first: u32, most: u32) -> Result<RemoteRun, RemoteError> {
        self.read_chunks(first, most.max(1))
            .map_err(|error| failed(&error))
    }
}
