//! The sequences that broke earlier drafts of the design, by their number in the review that found them.

use super::basic::bytes;
use super::open;
use super::sim::{Random, Sim, checkpoint, volume};
use crate::engine::block::BlockDevice;
use crate::engine::drain::lock;
use crate::engine::{Lease, Pool};
use std::sync::Arc;

pub(crate) fn disk(sim: &Sim) -> (Pool, Arc<Lease>) {
    let pool = open(sim).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    (pool, lease)
}

pub(crate) fn first_byte(sim: &Sim) -> u8 {
    let pool = open(sim).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    bytes(&*lease, 0, 1)[0]
}

/// A checkpoint holds A; the head holds B, not flushed; the checkpoint is deleted and reclaimed; power loss. The block
/// must be A or B.
#[test]
fn i04_review_01_reclaim_relies_only_on_what_a_power_loss_leaves() {
    for seed in 0..40 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        lease.write_at(0, b"A", true).unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        lease.write_at(0, &[b'B'; 4096], false).unwrap();
        pool.delete_checkpoint(checkpoint(1)).unwrap();
        pool.reclaim().unwrap();
        assert!(b"AB".contains(&first_byte(&sim.power_lost(seed))));
        // Flushed, it covers: the room comes back.
        lease.flush().unwrap();
        assert_eq!(pool.reclaim().unwrap().bytes, 4096);
        assert_eq!(first_byte(&sim.power_lost(seed)), b'B');
    }
}

/// The same in the state *swapped, not sealed*: the swapped layer was synced by the seal that failed, the new head was
/// not.
#[test]
fn i04_review_01_nor_on_a_head_above_one_that_is_not_sealed() {
    for seed in 0..40 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        lease.write_at(0, b"A", true).unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        lease.write_at(0, &[b'B'; 4096], false).unwrap();
        // The swap is done; the commit of the seal finds the disk full.
        lock(&sim.world).full_commits_after = Some(1);
        pool.checkpoint(&[(volume(1), checkpoint(2))]).unwrap_err();
        lock(&sim.world).full_commits_after = None;
        lease.write_at(0, &[b'C'; 4096], false).unwrap();
        pool.delete_checkpoint(checkpoint(1)).unwrap();
        pool.delete_checkpoint(checkpoint(2)).unwrap();
        pool.reclaim().unwrap();
        assert!(b"BC".contains(&first_byte(&sim.power_lost(seed))));
    }
}

/// Boot 2; a write is acknowledged; the process is killed; reopened in the same boot: the write is there.
#[test]
fn i01_review_02a_the_log_bears_the_boot_in_which_it_is_written() {
    let sim = Sim::new(1);
    drop(disk(&sim));
    let sim = sim.power_lost(1);
    let lease = open(&sim).unwrap().lease(volume(1)).unwrap();
    lease.write_at(0, b"A", false).unwrap();
    assert_eq!(first_byte(&sim.killed()), b'A');
}

/// A power loss drops record R; a later kill must not bring R back, whose data was never known to be good.
#[test]
fn i01_review_02b_c_what_was_dropped_stays_dropped() {
    for seed in 0..60 {
        let sim = Sim::new(seed);
        let (_pool, lease) = disk(&sim);
        lease.write_at(8192, b"X", true).unwrap();
        lease.write_at(0, &[b'R'; 4096], false).unwrap();
        let sim = sim.power_lost(seed);
        let value = first_byte(&sim);
        assert_eq!(value, 0, "no mark covers it");
        // It was opened; now the process dies, then the machine again.
        let sim = sim.killed();
        assert_eq!(first_byte(&sim), 0);
        assert_eq!(first_byte(&sim.power_lost(seed + 1)), 0);
    }
}

