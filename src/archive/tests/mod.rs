//! Tests of the archive: what they share.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

pub(crate) mod bucket;
mod copies;
mod cost;
mod device;
mod faults;
mod holds;
mod i08_model;
mod i09_damage;
mod i10_deletion;
mod i10_sequences;
mod i10_several;
mod i11_sealing;
mod identity;
mod kit;
mod large;
mod remote;
pub(crate) mod s3;
pub(crate) mod stores;
mod verify;

use super::*;
use crate::domain::id::{OrganizationId, SnapshotId, VolumeId};
use crate::engine::BlockSet;
use device::Memory;
use object_store::memory::InMemory;
use std::ops::ControlFlow;
use std::time::Duration;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

fn options() -> ArchiveOptions {
    ArchiveOptions {
        workers: 2,
        pack_buffers: 3,
        retry: Retry {
            attempts: 3,
            first_pause: Duration::ZERO,
            patience: Duration::from_secs(30),
        },
        upload_rate: None,
        master: MasterKey::of_test(5),
        identity: None,
    }
}

/// The only one that writes to the store.
fn open(store: &Arc<dyn ObjectStore>) -> Archive {
    Archive::with_store_alone(Arc::clone(store), options()).unwrap()
}

fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

fn snapshot(n: u8) -> SnapshotId {
    SnapshotId::from_bytes([n; 16])
}

fn request<'a>(
    id: SnapshotId,
    source: &'a dyn BlockDevice,
    base: Option<(SnapshotId, &'a BlockSet)>,
) -> SaveRequest<'a> {
    SaveRequest {
        organization: ORGANIZATION,
        snapshot: id,
        name: "Avant la mise à jour",
        volume: VolumeId::from_bytes([3; 16]),
        volume_name: "srv-01",
        kind: "data",
        taken_ms: 1_800_000_000_000,
        labels: &[],
        source,
        base: base.map(|(snapshot, changed)| Base { snapshot, changed }),
    }
}

fn save(
    archive: &Archive,
    id: SnapshotId,
    source: &dyn BlockDevice,
    base: Option<(SnapshotId, &BlockSet)>,
) -> Result<Saved, Error> {
    archive.save(&request(id, source, base), &mut ())
}

/// Restores into a device that is full of something else.
fn restored(archive: &Archive, id: SnapshotId, size: u64) -> Result<Memory, Error> {
    let target = Memory::new(size);
    target.fill(0..size.min(1 << 20), 99);
    if size > SEGMENT_SIZE + 8192 {
        target.fill(SEGMENT_SIZE..SEGMENT_SIZE + 8192, 98);
    }
    archive
        .restore(ORGANIZATION, id, &target, &mut ())
        .map(|_| target)
}

/// Name and length of everything in the store.
fn objects(store: &Arc<dyn ObjectStore>) -> std::collections::BTreeMap<String, u64> {
    use futures::TryStreamExt;
    let all: Vec<_> = futures::executor::block_on(store.list(None).try_collect()).unwrap();
    all.into_iter()
        .map(|meta| (meta.location.to_string(), meta.size))
        .collect()
}

/// What stays in the store when every snapshot is deleted.
fn is_kept(name: &str) -> bool {
    name.contains("/keys/") || name.contains("/damage/")
}
