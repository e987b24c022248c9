//! Volumes whose first content lives elsewhere: what is fetched and when, what a crash leaves of it, and that nothing of
//! what has not come is ever taken for zeros.

use super::basic::bytes;
use super::held::run;
use super::sim::{Sim, checkpoint, volume};
use super::source::{CHUNK, Place, name};
use super::{open, options};
use crate::engine::block::{Allocation, BLOCK_SIZE, BlockDevice, ZeroOptions};
use crate::engine::drain::lock;
use crate::engine::{Error, Filled, Pool, PoolOptions, RemoteId, Result};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Eight chunks: two of data, one of zeros, and so on.
pub(crate) const SIZE: u64 = 8 * CHUNK;
pub(crate) const BLOCK: usize = BLOCK_SIZE as usize;

pub(crate) fn ever(_: Filled) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A pool with a volume that was made from a source and has nothing yet.
pub(crate) fn made(seed: u64) -> (Sim, Place, Vec<u8>, Pool) {
    let place = Place::default();
    let mut sim = Sim::new(seed);
    sim.place = place.clone();
    let (id, content) = place.noise(1, SIZE);
    let pool = open(&sim).unwrap();
    pool.create_remote_volume(volume(1), SIZE, id, Some(checkpoint(100)))
        .unwrap();
    (sim, place, content, pool)
}

pub(crate) fn all(pool: &Pool) -> Vec<u8> {
    bytes(&*pool.lease(volume(1)).unwrap(), 0, SIZE as usize)
}

pub(crate) fn clean(pool: &Pool) {
    assert_eq!(pool.check().unwrap(), []);
}

#[test]
fn i09_a_block_is_fetched_when_it_is_read_and_each_chunk_once() {
    let (_sim, place, content, pool) = made(1);
    // Made again: nothing happens; another size: refused.
    pool.create_remote_volume(volume(1), SIZE, name(1), Some(checkpoint(100)))
        .unwrap();
    assert!(matches!(
        pool.create_remote_volume(volume(1), 2 * SIZE, name(1), None),
        Err(Error::VolumeExists(_))
    ));
    assert!(matches!(
        pool.create_remote_volume(volume(2), SIZE, name(1), Some(checkpoint(100))),
        Err(Error::CheckpointExists(_))
    ));
    let lease = pool.lease(volume(1)).unwrap();
    assert_eq!(lock(&place.0).asked, 0, "a lease asks nothing");
    let extents = lease.extents(0, SIZE).unwrap();
    assert_eq!(extents.len(), 1, "what is not known yet may be anything");
    assert_eq!(extents[0].allocation, Allocation::Data);
    assert_eq!(lock(&place.0).asked, 0);
    // The first byte: the source is opened, and one chunk read.
    assert_eq!(bytes(&*lease, 0, 512), content[..512]);
    assert_eq!((place.reads(), lock(&place.0).asked), (vec![(0, 1)], 2));
    // Its neighbours have come along.
    assert_eq!(bytes(&*lease, 4096, 12288), content[4096..16384]);
    assert_eq!((place.reads(), lock(&place.0).asked), (vec![], 2));
    // A read across chunks, and zeros that the source knows of.
    let middle = (CHUNK + 100) as usize..(5 * CHUNK) as usize;
    assert_eq!(
        bytes(&*lease, middle.start as u64, middle.len()),
        content[middle]
    );
    assert_eq!(
        place.reads(),
        [(1, 1), (3, 2)],
        "the one after the zeros is read ahead from"
    );
    let extents = lease.extents(2 * CHUNK, CHUNK).unwrap();
    assert_eq!(extents.len(), 1);
    assert_eq!(extents[0].allocation, Allocation::Zero);
    let info = pool.volume(volume(1)).unwrap().unwrap();
    let filling = info.filling.unwrap();
    assert_eq!(filling.source, name(1));
    assert_eq!(
        filling.present,
        4 * 3 * BLOCK_SIZE,
        "blocks of zeros take no room"
    );
    clean(&pool);
}

