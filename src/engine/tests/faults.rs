//! Disks that fail and disks that are full.

use super::basic::bytes;
use super::oracle::{Act, Driver, End, Oracle};
use super::sim::{Random, Sim, checkpoint, volume};
use super::{open, options};
use crate::engine::block::{BlockDevice, DeviceError};
use crate::engine::drain::lock;
use crate::engine::{Error, Pool, PoolOptions};
use std::sync::Arc;

fn fail_syncs(sim: &Sim, of: Option<&str>) {
    lock(&sim.world).fail_syncs_of = of.map(str::to_owned);
}

/// Review 5: 1 fdatasync fails, 2 the volume is poisoned, 3 the server restarts, 4 the next fdatasync succeeds. The
/// flush must fail all the same.
#[test]
fn i01_review_05_poison_outlives_a_restart() {
    for (file, commits_fail) in [(".data", false), (".log", false), (".data", true)] {
        let sim = Sim::new(1);
        let pool = open(&sim).unwrap();
        pool.create_volume(volume(1), 1 << 20).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        lease.write_at(0, &[1; 4096], true).unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        lease.write_at(0, &[2; 4096], false).unwrap();
        fail_syncs(&sim, Some(file));
        lock(&sim.world).fail_commits = commits_fail;
        assert!(lease.flush().is_err());
        fail_syncs(&sim, None);
        lock(&sim.world).fail_commits = false;
        assert!(lease.flush().is_err());
        assert!(lease.write_at(0, &[3; 4096], true).is_err());
        drop((lease, pool));
        let sim = sim.killed();
        let pool = open(&sim).unwrap();
        assert!(pool.volume(volume(1)).unwrap().unwrap().poisoned);
        let lease = pool.lease(volume(1)).unwrap();
        assert!(lease.flush().is_err());
        assert!(matches!(
            pool.checkpoint(&[(volume(1), checkpoint(2))]),
            Err(Error::Poisoned(_))
        ));
        // The acknowledged write is still readable, in this life of the machine.
        assert_eq!(bytes(&*lease, 0, 1), [3]);
        pool.rollback(volume(1), checkpoint(1)).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        assert_eq!(bytes(&*lease, 0, 1), [1]);
        lease.write_at(0, &[4; 4096], false).unwrap();
        lease.flush().unwrap();
        assert_eq!(
            pool.check()
                .unwrap()
                .into_iter()
                .find(|finding| finding.damage),
            None
        );
    }
}

/// A sync that fails while the volume is opened is as bad as any other.
#[test]
fn i01_a_sync_that_fails_at_opening_poisons() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 4096], false).unwrap();
    let sim = sim.killed();
    let pool = open(&sim).unwrap();
    fail_syncs(&sim, Some(".data"));
    let lease = pool.lease(volume(1)).unwrap();
    fail_syncs(&sim, None);
    assert!(lease.flush().is_err());
    assert!(pool.volume(volume(1)).unwrap().unwrap().poisoned);
    assert_eq!(bytes(&*lease, 0, 1), [1]);
}

