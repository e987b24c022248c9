//! Reading the first bytes of a snapshot, without restoring it: one segment, and the chunks that hold them.

use super::error::Error;
use super::format::Kind;
use super::organization::Organization;
use super::pack::FrameReader;
use super::restore::pinned_manifest;
use super::store;
use super::{Archive, CHUNK_SIZE, SEGMENT_SIZE, pipeline};
use crate::domain::id::{OrganizationId, SnapshotId};
use std::sync::Arc;

/// Fills `head` with the disk's first bytes, zeros where the disk ends before it does. Every byte is proved as in a
/// restore.
pub fn read_head(
    archive: &Archive,
    organization: OrganizationId,
    snapshot: SnapshotId,
    head: &mut [u8],
) -> Result<(), Error> {
    if head.len() as u64 > SEGMENT_SIZE {
        return Err(Error::InvalidRequest {
            what: "a head is at most one segment long",
        });
    }
    let organization = archive.organization(organization)?;
    let result = read_pinned(archive, &organization, snapshot, head);
    if let Err(error) = archive.sweep_if_deleted(&organization) {
        tracing::warn!(error = %error, "unneeded objects stay in the object store for now");
    }
    result
}

fn read_pinned(
    archive: &Archive,
    organization: &Arc<Organization>,
    snapshot: SnapshotId,
    head: &mut [u8],
) -> Result<(), Error> {
    head.fill(0);
    let store = &archive.shared.store;
    let (manifest, _, _pins) = pinned_manifest(archive, organization, snapshot)?;
    let Some(place) = manifest.segments.get(&0) else {
        return Ok(());
    };
    let keys = Arc::clone(&organization.state().keys);
    let runtime = store.runtime();
    let (segment, key) = runtime.block_on(pipeline::read_segment(
        store,
        organization,
        0,
        *place,
        &keys,
    ))?;
    let path = store::name(organization.id, Kind::Segment, place.id);
    let key = store::find_key(&keys, key).map_err(|damage| store::damaged(&path, damage))?;
    let mut frames = FrameReader::new().map_err(|source| Error::Process {
        what: "the decompressor cannot be set up",
        source,
    })?;
    let mut content = vec![0; CHUNK_SIZE];
    for (chunk, part) in segment.chunks.iter().zip(head.chunks_mut(CHUNK_SIZE)) {
        let Some(chunk) = chunk else { continue };
        let path = store::name(organization.id, Kind::Pack, chunk.pack);
        let start = u64::from(chunk.entry.offset);
        let range = start..start + u64::from(chunk.entry.length);
        let frame = runtime.block_on(store.get_range(&path, range))?;
        frames
            .read(key, &chunk.entry, &frame, &mut content)
            .map_err(|damage| store::damaged(&path, damage))?;
        part.copy_from_slice(&content[..part.len()]);
    }
    Ok(())
}