/// A source that ends within a chunk, and within the volume.
#[test]
fn i09_a_volume_is_larger_than_what_it_is_made_from() {
    for fetched in [false, true] {
        let place = Place::default();
        let mut sim = Sim::new(5);
        sim.place = place.clone();
        let end = 3 * CHUNK + 2 * BLOCK_SIZE;
        let (id, mut content) = place.noise(1, end);
        content.resize(SIZE as usize, 0);
        let pool = open(&sim).unwrap();
        pool.create_remote_volume(volume(1), SIZE, id, Some(checkpoint(100)))
            .unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        if fetched {
            assert_eq!(
                bytes(&*lease, 6 * CHUNK, 2 * BLOCK),
                [0; 2 * BLOCK],
                "beyond its end"
            );
            assert_eq!(place.reads(), [], "which is not asked for");
            assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
            assert!(
                place
                    .reads()
                    .iter()
                    .all(|(first, count)| first + count <= 4)
            );
        }
        // On both sides of the end, and in the middle of what nobody has.
        lease.write_at(end - 10, &[9; 20], false).unwrap();
        content[end as usize - 10..end as usize + 10].fill(9);
        lease.write_at(6 * CHUNK + 1, &[8; 3], false).unwrap();
        content[6 * CHUNK as usize + 1..6 * CHUNK as usize + 4].fill(8);
        lease.flush().unwrap();
        drop(lease);
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        let changed = pool.diff(checkpoint(100), checkpoint(1)).unwrap().unwrap();
        assert_eq!(changed.len(), 3, "not what is beyond the end");
        drop(pool);
        let pool = open(&sim.power_lost(7)).unwrap();
        assert_eq!(all(&pool), content);
        pool.fill(volume(1), &mut ever).unwrap();
        assert!(pool.sources().is_empty());
        assert_eq!(all(&pool), content);
        clean(&pool);
        let size = pool.volume(volume(1)).unwrap().unwrap();
        let data = content
            .chunks(BLOCK)
            .filter(|block| block.iter().any(|byte| *byte != 0));
        assert_eq!(
            size.written,
            data.count() as u64 * BLOCK_SIZE,
            "zeros take no room"
        );
    }
}

/// A source that is larger than its volume is not its source.
#[test]
fn i09_a_volume_is_not_smaller_than_what_it_is_made_from() {
    let place = Place::default();
    let mut sim = Sim::new(5);
    sim.place = place.clone();
    let (id, _) = place.noise(1, SIZE + CHUNK);
    let pool = open(&sim).unwrap();
    pool.create_remote_volume(volume(1), SIZE, id, None)
        .unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.read_at(0, &mut [0; 10]).unwrap_err();
}

#[test]
fn who_waits_is_let_go_when_the_process_ends() {
    let (sim, place, content, pool) = made(1);
    drop(pool);
    let patient = PoolOptions {
        remote_patience: Duration::MAX,
        ..options()
    };
    let pool = Pool::assemble(Arc::new(sim.clone()), sim.catalog(), patient, None).unwrap();
    pool.attach_sources(Arc::new(place.clone()));
    lock(&place.0).out = u64::MAX;
    let lease = pool.lease(volume(1)).unwrap();
    std::thread::scope(|scope| {
        let reading = run(scope, || lease.read_at(0, &mut [0; 10]));
        let writing = run(scope, || lease.write_at(CHUNK + 1, b"x", false));
        while lock(&place.0).asked < 2 {
            std::thread::yield_now();
        }
        pool.stop_waiting();
        reading.join().unwrap_err();
        writing.join().unwrap_err();
    });
    // What needs nothing from elsewhere is as it was.
    lease.write_at(0, &[1; BLOCK], true).unwrap();
    drop((lease, pool));
    lock(&place.0).out = 0;
    let pool = open(&sim).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    assert_eq!(
        bytes(&*lease, CHUNK, BLOCK),
        content[CHUNK as usize..][..BLOCK]
    );
}

