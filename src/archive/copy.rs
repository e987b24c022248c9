//! Copying: a further manifest over the same packs and segments, under an id of its own. Nothing is read of the disk
//! and nothing but the manifest is written (and, where others write as well, a hold for the time of the copying). From then on the two are like any two snapshots that share everything:
//! either can be deleted, and what both need goes with the second.

use super::commit::{self, UploadHold};
use super::error::{Damage, Error};
use super::format::Kind;
use super::manifest::{Description, Manifest};
use super::organization::{Organization, WHOLE};
use super::pipeline;
use super::restore::pinned_manifest;
use super::save::Saving;
use super::store::{self, Keys, Store};
use super::{Archive, Saved, types};
use crate::domain::id::{OrganizationId, SnapshotId};
use std::sync::Arc;

/// Copies a snapshot. When the copy is there already, nothing is done, and the original need not be there any more.
pub fn copy(
    archive: &Archive,
    organization: OrganizationId,
    from: SnapshotId,
    to: SnapshotId,
    name: &str,
    labels: &[(&str, &str)],
) -> Result<Saved, Error> {
    let organization = archive.organization(organization)?;
    if !organization.state().saving.insert(to) {
        return Err(Error::Busy { snapshot: to });
    }
    let saving = Saving(&organization, to);
    let result = copy_pinned(archive, &organization, from, to, (name, labels));
    drop(saving);
    // What was deleted meanwhile and only this copy still held. Its failure is not the copy's: the next one finds it.
    if result.is_ok()
        && let Err(error) = archive.sweep_if_deleted(&organization)
    {
        tracing::warn!(error = %error, "unneeded objects stay in the object store for now");
    }
    result
}

fn copy_pinned(
    archive: &Archive,
    organization: &Arc<Organization>,
    from: SnapshotId,
    to: SnapshotId,
    (name, labels): (&str, &[(&str, &str)]),
) -> Result<Saved, Error> {
    let store = &archive.shared.store;
    if organization.state().uncertain || !organization.sole {
        store.runtime().block_on(organization.refresh(store))?;
    }
    if let Some(known) = organization.state().ledger.snapshot(to) {
        return Ok(Saved::from_description(&known.description));
    }
    let (manifest, key, pins) = pinned_manifest(archive, organization, from)?;
    let original = organization
        .state()
        .ledger
        .snapshot(from)
        .map(|known| store::manifest_name(organization.id, from, known.manifest))
        .ok_or(Error::NoSuchSnapshot { snapshot: from })?;
    let keys = Arc::clone(&organization.state().keys);
    // The original's own key: what builds upon the copy later goes by it.
    let path = || store::name(organization.id, Kind::Key, key);
    let key = store::find_key(&keys, key).map_err(|damage| store::damaged(&path(), damage))?;
    let hold = UploadHold::new(store, organization, key, &archive.shared.clock);
    hold.begin(&pins)?;
    sound(store, organization, &manifest, &keys)?;
    let copy = Manifest {
        description: Description {
            snapshot: to,
            name: name.to_owned(),
            uploaded_bytes: 0,
            labels: types::owned(labels),
            ..manifest.description
        },
        ..manifest
    };
    commit::commit_copy(&hold, &pins, &copy, &original)?;
    Ok(Saved::from_description(&copy.description))
}

/// A copy is said to be whole as a save is: each object is there at its length, and none of its chunks was found
/// damaged.
fn sound(
    store: &Store,
    organization: &Organization,
    manifest: &Manifest,
    keys: &Keys,
) -> Result<(), Error> {
    let mut suspected = false;
    {
        let state = organization.state();
        for (kind, id, expected) in manifest.needs() {
            let found = state.ledger.size((kind, id)).unwrap_or(0);
            let path = || store::name(organization.id, kind, id);
            if found != expected {
                return Err(store::damaged(&path(), Damage::Size { expected, found }));
            }
            if state.is_damaged((kind, id), WHOLE) {
                let what = "a check found it damaged";
                return Err(store::damaged(&path(), Damage::Invalid { what }));
            }
            suspected |= state.damaged_objects.contains(&(kind, id));
        }
    }
    if !suspected {
        return Ok(());
    }
    // Some pack has damaged chunks: whether this snapshot uses one of them, only its segments tell.
    for (number, place) in &manifest.segments {
        let read = pipeline::read_segment(store, organization, *number, *place, keys);
        let (segment, _) = store.runtime().block_on(read)?;
        let state = organization.state();
        let damaged = segment
            .chunks
            .iter()
            .flatten()
            .find(|chunk| state.is_damaged((Kind::Pack, chunk.pack), chunk.entry.offset));
        if let Some(chunk) = damaged {
            let damage = Damage::Chunk {
                offset: chunk.entry.offset,
                what: "a check found it damaged",
            };
            let path = store::name(organization.id, Kind::Pack, chunk.pack);
            return Err(store::damaged(&path, damage));
        }
    }
    Ok(())
}
