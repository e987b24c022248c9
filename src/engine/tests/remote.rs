//! Volumes whose first content lives elsewhere: what is fetched and when, what a crash leaves of it, and that nothing of
//! what has not come is ever taken for zeros.

use super::basic::bytes;
use super::sim::{Random, Sim, checkpoint, volume};
use super::source::{CHUNK, Place, name};
use super::{open, options};
use crate::engine::block::{Allocation, BLOCK_SIZE, BlockDevice, ZeroOptions};
use crate::engine::drain::lock;
use crate::engine::{Error, Filled, Lease, Pool, PoolOptions, Reference, RemoteId};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Eight chunks: two of data, one of zeros, and so on.
const SIZE: u64 = 8 * CHUNK;
const BLOCK: usize = BLOCK_SIZE as usize;

fn ever(_: Filled) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A pool with a volume that was made from a source and has nothing yet.
fn made(seed: u64) -> (Sim, Place, Vec<u8>, Pool) {
    let place = Place::default();
    let mut sim = Sim::new(seed);
    sim.place = place.clone();
    let (id, content) = place.noise(1, SIZE);
    let pool = open(&sim).unwrap();
    pool.create_remote_volume(volume(1), SIZE, id, Some(checkpoint(100)))
        .unwrap();
    (sim, place, content, pool)
}

fn all(pool: &Pool) -> Vec<u8> {
    bytes(&*pool.lease(volume(1)).unwrap(), 0, SIZE as usize)
}

