//! Verifying one snapshot: every chunk of it is read from the store and authenticated.
//!
//! What a restore would find, without a target; but damage does not end it: everything is looked at, and all that is
//! wrong is written down, so that the next save uploads it anew. Memory a worker: one run, one segment and a chunk.

use super::crew;
use super::error::{Damage, Error};
use super::format::Kind;
use super::ledger::Object;
use super::manifest::{Manifest, SegmentUse};
use super::organization::{Organization, WHOLE};
use super::pack::FrameReader;
use super::pipeline;
use super::restore::{self, pinned_manifest};
use super::store::{self, Keys, Store};
use super::{Archive, CHUNK_SIZE, Progress};
use crate::domain::id::{OrganizationId, SnapshotId};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};

/// A snapshot is whole: every chunk of it was read back and is what was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// When the last chunk had been read: milliseconds since 1970, UTC, by this machine's clock.
    pub at_ms: i64,
    /// Chunks that were read; one that stands in two places of the volume counts twice.
    pub chunks: u64,
    /// Their bytes in the volume.
    pub bytes: u64,
}

struct Job<'a> {
    store: &'a Store,
    organization: &'a Organization,
    keys: Arc<Keys>,
    /// What is wrong with packs that are not to be read at all.
    bad: HashMap<super::format::ObjectId, Damage>,
    todo: Mutex<std::vec::IntoIter<(u32, SegmentUse)>>,
    found: Mutex<BTreeMap<(Object, u32), Damage>>,
    stop: AtomicBool,
    chunks: AtomicU64,
}

/// See [`Archive::verify`].
pub fn verify(
    archive: &Archive,
    organization: OrganizationId,
    snapshot: SnapshotId,
    progress: &mut dyn Progress,
) -> Result<Verified, Error> {
    let organization = archive.organization(organization)?;
    let result = verify_pinned(archive, &organization, snapshot, progress);
    if let Err(error) = archive.sweep_if_deleted(&organization) {
        tracing::warn!(error = %error, "unneeded objects stay in the object store for now");
    }
    result
}

fn verify_pinned(
    archive: &Archive,
    organization: &Arc<Organization>,
    snapshot: SnapshotId,
    progress: &mut dyn Progress,
) -> Result<Verified, Error> {
    let store = &archive.shared.store;
    let (manifest, _, _pins) = pinned_manifest(archive, organization, snapshot)?;
    let segments: Vec<_> = manifest
        .segments
        .iter()
        .map(|(number, place)| (*number, *place))
        .collect();
    let job = Job {
        store,
        organization,
        keys: Arc::clone(&organization.state().keys),
        bad: packs_of_wrong_length(store, organization, &manifest)?,
        todo: Mutex::new(segments.into_iter()),
        found: Mutex::default(),
        stop: AtomicBool::new(false),
        chunks: AtomicU64::new(0),
    };
    for (id, damage) in &job.bad {
        job.note((Kind::Pack, *id), WHOLE, damage.clone());
    }
    progress.total(manifest.description.data_bytes);
    let workers = archive.shared.options.workers;
    crew::run("archive-verify", workers, &job.stop, progress, |results| {
        job.work(results);
    })?;

    let found = job
        .found
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let Some(((object, _), damage)) = found.first_key_value() else {
        let chunks = job.chunks.into_inner();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        return Ok(Verified {
            at_ms: now.map_or(0, |now| now.as_millis() as i64),
            chunks,
            bytes: chunks * CHUNK_SIZE as u64,
        });
    };
    if !organization.sole {
        // If it was deleted meanwhile, a prune may have been at work: that is not damage.
        archive.refresh(organization)?;
        if organization.state().ledger.snapshot(snapshot).is_none() {
            return Err(Error::NoSuchSnapshot { snapshot });
        }
    }
    let path = store::name(organization.id, object.0, object.1);
    let error = store::damaged(&path, damage.clone());
    let marks: Vec<_> = found.keys().copied().collect();
    store
        .runtime()
        .block_on(organization.record_damage(store, &marks))?;
    Err(error)
}

/// Looks at the length of every pack, by one listing.
fn packs_of_wrong_length(
    store: &Store,
    organization: &Organization,
    manifest: &Manifest,
) -> Result<HashMap<super::format::ObjectId, Damage>, Error> {
    let listed = store.list(organization.id, Kind::Pack);
    let there: HashMap<String, u64> = store.runtime().block_on(listed)?.into_iter().collect();
    let wrong = manifest.packs.iter().filter_map(|(id, pack)| {
        let expected = u64::from(pack.size);
        match there.get(&id.to_string()) {
            Some(found) if *found == expected => None,
            Some(found) => Some((
                *id,
                Damage::Size {
                    expected,
                    found: *found,
                },
            )),
            None => Some((*id, Damage::Missing)),
        }
    });
    Ok(wrong.collect())
}

/// Tells damage, which is noted, from a failure of the store, which ends it.
fn damage_of<T>(result: Result<T, Error>) -> Result<Result<T, Damage>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Damaged { damage, .. }) => Ok(Err(damage)),
        Err(error) => Err(error),
    }
}

impl Job<'_> {
    fn note(&self, object: Object, offset: u32, damage: Damage) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.entry((object, offset)).or_insert(damage);
    }

    fn work(&self, results: &mpsc::Sender<Result<u64, Error>>) {
        let mut frames = match FrameReader::new() {
            Ok(frames) => frames,
            Err(source) => {
                let what = "the decompressor cannot be set up";
                let _ = results.send(Err(Error::Process { what, source }));
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
        let object = (Kind::Segment, place.id);
        let read = pipeline::read_segment(self.store, self.organization, number, place, &self.keys);
        let (segment, key) = match damage_of(self.store.runtime().block_on(read))? {
            Ok(read) => read,
            Err(damage) => {
                self.note(object, WHOLE, damage);
                return Ok(());
            }
        };
        let key = match store::find_key(&self.keys, key) {
            Ok(key) => key,
            Err(damage) => {
                self.note(object, WHOLE, damage);
                return Ok(());
            }
        };
        let mut content = vec![0; CHUNK_SIZE];
        for run in restore::runs(&segment) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let Some((_, first)) = run.chunks.first() else {
                continue;
            };
            if !self.bad.contains_key(&first.pack) {
                let path = store::name(self.organization.id, Kind::Pack, first.pack);
                let range = u64::from(run.range.start)..u64::from(run.range.end);
                let read = self.store.get_range(&path, range);
                let bytes = damage_of(self.store.runtime().block_on(read))?;
                for (_, chunk) in &run.chunks {
                    let proved = bytes.as_ref().map_err(Clone::clone).and_then(|bytes| {
                        let from = chunk.entry.offset.saturating_sub(run.range.start) as usize;
                        let frame = bytes
                            .get(from..from + chunk.entry.length as usize)
                            .unwrap_or_default();
                        frames.read(key, &chunk.entry, frame, &mut content)
                    });
                    if let Err(damage) = proved {
                        self.note((Kind::Pack, chunk.pack), chunk.entry.offset, damage);
                    }
                }
                self.chunks
                    .fetch_add(run.chunks.len() as u64, Ordering::Relaxed);
            }
            let _ = results.send(Ok((run.chunks.len() * CHUNK_SIZE) as u64));
        }
        Ok(())
    }
}
