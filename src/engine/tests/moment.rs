//! Checkpoints of a moment that somebody else finds: what is in them, what happens when it does not come, and which flush
//! is the hypervisor's own.

use super::basic::bytes;
use super::model::StopWhenDropped;
use super::open;
use super::review::{disk, first_byte};
use super::sim::{Sim, checkpoint, volume};
use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::block::BlockDevice;
use crate::engine::drain::lock;
use crate::engine::{Error, Lease, OWN_FLUSH, Pool};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

fn one() -> [(VolumeId, CheckpointId); 1] {
    [(volume(1), checkpoint(1))]
}

fn two_disks(sim: &Sim) -> (Pool, Arc<Lease>, Arc<Lease>) {
    let (pool, first) = disk(sim);
    pool.create_volume(volume(2), 1 << 20).unwrap();
    let second = pool.lease(volume(2)).unwrap();
    (pool, first, second)
}

fn syncs(sim: &Sim, act: impl FnOnce()) -> usize {
    lock(&sim.world).journal.clear();
    act();
    lock(&sim.world).journal.len()
}

#[test]
fn i03_its_content_is_that_of_the_swap() {
    let sim = Sim::new(1);
    let (pool, first, second) = two_disks(&sim);
    let both = [(volume(1), checkpoint(1)), (volume(2), checkpoint(2))];
    let mut calls = 0;
    let made = pool.checkpoint_at(&both, &mut |swap| {
        calls += 1;
        // Prepared, and not yet: everything goes on.
        first.write_at(0, &[1; 4096], false).unwrap();
        second.write_at(100, &[1; 8000], true).unwrap();
        pool.reclaim().unwrap();
        assert_eq!(bytes(&*second, 8000, 1), [1]);
        swap();
        first.write_at(0, &[2; 4096], false).unwrap();
        second.write_at(100, &[2; 8000], true).unwrap();
        // Only once.
        swap();
        true
    });
    assert!(made.unwrap().is_some());
    assert_eq!(calls, 1);
    let there = |id| pool.open_checkpoint(checkpoint(id)).unwrap();
    assert_eq!(bytes(&*there(1), 4095, 1), [1]);
    assert_eq!(bytes(&*there(2), 99, 2), [0, 1]);
    assert_eq!(bytes(&*first, 0, 1), [2]);
    assert_eq!(bytes(&*second, 8099, 2), [2, 0]);
    let again = pool.checkpoint_at(&both, &mut |_| panic!("it is done"));
    assert_eq!(again.unwrap(), None);
    assert_eq!(pool.check().unwrap(), []);
}

#[test]
fn i05_a_moment_that_does_not_come_leaves_nothing() {
    let sim = Sim::new(1);
    let (pool, first, _second) = two_disks(&sim);
    first.write_at(0, &[1; 4096], true).unwrap();
    let both = [(volume(1), checkpoint(1)), (volume(2), checkpoint(2))];
    let (files, rows) = (sim.files(), lock(&sim.world).rows.layers.len());
    for acts in [false, true] {
        let missed = pool.checkpoint_at(&both, &mut |_| acts);
        assert!(matches!(missed, Err(Error::NoMoment)), "{missed:?}");
        assert_eq!(sim.files(), files);
        assert_eq!(lock(&sim.world).rows.layers.len(), rows);
    }
    // Nor does one that ends badly.
    let ended = catch_unwind(AssertUnwindSafe(|| {
        pool.checkpoint_at(&both, &mut |_| panic!("of the caller"))
    }));
    assert!(ended.is_err());
    assert_eq!(sim.files(), files);
    assert_eq!(pool.checkpoints(), []);
    assert_eq!(pool.check().unwrap(), []);
    // The wrong moment: swapped, and no checkpoint comes of it, now or later.
    let void = pool.checkpoint_at(&both, &mut |swap| {
        swap();
        false
    });
    assert!(matches!(void, Err(Error::NoMoment)), "{void:?}");
    let ended = catch_unwind(AssertUnwindSafe(|| {
        pool.checkpoint_at(&both, &mut |swap| {
            swap();
            panic!("of the caller")
        })
    }));
    assert!(ended.is_err());
    pool.reclaim().unwrap();
    assert_eq!(pool.checkpoints(), []);
    assert_eq!(bytes(&*first, 0, 1), [1]);
    pool.checkpoint(&both).unwrap();
    assert_eq!(pool.checkpoints().len(), 2);
    assert_eq!(pool.check().unwrap(), []);
}

