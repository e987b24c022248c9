//! Saving: from a volume to a manifest. The steps are those of the module's *Crash story*.

use super::commit::{self, UploadHold};
use super::error::{Damage, Error};
use super::format::Kind;
use super::manifest::Manifest;
use super::organization::{self, Organization, PARALLEL, Pins, WHOLE};
use super::packer::Packer;
use super::pipeline::{Queue, Reader};
use super::plan::{self, Plan};
use super::store;
use super::{Archive, CHUNK_SIZE, Progress, SaveRequest, Saved};
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// How often a save begins anew after what it found on its way.
const TRIES: u32 = 3;

/// Removes the mark that a snapshot is being saved.
pub(super) struct Saving<'a>(pub &'a Organization, pub crate::domain::id::SnapshotId);

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        self.0.state().saving.remove(&self.1);
    }
}

pub fn save(
    archive: &Archive,
    request: &SaveRequest<'_>,
    progress: &mut dyn Progress,
) -> Result<Saved, Error> {
    let organization = archive.organization(request.organization)?;
    let result = {
        if !organization.state().saving.insert(request.snapshot) {
            return Err(Error::Busy {
                snapshot: request.snapshot,
            });
        }
        let _saving = Saving(&organization, request.snapshot);
        let mut tries = 1;
        loop {
            match save_pinned(archive, &organization, request, progress) {
                // What was found damaged or condemned on the way is known by now and will not be built upon again.
                Err(error @ (Error::Damaged { .. } | Error::Overtaken)) if tries < TRIES => {
                    tracing::warn!(error = %error, "saving again without what cannot be built upon");
                    tries += 1;
                }
                result => break result,
            }
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
    if organization.state().uncertain || !organization.sole {
        runtime.block_on(organization.refresh(store))?;
    }
    if !organization.sole {
        runtime.block_on(organization.refresh_damage(store))?;
    }
    if let Some(known) = organization.state().ledger.snapshot(request.snapshot) {
        return Ok(Saved::from_description(&known.description));
    }
    if request.source.size() == 0 {
        return Err(Error::InvalidRequest {
            what: "the volume is empty",
        });
    }
    let key = runtime.block_on(organization.key(store))?;
    let keys = Arc::clone(&organization.state().keys);
    let pins = Pins::new(organization);
    let hold = UploadHold::new(store, organization, &key, &archive.shared.clock);
    let reader = Reader {
        store,
        organization,
        keys,
        key: &key,
        source: request.source,
        pins: &pins,
        hold: &hold,
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
    manifest.description.data_bytes = manifest
        .packs
        .values()
        .map(|pack| u64::from(pack.chunks) * CHUNK_SIZE as u64)
        .sum();
    manifest.description.uploaded_bytes = uploaded;

    if organization.sole {
        runtime.block_on(check_packs(&reader, &manifest, old.as_ref()))?;
    }
    if progress.done(to_read).is_break() {
        return Err(Error::Cancelled);
    }
    commit::commit(&hold, &pins, &manifest)?;
    Ok(Saved {
        read_bytes: to_read,
        incremental: old.is_some(),
        ..Saved::from_description(&manifest.description)
    })
}

/// The base's manifest, its objects pinned and held, and the plan that follows from it. `None` when there is none that
/// can be built upon: then everything is read.
fn base(reader: &Reader<'_>, request: &SaveRequest<'_>) -> Result<Option<(Manifest, Plan)>, Error> {
    let manifest = match &request.base {
        Some(base) => base_manifest(reader, request, base)?,
        None => None,
    };
    let bad = reader.hold.begin(reader.pins)?;
    let (Some(manifest), Some(base)) = (manifest, &request.base) else {
        return Ok(None);
    };
    // Whatever was found damaged by a check, or is about to be removed, is not built upon.
    let mut bad_packs = false;
    {
        let state = reader.organization.state();
        for (kind, id, _) in manifest.needs() {
            let sound = !bad.contains(&(kind, id)) && !state.is_avoided((kind, id));
            match kind {
                Kind::Segment if !sound => return Ok(None),
                _ => bad_packs |= !sound,
            }
        }
    }
    let mut plan = Plan::new();
    for changed in base.changed.byte_ranges() {
        plan::add_changed(
            &mut plan,
            &(changed.start..changed.end.min(request.source.size())),
        );
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
                if place.is_some_and(|place| {
                    state.is_chunk_avoided((Kind::Pack, place.pack), place.entry.offset)
                }) {
                    plan::add_changed(
                        &mut plan,
                        &plan::chunk_range(*number, chunk, request.source.size()),
                    );
                }
            }
        }
    }
    plan::find_data(&mut plan, request.source)?;
    Ok(Some((manifest, plan)))
}

/// The base's manifest, its objects pinned. What is not there at its length is marked, so that it is not built upon.
fn base_manifest(
    reader: &Reader<'_>,
    request: &SaveRequest<'_>,
    base: &super::Base<'_>,
) -> Result<Option<Manifest>, Error> {
    let Some(known) = reader
        .organization
        .state()
        .ledger
        .snapshot(base.snapshot)
        .cloned()
    else {
        return Ok(None);
    };
    let read = organization::read_manifest(
        reader.store,
        request.organization,
        base.snapshot,
        known.manifest,
        &reader.keys,
    );
    let (manifest, key) = match reader.store.runtime().block_on(read) {
        Ok(read) => read,
        Err(Error::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if key != reader.key.id() || manifest.description.size > request.source.size() {
        return Ok(None);
    }
    let mut state = reader.organization.state();
    if state
        .ledger
        .snapshot(base.snapshot)
        .is_none_or(|still| still.manifest != known.manifest)
    {
        return Ok(None);
    }
    for (kind, id, size) in manifest.needs() {
        let there = reader.pins.rely(&mut state, (kind, id), size)
            && state.ledger.size((kind, id)) == Some(size);
        if !there {
            state.mark((kind, id), WHOLE);
        }
    }
    Ok(Some(manifest))
}

/// Where only this process writes: checks the length of each pack that the base did not have. The base's own were at
/// their length when this process first looked (and at each check), and only this process takes any away.
async fn check_packs(
    reader: &Reader<'_>,
    manifest: &Manifest,
    old: Option<&Manifest>,
) -> Result<(), Error> {
    let new = manifest
        .packs
        .iter()
        .filter(|(id, _)| old.is_none_or(|old| !old.packs.contains_key(id)));
    let checks = new
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(id, pack)| async move {
            let path = store::name(reader.organization.id, Kind::Pack, *id);
            let (expected, damage) = match reader.store.size(&path).await {
                Ok(found) if found == u64::from(pack.size) => return Ok(()),
                Ok(found) => (
                    u64::from(pack.size),
                    Damage::Size {
                        expected: u64::from(pack.size),
                        found,
                    },
                ),
                Err(Error::Damaged { damage, .. }) => (0, damage),
                Err(error) => return Err(error),
            };
            tracing::error!(object = %path, expected, "a pack is not as it was written");
            let mut state = reader.organization.state();
            state.mark((Kind::Pack, *id), WHOLE);
            state.index.remove(*id);
            Err(store::damaged(&path, damage))
        });
    futures::stream::iter(checks)
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}