/// A full disk, at every fill: writers are told, nothing acknowledged is lost, deleting works, and then writing.
#[test]
fn i06_a_full_disk_is_said_emptied_and_used_again() {
    for blocks in 0..40 {
        let sim = Sim::new(blocks);
        let pool = open(&sim).unwrap();
        pool.create_volume(volume(1), 1 << 20).unwrap();
        pool.create_volume(volume(2), 1 << 20).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        let other = pool.lease(volume(2)).unwrap();
        other.write_at(0, &[9; 64 * 4096], true).unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1)), (volume(2), checkpoint(2))])
            .unwrap();
        let used = 1 << 40;
        let free = pool.space().unwrap().free;
        lock(&sim.world).capacity = Some(used - free + blocks * 4096);
        let mut written = 0;
        let full = loop {
            match lease.write_at(written * 4096, &[written as u8 + 1; 4096], false) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(full, DeviceError::NoSpace), "{full}");
        assert!(
            written <= blocks && written + 17 >= blocks,
            "{written} of {blocks}"
        );
        // What was acknowledged can be made durable, and overwritten in place.
        lease.flush().unwrap();
        if written > 0 {
            lease.write_at(0, &[1; 4096], true).unwrap();
        }
        // The checkpoint may be refused for want of room, not half made.
        let result = pool.checkpoint(&[(volume(1), checkpoint(3))]);
        assert!(matches!(result, Ok(_) | Err(Error::NoSpace)), "{result:?}");
        drop(other);
        pool.delete_volume(volume(2)).unwrap();
        pool.delete_checkpoint(checkpoint(2)).unwrap();
        pool.reclaim().unwrap();
        for block in 0..written {
            assert_eq!(bytes(&*lease, block * 4096, 1), [block as u8 + 1]);
        }
        lease.write_at(200 * 4096, &[7; 20 * 4096], true).unwrap();
        assert_eq!(
            pool.space().unwrap().reserve,
            super::RESERVE,
            "the reserve is whole again"
        );
        pool.checkpoint(&[(volume(1), checkpoint(4))]).unwrap();
        drop((lease, pool));
        let sim = sim.power_lost(blocks);
        let pool = open(&sim).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        for block in 0..written {
            assert_eq!(bytes(&*lease, block * 4096, 1), [block as u8 + 1]);
        }
        pool.reclaim().unwrap();
        assert_eq!(pool.check().unwrap(), []);
    }
}

/// Random lives on a disk that is nearly always full: every refusal is "no space", and nothing is lost.
#[test]
fn i06_lives_on_a_full_disk() {
    for seed in 0..60 {
        let sim = Sim::new(seed);
        let (mut random, mut oracle) = (Random::new(seed), Oracle::default());
        lock(&sim.world).capacity = Some((1000 << 10) + random.below(400 << 10));
        let pool = open(&sim).unwrap();
        let mut driver = Driver::new(pool);
        for _ in 0..150 {
            let act = oracle.random_act(&mut random);
            let value = oracle.next_value();
            match driver.act(&act, value) {
                Ok(()) => oracle.done(&act, value),
                Err(error) => {
                    assert_eq!(error, "no space left in the pool", "{seed}: {act:?}");
                    // Each sector old or new; a checkpoint is swapped perhaps, and sealed later: take it back.
                    let mut candidates = oracle.cut_off(&act, value);
                    if let Act::Checkpoint(of) | Act::CheckpointAt(of, _) = &act {
                        of.iter().for_each(|(_, id)| {
                            driver.pool.delete_checkpoint(checkpoint(*id)).unwrap()
                        });
                    }
                    oracle = candidates.remove(0);
                    driver = Driver::new(driver.pool);
                    oracle
                        .compare(&driver.pool, End::Killed)
                        .unwrap_or_else(|error| panic!("{seed}: {act:?}: {error}"));
                }
            }
        }
        drop(driver);
        let sim = sim.power_lost(seed);
        lock(&sim.world).capacity = None;
        let pool = open(&sim).unwrap();
        oracle
            .compare(&pool, End::PowerLost)
            .unwrap_or_else(|error| panic!("{seed}: {error}"));
        oracle
            .compare_room(&pool, || sim.data_bytes())
            .unwrap_or_else(|error| panic!("{seed}: {error}"));
    }
}

