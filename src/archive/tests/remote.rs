//! A snapshot as the first content of a volume that is in use: with the real engine, on a real folder.

use super::device::Memory;
use super::stores::{Fault, Wrapped};
use super::*;
use crate::domain::id::CheckpointId;
use crate::engine::{Error as PoolError, Filled, Pool, PoolOptions};
use std::path::Path;

const CHUNK: u64 = CHUNK_SIZE as u64;
const SIZE: u64 = 3 * SEGMENT_SIZE + 5 * 4096;

fn ever(_: Filled) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn disk() -> VolumeId {
    VolumeId::from_bytes([1; 16])
}

fn point(number: u8) -> CheckpointId {
    CheckpointId::from_bytes([number; 16])
}

fn hold() -> HoldId {
    HoldId::from(disk())
}

/// Noise in the first 40 chunks, in one further on, and at the very end; a whole segment of nothing between.
fn content() -> Memory {
    let device = Memory::new(SIZE);
    device.fill(0..40 * CHUNK, 1);
    device.fill(100 * CHUNK..100 * CHUNK + 4096, 2);
    device.fill(
        2 * SEGMENT_SIZE + 8 * CHUNK..2 * SEGMENT_SIZE + 9 * CHUNK,
        3,
    );
    device.fill(SIZE - 4096..SIZE, 4);
    device
}

fn part(device: &dyn BlockDevice, offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0xee; length as usize];
    device.read_at(offset, &mut bytes).unwrap();
    bytes
}

fn same(device: &dyn BlockDevice, expected: &Memory) {
    let mut at = 0;
    while at < SIZE {
        let length = (1 << 20).min(SIZE - at);
        assert!(
            part(device, at, length) == part(expected, at, length),
            "the MiB at {at} differs"
        );
        at += length;
    }
}

fn pool(dir: &Path, archive: &Archive, limit: Option<u64>) -> Pool {
    let options = PoolOptions {
        limit,
        reserve: Some(1 << 20),
        background: false,
        // One failure is waited out, an outage is not.
        remote_patience: Duration::from_millis(200),
        ..PoolOptions::default()
    };
    let pool = Pool::open(dir, options).unwrap();
    pool.attach_sources(archive.sources());
    pool
}

/// A saved snapshot, held, and a volume made from it in a pool.
struct House {
    store: Arc<Wrapped>,
    archive: Archive,
    dir: tempfile::TempDir,
    content: Memory,
}

impl House {
    fn new() -> Self {
        let store = Wrapped::new(in_memory());
        // One worker: the chunks stand in the pack in the order of the volume.
        let options = ArchiveOptions {
            workers: 1,
            ..options()
        };
        let bucket = Arc::clone(&store) as Arc<dyn ObjectStore>;
        let archive = Archive::with_store_alone(bucket, options).unwrap();
        let content = content();
        save(&archive, snapshot(1), &content, None).unwrap();
        archive.hold_for(ORGANIZATION, snapshot(1), hold()).unwrap();
        Self {
            store,
            archive,
            dir: tempfile::tempdir().unwrap(),
            content,
        }
    }

    fn pool(&self) -> Pool {
        let pool = pool(self.dir.path(), &self.archive, None);
        let source = Archive::remote_id(ORGANIZATION, hold()).unwrap();
        pool.create_remote_volume(disk(), SIZE, source, Some(point(1)))
            .unwrap();
        pool
    }

    /// The archive of another process that sees the same store.
    fn reopened(mut self) -> Self {
        self.archive = open(&(Arc::clone(&self.store) as Arc<dyn ObjectStore>));
        self.archive.manifest(ORGANIZATION, snapshot(1)).unwrap();
        self
    }
}

#[test]
fn a_volume_from_a_snapshot_reads_its_first_byte_after_three_requests() {
    for reopened in [false, true] {
        let mut house = House::new();
        if reopened {
            house = house.reopened();
        }
        house.store.counts();
        let pool = house.pool();
        let lease = pool.lease(disk()).unwrap();
        assert_eq!(
            house.store.counts().gets,
            0,
            "it can be attached before anything is asked"
        );
        let read = |offset, length| {
            assert_eq!(
                part(&*lease, offset, length),
                part(&house.content, offset, length)
            );
            house.store.counts()
        };
        // The hold, the segment, the chunk.
        let first = read(0, 4096);
        assert_eq!((first.gets, first.lists, first.puts), (3, 0, 0));
        assert_eq!(
            read(4096, CHUNK - 4096).gets,
            0,
            "the chunk has come wholly"
        );
        assert_eq!(read(3 * CHUNK + 4096, 4096).gets, 1, "the segment is known");
        // Known to be zeros, within a segment and where there is none.
        assert_eq!(read(50 * CHUNK, 40 * CHUNK).gets, 0);
        assert_eq!(read(SEGMENT_SIZE, SEGMENT_SIZE).gets, 0);
        assert_eq!(read(2 * SEGMENT_SIZE + 8 * CHUNK, 4096).gets, 2);
        assert_eq!(
            read(SIZE - 4096, 4096).gets,
            2,
            "the last segment, the padded chunk"
        );
    }
}