/// A record that comes in while a flush is between its two syncs is not covered by that flush's mark, although it lies
/// before the mark in the file.
#[test]
fn i01_review_02c_a_mark_covers_what_it_names() {
    for seed in 0..60 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        pool.create_volume(volume(2), 1 << 20).unwrap();
        let mut random = Random::new(seed);
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let lease = &lease;
                scope.spawn(move || {
                    for block in 0..40 {
                        lease
                            .write_at((writer * 100 + block) * 4096, &[7; 4096], false)
                            .unwrap();
                        if block % 3 == writer {
                            lease.flush().unwrap();
                        }
                    }
                });
            }
        });
        // Whatever the order was: a block that counts after a power loss is wholly there.
        let sim = sim.power_lost(random.next());
        let lease = open(&sim).unwrap().lease(volume(1)).unwrap();
        for writer in 0..2 {
            for block in 0..40 {
                let found = bytes(&*lease, (writer * 100 + block) * 4096, 4096);
                assert!(
                    found == [7; 4096] || found == [0; 4096],
                    "block {block} of {writer} is a mixture"
                );
            }
        }
    }
}

/// The same, with the write made exactly between a flush's sync of the data and its mark.
#[test]
fn i01_review_02c_a_record_between_the_sync_and_the_mark_is_not_covered() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        lease.write_at(0, &[b'A'; 4096], true).unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        lease.write_at(8192, &[1; 4096], false).unwrap();
        let late = Arc::clone(&lease);
        *lock(&sim.meanwhile) = Some(Box::new(move || {
            late.write_at(0, &[b'B'; 4096], false).unwrap()
        }));
        lease.flush().unwrap();
        assert_eq!(bytes(&*lease, 0, 1), [b'B']);
        assert!(b"AB".contains(&first_byte(&sim.power_lost(seed))));
    }
}

/// FUA to a block that is present and whose record is not under a mark yet: one sync is not enough.
#[test]
fn i01_review_06c_fua_to_a_present_block_covers_its_record() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        let (_pool, lease) = disk(&sim);
        lease.write_at(0, &[b'A'; 4096], false).unwrap();
        lease.write_at(0, &[b'B'; 4096], true).unwrap();
        assert_eq!(first_byte(&sim.power_lost(seed)), b'B');
    }
}

/// Flushes of several threads: each one's writes survive the power loss that follows its answer.
#[test]
fn i01_review_06bd_a_flush_that_finds_nothing_new_waits_for_the_mark_it_relies_on() {
    for seed in 0..30 {
        let sim = Sim::new(seed);
        let (_pool, lease) = disk(&sim);
        let answered = std::sync::Mutex::new((0, Vec::new()));
        std::thread::scope(|scope| {
            for writer in 0..3_u64 {
                let (lease, answered, sim) = (&lease, &answered, &sim);
                scope.spawn(move || {
                    for block in 0..12 {
                        let at = writer * 20 + block;
                        lease
                            .write_at(at * 4096, &[at as u8 + 1; 4096], false)
                            .unwrap();
                        lease.flush().unwrap();
                        let lost = sim.power_lost(seed ^ at);
                        // Many flushes end at this moment; this one's block is on the disk.
                        lock(answered).1.push((at, lost));
                    }
                });
            }
        });
        let images = std::mem::take(&mut lock(&answered).1);
        for (at, lost) in images.into_iter().filter(|(at, _)| at % 4 == seed % 4) {
            let lease = open(&lost).unwrap().lease(volume(1)).unwrap();
            assert_eq!(
                bytes(&*lease, at * 4096, 4096),
                [at as u8 + 1; 4096],
                "seed {seed}, block {at}"
            );
        }
    }
}

