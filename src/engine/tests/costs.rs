//! How many syncs each act takes. They are what a guest waits for, and they never depend on the machine.

use super::basic::bytes;
use super::open;
use super::remote::{SIZE, ever, made};
use super::sim::{Sim, checkpoint, volume};
use super::source::{CHUNK, Place};
use crate::engine::block::{BLOCK_SIZE, BlockDevice};
use crate::engine::drain::lock;
use crate::engine::fetch::UNSYNCED;
use crate::engine::format::LayerId;
use std::sync::atomic::Ordering;

fn cost<T>(sim: &Sim, act: impl FnOnce() -> T) -> Vec<String> {
    lock(&sim.world).journal.clear();
    act();
    lock(&sim.world).journal.clone()
}

#[test]
fn syncs_are_counted() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    // Data file, log, folder, row.
    let create = cost(&sim, || pool.create_volume(volume(1), 1 << 20).unwrap());
    assert_eq!(
        create,
        ["layers/1.data", "layers/1.log.tmp", "layers", "pool.db"]
    );
    pool.create_volume(volume(2), 1 << 20).unwrap();
    let (lease, other) = (
        pool.lease(volume(1)).unwrap(),
        pool.lease(volume(2)).unwrap(),
    );
    // A flush with new blocks: two. Without: one. A write: none.
    assert_eq!(
        cost(&sim, || lease.write_at(0, &[1; 8192], false).unwrap()),
        [""; 0]
    );
    assert_eq!(cost(&sim, || lease.flush().unwrap()).len(), 2);
    assert_eq!(cost(&sim, || lease.flush().unwrap()), ["layers/1.data"]);
    assert_eq!(
        cost(&sim, || lease.write_at(0, &[1; 8192], true).unwrap()),
        ["layers/1.data"]
    );
    assert_eq!(
        cost(&sim, || lease.write_at(8192, &[1; 8192], true).unwrap()).len(),
        2
    );
    assert_eq!(cost(&sim, || lease.trim(0, 4096, false).unwrap()), [""; 0]);
    assert_eq!(
        cost(&sim, || lease.trim(0, 4096, true).unwrap()).len(),
        2,
        "the record of the first trim"
    );
    // A checkpoint of two volumes: new heads (data, log each; folder; rows), seal (data, and a log with news; maps;
    // folder; one commit).
    other.write_at(0, &[1; 4096], false).unwrap();
    let both = [(volume(1), checkpoint(1)), (volume(2), checkpoint(2))];
    let made = cost(&sim, || pool.checkpoint(&both).unwrap());
    let expected = [
        "layers/3.data",
        "layers/3.log.tmp",
        "layers/4.data",
        "layers/4.log.tmp",
        "layers",
        "pool.db",
        "layers/1.data",
        "layers/2.data",
        "layers/2.log.tmp",
        "layers/1.1.map.tmp",
        "layers/2.1.map.tmp",
        "layers",
        "pool.db",
    ];
    assert_eq!(made, expected);
    assert_eq!(
        cost(&sim, || pool.checkpoint(&both).unwrap()),
        [""; 0],
        "done already"
    );
    // Deleting is one commit, whatever the size.
    assert_eq!(
        cost(&sim, || pool.delete_checkpoint(checkpoint(1)).unwrap()),
        ["pool.db"]
    );
    drop(other);
    assert_eq!(
        cost(&sim, || pool.delete_volume(volume(2)).unwrap()),
        ["pool.db"]
    );
    // Taking the room of one layer: its next map, the folder, one commit.
    lease.write_at(0, &[2; 4096], true).unwrap();
    let taken = cost(&sim, || pool.reclaim().unwrap());
    assert_eq!(taken, ["layers/1.2.map.tmp", "layers", "pool.db"]);
    assert_eq!(cost(&sim, || pool.reclaim().unwrap()), [""; 0]);
}

