//! The writing half of a save: fills packs and segments, and sends them off while the workers go on.

use super::error::{Damage, Error};
use super::format::{Kind, ObjectId};
use super::keys::ChunkId;
use super::ledger::Object;
use super::manifest::{Description, Manifest, PackUse, SegmentUse};
use super::pack::{Entry, PackWriter};
use super::pipeline::{self, Batch, Outcome, Queue, Reader};
use super::plan::{Plan, SegmentPlan};
use super::segment::{ChunkRef, Segment};
use super::store;
use super::types;
use super::{Archive, Progress, SaveRequest};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Segments that are on their way to the store at once, of one save.
const SEGMENTS_IN_FLIGHT: usize = 8;
/// How often a save that waits for the store asks whether it is to go on.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Units' results that wait for the packer.
pub const QUEUE: usize = 8;

/// A segment that is being put together.
struct Open {
    segment: Segment,
    units_left: usize,
    has_base: bool,
    base: Option<Segment>,
}

type Upload = (Object, u64, Option<Arc<Vec<Entry>>>, Result<(), Error>);

/// See the module.
///
/// Memory: pack buffers of 32 MiB, bounded for the whole archive (`ArchiveOptions::pack_buffers`), and segments of 43 KiB.
pub struct Packer<'a> {
    reader: &'a Reader<'a>,
    buffers: &'a Arc<Semaphore>,
    workers: usize,
    plan: &'a Plan,
    open: HashMap<u32, Open>,
    pack: Option<(PackWriter, OwnedSemaphorePermit)>,
    uploads: JoinSet<Upload>,
    segments_in_flight: Arc<Semaphore>,
    uploaded: u64,
    uses: BTreeMap<ObjectId, i64>,
    sizes: HashMap<ObjectId, u32>,
    segments: BTreeMap<u32, SegmentUse>,
    read: u64,
}

impl<'a> Packer<'a> {
    pub fn new(
        archive: &'a Archive,
        reader: &'a Reader<'a>,
        plan: &'a Plan,
        old: Option<&Manifest>,
    ) -> Self {
        let none = BTreeMap::new();
        let packs = old.map_or(&none, |old| &old.packs);
        Self {
            reader,
            buffers: &archive.shared.pack_buffers,
            workers: archive.shared.options.workers.max(1),
            plan,
            open: HashMap::new(),
            pack: None,
            uploads: JoinSet::new(),
            segments_in_flight: Arc::new(Semaphore::new(SEGMENTS_IN_FLIGHT)),
            uploaded: 0,
            uses: packs
                .iter()
                .map(|(id, pack)| (*id, i64::from(pack.chunks)))
                .collect(),
            sizes: packs.iter().map(|(id, pack)| (*id, pack.size)).collect(),
            segments: old.map_or_else(BTreeMap::new, |old| old.segments.clone()),
            read: 0,
        }
    }

    /// Everything but the manifest. When it returns, well or not, nothing of this save is under way any more.
    pub fn run(
        mut self,
        queue: &Queue<'_>,
        request: &SaveRequest<'_>,
        progress: &mut dyn Progress,
    ) -> Result<(Manifest, u64), Error> {
        let reader = self.reader;
        let worked = std::thread::scope(|scope| {
            let (sender, results) = mpsc::sync_channel(QUEUE);
            let mut failed = Ok(());
            for _ in 0..self.workers {
                let sender = sender.clone();
                let worker = std::thread::Builder::new()
                    .name("archive-save".into())
                    .spawn_scoped(scope, move || reader.work(queue, &sender));
                if let Err(source) = worker {
                    failed = Err(Error::Process {
                        what: "a thread for saving cannot be started",
                        source,
                    });
                    break;
                }
            }
            drop(sender);
            let worked = failed.and_then(|()| self.consume(&results, progress));
            // The workers end at their next look or send.
            reader.stop.store(true, Ordering::Relaxed);
            drop(results);
            worked
        });
        if worked.is_err() {
            self.abandon();
        }
        let drained = self.drain(progress);
        worked?;
        drained?;
        Ok((self.manifest(request)?, self.uploaded))
    }

