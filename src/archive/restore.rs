//! Restoring: from a manifest to a device. Every chunk is proved by its id before a byte of it is written.
//!
//! Work is handed out by segments. A worker reads the segment, blanks what the target holds there, orders the chunks
//! by pack, fetches neighbours together (up to [`RUN`] bytes a request) and writes what is not zero. Memory a worker:
//! one run, one segment and 1 MiB.

use super::crew;
use super::error::{Damage, Error};
use super::format::{Kind, ObjectId};
use super::keys::Key;
use super::manifest::{Manifest, SegmentUse};
use super::organization::{self, Organization, Pins};
use super::pack::FrameReader;
use super::pipeline::{self, is_zero};
use super::plan;
use super::segment::{ChunkRef, Segment};
use super::store::{self, Keys, Store};
use super::{Archive, CHUNK_SIZE, Progress, Restored, SEGMENT_SIZE};
use crate::domain::id::{OrganizationId, SnapshotId};
use crate::engine::block::{BLOCK_SIZE, BlockDevice, ZeroOptions};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Bytes that one request for chunks asks for at most.
pub const RUN: u32 = 8 << 20;
/// Bytes between two chunks that are read and thrown away rather than asked for apart.
const GAP: u32 = 64 << 10;
/// Bytes that are gathered for one write.
const WRITE: usize = 1 << 20;

struct Job<'a> {
    store: &'a Store,
    organization: &'a Organization,
    keys: Arc<Keys>,
    target: &'a dyn BlockDevice,
    size: u64,
    todo: Mutex<std::vec::IntoIter<(u32, SegmentUse)>>,
    stop: AtomicBool,
    written: AtomicU64,
    requests: AtomicU64,
}

pub fn restore(
    archive: &Archive,
    organization: OrganizationId,
    snapshot: SnapshotId,
    target: &dyn BlockDevice,
    progress: &mut dyn Progress,
) -> Result<Restored, Error> {
    let organization = archive.organization(organization)?;
    let (manifest, _, pins) = pinned_manifest(archive, &organization, snapshot)?;
    let result = restore_manifest(archive, &organization, &manifest, target, progress);
    drop(pins);
    if let Err(error) = archive.sweep_if_deleted(&organization) {
        tracing::warn!(error = %error, "unneeded objects stay in the object store for now");
    }
    result
}

#[cfg(test)]
impl Archive {
    /// Restores what a volume's hold has kept.
    pub fn restore_held(
        &self,
        held: &super::Held,
        target: &dyn BlockDevice,
        progress: &mut dyn Progress,
    ) -> Result<Restored, Error> {
        let organization = self.organization(held.organization)?;
        restore_manifest(self, &organization, &held.manifest, target, progress)
    }
}

/// The manifest, the id of its key, and pins on everything that it needs.
pub(super) fn pinned_manifest(
    archive: &Archive,
    organization: &Arc<Organization>,
    snapshot: SnapshotId,
) -> Result<(Manifest, ObjectId, Pins), Error> {
    match pin_manifest(archive, organization, snapshot) {
        // It may have been deleted by another process.
        Err(Error::Damaged {
            damage: Damage::Missing,
            ..
        }) if !organization.sole => {
            archive.refresh(organization)?;
            pin_manifest(archive, organization, snapshot)
        }
        result => result,
    }
}

fn pin_manifest(
    archive: &Archive,
    organization: &Arc<Organization>,
    snapshot: SnapshotId,
) -> Result<(Manifest, ObjectId, Pins), Error> {
    let store = &archive.shared.store;
    archive.look_for(organization, snapshot)?;
    let (known, keys) = {
        let state = organization.state();
        let known = state.ledger.snapshot(snapshot).cloned();
        if known.is_none() {
            let unreadable = |name: &&String| {
                store::parse_manifest_name(name).is_some_and(|(id, _)| id == snapshot)
            };
            if let Some((name, damage)) = state.unreadable.iter().find(|(name, _)| unreadable(name))
            {
                let object = format!("{}/{}/{name}", organization.id, Kind::Manifest.folder());
                return Err(Error::Damaged {
                    object,
                    damage: damage.clone(),
                });
            }
        }
        (
            known.ok_or(Error::NoSuchSnapshot { snapshot })?,
            Arc::clone(&state.keys),
        )
    };
    let read = organization::read_manifest(store, organization.id, snapshot, known.manifest, &keys);
    let (manifest, key) = store.runtime().block_on(read)?;
    let pins = Pins::new(organization);
    let mut state = organization.state();
    if state.ledger.snapshot(snapshot).is_none() {
        return Err(Error::NoSuchSnapshot { snapshot });
    }
    for (kind, id, size) in manifest.needs() {
        if !pins.rely(&mut state, (kind, id), size) {
            drop(state);
            return Err(store::damaged(
                &store::name(organization.id, kind, id),
                Damage::Missing,
            ));
        }
    }
    drop(state);
    Ok((manifest, key, pins))
}

