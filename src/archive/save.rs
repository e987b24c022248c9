//! Saving: from a volume to a manifest. The steps are those of the module's *Crash story*.

use super::error::{Damage, Error};
use super::format::{Kind, ObjectId};
use super::ledger::Object;
use super::manifest::{Description, Manifest, PackUse, SegmentUse};
use super::organization::{self, Organization, PARALLEL, Pins, WHOLE};
use super::pack::{Entry, PackWriter};
use super::pipeline::{self, Batch, Outcome, Queue, Reader};
use super::plan::{self, Plan, SegmentPlan};
use super::segment::{ChunkRef, Segment};
use super::store::{self};
use super::{Archive, CHUNK_SIZE, Progress, SaveRequest, Saved};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Segments that are on their way to the store at once, of one save.
const SEGMENTS_IN_FLIGHT: usize = 8;
/// Units' results that wait for the packer.
const QUEUE: usize = 8;

/// Removes the mark that a snapshot is being saved.
struct Saving<'a>(&'a Organization, crate::domain::id::SnapshotId);

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        self.0.state().saving.remove(&self.1);
    }
}

pub fn save(archive: &Archive, request: &SaveRequest<'_>, progress: &mut dyn Progress) -> Result<Saved, Error> {
    let organization = archive.organization(request.organization)?;
    let result = {
        if !organization.state().saving.insert(request.snapshot) {
            return Err(Error::Busy { snapshot: request.snapshot });
        }
        let _saving = Saving(&organization, request.snapshot);
        match save_pinned(archive, &organization, request, progress) {
            // What was found damaged on the way is marked by now and will not be built upon again.
            Err(error @ Error::Damaged { .. }) => {
                tracing::warn!(error = %error, "saving again without the damaged object");
                save_pinned(archive, &organization, request, progress)
            }
            result => result,
        }
    };
    // What was deleted meanwhile and only this save still held. Its failure is not the save's: the next one finds it.
    if result.is_ok()
        && let Err(error) = archive.sweep_if_deleted(&organization)
    {
        tracing::warn!(error = %error, "unneeded objects stay in the object store for now");
    }
    result
}

fn save_pinned(
    archive: &Archive,
    organization: &Arc<Organization>,
    request: &SaveRequest<'_>,
    progress: &mut dyn Progress,
) -> Result<Saved, Error> {
    let store = &archive.shared.store;
    let runtime = store.runtime();
    if organization.state().uncertain {
        runtime.block_on(organization.refresh(store))?;
    }
    if let Some(known) = organization.state().ledger.snapshot(request.snapshot) {
        return Ok(Saved::from_description(&known.description));
    }
    if request.source.size() == 0 {
        return Err(Error::InvalidRequest { what: "the volume is empty" });
    }
    let key = runtime.block_on(organization.key(store))?;
    let keys = Arc::clone(&organization.state().keys);
    let pins = Pins::new(organization);
    let reader = Reader {
        store,
        organization,
        keys,
        key: &key,
        source: request.source,
        pins: &pins,
        pending: Mutex::default(),
        stop: AtomicBool::new(false),
    };

    let base = base(&reader, request)?;
    runtime.block_on(organization.load_index(store, base.is_some()))?;
    let (plan, old) = match base {
        Some((manifest, plan)) => (plan, Some(manifest)),
        None => (plan::full(request.source)?, None),
    };
    let to_read = plan::bytes_to_read(&plan, request.source.size());
    progress.total(to_read);
    let none = BTreeMap::new();
    let bases = old.as_ref().map_or(&none, |old| &old.segments);
    let packer = Packer::new(archive, &reader, &plan, old.as_ref());
    let (mut manifest, uploaded) = packer.run(&Queue::new(&plan, bases), request, progress)?;
    manifest.description.data_bytes = manifest.packs.values().map(|pack| u64::from(pack.chunks) * CHUNK_SIZE as u64).sum();
    manifest.description.uploaded_bytes = uploaded;

    runtime.block_on(check_packs(&reader, &manifest, old.as_ref()))?;
    if progress.done(to_read).is_break() {
        return Err(Error::Cancelled);
    }
    write_manifest(&reader, &manifest)?;
    Ok(Saved { read_bytes: to_read, incremental: old.is_some(), ..Saved::from_description(&manifest.description) })
}