fn clean(pool: &Pool) {
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
fn a_volume_that_is_filled_is_an_ordinary_one_and_its_source_is_released() {
    let (sim, place, content, pool) = made(1);
    let mut told = Vec::new();
    pool.fill(volume(1), &mut |filled| {
        told.push(filled);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(told.iter().is_sorted_by_key(|filled| filled.done));
    assert_eq!(
        told[0],
        Filled {
            done: 0,
            total: SIZE
        }
    );
    assert_eq!(told.last().unwrap().done, SIZE);
    assert_eq!(place.chunks(), 6);
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(pool.sources(), []);
    assert_eq!(pool.volume(volume(1)).unwrap().unwrap().filling, None);
    assert!(!sim.files().contains(&"layers/1.log".to_owned()));
    clean(&pool);
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(all(&pool), content);
    assert_eq!(place.reads(), []);
    for sim in [sim.killed(), sim.power_lost(1)] {
        let pool = open(&sim).unwrap();
        assert_eq!(all(&pool), content);
        assert_eq!(pool.reclaim().unwrap().bytes, 0);
        clean(&pool);
        let held = sim.data_bytes();
        assert_eq!(
            pool.reclaimable(&[Reference::Volume(volume(1))]).unwrap(),
            held
        );
        pool.delete_volume(volume(1)).unwrap();
        pool.reclaim().unwrap();
        assert_eq!(sim.data_bytes(), 0);
    }
}

#[test]
fn a_fill_is_interrupted_and_gone_on_with() {
    let (_sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    bytes(&*lease, 0, 1);
    let stopped = pool.fill(volume(1), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(pool.sources(), [name(1)]);
    place.reads();
    // An outage that lasts: the fill waits, and is interrupted while it does.
    lock(&place.0).out = u64::MAX;
    let mut looks = 0;
    let stopped = pool.fill(volume(1), &mut |_| {
        looks += 1;
        if looks < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert!(
        matches!(stopped, Err(Error::Interrupted | Error::Remote { .. })),
        "{stopped:?}"
    );
    lock(&place.0).out = 0;
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(place.chunks(), 5, "the first chunk had come");
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
}

/// Only what survives a power loss makes a fetch needless.
#[test]
fn i04_a_fill_leaves_out_only_what_is_overwritten_for_good() {
    for seed in 0..30 {
        let (sim, place, content, pool) = made(seed);
        let lease = pool.lease(volume(1)).unwrap();
        lease.write_at(0, &vec![9; CHUNK as usize], true).unwrap();
        lease
            .write_at(CHUNK, &vec![8; CHUNK as usize], false)
            .unwrap();
        pool.fill(volume(1), &mut ever).unwrap();
        let fetched = place.reads();
        assert!(
            fetched.iter().all(|(first, _)| *first != 0),
            "overwritten and flushed"
        );
        assert!(lock(&place.0).released.contains(&name(1)));
        let lost = sim.power_lost(seed);
        let found = all(&open(&lost).unwrap());
        assert_eq!(found[..CHUNK as usize], vec![9; CHUNK as usize]);
        for (sector, old) in found[CHUNK as usize..2 * CHUNK as usize]
            .chunks(512)
            .zip(content[CHUNK as usize..].chunks(512))
        {
            assert!(
                sector == old || sector == [8; 512],
                "{seed}: neither old nor new"
            );
        }
        assert_eq!(found[2 * CHUNK as usize..], content[2 * CHUNK as usize..]);
    }
}

#[test]
fn a_checkpoint_made_while_it_fills_has_the_whole_content() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; BLOCK], true).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(0, &[2; BLOCK], true).unwrap();
    // A base tells what was written since, and asks nothing of the source.
    let diff = pool.diff(checkpoint(100), checkpoint(1)).unwrap().unwrap();
    assert_eq!(diff.ranges().collect::<Vec<_>>(), [0..1]);
    let since = pool
        .changed_since(checkpoint(100), volume(1))
        .unwrap()
        .unwrap();
    assert_eq!(since.len(), 1);
    assert_eq!(place.reads(), []);
    pool.clone_volume(volume(2), checkpoint(1)).unwrap();
    let clone = pool.lease(volume(2)).unwrap();
    clone.write_at(CHUNK, &[3; BLOCK], true).unwrap();
    drop(lease);
    // The first volume goes: the clone still fills from the same source.
    pool.delete_volume(volume(1)).unwrap();
    pool.reclaim().unwrap();
    assert!(lock(&place.0).released.is_empty());
    let device = pool.open_checkpoint(checkpoint(1)).unwrap();
    let mut expected = content.clone();
    expected[..BLOCK].fill(1);
    assert_eq!(bytes(&*device, 0, SIZE as usize), expected);
    drop(device);
    let mut cloned = expected.clone();
    cloned[CHUNK as usize..CHUNK as usize + BLOCK].fill(3);
    assert_eq!(bytes(&*clone, 0, SIZE as usize), cloned);
    pool.fill(volume(2), &mut ever).unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(bytes(&*clone, 0, SIZE as usize), cloned);
    drop(clone);
    pool.rollback(volume(2), checkpoint(1)).unwrap();
    let pool = open(&sim.killed()).unwrap();
    assert_eq!(
        bytes(&*pool.lease(volume(2)).unwrap(), 0, SIZE as usize),
        expected
    );
    assert_eq!(
        pool.diff(checkpoint(100), checkpoint(1))
            .unwrap()
            .unwrap()
            .len(),
        1,
        "the base is still known"
    );
}

#[test]
fn i05_a_layer_that_nobody_needs_goes_before_it_has_come() {
    let (sim, place, _, pool) = made(1);
    bytes(&*pool.lease(volume(1)).unwrap(), 0, 1);
    assert!(sim.data_bytes() > 0);
    assert_eq!(
        pool.reclaimable(&[Reference::Volume(volume(1))]).unwrap(),
        sim.data_bytes()
    );
    pool.delete_volume(volume(1)).unwrap();
    let done = pool.reclaim().unwrap();
    assert_eq!((done.bytes, done.layers), (3 * BLOCK_SIZE, 1));
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!((pool.sources(), sim.data_bytes()), (vec![], 0));
    assert!(sim.files().iter().all(|file| !file.starts_with("layers/")));
    assert!(pool.checkpoints().is_empty(), "the base goes with it");
    assert!(matches!(
        pool.fill(volume(1), &mut ever),
        Err(Error::NoVolume(_))
    ));
    // Rolled back to what does not stand on it: the same.
    let (_sim, place, _, pool) = made(2);
    pool.create_volume(volume(2), SIZE).unwrap();
    pool.checkpoint(&[(volume(2), checkpoint(1))]).unwrap();
    pool.rollback(volume(1), checkpoint(1)).unwrap();
    pool.reclaim().unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(all(&pool), vec![0; SIZE as usize]);
    // Written over wholly, and flushed: there is nothing to fetch.
    let (_sim, place, _, pool) = made(3);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &vec![5; SIZE as usize], true).unwrap();
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(place.reads(), []);
    assert!(lock(&place.0).released.contains(&name(1)));
    clean(&pool);
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

/// Neither a checkpoint, nor a flush, nor reclaim waits for a store that is out of reach.
#[test]
fn i13_nothing_else_waits_for_a_fetch() {
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
        let pool = Pool::open(dir.path(), options()).unwrap();
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
        Pool::repair(dir.path()).unwrap();
        let pool = open();
        assert_eq!(all(&pool), expected);
        assert_eq!(pool.sources(), [name(1)]);
        drop(pool);
    }
    // Without pool.db the headers tell the same.
    for name in ["pool.db", "pool.db-wal", "pool.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    Pool::repair(dir.path()).unwrap();
    let pool = open();
    assert_eq!(pool.sources(), [name(1)]);
    assert_eq!(all(&pool), expected);
    clean(&pool);
    pool.fill(volume(1), &mut ever).unwrap();
    drop(pool);
    assert_eq!(all(&open()), expected);
}

#[test]
fn a_pool_of_the_first_format_is_brought_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::open(dir.path(), options()).unwrap();
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
        let pool = Pool::open(dir.path(), options()).unwrap();
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
        Pool::open(dir.path(), options()),
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

/// Readers, writers, checkpoints, reclaim and a fill, all at once: each block is what was last written into it, or what
/// the source has.
#[test]
fn i01_i04_i09_a_fill_among_threads() {
    const BLOCKS: u64 = 64 * 4;
    for round in 0..6_u8 {
        let place = Place::default();
        let mut sim = Sim::new(1);
        sim.place = place.clone();
        let (id, content) = place.noise(round, BLOCKS * BLOCK_SIZE);
        let pool = open(&sim).unwrap();
        pool.create_remote_volume(volume(1), BLOCKS * BLOCK_SIZE, id, None)
            .unwrap();
        let lease: Arc<Lease> = pool.lease(volume(1)).unwrap();
        // The number last written to each block; 0: the source's.
        let written: Vec<AtomicU64> = (0..BLOCKS).map(|_| AtomicU64::new(0)).collect();
        let stop = AtomicBool::new(false);
        let filled = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for half in 0..2 {
                let (lease, written, stop) = (&lease, &written, &stop);
                scope.spawn(move || {
                    let mut random = Random::new(u64::from(round) * 2 + half);
                    for number in 1..=300 {
                        // Each writer has blocks of its own.
                        let block = random.below(BLOCKS / 2) * 2 + half;
                        let at = block * BLOCK_SIZE;
                        if random.chance(30) {
                            lease.trim(at, BLOCK_SIZE, false).unwrap();
                            written[block as usize].store(u64::MAX, SeqCst);
                        } else {
                            lease
                                .write_at(at, &[number as u8; BLOCK], random.chance(20))
                                .unwrap();
                            written[block as usize].store(number, SeqCst);
                        }
                        // What this thread wrote it reads.
                        let expected = match written[block as usize].load(SeqCst) {
                            u64::MAX => 0,
                            number => number as u8,
                        };
                        assert_eq!(bytes(&**lease, at, BLOCK), [expected; BLOCK]);
                        let other = random.below(BLOCKS / 2) * 2 + half;
                        let range =
                            (other * BLOCK_SIZE) as usize..((other + 1) * BLOCK_SIZE) as usize;
                        let found = bytes(&**lease, range.start as u64, BLOCK);
                        match written[other as usize].load(SeqCst) {
                            0 => assert_eq!(found, content_of(round, BLOCKS, range)),
                            u64::MAX => assert_eq!(found, [0; BLOCK]),
                            number => assert_eq!(found, [number as u8; BLOCK]),
                        }
                    }
                    stop.store(true, SeqCst);
                });
            }
            scope.spawn(|| {
                for number in 1..=u8::MAX {
                    if stop.load(SeqCst) {
                        break;
                    }
                    pool.checkpoint(&[(volume(1), checkpoint(number))]).unwrap();
                    if number > 2 {
                        pool.delete_checkpoint(checkpoint(number - 2)).unwrap();
                        pool.reclaim().unwrap();
                    }
                }
            });
            scope.spawn(|| {
                pool.fill(volume(1), &mut ever).unwrap();
                filled.store(true, SeqCst);
            });
        });
        assert!(filled.load(SeqCst));
        assert!(lock(&place.0).released.contains(&id));
        let mut expected = content;
        for (block, written) in written.iter().enumerate() {
            let place = &mut expected[block * BLOCK..(block + 1) * BLOCK];
            match written.load(SeqCst) {
                0 => {}
                u64::MAX => place.fill(0),
                number => place.fill(number as u8),
            }
        }
        assert_eq!(bytes(&*lease, 0, expected.len()), expected);
        pool.reclaim().unwrap();
        clean(&pool);
    }
}

fn content_of(round: u8, blocks: u64, range: std::ops::Range<usize>) -> Vec<u8> {
    thread_local! {
        static LAST: std::cell::RefCell<Option<(u8, Vec<u8>)>> = const { std::cell::RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(number, _)| *number != round) {
            *last = Some((round, Place::default().noise(round, blocks * BLOCK_SIZE).1));
        }
        last.as_ref().unwrap().1[range].to_vec()
    })
}

/// A block that is read while the layer is being sealed comes from the source or from the file, and never from nowhere.
#[test]
fn i04_i09_a_source_is_released_after_its_last_reader() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    // A reader holds the epoch while the fill seals: the fill waits for it before it lets the source go.
    let reading = pool.inner.core.epoch.enter();
    let filling = {
        let pool = pool.clone();
        std::thread::spawn(move || pool.fill(volume(1), &mut ever))
    };
    while !pool.sources().is_empty() {
        std::thread::yield_now();
    }
    assert!(lock(&place.0).released.is_empty());
    assert!(
        pool.volume(volume(1)).unwrap().unwrap().filling.is_some(),
        "it still asks"
    );
    drop(reading);
    filling.join().unwrap().unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
    drop(sim);
}

#[test]
fn names_of_sources_have_a_length() {
    assert_eq!(RemoteId::new(&[]), None);
    assert_eq!(RemoteId::new(&[1; 65]), None);
    assert_eq!(RemoteId::new(&[1; 64]).unwrap().as_bytes(), [1; 64]);
    assert_ne!(RemoteId::new(&[1]), RemoteId::new(&[1, 0]));
}