fn restore_manifest(
    archive: &Archive,
    organization: &Organization,
    manifest: &Manifest,
    target: &dyn BlockDevice,
    progress: &mut dyn Progress,
) -> Result<Restored, Error> {
    let size = manifest.description.size;
    if target.size() < size {
        return Err(Error::TooSmall {
            needed: size,
            size: target.size(),
        });
    }
    blank_outside(manifest, target)?;
    let todo: Vec<_> = manifest
        .segments
        .iter()
        .map(|(number, place)| (*number, *place))
        .collect();
    let job = Job {
        store: &archive.shared.store,
        organization,
        keys: Arc::clone(&organization.state().keys),
        target,
        size,
        todo: Mutex::new(todo.into_iter()),
        stop: AtomicBool::new(false),
        written: AtomicU64::new(0),
        requests: AtomicU64::new(0),
    };
    progress.total(manifest.description.data_bytes);
    let workers = archive.shared.options.workers;
    crew::run("archive-restore", workers, &job.stop, progress, |results| {
        job.work(results);
    })?;
    target
        .flush()
        .map_err(|source| Error::Target { offset: 0, source })?;
    Ok(Restored {
        size,
        data_bytes: manifest.description.data_bytes,
        written_bytes: job.written.into_inner(),
        objects_read: job.requests.into_inner() + 1,
    })
}

/// Makes everything zero that no segment covers.
fn blank_outside(manifest: &Manifest, target: &dyn BlockDevice) -> Result<(), Error> {
    let mut at = 0;
    for number in manifest.segments.keys() {
        let start = u64::from(*number) * SEGMENT_SIZE;
        blank(target, at..start)?;
        at = (start + SEGMENT_SIZE).min(target.size());
    }
    blank(target, at..target.size())
}

/// Makes a range zero, touching only what is not zero by the target's own word.
fn blank(target: &dyn BlockDevice, range: std::ops::Range<u64>) -> Result<(), Error> {
    let mut data = Vec::new();
    plan::data_ranges(target, range, |range| data.push(range)).map_err(|error| match error {
        Error::Source { offset, source } => Error::Target { offset, source },
        other => other,
    })?;
    for range in data {
        let length = range.end - range.start;
        target
            .write_zeroes(range.start, length, ZeroOptions::default())
            .map_err(|source| Error::Target {
                offset: range.start,
                source,
            })?;
    }
    Ok(())
}

/// Chunks of one pack that are fetched together.
pub(super) struct Run<'s> {
    pub chunks: Vec<(usize, &'s ChunkRef)>,
    pub range: std::ops::Range<u32>,
}

pub(super) fn runs(segment: &Segment) -> Vec<Run<'_>> {
    let mut chunks: Vec<(usize, &ChunkRef)> = segment
        .chunks
        .iter()
        .enumerate()
        .filter_map(|(n, chunk)| Some((n, chunk.as_ref()?)))
        .collect();
    chunks.sort_unstable_by_key(|(_, chunk)| (chunk.pack, chunk.entry.offset));
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (n, chunk) in chunks {
        let (start, end) = (
            chunk.entry.offset,
            chunk.entry.offset.saturating_add(chunk.entry.length),
        );
        match runs.last_mut() {
            Some(run)
                if run
                    .chunks
                    .first()
                    .is_some_and(|(_, first)| first.pack == chunk.pack)
                    && start <= run.range.end.saturating_add(GAP)
                    && end.saturating_sub(run.range.start) <= RUN =>
            {
                run.range.end = run.range.end.max(end);
                run.chunks.push((n, chunk));
            }
            _ => runs.push(Run {
                chunks: vec![(n, chunk)],
                range: start..end,
            }),
        }
    }
    for run in &mut runs {
        run.chunks.sort_unstable_by_key(|(n, _)| *n);
    }
    runs
}

