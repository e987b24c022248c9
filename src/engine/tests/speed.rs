//! Figures, not assertions: run with `--ignored --nocapture` on a release build.

use super::sim::volume;
use crate::engine::block::BlockDevice;
use crate::engine::{Pool, PoolOptions};
use std::time::Instant;

#[test]
#[ignore = "prints figures; asserts nothing"]
fn figures() {
    const BLOCKS: u64 = 16_384;
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::open(
        dir.path(),
        PoolOptions {
            reserve: Some(1 << 20),
            ..PoolOptions::default()
        },
    )
    .unwrap();
    pool.create_volume(volume(1), 1 << 30).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    let block = [7; 4096];
    let timed = |what: &str, count: u64, act: &mut dyn FnMut(u64)| {
        let start = Instant::now();
        (0..count).for_each(act);
        println!(
            "{what:44} {:>9.0} a second",
            count as f64 / start.elapsed().as_secs_f64()
        );
    };
    // A step that is coprime to the number of blocks visits all of them once, out of order.
    let place = |n: u64| n * 7919 % BLOCKS * 4096;
    timed("write 4 KiB, new blocks", BLOCKS, &mut |n| {
        lease.write_at(place(n), &block, false).unwrap()
    });
    timed("write 4 KiB, present blocks", BLOCKS, &mut |n| {
        lease.write_at(place(n), &block, false).unwrap()
    });
    let mut buffer = [0; 4096];
    timed("read 4 KiB, from the head", BLOCKS, &mut |n| {
        lease.read_at(place(n), &mut buffer).unwrap()
    });
    timed("write 4 KiB and flush, present blocks", 500, &mut |n| {
        lease.write_at(place(n), &block, true).unwrap()
    });
    timed("write 4 KiB and flush, new blocks", 500, &mut |n| {
        lease
            .write_at((BLOCKS + n * 2) * 4096, &block, true)
            .unwrap();
    });
    for depth in 0..16 {
        pool.checkpoint(&[(volume(1), super::sim::checkpoint(depth))])
            .unwrap();
    }
    timed("read 4 KiB, sixteen layers down", BLOCKS, &mut |n| {
        lease.read_at(place(n), &mut buffer).unwrap()
    });
    timed("checkpoint", 50, &mut |n| {
        pool.checkpoint(&[(volume(1), super::sim::checkpoint(100 + n as u8))])
            .unwrap();
    });
    // What the system itself does here.
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(dir.path().join("layers/1.data"))
        .unwrap();
    use std::os::unix::fs::FileExt as _;
    timed("pread 4 KiB, the bare file", BLOCKS, &mut |n| {
        file.read_exact_at(&mut buffer, place(n)).unwrap()
    });
    timed("pwrite 4 KiB, the bare file", BLOCKS, &mut |n| {
        file.write_all_at(&block, place(n)).unwrap()
    });
    timed("pwrite 4 KiB and fdatasync, the bare file", 500, &mut |n| {
        file.write_all_at(&block, place(n)).unwrap();
        file.sync_data().unwrap();
    });
}
