//! What each call does, on a machine where nothing fails.

use super::open;
use super::sim::{Sim, checkpoint, volume};
use crate::engine::block::{Allocation, BlockDevice, DeviceError, Extent, ZeroOptions};
use crate::engine::{Error, Reference};

const MIB: u64 = 1 << 20;

pub(crate) fn bytes(device: &dyn BlockDevice, offset: u64, length: usize) -> Vec<u8> {
    let mut buffer = vec![0xee; length];
    device.read_at(offset, &mut buffer).unwrap();
    buffer
}

#[test]
fn what_is_written_is_read() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), MIB).unwrap();
    pool.create_volume(volume(1), MIB).unwrap();
    assert!(matches!(
        pool.create_volume(volume(1), 2 * MIB),
        Err(Error::VolumeExists(_))
    ));
    assert!(matches!(
        pool.create_volume(volume(2), 4097),
        Err(Error::BadSize(4097))
    ));
    let lease = pool.lease(volume(1)).unwrap();
    assert!(matches!(pool.lease(volume(1)), Err(Error::InUse(_))));
    assert_eq!(bytes(&*lease, 0, 5), [0; 5]);
    lease.write_at(100, b"hello", false).unwrap();
    lease.write_at(8190, b"across", false).unwrap();
    assert_eq!(bytes(&*lease, 99, 7), b"\0hello\0");
    assert_eq!(bytes(&*lease, 8189, 8), b"\0across\0");
    lease.flush().unwrap();
    let long: Vec<u8> = (0..50_000_u32).map(|i| (i % 251) as u8).collect();
    lease.write_at(5000, &long, true).unwrap();
    assert_eq!(bytes(&*lease, 5000, 50_000), long);
    assert_eq!(bytes(&*lease, 99, 7), b"\0hello\0");
    assert!(matches!(
        lease.write_at(MIB - 1, b"ab", false),
        Err(DeviceError::OutOfRange { .. })
    ));
    assert!(matches!(
        lease.read_at(u64::MAX, &mut [0; 2]),
        Err(DeviceError::OutOfRange { .. })
    ));
    drop(lease);
    pool.lease(volume(1)).unwrap();
}

#[test]
fn trim_rounds_inward_and_zeroes_reach_the_edges() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), MIB).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[7; 5 * 4096], false).unwrap();
    lease.trim(100, 3 * 4096, false).unwrap();
    let mut expected = vec![7; 5 * 4096];
    expected[4096..3 * 4096].fill(0);
    assert_eq!(bytes(&*lease, 0, 5 * 4096), expected);
    lease
        .write_zeroes(4000, 4 * 4096, ZeroOptions::default())
        .unwrap();
    expected[4000..4000 + 4 * 4096].fill(0);
    assert_eq!(bytes(&*lease, 0, 5 * 4096), expected);
    let fast = ZeroOptions {
        fast_only: true,
        no_hole: true,
        fua: false,
    };
    assert!(matches!(
        lease.write_zeroes(0, 4096, fast),
        Err(DeviceError::NotFast)
    ));
    lease
        .write_zeroes(
            0,
            10,
            ZeroOptions {
                no_hole: true,
                ..ZeroOptions::default()
            },
        )
        .unwrap();
    expected[..10].fill(0);
    assert_eq!(bytes(&*lease, 0, 5 * 4096), expected);
    assert_eq!(sim.data_bytes(), 2 * 4096);
    // A trim of what was never written costs nothing and says nothing.
    lease.trim(10 * 4096, MIB - 10 * 4096, false).unwrap();
    let found = lease.extents(0, MIB).unwrap();
    let run = |range, allocation| Extent { range, allocation };
    assert_eq!(
        found,
        [
            run(0..4096, Allocation::Data),
            run(4096..4 * 4096, Allocation::Zero),
            run(4 * 4096..5 * 4096, Allocation::Data),
            run(5 * 4096..MIB, Allocation::Hole)
        ]
    );
    assert_eq!(
        lease.extents(4000, 200).unwrap(),
        [
            run(4000..4096, Allocation::Data),
            run(4096..4200, Allocation::Zero)
        ]
    );
}