impl Job<'_> {
    fn work(&self, results: &mpsc::Sender<Result<u64, Error>>) {
        let mut frames = match FrameReader::new() {
            Ok(frames) => frames,
            Err(source) => {
                let _ = results.send(Err(Error::Process {
                    what: "the decompressor cannot be set up",
                    source,
                }));
                return;
            }
        };
        loop {
            let next = self
                .todo
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next();
            let Some((number, place)) = next else { return };
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = self.segment(number, place, &mut frames, results) {
                let _ = results.send(Err(error));
                return;
            }
        }
    }

    fn segment(
        &self,
        number: u32,
        place: SegmentUse,
        frames: &mut FrameReader,
        results: &mpsc::Sender<Result<u64, Error>>,
    ) -> Result<(), Error> {
        let read = pipeline::read_segment(self.store, self.organization, number, place, &self.keys);
        let (segment, key) = self.store.runtime().block_on(read)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let segment_path = store::name(self.organization.id, Kind::Segment, place.id);
        let key = store::find_key(&self.keys, key)
            .map_err(|damage| store::damaged(&segment_path, damage))?;
        let start = u64::from(number) * SEGMENT_SIZE;
        blank(
            self.target,
            start..(start + SEGMENT_SIZE).min(self.target.size()),
        )?;
        for run in runs(&segment) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let bytes = self.fetch(&run)?;
            self.write_run(number, key, &run, &bytes, frames)?;
            let done = (run.chunks.len() * CHUNK_SIZE) as u64;
            let _ = results.send(Ok(done));
        }
        Ok(())
    }

    fn fetch(&self, run: &Run<'_>) -> Result<Bytes, Error> {
        let Some((_, first)) = run.chunks.first() else {
            return Ok(Bytes::new());
        };
        let path = store::name(self.organization.id, Kind::Pack, first.pack);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let range = u64::from(run.range.start)..u64::from(run.range.end);
        self.store
            .runtime()
            .block_on(self.store.get_range(&path, range))
    }

    fn write_run(
        &self,
        number: u32,
        key: &Key,
        run: &Run<'_>,
        bytes: &[u8],
        frames: &mut FrameReader,
    ) -> Result<(), Error> {
        let mut buffer = vec![0; WRITE];
        for part in run
            .chunks
            .chunk_by(|(a, _), (b, _)| a + 1 == *b)
            .flat_map(|part| part.chunks(WRITE / CHUNK_SIZE))
        {
            let Some((first, _)) = part.first() else {
                continue;
            };
            let buffer = &mut buffer[..part.len() * CHUNK_SIZE];
            for ((_, chunk), content) in part.iter().zip(buffer.chunks_mut(CHUNK_SIZE)) {
                let from = chunk.entry.offset.saturating_sub(run.range.start) as usize;
                let frame = bytes
                    .get(from..from + chunk.entry.length as usize)
                    .unwrap_or_default();
                let path = || store::name(self.organization.id, Kind::Pack, chunk.pack);
                frames
                    .read(key, &chunk.entry, frame, content)
                    .map_err(|damage| store::damaged(&path(), damage))?;
            }
            let start = plan::chunk_range(number, *first, u64::MAX).start;
            let length = (self.size.saturating_sub(start)).min(buffer.len() as u64) as usize;
            self.write_data(start, &buffer[..length])?;
        }
        Ok(())
    }

    /// Writes the blocks that are not zero; the target is blank here.
    fn write_data(&self, start: u64, data: &[u8]) -> Result<(), Error> {
        let block = BLOCK_SIZE as usize;
        let zero: Vec<bool> = data.chunks(block).map(is_zero).collect();
        let mut at = 0;
        for run in zero.chunk_by(|a, b| a == b) {
            let end = (at + run.len() * block).min(data.len());
            if run.first() == Some(&false) {
                let offset = start + at as u64;
                self.target
                    .write_at(offset, &data[at..end], false)
                    .map_err(|source| Error::Target { offset, source })?;
                self.written.fetch_add((end - at) as u64, Ordering::Relaxed);
            }
            at = end;
        }
        Ok(())
    }
}