/// The pool's own limit does what a full disk does.
#[test]
fn i06_a_limit_is_kept() {
    let sim = Sim::new(1);
    let limit = PoolOptions {
        limit: Some(8 * 4096),
        ..options()
    };
    let open =
        || Pool::assemble(Arc::new(sim.clone()), sim.catalog(), limit.clone(), None).unwrap();
    let pool = open();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 6 * 4096], false).unwrap();
    assert!(matches!(
        lease.write_at(6 * 4096, &[1; 3 * 4096], false),
        Err(DeviceError::NoSpace)
    ));
    lease.write_at(6 * 4096, &[1; 2 * 4096], false).unwrap();
    assert_eq!(pool.space().unwrap().free, 0);
    lease.write_at(0, &[2; 8 * 4096], true).unwrap();
    drop((lease, pool));
    let pool = open();
    let lease = pool.lease(volume(1)).unwrap();
    assert!(matches!(
        lease.write_at(8 * 4096, &[1], false),
        Err(DeviceError::NoSpace)
    ));
    lease.trim(0, 4096, false).unwrap();
    lease.write_at(8 * 4096, &[1], false).unwrap();
    assert_eq!(
        bytes(&*lease, 0, 8192),
        [vec![0; 4096], vec![2; 4096]].concat()
    );
}

/// Review 16: a record cut short by a full disk; room returns; later records must be found again.
#[test]
fn i01_review_16_a_short_append_is_cut_back() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), 64 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    // Up to where the log has to grow.
    for block in 0..2030 {
        lease.write_at(block * 8192, &[1; 4096], false).unwrap();
    }
    let free = pool.space().unwrap().free;
    lock(&sim.world).capacity = Some((1 << 40) - free + 4096 * 30);
    let mut block = 2030;
    while lease.write_at(block * 8192, &[2; 4096], false).is_ok() {
        block += 1;
    }
    lease.flush().unwrap();
    lock(&sim.world).capacity = None;
    for later in block..block + 40 {
        lease.write_at(later * 8192, &[3; 4096], false).unwrap();
    }
    let sim = sim.killed();
    let pool = open(&sim).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    for later in 0..block + 40 {
        let expected = if later < 2030 {
            1
        } else if later < block {
            2
        } else {
            3
        };
        assert_eq!(bytes(&*lease, later * 8192, 1), [expected], "block {later}");
    }
}

/// A checkpoint whose seal finds no room is a state that lasts: everything works on it, the same call finishes it, and
/// it can be cancelled.
#[test]
fn i06_swapped_and_unsealed_lasts() {
    for cancel in [false, true] {
        let sim = Sim::new(1);
        let pool = open(&sim).unwrap();
        pool.create_volume(volume(1), 1 << 20).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        lease.write_at(0, &[1; 4096], false).unwrap();
        // The seal's commit fails once, in a way that is clear: as a full disk does.
        lock(&sim.world).full_commits_after = Some(1);
        assert!(matches!(
            pool.checkpoint(&[(volume(1), checkpoint(1))]),
            Err(Error::NoSpace)
        ));
        assert_eq!(pool.checkpoints(), []);
        lease.write_at(0, &[2; 100], false).unwrap();
        lease.flush().unwrap();
        assert_eq!(bytes(&*lease, 99, 2), [2, 1]);
        if cancel {
            pool.delete_checkpoint(checkpoint(1)).unwrap();
        }
        lock(&sim.world).full_commits_after = None;
        // Power loss in this state: flushed is flushed, and no checkpoint comes of it.
        let lost = sim.power_lost(3);
        let after = open(&lost).unwrap();
        assert_eq!(after.checkpoints(), []);
        assert_eq!(bytes(&*after.lease(volume(1)).unwrap(), 99, 2), [2, 1]);
        after.checkpoint(&[(volume(1), checkpoint(7))]).unwrap();
        assert_eq!(
            bytes(&*after.open_checkpoint(checkpoint(7)).unwrap(), 99, 2),
            [2, 1]
        );
        after.reclaim().unwrap();
        assert_eq!(after.check().unwrap(), []);
        // Without one: the next call, or the next pass, seals.
        if cancel {
            pool.reclaim().unwrap();
            assert_eq!(pool.checkpoints(), []);
        } else {
            pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
            assert_eq!(
                bytes(&*pool.open_checkpoint(checkpoint(1)).unwrap(), 99, 2),
                [1, 1]
            );
        }
        pool.reclaim().unwrap();
        assert_eq!(pool.check().unwrap(), []);
    }
}