#[test]
fn i09_what_is_trimmed_or_zeroed_before_it_came_stays_zero() {
    for fetched in [false, true] {
        let (sim, place, mut content, pool) = made(1);
        let lease = pool.lease(volume(1)).unwrap();
        if fetched {
            bytes(&*lease, 0, SIZE as usize);
            place.reads();
        }
        lease.trim(100, 2 * CHUNK, false).unwrap();
        content[BLOCK..2 * CHUNK as usize].fill(0);
        assert_eq!(place.reads(), [], "whole blocks need nothing from below");
        lease
            .write_zeroes(3 * CHUNK + 5, CHUNK, ZeroOptions::default())
            .unwrap();
        content[3 * CHUNK as usize + 5..4 * CHUNK as usize + 5].fill(0);
        assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
        lease.flush().unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        drop(lease);
        pool.fill(volume(1), &mut ever).unwrap();
        assert_eq!(all(&pool), content);
        for seed in 0..5 {
            assert_eq!(all(&open(&sim.power_lost(seed)).unwrap()), content);
        }
    }
}

#[test]
fn i09_a_write_to_part_of_a_block_fetches_it_and_a_whole_one_does_not() {
    let (sim, place, mut content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[7; BLOCK], false).unwrap();
    content[..BLOCK].fill(7);
    assert_eq!(place.reads(), []);
    // From within one block into another, of another chunk, over a whole chunk.
    let range = (CHUNK - 10) as usize..(4 * CHUNK + 10) as usize;
    lease
        .write_at(range.start as u64, &vec![8; range.len()], false)
        .unwrap();
    content[range].fill(8);
    assert_eq!(place.reads(), [(0, 1), (4, 1)]);
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
    lease.flush().unwrap();
    let lost = sim.power_lost(3);
    assert_eq!(all(&open(&lost).unwrap()), content);
}

#[test]
fn i09_what_no_synced_mark_covers_is_fetched_again_after_a_power_loss() {
    let mut again = 0;
    for seed in 0..40 {
        let (sim, place, content, pool) = made(seed);
        assert_eq!(all(&pool), content);
        place.reads();
        // A killed process loses nothing of it.
        let killed = sim.killed();
        assert_eq!(all(&open(&killed).unwrap()), content);
        assert_eq!(place.chunks(), 0, "the page cache has it");
        // A lost machine has, of the log and of the data, any part: none of it counts.
        let lost = sim.power_lost(seed);
        let pool = open(&lost).unwrap();
        assert_eq!(all(&pool), content, "{seed}");
        again += place.chunks();
        clean(&pool);
        pool.fill(volume(1), &mut ever).unwrap();
        assert_eq!(all(&open(&lost.power_lost(seed)).unwrap()), content);
    }
    assert_eq!(again, 40 * 6, "every chunk, each time");
}

#[test]
fn i09_a_block_that_should_be_in_the_file_and_is_not_is_fetched_again() {
    let (sim, place, content, pool) = made(1);
    assert_eq!(all(&pool), content);
    drop(pool);
    place.reads();
    // Synced, marked, and gone all the same: a file system that came back from a check.
    use crate::engine::storage::Storage as _;
    sim.open("layers/1.data").unwrap().punch(0, CHUNK).unwrap();
    let pool = open(&sim.power_lost(1)).unwrap();
    assert_eq!(all(&pool), content);
    assert_eq!(place.reads(), [(0, 1)]);
}

