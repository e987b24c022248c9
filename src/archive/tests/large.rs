//! A volume of 1 TiB, saved again without a change.

use super::stores::Wrapped;
use super::*;
use crate::engine::block::{Allocation, BLOCK_SIZE, DeviceError, Extent, ZeroOptions};
use std::time::Instant;

const TEBIBYTE: u64 = 1 << 40;

/// Data in stretches all over it, made when it is read: it compresses, and no two blocks are the same.
struct Stretches {
    count: u64,
    length: u64,
}

impl Stretches {
    fn every(&self) -> u64 {
        TEBIBYTE / self.count
    }
}

impl BlockDevice for Stretches {
    fn size(&self) -> u64 {
        TEBIBYTE
    }

    fn read_only(&self) -> bool {
        true
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        for (n, block) in (offset / BLOCK_SIZE..).zip(buffer.chunks_mut(BLOCK_SIZE as usize)) {
            let data = n * BLOCK_SIZE % self.every() < self.length;
            block.fill(if data { b'a' } else { 0 });
            if data {
                block[..8].copy_from_slice(&n.to_le_bytes());
            }
        }
        Ok(())
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        let (mut at, mut found) = (offset, Vec::new());
        while at < offset + length {
            let start = at / self.every() * self.every();
            let (end, allocation) = match at < start + self.length {
                true => (start + self.length, Allocation::Data),
                false => (start + self.every(), Allocation::Hole),
            };
            let end = end.min(offset + length);
            found.push(Extent {
                range: at..end,
                allocation,
            });
            at = end;
        }
        Ok(found)
    }

    fn write_at(&self, _: u64, _: &[u8], _: bool) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn trim(&self, _: u64, _: u64, _: bool) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    fn write_zeroes(&self, _: u64, _: u64, _: ZeroOptions) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }
}

/// What is asked of the store, and of the volume, does not grow with what the volume holds.
#[test]
fn an_unchanged_save_asks_as_little_of_much_as_of_little() {
    let mut asked = Vec::new();
    for count in [16, 1024] {
        let store = Wrapped::new(in_memory());
        let archive =
            Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options())
                .unwrap();
        let device = Stretches {
            count,
            length: CHUNK_SIZE as u64,
        };
        save(&archive, snapshot(1), &device, None).unwrap();
        store.counts();
        let none = BlockSet::new();
        let again = save(&archive, snapshot(2), &device, Some((snapshot(1), &none))).unwrap();
        assert_eq!((again.read_bytes, again.uploaded_bytes), (0, 0));
        assert!(again.incremental);
        let counts = store.counts();
        asked.push((counts.puts, counts.gets, counts.lists, counts.deletes));
    }
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0].0, 1, "the manifest");
}

/// For docs/BENCHMARKS.md: `cargo test --release --features ssr --lib tebibyte -- --ignored --nocapture`, with the data in
/// GiB in `REPRISE_LARGE_GIB` (100), and the folder in `TMPDIR`.
#[test]
#[ignore = "it measures, for minutes"]
fn a_tebibyte_unchanged() {
    let gib = std::env::var("REPRISE_LARGE_GIB").map_or(100, |gib| gib.parse().unwrap());
    let device = Stretches {
        count: gib * 16,
        length: 64 << 20,
    };
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::open_folder(dir.path(), options()).unwrap();
    let begun = Instant::now();
    let saved = save(&archive, snapshot(1), &device, None).unwrap();
    println!("{gib} GiB: first save {:?}, {saved:?}", begun.elapsed());
    let none = BlockSet::new();
    for n in 2..7 {
        let begun = Instant::now();
        save(&archive, snapshot(n), &device, Some((snapshot(1), &none))).unwrap();
        println!("unchanged {:?}", begun.elapsed());
    }
    // As a server that was started anew does it: what there is, is listed first.
    drop(archive);
    let begun = Instant::now();
    let archive = Archive::open_folder(dir.path(), options()).unwrap();
    save(&archive, snapshot(8), &device, Some((snapshot(1), &none))).unwrap();
    println!(
        "unchanged, the first act of a process {:?}",
        begun.elapsed()
    );
}