#[test]
fn a_clone_costs_the_same_whatever_it_holds() {
    let mut costs = Vec::new();
    for blocks in [1, 200] {
        let sim = Sim::new(1);
        let pool = open(&sim).unwrap();
        pool.create_volume(volume(1), 1 << 20).unwrap();
        pool.lease(volume(1))
            .unwrap()
            .write_at(0, &vec![1; blocks * 4096], true)
            .unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
        let before = sim.data_bytes();
        costs.push(cost(&sim, || {
            pool.clone_volume(volume(2), checkpoint(1)).unwrap()
        }));
        costs.push(cost(&sim, || {
            pool.rollback(volume(1), checkpoint(1)).unwrap()
        }));
        assert_eq!(sim.data_bytes(), before);
    }
    assert_eq!(costs[0].len(), 4);
    assert_eq!((&costs[0], &costs[1]), (&costs[2], &costs[3]));
}

/// A log that only grows would fill the disk: alternate writes and trims.
#[test]
fn i05_a_log_is_rewritten_before_it_grows_without_bound() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    for round in 0..40_000_u64 {
        let block = round % 7;
        lease
            .write_at(block * 4096, &[(round % 251) as u8; 4096], false)
            .unwrap();
        lease.trim(block * 4096, 4096, false).unwrap();
    }
    for block in 0..7 {
        lease
            .write_at(block * 4096, &[block as u8 + 1; 4096], false)
            .unwrap();
    }
    use crate::engine::storage::Storage as _;
    let length = sim.open("layers/1.log").unwrap().len().unwrap();
    assert!(length < 2 << 20, "the log has {length} bytes");
    let killed = sim.killed();
    let pool = open(&killed).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    for block in 0..7 {
        assert_eq!(
            super::basic::bytes(&*lease, block * 4096, 1),
            [block as u8 + 1]
        );
    }
}

/// Sealed layers beyond the bound are closed and opened again.
#[test]
fn open_files_are_bounded() {
    let sim = Sim::new(1);
    let few = crate::engine::PoolOptions {
        open_files: 3,
        ..super::options()
    };
    let pool =
        crate::engine::Pool::assemble(std::sync::Arc::new(sim.clone()), sim.catalog(), few, None)
            .unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    for block in 0..20_u8 {
        lease
            .write_at(u64::from(block) * 4096, &[block + 1; 4096], false)
            .unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(block))]).unwrap();
    }
    for _ in 0..3 {
        for block in 0..20_u8 {
            assert_eq!(
                super::basic::bytes(&*lease, u64::from(block) * 4096, 1),
                [block + 1]
            );
            assert!(pool.inner.core.files.open_now() <= 3);
        }
    }
}

/// What a fill brings is written once, in pieces as long as they come, past the page cache; nothing is read for it, and
/// syncs are counted by bytes, not by requests.
#[test]
fn a_fill_writes_each_byte_once_and_syncs_seldom() {
    for crossing in [false, true] {
        let place = Place::default();
        let mut sim = Sim::new(1);
        sim.place = place.clone();
        let size = 8 << 20;
        let id = place.put(1, vec![7; size as usize]);
        let pool = open(&sim).unwrap();
        pool.create_remote_volume(volume(1), size, id, None)
            .unwrap();
        // Opened before: that has syncs of its own.
        let lease = pool.lease(volume(1)).unwrap();
        let remote = pool.inner.remote_layer(LayerId(1)).unwrap();
        if crossing {
            remote.unsynced.store(UNSYNCED - 1, Ordering::SeqCst);
        }
        drop(remote);
        let syncs = cost(&sim, || pool.fill(volume(1), &mut ever).unwrap());
        assert_eq!(place.reads().len() as u64, size / (64 * CHUNK));
        assert_eq!(lock(&sim.world).passed, (size, size / (64 * CHUNK)));
        let sealed = [
            "layers/1.data",
            "layers/1.log.tmp",
            "layers/1.1.map.tmp",
            "layers",
            "pool.db",
        ];
        if crossing {
            // Once more, or as often as there are workers that see it at the same time.
            let data = syncs.iter().filter(|name| *name == "layers/1.data").count();
            assert!((2..=5).contains(&data), "{syncs:?}");
            assert!(syncs.len() <= 2 * data + 3, "{syncs:?}");
        } else {
            assert_eq!(syncs, sealed);
        }
        drop(lease);
    }
}

/// What a guest reads it may read again: it stays in the page cache.
#[test]
fn what_is_read_is_not_written_past_the_page_cache() {
    let (sim, _place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
    assert_eq!(lock(&sim.world).passed, (0, 0));
    assert!(sim.data_bytes() >= BLOCK_SIZE);
}