#[test]
fn i06_a_full_pool_serves_what_it_cannot_keep() {
    let place = Place::default();
    let mut sim = Sim::new(1);
    sim.place = place.clone();
    let (id, content) = place.noise(1, SIZE);
    let few = PoolOptions {
        limit: Some(3 * BLOCK_SIZE),
        ..options()
    };
    let pool = Pool::assemble(Arc::new(sim.clone()), sim.catalog(), few, None).unwrap();
    pool.attach_sources(Arc::new(place.clone()));
    pool.create_remote_volume(volume(1), SIZE, id, None)
        .unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    for _ in 0..2 {
        assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
        assert_eq!(
            bytes(&*lease, CHUNK + 4000, 300),
            content[CHUNK as usize + 4000..][..300]
        );
    }
    assert_eq!(sim.data_bytes(), 3 * BLOCK_SIZE, "one chunk found room");
    assert!(matches!(
        pool.fill(volume(1), &mut ever),
        Err(Error::NoSpace)
    ));
    // A write to part of a block that could not be kept needs room for itself, and there is none; but nothing is lost.
    lease.write_at(CHUNK + 1, b"x", false).unwrap_err();
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
    drop((lease, pool));
    // Room is made.
    let pool = open(&sim).unwrap();
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(all(&pool), content);
    clean(&pool);
}

/// The disk fails in the middle of what is to be written down: the reader has what came, and nothing half written is
/// believed, now or later.
#[test]
fn i09_what_cannot_be_written_down_is_served_all_the_same() {
    for file in ["layers/1.data", "layers/1.log"] {
        for count in [0, 17, 40] {
            let (sim, _place, content, pool) = made(1);
            let lease = pool.lease(volume(1)).unwrap();
            lock(&sim.world).short_writes = Some((file, [count; 3].into()));
            for _ in 0..2 {
                assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
            }
            for sim in [sim.killed(), sim.power_lost(1)] {
                assert_eq!(all(&open(&sim).unwrap()), content);
            }
        }
    }
}

#[test]
fn i01_i09_a_sync_that_fails_costs_a_fetch_and_no_volume() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 100], true).unwrap();
    let mut expected = content.clone();
    expected[..100].fill(1);
    assert_eq!(bytes(&*lease, 0, SIZE as usize), expected);
    lock(&sim.world).fail_syncs_of = Some("layers/1.data".to_owned());
    assert!(matches!(
        pool.fill(volume(1), &mut ever),
        Err(Error::Io { .. })
    ));
    lock(&sim.world).fail_syncs_of = None;
    place.reads();
    // The kernel says it once; afterwards the disk seems well, and does not have the data.
    assert!(matches!(
        pool.fill(volume(1), &mut ever),
        Err(Error::Poisoned(_))
    ));
    assert!(lock(&place.0).released.is_empty());
    place.reads();
    assert_eq!(bytes(&*lease, 0, SIZE as usize), expected, "fetched again");
    assert!(place.chunks() >= 6);
    lease.write_at(CHUNK, b"works", true).unwrap();
    expected[CHUNK as usize..CHUNK as usize + 5].copy_from_slice(b"works");
    assert!(!pool.volume(volume(1)).unwrap().unwrap().poisoned);
    for sim in [sim.killed(), sim.power_lost(1), sim.power_lost(2)] {
        let pool = open(&sim).unwrap();
        place.reads();
        assert_eq!(all(&pool), expected);
        assert_eq!(place.chunks(), 6, "nothing of it is believed");
        pool.fill(volume(1), &mut ever).unwrap();
        lock(&place.0).released.clear();
        assert_eq!(all(&open(&sim.power_lost(3)).unwrap()), expected);
    }
}