#[test]
fn checkpoints_clones_and_rollbacks() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), MIB).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 8192], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(4000, &[2; 200], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(2))]).unwrap();
    let first = pool.open_checkpoint(checkpoint(1)).unwrap();
    assert_eq!(bytes(&*first, 0, 8192), vec![1; 8192]);
    assert!(matches!(
        first.write_at(0, b"x", false),
        Err(DeviceError::ReadOnly)
    ));
    pool.clone_volume(volume(2), checkpoint(1)).unwrap();
    pool.clone_volume(volume(2), checkpoint(1)).unwrap();
    let clone = pool.lease(volume(2)).unwrap();
    clone.write_at(0, &[3; 10], false).unwrap();
    assert_eq!(bytes(&*clone, 0, 12), [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1]);
    assert_eq!(bytes(&*first, 0, 8192), vec![1; 8192]);
    let diff = pool.diff(checkpoint(1), checkpoint(2)).unwrap().unwrap();
    assert_eq!(diff.byte_ranges().collect::<Vec<_>>(), [0..8192]);
    assert!(pool.diff(checkpoint(9), checkpoint(2)).unwrap().is_none());
    lease.write_at(0, &[9; 4096], false).unwrap();
    pool.rollback(volume(1), checkpoint(1)).unwrap();
    assert!(matches!(
        lease.write_at(0, &[8; 4096], false),
        Err(DeviceError::Revoked)
    ));
    let lease = pool.lease(volume(1)).unwrap();
    assert_eq!(bytes(&*lease, 0, 8192), vec![1; 8192]);
    assert!(matches!(
        pool.delete_volume(volume(1)),
        Err(Error::InUse(_))
    ));
    let info = pool.volume(volume(1)).unwrap().unwrap();
    assert_eq!(
        (info.written, info.leased, info.poisoned),
        (8192, true, false)
    );
    drop(lease);
    // Checkpoint 2 alone holds the two blocks that its layer copied up.
    assert_eq!(
        pool.reclaimable(&[Reference::Checkpoint(checkpoint(2))])
            .unwrap(),
        8192
    );
    pool.delete_checkpoint(checkpoint(2)).unwrap();
    pool.delete_checkpoint(checkpoint(2)).unwrap();
    let done = pool.reclaim().unwrap();
    assert_eq!((done.bytes, done.layers), (8192, 1));
    pool.delete_volume(volume(1)).unwrap();
    pool.delete_volume(volume(1)).unwrap();
    drop(clone);
    pool.delete_volume(volume(2)).unwrap();
    pool.delete_checkpoint(checkpoint(1)).unwrap();
    // Still open.
    assert_eq!(pool.reclaim().unwrap().bytes, 0);
    assert_eq!(bytes(&*first, 0, 8192), vec![1; 8192]);
    drop(first);
    assert_eq!(pool.reclaim().unwrap().bytes, 8192);
    assert_eq!(pool.check().unwrap(), []);
    assert_eq!(sim.files(), ["reserve"]);
}

#[test]
fn what_a_volume_differs_by_is_told_on_the_same_branch_and_on_another() {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), MIB).unwrap();
    let put = |blocks: std::ops::Range<u64>| {
        let lease = pool.lease(volume(1)).unwrap();
        for block in blocks {
            lease.write_at(block * 4096, &[9; 4096], false).unwrap();
        }
    };
    let changed = |from| {
        let set = pool.changed_since(checkpoint(from), volume(1)).unwrap();
        set.map(|set| set.len())
    };
    put(0..4);
    assert!(
        pool.checkpoint(&[(volume(1), checkpoint(1))])
            .unwrap()
            .is_some()
    );
    // Done already: nobody was held up.
    assert_eq!(
        pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap(),
        None
    );
    put(2..7);
    pool.checkpoint(&[(volume(1), checkpoint(2))]).unwrap();
    assert_eq!((changed(1), changed(2)), (Some(5), Some(0)));
    pool.rollback(volume(1), checkpoint(1)).unwrap();
    put(10..13);
    // On another branch: what either side wrote since they parted.
    assert_eq!((changed(1), changed(2)), (Some(3), Some(8)));
    pool.delete_checkpoint(checkpoint(1)).unwrap();
    pool.reclaim().unwrap();
    assert_eq!(changed(1), None);
    assert!(changed(2) >= Some(8));
    pool.checkpoint(&[(volume(1), checkpoint(3))]).unwrap();
    pool.rollback(volume(1), checkpoint(2)).unwrap();
    assert!(changed(3) >= Some(8));
    // A mere base tells nothing about another branch.
    pool.retire_checkpoint(checkpoint(3)).unwrap();
    assert_eq!(changed(3), None);
}
