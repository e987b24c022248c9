//! Sequences of the review in which one write stands still in the middle while others go on.

use super::basic::bytes;
use super::held::run;
use super::open;
use super::review::{disk, first_byte};
use super::sim::{Sim, checkpoint, volume};
use crate::engine::block::BlockDevice;
use crate::engine::drain::lock;
use std::thread::{scope, yield_now};

/// A write is inside the engine while its lease is revoked, or its volume rolled back: neither returns before it has
/// ended.
#[test]
fn i01_review_09_a_lease_is_revoked_when_its_last_write_has_ended() {
    for rolls_back in [false, true] {
        let sim = Sim::new(1);
        let (pool, lease) = disk(&sim);
        lease.write_at(0, &[1; 4096], true).unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        scope(|scope| {
            let held = sim.gate.hold(".data");
            let late = run(scope, || lease.write_at(0, &[9; 4096], false));
            held.came();
            let end = run(scope, || {
                if rolls_back {
                    pool.rollback(volume(1), checkpoint(1)).unwrap();
                } else {
                    lease.revoke();
                }
            });
            let early = end.ends();
            drop(held);
            // It was let in before the door was shut: it is done, and answered so.
            late.join().unwrap();
            end.join();
            assert!(!early, "ended under a write (rolls back: {rolls_back})");
        });
        assert!(lease.write_at(0, &[8; 4096], false).is_err());
        let new = pool.lease(volume(1)).unwrap();
        let expected = if rolls_back { 1 } else { 9 };
        assert_eq!(bytes(&*new, 0, 4096), [expected; 4096]);
    }
}

/// A write was let into the old head and is still on its way there; the heads are swapped; a part of the same block is
/// written. The part lies over the whole, as they were issued; and the checkpoint has the whole alone.
#[test]
fn i01_i03_review_14_a_copied_block_has_the_write_in_flight_below_it() {
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    // Present in the old head: the write over it takes no block's lock.
    lease.write_at(0, &[b'A'; 4096], true).unwrap();
    scope(|scope| {
        let held = sim.gate.hold(".data");
        let whole = run(scope, || lease.write_at(0, &[b'B'; 4096], false));
        held.came();
        let seal = run(scope, || pool.checkpoint(&[(volume(1), checkpoint(1))]));
        let open = pool.inner.volume(volume(1)).unwrap();
        while open.stack().pending.is_empty() {
            yield_now();
        }
        let part = run(scope, || lease.write_at(512, &[b'C'; 512], false));
        // It ends, or waits for the write below.
        part.ends();
        drop(held);
        whole.join().unwrap();
        part.join().unwrap();
        seal.join().unwrap();
    });
    let mut expected = [b'B'; 4096];
    let below = pool.open_checkpoint(checkpoint(1)).unwrap();
    assert_eq!(bytes(&*below, 0, 4096), expected);
    expected[512..1024].fill(b'C');
    assert_eq!(bytes(&*lease, 0, 4096), expected);
}

/// A first write of a block has its data in the file and its record not yet in the log; a second write of the same
/// block is answered only if a process that dies then would not lose it.
#[test]
fn i01_review_06a_a_block_is_present_once_its_record_is_in_the_log() {
    let sim = Sim::new(1);
    let (_pool, lease) = disk(&sim);
    scope(|scope| {
        let held = sim.gate.hold(".log");
        let first = run(scope, || lease.write_at(0, &[1; 4096], false));
        held.came();
        let second = run(scope, || lease.write_at(0, &[2; 4096], false));
        let answered = second.ends();
        let killed = sim.killed();
        drop(held);
        first.join().unwrap();
        second.join().unwrap();
        if answered {
            assert_eq!(
                first_byte(&killed),
                2,
                "answered, and lost with the process"
            );
        }
    });
    assert_eq!(first_byte(&sim.killed()), 2);
}

/// A trim of four blocks fails when half of its records are in the log. What is written and answered after that counts,
/// also in a block that the cut-off records name.
#[test]
fn i01_review_16_records_of_an_append_that_failed_do_not_count() {
    let sim = Sim::new(1);
    let (_pool, lease) = disk(&sim);
    for block in [0, 2, 4, 6] {
        lease.write_at(block * 4096, &[1; 4096], false).unwrap();
    }
    lease.flush().unwrap();
    lock(&sim.world).short_writes = Some((".log", [64].into()));
    lease.trim(0, 8 * 4096, false).unwrap_err();
    lease.write_at(2 * 4096, &[2; 4096], false).unwrap();
    // Goes to where the first of the trim's records stood.
    lease.write_at(9 * 4096, &[9; 4096], false).unwrap();
    let again = open(&sim.killed()).unwrap().lease(volume(1)).unwrap();
    assert_eq!(bytes(&*again, 9 * 4096, 4096), [9; 4096]);
    assert_eq!(bytes(&*again, 2 * 4096, 4096), [2; 4096]);
}

/// The same where the records cannot be taken back either: no write is answered that the next opening would not count.
#[test]
fn i01_review_16_where_an_append_cannot_be_undone_no_write_is_answered_in_vain() {
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    for block in [0, 2, 4, 6] {
        lease.write_at(block * 4096, &[1; 4096], false).unwrap();
    }
    lease.flush().unwrap();
    lock(&sim.world).short_writes = Some((".log", [64, 0].into()));
    lease.trim(0, 8 * 4096, false).unwrap_err();
    let mut answered = Vec::new();
    for block in [2, 9] {
        if lease.write_at(block * 4096, &[2; 4096], true).is_ok() {
            answered.push(block);
        }
    }
    let again = open(&sim.killed()).unwrap().lease(volume(1)).unwrap();
    for block in answered {
        assert_eq!(
            bytes(&*again, block * 4096, 4096),
            [2; 4096],
            "block {block}"
        );
    }
    // A checkpoint gives the volume a new head, and with it a log that is whole.
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(2 * 4096, &[3; 4096], true).unwrap();
    let again = open(&sim.killed()).unwrap().lease(volume(1)).unwrap();
    assert_eq!(bytes(&*again, 2 * 4096, 4096), [3; 4096]);
}