#[test]
fn a_read_waits_for_an_outage_to_end_and_fails_when_it_does_not() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    drop((lease, pool));
    // Three failures while it is opened, and three while it is read.
    let patient = PoolOptions {
        remote_patience: Duration::from_secs(3600),
        ..options()
    };
    let pool = Pool::assemble(Arc::new(sim.clone()), sim.catalog(), patient, None).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    pool.attach_sources(Arc::new(place.clone()));
    lock(&place.0).out = 3;
    assert_eq!(bytes(&*lease, 0, 10), content[..10]);
    // What lasts is not waited for, and is named.
    lock(&place.0).damaged = Some(1);
    let error = lease.read_at(CHUNK, &mut [0; 10]).unwrap_err();
    assert!(
        error.to_string().contains("the chunk is damaged"),
        "{error}"
    );
    assert!(error.to_string().contains(&CHUNK.to_string()), "{error}");
    assert!(matches!(
        pool.fill(volume(1), &mut ever),
        Err(Error::Remote { source, .. }) if source.permanent
    ));
    assert_eq!(
        bytes(&*lease, 3 * CHUNK, 10),
        content[3 * CHUNK as usize..][..10]
    );
    lock(&place.0).damaged = None;
    // Whoever waits is let go when the lease is taken away.
    lock(&place.0).out = u64::MAX;
    let before = lock(&place.0).asked;
    let waiting = {
        let lease = Arc::clone(&lease);
        std::thread::spawn(move || lease.read_at(CHUNK, &mut [0; 10]))
    };
    while lock(&place.0).asked == before {
        std::thread::yield_now();
    }
    lease.revoke();
    waiting.join().unwrap().unwrap_err();
    drop((lease, pool));
    // Without patience it fails at once; other blocks are as they were, and afterwards it works.
    let pool = open(&sim).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    let error = lease.read_at(CHUNK, &mut [0; 10]).unwrap_err();
    assert!(error.to_string().contains("out of reach"), "{error}");
    lease.write_at(CHUNK + 1, b"x", false).unwrap_err();
    assert_eq!(bytes(&*lease, 0, 10), content[..10]);
    lease.write_at(2 * CHUNK, &[4; BLOCK], true).unwrap();
    lock(&place.0).out = 0;
    assert_eq!(bytes(&*lease, CHUNK, 10), content[CHUNK as usize..][..10]);
}

/// Two readers of one chunk: the second waits for the first, and nobody sees the chunk before its bytes are in the file.
#[test]
fn i09_a_chunk_that_is_on_its_way_is_waited_for() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    let held = sim.gate.hold("layers/1.data");
    std::thread::scope(|scope| {
        let first = run(scope, || bytes(&*lease, 0, BLOCK));
        held.came();
        assert_eq!(
            pool.volume(volume(1))
                .unwrap()
                .unwrap()
                .filling
                .unwrap()
                .present,
            0
        );
        let second = run(scope, || bytes(&*lease, 2 * BLOCK_SIZE, BLOCK));
        assert!(!second.ends());
        drop(held);
        assert_eq!(first.join(), content[..BLOCK]);
        assert_eq!(second.join(), content[2 * BLOCK..3 * BLOCK]);
    });
    assert_eq!(place.reads(), [(0, 1)]);
}

/// Neither a checkpoint, nor a flush, nor reclaim waits for a store that is out of reach.
#[test]
fn nothing_else_waits_for_a_fetch() {
    let (sim, place, content, pool) = made(1);
    drop(pool);
    let patient = PoolOptions {
        remote_patience: Duration::from_secs(3600),
        ..options()
    };
    let pool = Pool::assemble(Arc::new(sim.clone()), sim.catalog(), patient, None).unwrap();
    pool.attach_sources(Arc::new(place.clone()));
    let lease = pool.lease(volume(1)).unwrap();
    lock(&place.0).out = u64::MAX;
    let waiting: Vec<_> = [0, 1]
        .map(|write| {
            let lease = Arc::clone(&lease);
            std::thread::spawn(move || match write {
                0 => lease.read_at(0, &mut [0; 10]),
                _ => lease.write_at(CHUNK + 1, b"x", false),
            })
        })
        .into_iter()
        .collect();
    while lock(&place.0).asked < 4 {
        std::thread::yield_now();
    }
    lease.write_at(0, &[1; BLOCK], false).unwrap();
    lease.write_at(CHUNK + 4096, &[2; BLOCK], false).unwrap();
    lease.flush().unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    pool.delete_checkpoint(checkpoint(1)).unwrap();
    pool.reclaim().unwrap();
    assert_eq!(pool.check().unwrap(), []);
    lock(&place.0).out = 0;
    for thread in waiting {
        thread.join().unwrap().unwrap();
    }
    let mut expected = content;
    expected[..BLOCK].fill(1);
    expected[CHUNK as usize + BLOCK..CHUNK as usize + 2 * BLOCK].fill(2);
    expected[CHUNK as usize + 1] = b'x';
    assert_eq!(bytes(&*lease, 0, SIZE as usize), expected);
}