    fn consume(
        &mut self,
        results: &mpsc::Receiver<Result<Batch, Error>>,
        progress: &mut dyn Progress,
    ) -> Result<(), Error> {
        while let Ok(batch) = results.recv() {
            let batch = batch?;
            self.read += batch.read;
            self.take(batch, progress)?;
            while let Some(upload) = self.uploads.try_join_next() {
                self.uploaded(upload)?;
            }
            if progress.done(self.read).is_break() {
                return Err(Error::Cancelled);
            }
            self.reader.hold.renew_if_due(self.reader.pins)?;
        }
        self.send_pack();
        Ok(())
    }

    fn take(&mut self, batch: Batch, progress: &mut dyn Progress) -> Result<(), Error> {
        let number = batch.segment;
        let Some(plan) = self.plan.get(&number) else {
            return Ok(());
        };
        let mut open = self.open.remove(&number).unwrap_or_else(|| Open {
            segment: Segment::new(number),
            units_left: pipeline::unit_count(plan),
            has_base: self.segments.contains_key(&number),
            base: None,
        });
        if let Some(base) = batch.base {
            copy_unchanged(plan, &base, &mut open.segment);
            open.base = Some(base);
        }
        for (chunk, outcome) in batch.outcomes {
            let place = match outcome {
                Outcome::Zero => None,
                Outcome::Known(known) => Some(known),
                Outcome::New(id, frame) => Some(self.store_chunk(id, &frame, progress)?),
            };
            if let Some(slot) = open.segment.chunks.get_mut(chunk) {
                *slot = place;
            }
        }
        open.units_left -= 1;
        if open.units_left > 0 {
            self.open.insert(number, open);
            return Ok(());
        }
        self.close_segment(number, &open, progress)
    }

    fn store_chunk(
        &mut self,
        id: ChunkId,
        frame: &[u8],
        progress: &mut dyn Progress,
    ) -> Result<ChunkRef, Error> {
        // Another worker may have met the same content at the same time.
        if let Some(pending) = self.reader.pending().get(&id) {
            return Ok(*pending);
        }
        if self
            .pack
            .as_ref()
            .is_some_and(|(pack, _)| !pack.has_room(frame.len()))
        {
            self.send_pack();
        }
        let (pack, _) = match &mut self.pack {
            Some(pack) => pack,
            None => {
                let permit = self.permit(self.buffers, progress)?;
                self.pack.insert((
                    PackWriter::new(self.reader.key, self.reader.organization.id),
                    permit,
                ))
            }
        };
        let place = ChunkRef {
            pack: pack.id(),
            entry: pack.push(id, frame),
        };
        self.reader.pending().insert(id, place);
        Ok(place)
    }

    fn send_pack(&mut self) {
        let Some((pack, permit)) = self.pack.take() else {
            return;
        };
        let id = pack.id();
        let (bytes, entries) = pack.finish(self.reader.key);
        self.sizes.insert(id, bytes.len() as u32);
        self.send(
            (Kind::Pack, id),
            Bytes::from(bytes),
            Some(Arc::new(entries)),
            permit,
        );
    }

    fn close_segment(
        &mut self,
        number: u32,
        open: &Open,
        progress: &mut dyn Progress,
    ) -> Result<(), Error> {
        if open.has_base != open.base.is_some() {
            return Err(Error::InvalidRequest {
                what: "a segment of the base was not read",
            });
        }
        if open.base.as_ref() == Some(&open.segment) {
            return Ok(());
        }
        for place in open
            .base
            .iter()
            .flat_map(|base| base.chunks.iter().flatten())
        {
            *self.uses.entry(place.pack).or_default() -= 1;
        }
        for place in open.segment.chunks.iter().flatten() {
            *self.uses.entry(place.pack).or_default() += 1;
        }
        self.segments.remove(&number);
        if open.segment.present() == 0 {
            return Ok(());
        }
        let id = ObjectId::new();
        let bytes = open
            .segment
            .encode(self.reader.key, self.reader.organization.id, id);
        self.segments.insert(
            number,
            SegmentUse {
                id,
                size: bytes.len() as u32,
            },
        );
        let permit = self.permit(&self.segments_in_flight, progress)?;
        self.send((Kind::Segment, id), Bytes::from(bytes), None, permit);
        Ok(())
    }

