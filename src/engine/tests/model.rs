//! Long random sequences without any failure, beside the oracle; the algebra beside brute force; and threads.

use super::basic::bytes;
use super::open;
use super::oracle::{Driver, End, Oracle};
use super::sim::{Random, Sim, checkpoint, volume};
use super::source::Place;
use crate::engine::block::BlockDevice;
use crate::engine::drain::lock;
use crate::engine::format::LayerId;
use crate::engine::tree::{Needed, Node, needed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[test]
fn i01_i02_long_lives_hold_what_the_oracle_holds() {
    for seed in 1000..1020 {
        long_lives(seed, Oracle::default());
    }
}

#[test]
fn i01_i02_i09_long_lives_of_volumes_that_fill() {
    let mut released = 0;
    for seed in 1100..1130 {
        let mut oracle = Oracle::default();
        oracle.place = Some(Place::default());
        let place = long_lives(seed, oracle);
        released += lock(&place.0).released.len();
    }
    assert!(released > 30, "hardly any was filled, or went: {released}");
}

fn long_lives(seed: u64, mut oracle: Oracle) -> Place {
    let mut sim = Sim::new(seed);
    sim.place = oracle.place.clone().unwrap_or_default();
    let mut random = Random::new(seed);
    for _ in 0..6 {
        let mut driver = Driver::new(open(&sim).unwrap());
        for _ in 0..60 {
            let act = oracle.random_act(&mut random);
            let value = oracle.next_value();
            driver
                .act(&act, value)
                .unwrap_or_else(|error| panic!("{seed}: {act:?}: {error}"));
            oracle.done(&act, value);
            oracle.saw(&act, &driver);
        }
        drop(driver);
        sim = sim.killed();
        let pool = open(&sim).unwrap();
        oracle
            .compare(&pool, End::Closed)
            .unwrap_or_else(|error| panic!("{seed}: {error}"));
        oracle
            .compare_room(&pool, || sim.data_bytes())
            .unwrap_or_else(|error| panic!("{seed}: {error}"));
        oracle
            .compare_diffs(&pool)
            .unwrap_or_else(|error| panic!("{seed}: {error}"));
        // What was released is not what the pool needs: it would have failed above.
        for source in pool.sources() {
            assert!(!lock(&sim.place.0).released.contains(&source));
        }
    }
    sim.place.clone()
}

/// A random forest in which each block of each layer is held or not, and each layer is read or not.
fn forest(random: &mut Random) -> BTreeMap<LayerId, Node> {
    let count = 1 + random.below(7);
    let mut tree = BTreeMap::new();
    for id in 1..=count {
        let parent = (id > 1 && random.chance(90)).then(|| LayerId(1 + random.below(id - 1)));
        let holds = (0..6).filter(|_| random.chance(50)).collect();
        tree.insert(
            LayerId(id),
            Node {
                parent,
                holds,
                referenced: random.chance(45),
            },
        );
    }
    tree
}

#[test]
fn i04_i05_what_is_needed_is_what_somebody_reads() {
    let mut random = Random::new(7);
    for round in 0..20_000 {
        let tree = forest(&mut random);
        let mut read: BTreeSet<(LayerId, u32)> = BTreeSet::new();
        for (id, _) in tree.iter().filter(|(_, node)| node.referenced) {
            for block in 0..6 {
                let mut at = Some(*id);
                while let Some(layer) = at {
                    if tree[&layer].holds.contains(block) {
                        read.insert((layer, block));
                        break;
                    }
                    at = tree[&layer].parent;
                }
            }
        }
        for (id, needed) in needed(&tree) {
            for block in &tree[&id].holds {
                let kept = match &needed {
                    Needed::All => true,
                    Needed::Only(only) => only.contains(block),
                };
                // A referenced layer keeps all its blocks; each is read through it.
                assert_eq!(
                    kept,
                    read.contains(&(id, block)),
                    "round {round}: layer {id} block {block} of {tree:?}"
                );
            }
        }
    }
}

/// Ends the threads of a scope, which else waits for them for ever, also where the thread that has it panics.
pub(super) struct StopWhenDropped<'a>(pub &'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Each writer owns blocks of two volumes and writes a growing number into the first, then into the second. Whatever
/// checkpoints are taken meanwhile, the second is never ahead of the first, nor more than one behind.
#[test]
fn i03_a_checkpoint_of_two_volumes_is_one_moment() {
    const WRITERS: u64 = 3;
    let sim = Sim::new(3);
    let pool = open(&sim).unwrap();
    for id in [1, 2] {
        pool.create_volume(volume(id), 1 << 20).unwrap();
    }
    let (first, second) = (
        pool.lease(volume(1)).unwrap(),
        pool.lease(volume(2)).unwrap(),
    );
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (first, second, stop, written) = (&first, &second, &stop, &written);
            scope.spawn(move || {
                // Whatever fails, here or below, the others end.
                let _stop = StopWhenDropped(stop);
                // Part of a block: the way that reads from below.
                let offset = writer * 8192 + 100;
                let mut number = 0_u64;
                while !stop.load(SeqCst) {
                    number += 1;
                    first
                        .write_at(offset, &number.to_le_bytes(), false)
                        .unwrap();
                    second
                        .write_at(offset, &number.to_le_bytes(), number.is_multiple_of(50))
                        .unwrap();
                    written.fetch_add(1, SeqCst);
                }
            });
        }
        let _stop = StopWhenDropped(&stop);
        for round in 1..=40 {
            // At least one write between checkpoints, whatever the scheduler does.
            let before = written.load(SeqCst);
            while written.load(SeqCst) == before && !stop.load(SeqCst) {
                std::thread::yield_now();
            }
            pool.checkpoint(&[
                (volume(1), checkpoint(round)),
                (volume(2), checkpoint(round + 100)),
            ])
            .unwrap();
            if round > 10 {
                pool.delete_checkpoint(checkpoint(round - 10)).unwrap();
                pool.reclaim().unwrap();
            }
        }
    });
    let number = |device: &dyn BlockDevice, writer: u64| {
        u64::from_le_bytes(bytes(device, writer * 8192 + 100, 8).try_into().unwrap())
    };
    let mut before = [0; WRITERS as usize];
    for round in 31..=40 {
        let (a, b) = (checkpoint(round), checkpoint(round + 100));
        let (a, b) = (
            pool.open_checkpoint(a).unwrap(),
            pool.open_checkpoint(b).unwrap(),
        );
        for writer in 0..WRITERS {
            let (a, b) = (number(&*a, writer), number(&*b, writer));
            assert!(
                a == b || a == b + 1,
                "checkpoint {round}, writer {writer}: {a} and {b}"
            );
            assert!(
                a >= before[writer as usize],
                "checkpoint {round} is older than the one before"
            );
            before[writer as usize] = a;
        }
    }
    assert_eq!(
        pool.check()
            .unwrap()
            .into_iter()
            .find(|finding| finding.damage),
        None
    );
}