#[test]
fn i07_a_log_that_is_damaged_is_named_and_repair_fetches_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::default();
    let (id, content) = place.noise(1, SIZE);
    let open = || {
        let pool = open_folder(dir.path());
        pool.attach_sources(Arc::new(place.clone()));
        pool
    };
    let pool = open();
    pool.create_remote_volume(volume(1), SIZE, id, None)
        .unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    bytes(&*lease, 0, SIZE as usize);
    lease.write_at(0, &[1; BLOCK], true).unwrap();
    let mut expected = content;
    expected[..BLOCK].fill(1);
    drop((lease, pool));
    let log = dir.path().join("layers/1.log");
    for offset in [4096 + 17, 1024] {
        let mut damaged = std::fs::read(&log).unwrap();
        damaged[offset] ^= 1;
        std::fs::write(&log, damaged).unwrap();
        let pool = open();
        let named =
            |error: &Error| matches!(error, Error::Damaged { file, .. } if file == "layers/1.log");
        assert!(named(&pool.lease(volume(1)).unwrap_err()));
        assert!(
            pool.check()
                .unwrap()
                .iter()
                .any(|found| found.file == "layers/1.log" && found.damage)
        );
        drop(pool);
        repair(dir.path());
        let pool = open();
        assert_eq!(all(&pool), expected);
        assert_eq!(pool.sources(), [name(1)]);
        drop(pool);
    }
    // Without pool.db the headers tell the same.
    for name in ["pool.db", "pool.db-wal", "pool.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    repair(dir.path());
    let pool = open();
    assert_eq!(pool.sources(), [name(1)]);
    assert_eq!(all(&pool), expected);
    clean(&pool);
    pool.fill(volume(1), &mut ever).unwrap();
    drop(pool);
    assert_eq!(all(&open()), expected);
}

/// Other tests start processes, and between its fork and its exec a child has our locks, too.
fn unlocked<T>(act: impl Fn() -> Result<T>) -> Result<T> {
    loop {
        match act() {
            Err(Error::Locked { .. }) => std::thread::yield_now(),
            other => return other,
        }
    }
}

fn open_folder(dir: &Path) -> Pool {
    unlocked(|| Pool::open(dir, options())).unwrap()
}

fn repair(dir: &Path) {
    unlocked(|| Pool::repair(dir)).unwrap();
}

/// Repair takes the poison of volumes away. That of a layer that can be fetched again says which of its records are not
/// to be believed.
#[test]
fn i07_i09_repair_leaves_what_is_in_doubt_to_be_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::default();
    let (id, content) = place.noise(1, SIZE);
    let open = || {
        let pool = open_folder(dir.path());
        pool.attach_sources(Arc::new(place.clone()));
        pool
    };
    let pool = open();
    pool.create_remote_volume(volume(1), SIZE, id, None)
        .unwrap();
    assert_eq!(all(&pool), content);
    // As a sync that failed leaves it, with no record under a mark.
    let log = dir.path().join("layers/1.log");
    let mut poisoned = std::fs::read(&log).unwrap();
    poisoned[512] = 1;
    drop(pool);
    std::fs::write(&log, poisoned).unwrap();
    repair(dir.path());
    place.reads();
    let pool = open();
    assert_eq!(all(&pool), content);
    assert_eq!(place.chunks(), 6);
    drop(pool);
    assert_eq!(all(&open()), content);
    assert_eq!(place.chunks(), 0, "and that is the end of it");
}