    /// Waits for a place: this is where a save that is faster than the store is held back, and where it is while a
    /// store does not answer; so whether it is to go on is asked here, too.
    fn permit(
        &self,
        places: &Arc<Semaphore>,
        progress: &mut dyn Progress,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let runtime = self.reader.store.runtime();
        loop {
            let place = Arc::clone(places).acquire_owned();
            let waited = runtime.block_on(async { tokio::time::timeout(ASK_EVERY, place).await });
            if let Ok(permit) = waited {
                return permit.map_err(|error| Error::Process {
                    what: "the archive is closing",
                    source: std::io::Error::other(error),
                });
            }
            if progress.done(self.read).is_break() {
                return Err(Error::Cancelled);
            }
        }
    }

    /// Gives up the uploads that are under way, where that leaves nothing behind but what a prune finds. (A folder's
    /// writes cannot be called back; they are quick.)
    fn abandon(&mut self) {
        if !self.reader.organization.sole {
            self.uploads.abort_all();
        }
    }

    /// Starts an upload. It is pinned before it begins, so that nobody takes it for garbage.
    fn send(
        &mut self,
        object: Object,
        bytes: Bytes,
        entries: Option<Arc<Vec<Entry>>>,
        permit: OwnedSemaphorePermit,
    ) {
        let size = bytes.len() as u64;
        self.reader
            .pins
            .pin_new(&mut self.reader.organization.state(), object, size);
        let store = self.reader.store.clone();
        let path = store::name(self.reader.organization.id, object.0, object.1);
        let runtime = store.runtime().clone();
        self.uploads.spawn_on(
            async move {
                let result = store.put(&path, bytes).await;
                drop(permit);
                (object, size, entries, result)
            },
            &runtime,
        );
    }

    fn uploaded(&mut self, upload: Result<Upload, tokio::task::JoinError>) -> Result<(), Error> {
        let (object, size, entries, result) = upload.map_err(|error| Error::Process {
            what: "an upload broke off",
            source: std::io::Error::other(error),
        })?;
        result?;
        self.uploaded += size;
        if let Some(entries) = entries {
            self.reader
                .organization
                .state()
                .index
                .add(object.1, &entries);
            let mut pending = self.reader.pending();
            for entry in entries.iter() {
                pending.remove(&entry.id);
            }
        }
        Ok(())
    }

    /// Waits for every upload that was started; gives the first failure.
    fn drain(&mut self, progress: &mut dyn Progress) -> Result<(), Error> {
        let runtime = self.reader.store.runtime().clone();
        let mut result = Ok(());
        loop {
            let next = self.uploads.join_next();
            match runtime.block_on(async { tokio::time::timeout(ASK_EVERY, next).await }) {
                Ok(Some(upload)) => {
                    let upload = self.uploaded(upload);
                    result = result.and(upload);
                }
                Ok(None) => return result,
                Err(_) if result.is_ok() && progress.done(self.read).is_break() => {
                    result = Err(Error::Cancelled);
                    self.abandon();
                }
                Err(_) => {}
            }
        }
    }

    fn manifest(&self, request: &SaveRequest<'_>) -> Result<Manifest, Error> {
        let state = self.reader.organization.state();
        let mut packs = BTreeMap::new();
        for (id, chunks) in self.uses.iter().filter(|(_, chunks)| **chunks != 0) {
            let size = self.sizes.get(id).copied().or_else(|| {
                state
                    .ledger
                    .size((Kind::Pack, *id))
                    .and_then(|size| size.try_into().ok())
            });
            // Negative: the base's table did not hold what its segments do.
            let (Some(size), Ok(chunks)) = (size, u32::try_from(*chunks)) else {
                let path = store::name(self.reader.organization.id, Kind::Pack, *id);
                return Err(store::damaged(
                    &path,
                    Damage::Reference {
                        what: "the base counts its chunks otherwise",
                    },
                ));
            };
            packs.insert(*id, PackUse { size, chunks });
        }
        let description = Description {
            snapshot: request.snapshot,
            name: request.name.to_owned(),
            volume: request.volume,
            volume_name: request.volume_name.to_owned(),
            kind: request.kind.to_owned(),
            taken_ms: request.taken_ms,
            size: request.source.size(),
            data_bytes: 0,
            uploaded_bytes: 0,
            labels: types::owned(request.labels),
        };
        Ok(Manifest {
            description,
            packs,
            segments: self.segments.clone(),
        })
    }
}

fn copy_unchanged(plan: &SegmentPlan, base: &Segment, segment: &mut Segment) {
    for (chunk, (from, to)) in base.chunks.iter().zip(&mut segment.chunks).enumerate() {
        if !plan.changed.contains(chunk) {
            *to = *from;
        }
    }
}