/// Where the rows of prepared heads cannot be removed, nothing else may be prepared beside them: a later opening would
/// follow the wrong one.
#[test]
fn i01_a_moment_missed_on_a_full_disk_loses_nothing() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        lease.write_at(0, &[1; 4096], true).unwrap();
        let missed = pool.checkpoint_at(&one(), &mut |_| {
            lock(&sim.world).full_commits_after = Some(0);
            false
        });
        assert!(matches!(missed, Err(Error::NoMoment)), "{missed:?}");
        lease.write_at(0, &[2; 4096], true).unwrap();
        lock(&sim.world).full_commits_after = None;
        assert_eq!(first_byte(&sim.power_lost(seed)), 2);
        let mut between = None;
        pool.checkpoint_at(&[(volume(1), checkpoint(2))], &mut |swap| {
            swap();
            lease.write_at(0, &[3; 4096], true).unwrap();
            between = Some(sim.power_lost(seed));
            true
        })
        .unwrap();
        assert_eq!(first_byte(&between.unwrap()), 3);
        assert_eq!(first_byte(&sim.power_lost(seed)), 3);
        let after = open(&sim.killed()).unwrap();
        assert_eq!(after.checkpoints().len(), 1);
        after.reclaim().unwrap();
        assert_eq!(after.check().unwrap(), []);
    }
}

/// A server that dies while it waits for the moment, or before it has sealed, leaves no checkpoint, and all that was
/// flushed.
#[test]
fn i01_i05_a_process_that_ends_in_the_moment_leaves_no_checkpoint() {
    for seed in 0..40 {
        let sim = Sim::new(seed);
        let (pool, lease) = disk(&sim);
        lease.write_at(0, &[1; 4096], true).unwrap();
        let mut ends = Vec::new();
        pool.checkpoint_at(&one(), &mut |swap| {
            ends.extend([sim.killed(), sim.power_lost(seed)]);
            swap();
            lease.flush().unwrap();
            ends.extend([sim.killed(), sim.power_lost(seed)]);
            true
        })
        .unwrap();
        for end in ends {
            assert_eq!(first_byte(&end), 1);
            let pool = open(&end).unwrap();
            assert_eq!(pool.checkpoints(), []);
            pool.checkpoint(&one()).unwrap();
            pool.reclaim().unwrap();
            assert_eq!(pool.check().unwrap(), []);
        }
    }
}

/// The hypervisor's own flush, the first after the swap, is answered without a sync; every other one is a flush, and what
/// it was told of survives.
#[test]
fn i01_review_13_only_the_first_flush_after_the_moment_is_answered_at_once() {
    for seed in 0..40 {
        let sim = Sim::new(seed);
        let (pool, first, second) = two_disks(&sim);
        first.write_at(0, &[1; 4096], false).unwrap();
        second.write_at(0, &[1; 4096], false).unwrap();
        let both = [(volume(1), checkpoint(1)), (volume(2), checkpoint(2))];
        let mut ends = Vec::new();
        pool.checkpoint_at(&both, &mut |swap| {
            let swapped = || {
                swap();
            };
            assert_eq!(syncs(&sim, swapped), 0);
            assert_eq!(syncs(&sim, || first.flush().unwrap()), 0);
            assert_eq!(syncs(&sim, || second.flush().unwrap()), 0);
            // The guest's: all that it wrote before is in the head that was swapped out.
            assert!(syncs(&sim, || first.flush().unwrap()) > 0);
            ends.push((sim.power_lost(seed), 1));
            first.write_at(0, &[2; 4096], false).unwrap();
            first.flush().unwrap();
            ends.push((sim.power_lost(seed), 2));
            true
        })
        .unwrap();
        for (end, expected) in ends {
            assert_eq!(first_byte(&end), expected);
        }
        // And the other's was made good.
        let after = open(&sim.power_lost(seed)).unwrap();
        assert_eq!(bytes(&*after.lease(volume(2)).unwrap(), 0, 1), [1]);
    }
}

