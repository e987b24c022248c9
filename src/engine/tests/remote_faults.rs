//! Volumes whose first content lives elsewhere, where something fails: no room for what comes, a disk that fails, a source
//! that is out of reach, a log that is damaged; and the pool's format from before there were such volumes.

use super::basic::bytes;
use super::remote::{BLOCK, SIZE, all, clean, ever, made};
use super::sim::{Sim, volume};
use super::source::{CHUNK, Place, name};
use super::{open, options};
use crate::engine::block::{BLOCK_SIZE, BlockDevice};
use crate::engine::drain::lock;
use crate::engine::{Error, Pool, PoolOptions, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