/// The base's manifest, its objects pinned, and the plan that follows from it. `None` when there is none that can be
/// built upon: then everything is read.
fn base(reader: &Reader<'_>, request: &SaveRequest<'_>) -> Result<Option<(Manifest, Plan)>, Error> {
    let Some(base) = &request.base else { return Ok(None) };
    let Some(known) = reader.organization.state().ledger.snapshot(base.snapshot).cloned() else { return Ok(None) };
    let read = organization::read_manifest(reader.store, request.organization, base.snapshot, known.manifest, &reader.keys);
    let (manifest, key) = match reader.store.runtime().block_on(read) {
        Ok(read) => read,
        Err(Error::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if key != reader.key.id() || manifest.description.size > request.source.size() {
        return Ok(None);
    }
    // Whatever is not there at its right length, or was found damaged by a check, is not built upon.
    let mut bad_packs = false;
    {
        let mut state = reader.organization.state();
        if state.ledger.snapshot(base.snapshot).is_none_or(|still| still.manifest != known.manifest) {
            return Ok(None);
        }
        for (kind, id, size) in manifest.needs() {
            let there = reader.pins.pin(&mut state, (kind, id)) && state.ledger.size((kind, id)) == Some(size);
            let sound = there && !state.damaged_objects.contains(&(kind, id));
            if !there {
                state.mark((kind, id), WHOLE);
            }
            match kind {
                Kind::Segment if !sound => return Ok(None),
                _ => bad_packs |= !sound,
            }
        }
    }
    let mut plan = Plan::new();
    for changed in base.changed.byte_ranges() {
        plan::add_changed(&mut plan, &(changed.start..changed.end.min(request.source.size())));
    }
    if bad_packs {
        for (number, place) in &manifest.segments {
            let segment = match reader.read_segment(*number, *place) {
                Ok(segment) => segment,
                Err(Error::Damaged { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let state = reader.organization.state();
            for (chunk, place) in segment.chunks.iter().enumerate() {
                if place.is_some_and(|place| state.is_damaged((Kind::Pack, place.pack), place.entry.offset)) {
                    plan::add_changed(&mut plan, &plan::chunk_range(*number, chunk, request.source.size()));
                }
            }
        }
    }
    plan::find_data(&mut plan, request.source)?;
    Ok(Some((manifest, plan)))
}

/// Checks the length of each pack that the base did not have. The base's own were at their length when this process
/// first looked (and at each check), and only this process takes any away.
async fn check_packs(reader: &Reader<'_>, manifest: &Manifest, old: Option<&Manifest>) -> Result<(), Error> {
    let new = manifest.packs.iter().filter(|(id, _)| old.is_none_or(|old| !old.packs.contains_key(id)));
    let checks = new.collect::<Vec<_>>().into_iter().map(|(id, pack)| async move {
        let path = store::name(reader.organization.id, Kind::Pack, *id);
        let (expected, damage) = match reader.store.size(&path).await {
            Ok(found) if found == u64::from(pack.size) => return Ok(()),
            Ok(found) => (u64::from(pack.size), Damage::Size { expected: u64::from(pack.size), found }),
            Err(Error::Damaged { damage, .. }) => (0, damage),
            Err(error) => return Err(error),
        };
        tracing::error!(object = %path, expected, "a pack is not as it was written");
        let mut state = reader.organization.state();
        state.mark((Kind::Pack, *id), WHOLE);
        state.index.remove(*id);
        Err(store::damaged(&path, damage))
    });
    futures::stream::iter(checks).buffer_unordered(PARALLEL).try_collect().await
}

/// Writes the manifest, reads it back, and enters it into the ledger.
fn write_manifest(reader: &Reader<'_>, manifest: &Manifest) -> Result<(), Error> {
    let (store, organization) = (reader.store, reader.organization);
    let id = ObjectId::new();
    let path = store::manifest_name(organization.id, manifest.description.snapshot, id);
    let bytes = manifest
        .encode(reader.key, organization.id, id)
        .map_err(|error| Error::Process { what: "the manifest cannot be written down", source: error.into() })?;
    let bytes = Bytes::from(bytes);
    let outcome = store.runtime().block_on(async {
        let put = store.put(&path, bytes.clone()).await;
        match (put, store.get(&path).await) {
            (_, Ok(back)) if back == bytes => Ok(()),
            (Ok(()), Ok(_)) => Err((store::damaged(&path, Damage::Authentication), false)),
            // The store says that it is not there: nothing was written.
            (Err(error), Err(Error::Damaged { damage: Damage::Missing, .. })) => Err((error, true)),
            (Err(error), _) | (Ok(()), Err(error)) => Err((error, false)),
        }
    });
    match outcome {
        Ok(()) => {
            organization.state().ledger.add(id, bytes.len() as u64, manifest);
            Ok(())
        }
        Err((error, true)) => Err(error),
        Err((error, false)) => {
            // It may stand there, whole, and be found at the next look: then what it needs must be there, too.
            organization.state().uncertain = true;
            reader.pins.keep_for_ever();
            Err(error)
        }
    }
}

struct Open {
    segment: Segment,
    units_left: usize,
    has_base: bool,
    base: Option<Segment>,
}

type Upload = (Object, u64, Option<Arc<Vec<Entry>>>, Result<(), Error>);

/// The writing half of a save: fills packs and segments, and sends them off while the workers go on.
///
/// Memory: pack buffers of 32 MiB, bounded for the whole archive (`ArchiveOptions::pack_buffers`), and segments of 43 KiB.
struct Packer<'a> {
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
    fn new(archive: &'a Archive, reader: &'a Reader<'a>, plan: &'a Plan, old: Option<&Manifest>) -> Self {
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
            uses: packs.iter().map(|(id, pack)| (*id, i64::from(pack.chunks))).collect(),
            sizes: packs.iter().map(|(id, pack)| (*id, pack.size)).collect(),
            segments: old.map_or_else(BTreeMap::new, |old| old.segments.clone()),
            read: 0,
        }
    }

    /// Everything but the manifest. When it returns, well or not, nothing of this save is under way any more.
    fn run(mut self, queue: &Queue<'_>, request: &SaveRequest<'_>, progress: &mut dyn Progress) -> Result<(Manifest, u64), Error> {
        let reader = self.reader;
        let worked = std::thread::scope(|scope| {
            let (sender, results) = mpsc::sync_channel(QUEUE);
            let mut failed = Ok(());
            for _ in 0..self.workers {
                let sender = sender.clone();
                let worker = std::thread::Builder::new().name("archive-save".into()).spawn_scoped(scope, move || reader.work(queue, &sender));
                if let Err(source) = worker {
                    failed = Err(Error::Process { what: "a thread for saving cannot be started", source });
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
        let drained = self.drain();
        worked?;
        drained?;
        Ok((self.manifest(request)?, self.uploaded))
    }

    fn consume(&mut self, results: &mpsc::Receiver<Result<Batch, Error>>, progress: &mut dyn Progress) -> Result<(), Error> {
        while let Ok(batch) = results.recv() {
            let batch = batch?;
            self.read += batch.read;
            self.take(batch)?;
            while let Some(upload) = self.uploads.try_join_next() {
                self.uploaded(upload)?;
            }
            if progress.done(self.read).is_break() {
                return Err(Error::Cancelled);
            }
        }
        self.send_pack()
    }

    fn take(&mut self, batch: Batch) -> Result<(), Error> {
        let number = batch.segment;
        let Some(plan) = self.plan.get(&number) else { return Ok(()) };
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
                Outcome::New(id, frame) => Some(self.store_chunk(id, &frame)?),
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
        self.close_segment(number, &open)
    }

    fn store_chunk(&mut self, id: super::keys::ChunkId, frame: &[u8]) -> Result<ChunkRef, Error> {
        // Another worker may have met the same content at the same time.
        if let Some(pending) = self.reader.pending().get(&id) {
            return Ok(*pending);
        }
        if self.pack.as_ref().is_some_and(|(pack, _)| !pack.has_room(frame.len())) {
            self.send_pack()?;
        }
        let (pack, _) = match &mut self.pack {
            Some(pack) => pack,
            None => {
                let permit = self.reader.store.runtime().block_on(Arc::clone(self.buffers).acquire_owned());
                let permit = permit.map_err(|error| Error::Process { what: "the archive is closing", source: std::io::Error::other(error) })?;
                self.pack.insert((PackWriter::new(self.reader.key, self.reader.organization.id), permit))
            }
        };
        let place = ChunkRef { pack: pack.id(), entry: pack.push(id, frame) };
        self.reader.pending().insert(id, place);
        Ok(place)
    }

    fn send_pack(&mut self) -> Result<(), Error> {
        let Some((pack, permit)) = self.pack.take() else { return Ok(()) };
        let id = pack.id();
        let (bytes, entries) = pack.finish(self.reader.key);
        self.sizes.insert(id, bytes.len() as u32);
        self.send((Kind::Pack, id), Bytes::from(bytes), Some(Arc::new(entries)), permit)
    }

    fn close_segment(&mut self, number: u32, open: &Open) -> Result<(), Error> {
        if open.has_base != open.base.is_some() {
            return Err(Error::InvalidRequest { what: "a segment of the base was not read" });
        }
        if open.base.as_ref() == Some(&open.segment) {
            return Ok(());
        }
        for place in open.base.iter().flat_map(|base| base.chunks.iter().flatten()) {
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
        let bytes = open.segment.encode(self.reader.key, self.reader.organization.id, id);
        self.segments.insert(number, SegmentUse { id, size: bytes.len() as u32 });
        let permit = self.reader.store.runtime().block_on(Arc::clone(&self.segments_in_flight).acquire_owned());
        let permit = permit.map_err(|error| Error::Process { what: "the archive is closing", source: std::io::Error::other(error) })?;
        self.send((Kind::Segment, id), Bytes::from(bytes), None, permit)
    }

    /// Starts an upload. It is pinned before it begins, so that nobody takes it for garbage.
    fn send(&mut self, object: Object, bytes: Bytes, entries: Option<Arc<Vec<Entry>>>, permit: OwnedSemaphorePermit) -> Result<(), Error> {
        let size = bytes.len() as u64;
        self.reader.pins.pin_new(&mut self.reader.organization.state(), object, size);
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
        Ok(())
    }

    fn uploaded(&mut self, upload: Result<Upload, tokio::task::JoinError>) -> Result<(), Error> {
        let (object, size, entries, result) =
            upload.map_err(|error| Error::Process { what: "an upload broke off", source: std::io::Error::other(error) })?;
        result?;
        self.uploaded += size;
        if let Some(entries) = entries {
            self.reader.organization.state().index.add(object.1, &entries);
            let mut pending = self.reader.pending();
            for entry in entries.iter() {
                pending.remove(&entry.id);
            }
        }
        Ok(())
    }

    /// Waits for every upload that was started; gives the first failure.
    fn drain(&mut self) -> Result<(), Error> {
        let runtime = self.reader.store.runtime().clone();
        let mut result = Ok(());
        while let Some(upload) = runtime.block_on(self.uploads.join_next()) {
            let upload = self.uploaded(upload);
            result = result.and(upload);
        }
        result
    }

    fn manifest(&self, request: &SaveRequest<'_>) -> Result<Manifest, Error> {
        let state = self.reader.organization.state();
        let mut packs = BTreeMap::new();
        for (id, chunks) in self.uses.iter().filter(|(_, chunks)| **chunks != 0) {
            let size = self.sizes.get(id).copied().or_else(|| state.ledger.size((Kind::Pack, *id)).and_then(|size| size.try_into().ok()));
            // Negative: the base's table did not hold what its segments do.
            let (Some(size), Ok(chunks)) = (size, u32::try_from(*chunks)) else {
                let path = store::name(self.reader.organization.id, Kind::Pack, *id);
                return Err(store::damaged(&path, Damage::Reference { what: "the base counts its chunks otherwise" }));
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
        };
        Ok(Manifest { description, packs, segments: self.segments.clone() })
    }
}

fn copy_unchanged(plan: &SegmentPlan, base: &Segment, segment: &mut Segment) {
    for (chunk, (from, to)) in base.chunks.iter().zip(&mut segment.chunks).enumerate() {
        if !plan.changed.contains(chunk) {
            *to = *from;
        }
    }
}
