//! Disks for the tests: one in memory that can be watched and held up, one in a plain file.

use crate::engine::block::{Allocation, BLOCK_SIZE, BlockDevice, DeviceError, Extent, ZeroOptions};
use rustix::fs::{FallocateFlags, SeekFrom};
use std::{
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Condvar, Mutex},
    time::Duration,
};

/// What was asked of a [`MemoryDevice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Read(Range<u64>),
    Write(Range<u64>, bool),
    Flush,
    Trim(Range<u64>, bool),
    Zeroes(Range<u64>, ZeroOptions),
    Dropped,
}

/// The log outlives the device, so that a test sees what came before its drop and what after.
pub type Log = std::sync::Arc<Mutex<Vec<Call>>>;

#[derive(Default)]
struct Gate {
    closed: bool,
    waiting: usize,
}

/// A disk in memory: content, and per block whether it is data, zero or hole.
pub struct MemoryDevice {
    blocks: Mutex<(Vec<u8>, Vec<Allocation>)>,
    pub log: Log,
    pub read_only: bool,
    /// Reads and writes that touch this byte fail.
    pub broken_at: Option<u64>,
    /// Reads that touch this byte panic.
    pub panics_at: Option<u64>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

impl MemoryDevice {
    pub fn new(size: u64) -> Self {
        let blocks = vec![Allocation::Hole; (size / BLOCK_SIZE) as usize];
        Self {
            blocks: Mutex::new((vec![0; size as usize], blocks)),
            log: Log::default(),
            read_only: false,
            broken_at: None,
            panics_at: None,
            gate: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Writes and flushes wait until [`MemoryDevice::open_gate`].
    pub fn close_gate(&self) {
        self.gate.lock().unwrap().closed = true;
    }

    pub fn open_gate(&self) {
        self.gate.lock().unwrap().closed = false;
        self.moved.notify_all();
    }

    /// Returns when so many requests stand at the gate.
    pub fn wait_for_waiting(&self, count: usize) {
        let mut gate = self.gate.lock().unwrap();
        while gate.waiting < count {
            let (moved, waited) = self
                .moved
                .wait_timeout(gate, Duration::from_secs(30))
                .unwrap();
            assert!(
                !waited.timed_out(),
                "{} of {count} requests came to the gate",
                moved.waiting
            );
            gate = moved;
        }
    }

    pub fn content(&self) -> Vec<u8> {
        self.blocks.lock().unwrap().0.clone()
    }

    fn pass(&self) {
        let mut gate = self.gate.lock().unwrap();
        gate.waiting += 1;
        self.moved.notify_all();
        while gate.closed {
            gate = self.moved.wait(gate).unwrap();
        }
        gate.waiting -= 1;
    }

    fn check(&self, offset: u64, length: u64) -> Result<Range<usize>, DeviceError> {
        let size = self.size();
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(DeviceError::OutOfRange {
                offset,
                length,
                size,
            });
        }
        if self
            .broken_at
            .is_some_and(|bad| (offset..offset + length).contains(&bad))
        {
            return Err(DeviceError::Io {
                context: "the test's disk is broken here".to_owned(),
                source: None,
            });
        }
        assert!(
            !self
                .panics_at
                .is_some_and(|bad| (offset..offset + length).contains(&bad)),
            "the test asked for it"
        );
        Ok(offset as usize..(offset + length) as usize)
    }
}

impl Drop for MemoryDevice {
    fn drop(&mut self) {
        self.log.lock().unwrap().push(Call::Dropped);
    }
}

impl BlockDevice for MemoryDevice {
    fn size(&self) -> u64 {
        self.blocks.lock().unwrap().0.len() as u64
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let range = self.check(offset, buffer.len() as u64)?;
        buffer.copy_from_slice(&self.blocks.lock().unwrap().0[range]);
        self.log
            .lock()
            .unwrap()
            .push(Call::Read(offset..offset + buffer.len() as u64));
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> {
        self.pass();
        let range = self.check(offset, data.len() as u64)?;
        let end = offset + data.len() as u64;
        let mut blocks = self.blocks.lock().unwrap();
        blocks.0[range].copy_from_slice(data);
        for block in offset / BLOCK_SIZE..end.div_ceil(BLOCK_SIZE) {
            blocks.1[block as usize] = Allocation::Data;
        }
        self.log.lock().unwrap().push(Call::Write(offset..end, fua));
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.pass();
        self.log.lock().unwrap().push(Call::Flush);
        Ok(())
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError> {
        self.check(offset, length)?;
        let mut blocks = self.blocks.lock().unwrap();
        for block in offset.div_ceil(BLOCK_SIZE)..(offset + length) / BLOCK_SIZE {
            let start = (block * BLOCK_SIZE) as usize;
            blocks.0[start..start + BLOCK_SIZE as usize].fill(0);
            blocks.1[block as usize] = Allocation::Hole;
        }
        self.log
            .lock()
            .unwrap()
            .push(Call::Trim(offset..offset + length, fua));
        Ok(())
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        let aligned = offset.is_multiple_of(BLOCK_SIZE) && length.is_multiple_of(BLOCK_SIZE);
        let range = self.check(offset, length)?;
        if options.fast_only && !aligned {
            return Err(DeviceError::NotFast);
        }
        let mut blocks = self.blocks.lock().unwrap();
        blocks.0[range].fill(0);
        for block in offset.div_ceil(BLOCK_SIZE)..(offset + length) / BLOCK_SIZE {
            blocks.1[block as usize] = if options.no_hole {
                Allocation::Data
            } else {
                Allocation::Zero
            };
        }
        self.log
            .lock()
            .unwrap()
            .push(Call::Zeroes(offset..offset + length, options));
        Ok(())
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        self.check(offset, length)?;
        let blocks = self.blocks.lock().unwrap();
        let mut found: Vec<Extent> = Vec::new();
        let end = offset + length;
        for block in offset / BLOCK_SIZE..end.div_ceil(BLOCK_SIZE) {
            let range = (block * BLOCK_SIZE).max(offset)..((block + 1) * BLOCK_SIZE).min(end);
            let allocation = blocks.1[block as usize];
            let full = found.len() == 5;
            match found.last_mut() {
                Some(last) if last.allocation == allocation => last.range.end = range.end,
                // Stops early now and then, as a device may.
                _ if full => break,
                _ => found.push(Extent { range, allocation }),
            }
        }
        Ok(found)
    }
}

/// A plain sparse file, with nothing between it and the server.
pub struct FileDevice {
    file: File,
    size: u64,
    /// Everything is called data. Finding the next hole by `lseek` takes tmpfs a walk through the whole file, which no
    /// measure of the server should contain.
    pub opaque: bool,
}

impl FileDevice {
    pub fn create(path: &Path, size: u64) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .unwrap();
        file.set_len(size).unwrap();
        Self {
            file,
            size,
            opaque: false,
        }
    }
}

fn failed(source: std::io::Error) -> DeviceError {
    DeviceError::Io {
        context: "the test's file failed".to_owned(),
        source: Some(source),
    }
}

impl BlockDevice for FileDevice {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.file.read_exact_at(buffer, offset).map_err(failed)
    }

    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> {
        self.file.write_all_at(data, offset).map_err(failed)?;
        if fua { self.flush() } else { Ok(()) }
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.file.sync_data().map_err(failed)
    }

    fn trim(&self, offset: u64, length: u64, _fua: bool) -> Result<(), DeviceError> {
        let start = offset.next_multiple_of(BLOCK_SIZE);
        let end = (offset + length) / BLOCK_SIZE * BLOCK_SIZE;
        if start < end {
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&self.file, how, start, end - start)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        _options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        if length > 0 {
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&self.file, how, offset, length)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        if self.opaque {
            return Ok(vec![Extent {
                range: offset..offset + length,
                allocation: Allocation::Data,
            }]);
        }
        let mut found = Vec::new();
        let (mut position, end) = (offset, offset + length);
        while position < end {
            let data = rustix::fs::seek(&self.file, SeekFrom::Data(position))
                .unwrap_or(end)
                .min(end);
            if position < data {
                found.push(Extent {
                    range: position..data,
                    allocation: Allocation::Hole,
                });
            }
            if data == end {
                break;
            }
            let hole = rustix::fs::seek(&self.file, SeekFrom::Hole(data))
                .unwrap_or(end)
                .min(end);
            found.push(Extent {
                range: data..hole,
                allocation: Allocation::Data,
            });
            position = hole;
        }
        Ok(found)
    }
}