#[test]
fn what_stands_side_by_side_comes_in_one_request() {
    let house = House::new();
    let pool = house.pool();
    house.store.counts();
    let mut told = Vec::new();
    pool.fill(disk(), &mut |filled| {
        told.push(filled);
        ControlFlow::Continue(())
    })
    .unwrap();
    // The hold (at most once a thread), three segments, the 40 chunks in one request, three single ones; and the
    // release needs none.
    let counts = house.store.counts();
    assert!(counts.gets <= 4 + 3 + 4, "{counts:?}");
    assert_eq!(told.last().unwrap().done, SIZE);
    same(&*pool.lease(disk()).unwrap(), &house.content);
    assert_eq!(house.store.counts().gets, 0);
    assert_eq!(pool.check().unwrap(), []);
}

#[test]
fn i08_i10_a_deleted_snapshot_serves_the_volume_that_still_fills_from_it() {
    let house = House::new();
    let all = objects(&(Arc::clone(&house.store) as Arc<dyn ObjectStore>));
    let pool = house.pool();
    let lease = pool.lease(disk()).unwrap();
    part(&*lease, 0, 1);
    house.archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    drop((lease, pool));
    // The process ends, the manifest is gone; the hold is not.
    let house = house.reopened();
    let pool = house.pool();
    same(&*pool.lease(disk()).unwrap(), &house.content);
    lease_writes(&pool);
    pool.fill(disk(), &mut ever).unwrap();
    let left = objects(&(Arc::clone(&house.store) as Arc<dyn ObjectStore>));
    assert!(
        left.keys().all(|name| is_kept(name)),
        "{left:?}, of {all:?}"
    );
    let held = house.archive.held(ORGANIZATION, hold()).unwrap();
    assert!(held.is_none());
    drop(pool);
    // Nothing of it lives elsewhere any more.
    house.store.fail(0, Fault::Dead);
    let pool = house.pool();
    let lease = pool.lease(disk()).unwrap();
    assert_eq!(part(&*lease, 7 * CHUNK, 5), *b"since");
    assert_eq!(
        part(&*lease, SIZE - 4096, 4096),
        part(&house.content, SIZE - 4096, 4096)
    );
}

fn lease_writes(pool: &Pool) {
    let lease = pool.lease(disk()).unwrap();
    lease.write_at(7 * CHUNK, b"since", true).unwrap();
}

#[test]
fn i09_a_chunk_that_is_damaged_is_named_and_never_served() {
    let house = House::new();
    let store = Arc::clone(&house.store) as Arc<dyn ObjectStore>;
    let pack = objects(&store)
        .into_keys()
        .find(|name| name.contains("/packs/"))
        .unwrap();
    let path = object_store::path::Path::from(pack.as_str());
    let (good, mut bytes) = futures::executor::block_on(async {
        use object_store::ObjectStoreExt as _;
        let good = store.get(&path).await.unwrap().bytes().await.unwrap();
        (good.clone(), good.to_vec())
    });
    // In the middle of the first chunk's frame.
    bytes[64 + 1000] ^= 1;
    let put = |bytes: Vec<u8>| {
        use object_store::ObjectStoreExt as _;
        futures::executor::block_on(store.put(&path, bytes.into())).unwrap();
    };
    put(bytes);
    let pool = house.pool();
    let lease = pool.lease(disk()).unwrap();
    for _ in 0..2 {
        let error = lease.read_at(0, &mut [0; 512]).unwrap_err().to_string();
        assert!(error.contains(&pack), "{error}");
    }
    assert_eq!(part(&*lease, CHUNK, 512), part(&house.content, CHUNK, 512));
    let failed = pool.fill(disk(), &mut ever);
    assert!(
        matches!(&failed, Err(PoolError::Remote { source, .. }) if source.permanent && source.context.contains(&pack)),
        "{failed:?}"
    );
    // It is cut off: the same.
    put(good[..good.len() / 2].to_vec());
    pool.fill(disk(), &mut ever).unwrap_err();
    put(good.to_vec());
    pool.fill(disk(), &mut ever).unwrap();
    same(&*lease, &house.content);
}