#[test]
fn i01_review_13_no_flush_is_taken_for_the_hypervisors_own_once_something_else_happened() {
    type Meanwhile = fn(&Pool, Arc<Lease>) -> Arc<Lease>;
    let meanwhile: [(&str, Meanwhile); 5] = [
        ("a write", |_, lease| {
            lease.write_at(9000, &[2; 10], false).unwrap();
            lease
        }),
        ("a write of a present block", |_, lease| {
            lease.write_at(0, &[1; 4096], false).unwrap();
            lease.flush().unwrap();
            lease.write_at(0, &[1; 4096], false).unwrap();
            lease
        }),
        ("a trim", |_, lease| {
            lease.trim(0, 8192, false).unwrap();
            lease
        }),
        ("another lease", |pool, lease| {
            drop(lease);
            pool.lease(volume(1)).unwrap()
        }),
        ("time", |_, lease| {
            std::thread::sleep(OWN_FLUSH);
            lease
        }),
    ];
    for (what, act) in meanwhile {
        let sim = Sim::new(1);
        let (pool, lease) = disk(&sim);
        lease.write_at(4096, &[1; 4096], false).unwrap();
        let mut lease = Some(lease);
        pool.checkpoint_at(&one(), &mut |swap| {
            swap();
            let after = act(&pool, lease.take().unwrap());
            assert!(syncs(&sim, || after.flush().unwrap()) > 0, "{what}");
            let end = sim.power_lost(7);
            let again = open(&end).unwrap().lease(volume(1)).unwrap();
            assert_eq!(
                bytes(&*again, 4096, 1)[0],
                u8::from(what != "a trim"),
                "{what}"
            );
            true
        })
        .unwrap();
    }
    // At a wrong moment, and at one that nobody looked for, there is no such flush.
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    let void = pool.checkpoint_at(&one(), &mut |swap| {
        swap();
        false
    });
    assert!(matches!(void, Err(Error::NoMoment)), "{void:?}");
    assert!(syncs(&sim, || lease.flush().unwrap()) > 0);
    pool.checkpoint(&one()).unwrap();
    assert!(syncs(&sim, || lease.flush().unwrap()) > 0);
}

#[test]
fn i01_a_poisoned_volume_has_no_flush_that_passes() {
    let sim = Sim::new(1);
    let (pool, lease) = disk(&sim);
    lease.write_at(0, &[1; 4096], false).unwrap();
    let made = pool.checkpoint_at(&one(), &mut |swap| {
        lock(&sim.world).fail_syncs_of = Some(".data".to_owned());
        lease.flush().unwrap_err();
        swap();
        assert!(lease.flush().is_err());
        true
    });
    assert!(matches!(made, Err(Error::Poisoned(_))), "{made:?}");
    assert_eq!(pool.checkpoints(), []);
}

/// As `model`'s, at moments that others find, with writers that do not stand: whatever they are, it is one moment.
#[test]
fn i03_two_volumes_at_a_found_moment_are_one_moment() {
    let sim = Sim::new(3);
    let (pool, first, second) = two_disks(&sim);
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let number =
        |device: &dyn BlockDevice| u64::from_le_bytes(bytes(device, 100, 8).try_into().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _stop = StopWhenDropped(&stop);
            let mut count = 0_u64;
            while !stop.load(SeqCst) {
                count += 1;
                for disk in [&first, &second] {
                    disk.write_at(100, &count.to_le_bytes(), false).unwrap();
                    if count.is_multiple_of(3) {
                        disk.flush().unwrap();
                    }
                }
                written.store(count, SeqCst);
            }
        });
        let _stop = StopWhenDropped(&stop);
        let mut last = 0;
        for round in 1..=40 {
            let of = [
                (volume(1), checkpoint(round)),
                (volume(2), checkpoint(round + 100)),
            ];
            let comes = round % 4 != 0;
            let made = pool.checkpoint_at(&of, &mut |swap| {
                // More than the last moment has: of what it has, the first disk's part may not have been counted then.
                let before = written.load(SeqCst).max(last);
                while written.load(SeqCst) <= before && !stop.load(SeqCst) {
                    std::thread::yield_now();
                }
                swap();
                comes
            });
            assert_eq!(made.is_ok(), comes, "{made:?}");
            if comes {
                let there = |id| number(&*pool.open_checkpoint(checkpoint(id)).unwrap());
                let (a, b) = (there(round), there(round + 100));
                assert!(a == b || a == b + 1, "{round}: {a} and {b}");
                assert!(a > last, "{round}: {a} after {last}");
                last = a;
            }
        }
    });
    pool.reclaim().unwrap();
    assert_eq!(pool.check().unwrap(), []);
}

#[test]
fn i01_what_is_settled_is_flushed() {
    let sim = Sim::new(5);
    let (pool, first, second) = two_disks(&sim);
    let both = [volume(1), volume(2)];
    first.write_at(0, &[1; 4096], false).unwrap();
    second.write_at(0, &[1; 4096], false).unwrap();
    pool.settle(&both).unwrap();
    let end = open(&sim.power_lost(5)).unwrap();
    for id in both {
        assert_eq!(bytes(&*end.lease(id).unwrap(), 0, 1), [1]);
    }
    // It is no flush that could be taken for another's.
    pool.checkpoint_at(&one(), &mut |swap| {
        swap();
        let settles = || {
            pool.settle(&both).unwrap();
        };
        assert!(syncs(&sim, settles) > 0);
        assert_eq!(syncs(&sim, || first.flush().unwrap()), 0);
        true
    })
    .unwrap();
    assert!(matches!(pool.settle(&[volume(9)]), Err(Error::NoVolume(_))));
    lock(&sim.world).fail_syncs_of = Some(".data".to_owned());
    assert!(pool.settle(&both).is_err());
}