/// A read found its block in a layer; the block is covered, committed away, and must not be punched under the read.
#[test]
fn i04_review_07_no_block_is_punched_under_a_read() {
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    lease.write_at(0, &[1; 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(0, &[2; 4096], true).unwrap();
    pool.delete_checkpoint(checkpoint(1)).unwrap();
    let reading = pool.inner.core.epoch.enter();
    let stack_of_the_read = pool.inner.volume(volume(1)).unwrap().stack();
    std::thread::scope(|scope| {
        let pass = scope.spawn(|| pool.reclaim().unwrap());
        // Committed: the layer has no row any more.
        while pool.inner.core.meta().rows.layers.len() > 1 {
            assert!(!pass.is_finished());
            std::thread::yield_now();
        }
        // The read may be here for as long as it likes; the layer's file is whole.
        for _ in 0..1000 {
            std::thread::yield_now();
            assert_eq!(sim.data_bytes(), 2 * 4096);
        }
        let below = stack_of_the_read.layers.last().unwrap();
        let mut found = [0; 4096];
        below.read_own(&pool.inner.core, &mut found, 0).unwrap();
        assert_eq!(found, [1; 4096]);
        drop(reading);
        assert_eq!(pass.join().unwrap().bytes, 4096);
    });
    assert_eq!(sim.data_bytes(), 4096);
}

/// Two checkpoints one after the other, nothing written between, writes flushed in the last head, and the commits of
/// the seals lost: the chain below those writes must stay.
#[test]
fn i01_i03_review_08_a_chain_of_prepared_heads_is_kept_up_to_the_deepest_that_counts() {
    for seed in 0..30 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        pool.create_volume(volume(2), 1 << 20).unwrap();
        lease.write_at(0, &[1; 4096], false).unwrap();
        // Both volumes swap, and none is sealed.
        lock(&sim.world).full_commits_after = Some(1);
        let both = [(volume(1), checkpoint(1)), (volume(2), checkpoint(2))];
        pool.checkpoint(&both).unwrap_err();
        lease.write_at(4096, &[2; 4096], false).unwrap();
        lease.flush().unwrap();
        let sim = sim.power_lost(seed);
        // Volume 2's prepared head was never used: dropped. Volume 1's has a block: kept, and what is below it.
        let pool = open(&sim).unwrap();
        assert_eq!(pool.checkpoints(), [], "recovery makes no checkpoint");
        let lease = pool.lease(volume(1)).unwrap();
        assert_eq!(
            (bytes(&*lease, 0, 1), bytes(&*lease, 4096, 1)),
            (vec![1], vec![2])
        );
        pool.lease(volume(2)).unwrap();
        assert_eq!(pool.inner.core.meta().rows.layers.len(), 3);
        // The map that the lost seal had written is gone with it.
        assert!(
            !sim.files().iter().any(|name| name.ends_with(".map")),
            "{:?}",
            sim.files()
        );
        pool.checkpoint(&[(volume(1), checkpoint(3)), (volume(2), checkpoint(4))])
            .unwrap();
        pool.reclaim().unwrap();
        assert_eq!(pool.check().unwrap(), []);
    }
}

/// A layer without data whose zeros hide older data is not empty.
#[test]
fn i04_review_15c_zeros_that_hide_something_are_kept() {
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    lease.write_at(0, &[1; 8192], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.trim(0, 4096, false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(2))]).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(3))]).unwrap();
    pool.delete_checkpoint(checkpoint(2)).unwrap();
    assert_eq!(pool.reclaim().unwrap().bytes, 0);
    assert_eq!(bytes(&*lease, 4095, 2), [0, 1]);
    assert_eq!(
        bytes(&*pool.open_checkpoint(checkpoint(3)).unwrap(), 4095, 2),
        [0, 1]
    );
}

/// A late write of a lease that was revoked fails and leaves no trace; a revoked volume can be leased again.
#[test]
fn i04_review_09_a_late_write_of_a_dead_client_never_lands() {
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    lease.write_at(0, &[1; 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let lease = &lease;
            scope.spawn(move || {
                // Until it is refused.
                while lease.write_at(writer * 4096, &[9; 4096], false).is_ok() {}
                assert!(lease.flush().is_err());
            });
        }
        pool.rollback(volume(1), checkpoint(1)).unwrap();
        let new = pool.lease(volume(1)).unwrap();
        for _ in 0..200 {
            assert_eq!(
                bytes(&*new, 0, 3 * 4096),
                [vec![1; 4096], vec![0; 8192]].concat()
            );
        }
    });
}