#[test]
fn an_outage_of_the_store_fails_reads_and_no_more() {
    let house = House::new();
    let pool = house.pool();
    let lease = pool.lease(disk()).unwrap();
    // One failure is nothing to speak of.
    house.store.fail(0, Fault::Passing);
    assert_eq!(part(&*lease, 0, 512), part(&house.content, 0, 512));
    house.store.fail(0, Fault::Dead);
    lease.read_at(5 * CHUNK, &mut [0; 512]).unwrap_err();
    assert_eq!(part(&*lease, 0, 512), part(&house.content, 0, 512));
    lease.write_at(9 * CHUNK, &[1; 4096], true).unwrap();
    pool.checkpoint(&[(disk(), point(2))]).unwrap();
    let failed = pool.fill(disk(), &mut ever);
    assert!(
        matches!(&failed, Err(PoolError::Remote { source, .. }) if !source.permanent),
        "{failed:?}"
    );
    assert!(house.store.heal());
    house.content.paint(9 * CHUNK..9 * CHUNK + 4096, 1);
    pool.fill(disk(), &mut ever).unwrap();
    same(&*lease, &house.content);
    // A release that fails is left to who compares.
    let house = House::new();
    let pool = house.pool();
    drop(pool.lease(disk()).unwrap());
    part(&*pool.lease(disk()).unwrap(), 0, 512);
    house.store.fail(0, Fault::Dead);
    pool.delete_volume(disk()).unwrap();
    pool.reclaim().unwrap();
    assert_eq!(pool.sources(), []);
    house.store.heal();
    assert!(house.archive.held(ORGANIZATION, hold()).unwrap().is_some());
    house.archive.release_hold(ORGANIZATION, hold()).unwrap();
}

#[test]
fn i08_a_half_filled_volume_is_saved_without_fetching_what_did_not_change() {
    let house = House::new();
    let pool = house.pool();
    let lease = pool.lease(disk()).unwrap();
    part(&*lease, 0, 1);
    // A whole chunk, and a part of a block of another: of that one the rest comes.
    let (chunk, block) = (20 * CHUNK, 30 * CHUNK + 100);
    lease.write_at(chunk, &vec![6; CHUNK_SIZE], false).unwrap();
    lease.write_at(block, b"changed", false).unwrap();
    lease.trim(35 * CHUNK, CHUNK, true).unwrap();
    house.content.paint(chunk..chunk + CHUNK, 6);
    let mut whole = part(&house.content, 30 * CHUNK, 4096);
    whole[100..107].copy_from_slice(b"changed");
    house.content.write_at(30 * CHUNK, &whole, false).unwrap();
    house.content.paint(35 * CHUNK..36 * CHUNK, 0);
    pool.checkpoint(&[(disk(), point(2))]).unwrap();
    let changed = pool.diff(point(1), point(2)).unwrap().unwrap();
    assert_eq!(changed.len(), 16 + 1 + 16);
    let device = pool.open_checkpoint(point(2)).unwrap();
    house.store.counts();
    let saved = save(
        &house.archive,
        snapshot(2),
        &*device,
        Some((snapshot(1), &changed)),
    )
    .unwrap();
    assert!(saved.incremental);
    assert!(saved.read_bytes <= 3 * CHUNK, "{saved:?}");
    let counts = house.store.counts();
    // The base's manifest and one of its segments; what proves the save. No chunk: those that changed were here, and
    // the others are named.
    assert!(counts.gets <= 6, "{counts:?}");
    let target = restored(&house.archive, snapshot(2), SIZE).unwrap();
    same(&target, &house.content);
    same(&*device, &house.content);
    same(&*lease, &house.content);
}

#[test]
fn i06_a_pool_without_room_fetches_neighbours_once() {
    let house = House::new();
    let pool = pool(house.dir.path(), &house.archive, Some(0));
    let source = Archive::remote_id(ORGANIZATION, hold()).unwrap();
    pool.create_remote_volume(disk(), SIZE, source, None)
        .unwrap();
    let lease = pool.lease(disk()).unwrap();
    part(&*lease, 0, 1);
    house.store.counts();
    for block in 0..16 {
        assert_eq!(
            part(&*lease, CHUNK + block * 4096, 4096),
            part(&house.content, CHUNK + block * 4096, 4096)
        );
    }
    assert_eq!(house.store.counts().gets, 1);
    assert!(matches!(
        pool.fill(disk(), &mut ever),
        Err(PoolError::NoSpace)
    ));
}

#[test]
fn names_of_holds_are_read_back() {
    let id = Archive::remote_id(ORGANIZATION, hold()).unwrap();
    assert_eq!(Archive::parse_remote_id(&id), Some((ORGANIZATION, hold())));
    let house = House::new();
    let other = crate::engine::RemoteId::new(b"another kind of name").unwrap();
    assert_eq!(Archive::parse_remote_id(&other), None);
    let sources = house.archive.sources();
    assert!(sources.open(&other).err().unwrap().permanent);
    house.archive.release_hold(ORGANIZATION, hold()).unwrap();
    assert!(sources.open(&id).err().unwrap().permanent);
    sources.release(&id).unwrap();
}