/// Writers of whole blocks, parts and trims on neighbouring blocks, a reader, checkpoints, deletions and reclaim, all
/// at once; each writer knows what its own bytes must be.
#[test]
fn i01_i04_nothing_is_lost_between_threads() {
    const WRITERS: u64 = 4;
    let sim = Sim::new(5);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    let running = AtomicU64::new(WRITERS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (lease, running) = (&lease, &running);
            scope.spawn(move || {
                let mut random = Random::new(writer);
                // Each owns a quarter of every block, so that all share all blocks.
                let mut mine = [0_u8; 64];
                for round in 0..1500_u32 {
                    let block = random.below(64);
                    let value = (round % 250) as u8 + 1;
                    let offset = block * 4096 + writer * 1024;
                    lease
                        .write_at(offset, &[value; 1024], random.chance(3))
                        .unwrap();
                    mine[block as usize] = value;
                    let other = random.below(64);
                    let found = bytes(&**lease, other * 4096 + writer * 1024, 1024);
                    assert_eq!(
                        found,
                        vec![mine[other as usize]; 1024],
                        "writer {writer}, round {round}, block {other}"
                    );
                }
                running.fetch_sub(1, SeqCst);
            });
        }
        let mut round = 0_u8;
        while running.load(SeqCst) > 0 && round < 200 {
            round += 1;
            pool.checkpoint(&[(volume(1), checkpoint(round))]).unwrap();
            if round > 2 {
                pool.delete_checkpoint(checkpoint(round - 2)).unwrap();
            }
            pool.reclaim().unwrap();
        }
    });
    assert_eq!(
        pool.check()
            .unwrap()
            .into_iter()
            .find(|finding| finding.damage),
        None
    );
}

#[test]
fn i04_a_base_that_is_retired_still_tells_what_changed() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 4 * 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(4096, &[2; 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(2))]).unwrap();
    lease.write_at(0, &[3; 3 * 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(3))]).unwrap();
    pool.retire_checkpoint(checkpoint(1)).unwrap();
    pool.delete_checkpoint(checkpoint(2)).unwrap();
    let done = pool.reclaim().unwrap();
    // Of the base the blocks that were written again, and the whole of the one between.
    assert_eq!((done.bytes, done.layers), (4 * 4096, 1));
    assert!(pool.open_checkpoint(checkpoint(1)).is_err());
    let blocks = |from, to| {
        pool.diff(checkpoint(from), checkpoint(to))
            .unwrap()
            .map(|set| set.ranges().collect::<Vec<_>>())
    };
    assert_eq!(blocks(1, 3), Some(vec![0..3]));
    lease.write_at(5 * 4096, &[4; 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(4))]).unwrap();
    assert_eq!(blocks(1, 4), Some(vec![0..3, 5..6]));
    assert_eq!(blocks(3, 4), Some(vec![5..6]));
    // Beside the base's own descendants its content cannot be told any more.
    pool.clone_volume(volume(2), checkpoint(3)).unwrap();
    pool.retire_checkpoint(checkpoint(4)).unwrap();
    pool.checkpoint(&[(volume(2), checkpoint(5))]).unwrap();
    assert_eq!(blocks(4, 5), None);
    drop(lease);
    // Nothing descends from it any more: the boundary goes as well.
    pool.delete_volume(volume(1)).unwrap();
    pool.delete_volume(volume(2)).unwrap();
    for id in [3, 5] {
        pool.delete_checkpoint(checkpoint(id)).unwrap();
    }
    pool.reclaim().unwrap();
    assert_eq!((pool.checkpoints(), sim.data_bytes()), (vec![], 0));
}
