//! A device in memory, which knows what was written and counts what is read.

use crate::engine::block::{Allocation, BLOCK_SIZE, BlockDevice, DeviceError, Extent, ZeroOptions};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const BLOCK: usize = BLOCK_SIZE as usize;

type Hook = Box<dyn FnOnce() + Send>;

/// Blocks by number: content, or explicit zeros.
pub struct Memory {
    size: u64,
    blocks: Mutex<BTreeMap<u64, Option<Box<[u8]>>>>,
    /// Bytes read so far.
    pub read: AtomicU64,
    /// Run before the first read.
    pub hook: Mutex<Option<Hook>>,
}

impl Memory {
    pub fn new(size: u64) -> Self {
        Self {
            size,
            blocks: Mutex::default(),
            read: AtomicU64::new(0),
            hook: Mutex::default(),
        }
    }

    pub fn copy(&self, size: u64) -> Self {
        Self {
            blocks: Mutex::new(self.blocks.lock().unwrap().clone()),
            ..Self::new(size)
        }
    }

    /// Writes noise that depends on seed and place.
    pub fn fill(&self, range: Range<u64>, seed: u64) {
        let mut data = vec![0; (range.end - range.start) as usize];
        blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .update(&range.start.to_le_bytes())
            .finalize_xof()
            .fill(&mut data);
        self.write_at(range.start, &data, false).unwrap();
    }

    /// Writes the same byte everywhere.
    pub fn paint(&self, range: Range<u64>, byte: u8) {
        self.write_at(
            range.start,
            &vec![byte; (range.end - range.start) as usize],
            false,
        )
        .unwrap();
    }

    /// The blocks that do not read as zero.
    pub fn content(&self) -> BTreeMap<u64, Box<[u8]>> {
        let blocks = self.blocks.lock().unwrap();
        let held = blocks
            .iter()
            .filter_map(|(n, block)| Some((*n, block.clone()?)));
        held.filter(|(_, block)| block.iter().any(|byte| *byte != 0))
            .collect()
    }
}

impl BlockDevice for Memory {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let hook = self.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        if offset + buffer.len() as u64 > self.size {
            return Err(DeviceError::OutOfRange {
                offset,
                length: buffer.len() as u64,
                size: self.size,
            });
        }
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        let blocks = self.blocks.lock().unwrap();
        for (n, byte) in buffer.chunks_mut(BLOCK).enumerate() {
            match blocks.get(&(offset / BLOCK_SIZE + n as u64)) {
                Some(Some(block)) => byte.copy_from_slice(&block[..byte.len()]),
                _ => byte.fill(0),
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8], _: bool) -> Result<(), DeviceError> {
        assert!(
            offset.is_multiple_of(BLOCK_SIZE) && data.len().is_multiple_of(BLOCK),
            "the archive writes whole blocks"
        );
        if offset + data.len() as u64 > self.size {
            return Err(DeviceError::OutOfRange {
                offset,
                length: data.len() as u64,
                size: self.size,
            });
        }
        let mut blocks = self.blocks.lock().unwrap();
        for (n, block) in data.chunks(BLOCK).enumerate() {
            blocks.insert(offset / BLOCK_SIZE + n as u64, Some(block.into()));
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn trim(&self, offset: u64, length: u64, _: bool) -> Result<(), DeviceError> {
        let mut blocks = self.blocks.lock().unwrap();
        blocks.retain(|n, _| !(offset / BLOCK_SIZE..(offset + length) / BLOCK_SIZE).contains(n));
        Ok(())
    }

    fn write_zeroes(&self, offset: u64, length: u64, _: ZeroOptions) -> Result<(), DeviceError> {
        let mut blocks = self.blocks.lock().unwrap();
        for n in offset / BLOCK_SIZE..(offset + length) / BLOCK_SIZE {
            blocks.insert(n, None);
        }
        Ok(())
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        let blocks = self.blocks.lock().unwrap();
        let end = offset + length;
        let mut extents: Vec<Extent> = Vec::new();
        let mut push = |range: Range<u64>, allocation| match extents.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.allocation == allocation => last.range.end = range.end,
            _ => extents.push(Extent { range, allocation }),
        };
        let mut at = offset;
        for (n, block) in blocks.range(offset / BLOCK_SIZE..end.div_ceil(BLOCK_SIZE)) {
            let start = (n * BLOCK_SIZE).max(at);
            push(at..start, Allocation::Hole);
            at = ((n + 1) * BLOCK_SIZE).min(end);
            push(
                start..at,
                if block.is_some() {
                    Allocation::Data
                } else {
                    Allocation::Zero
                },
            );
        }
        push(at..end, Allocation::Hole);
        // A limit on the answer's length, so that callers must ask again.
        extents.truncate(16);
        Ok(extents)
    }
}