#[test]
fn a_pool_of_the_first_format_is_brought_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let pool = open_folder(dir.path());
    pool.create_volume(volume(1), SIZE).unwrap();
    pool.lease(volume(1))
        .unwrap()
        .write_at(0, b"old", true)
        .unwrap();
    drop(pool);
    let database = rusqlite::Connection::open(dir.path().join("pool.db")).unwrap();
    database
        .execute_batch("DROP TABLE remotes; UPDATE pool SET value = 0 WHERE key = 'format'")
        .unwrap();
    drop(database);
    for _ in 0..2 {
        let pool = open_folder(dir.path());
        assert_eq!(bytes(&*pool.lease(volume(1)).unwrap(), 0, 3), *b"old");
        let place = Place::default();
        pool.attach_sources(Arc::new(place.clone()));
        let (id, content) = place.noise(2, SIZE);
        pool.create_remote_volume(volume(2), SIZE, id, None)
            .unwrap();
        assert_eq!(
            bytes(&*pool.lease(volume(2)).unwrap(), 0, SIZE as usize),
            content
        );
    }
    let database = rusqlite::Connection::open(dir.path().join("pool.db")).unwrap();
    database
        .execute_batch("UPDATE pool SET value = 2 WHERE key = 'format'")
        .unwrap();
    drop(database);
    assert!(matches!(
        unlocked(|| Pool::open(dir.path(), options())),
        Err(Error::Format {
            found: 2,
            expected: 1
        })
    ));
}

#[test]
fn making_one_costs_the_same_whatever_its_size() {
    for size in [SIZE, 1 << 40] {
        let place = Place::default();
        let mut sim = Sim::new(1);
        sim.place = place.clone();
        let pool = open(&sim).unwrap();
        lock(&sim.world).journal.clear();
        pool.create_remote_volume(volume(1), size, name(1), None)
            .unwrap();
        let cost = lock(&sim.world).journal.clone();
        assert_eq!(
            cost,
            [
                "layers/1.data",
                "layers/1.log.tmp",
                "layers/2.data",
                "layers/2.log.tmp",
                "layers",
                "pool.db"
            ]
        );
        let lease = pool.lease(volume(1)).unwrap();
        assert_eq!(lock(&place.0).asked, 0);
        drop(lease);
    }
}

/// What nobody has open is closed, with what has come made durable.
#[test]
fn layers_that_fill_are_closed_with_the_last_volume_on_them() {
    let place = Place::default();
    let mut sim = Sim::new(1);
    sim.place = place.clone();
    let few = PoolOptions {
        idle_volumes: 1,
        ..options()
    };
    let pool = Pool::assemble(Arc::new(sim.clone()), sim.catalog(), few, None).unwrap();
    pool.attach_sources(Arc::new(place.clone()));
    let contents: Vec<_> = (1..=4)
        .map(|number| {
            let (id, content) = place.noise(number, SIZE);
            pool.create_remote_volume(volume(number), SIZE, id, None)
                .unwrap();
            (volume(number), content)
        })
        .collect();
    for _ in 0..2 {
        for (id, content) in &contents {
            assert_eq!(
                bytes(&*pool.lease(*id).unwrap(), 0, SIZE as usize),
                *content
            );
            assert!(lock(&pool.inner.remotes).len() <= 2);
        }
    }
    assert_eq!(place.chunks(), 4 * 6, "nothing came twice");
    // The first was closed in good order: a power loss takes nothing of it.
    let pool = open(&sim.power_lost(1)).unwrap();
    assert_eq!(all(&pool), contents[0].1);
    assert_eq!(place.chunks(), 0);
}

#[test]
fn names_of_sources_have_a_length() {
    assert_eq!(RemoteId::new(&[]), None);
    assert_eq!(RemoteId::new(&[1; 65]), None);
    assert_eq!(RemoteId::new(&[1; 64]).unwrap().as_bytes(), [1; 64]);
    assert_ne!(RemoteId::new(&[1]), RemoteId::new(&[1, 0]));
}
