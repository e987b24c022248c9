//! Volumes whose first content lives elsewhere: what is fetched and when, what a power loss leaves of it, and that nothing
//! of what has not come is ever taken for zeros. Where something fails: `remote_faults`.

use super::basic::bytes;
use super::held::run;
use super::sim::{Sim, checkpoint, volume};
use super::source::{CHUNK, Place, name};
use super::{open, options};
use crate::engine::block::{Allocation, BLOCK_SIZE, BlockDevice, ZeroOptions};
use crate::engine::drain::lock;
use crate::engine::{Error, Filled, Pool, PoolOptions, RemoteId};
use std::ops::ControlFlow;
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
