//! Which chunks a save has to look at.

use super::error::Error;
use super::{CHUNK_SIZE, SEGMENT_CHUNKS, SEGMENT_SIZE};
use crate::engine::BlockSet;
use crate::engine::block::{Allocation, BlockDevice, DeviceError};
use std::collections::BTreeMap;
use std::ops::Range;

const WORDS: usize = SEGMENT_CHUNKS / 64;

/// A set of chunks of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSet([u64; WORDS]);

impl ChunkSet {
    pub const EMPTY: Self = Self([0; WORDS]);
    pub const ALL: Self = Self([u64::MAX; WORDS]);

    pub fn insert(&mut self, chunk: usize) {
        if let Some(word) = self.0.get_mut(chunk / 64) {
            *word |= 1 << (chunk % 64);
        }
    }

    pub fn contains(&self, chunk: usize) -> bool {
        self.0
            .get(chunk / 64)
            .is_some_and(|word| word & (1 << (chunk % 64)) != 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SEGMENT_CHUNKS).filter(|chunk| self.contains(*chunk))
    }
}

/// What is to be done to one segment. A segment that is not in the plan is the base's, or all zeros.
#[derive(Debug, Clone, Copy)]
pub struct SegmentPlan {
    /// Chunks that are not to be copied from the base.
    pub changed: ChunkSet,
    /// Those of them that hold data and are to be read; the others are zeros.
    pub read: ChunkSet,
}

/// By segment number. Memory: 300 bytes a segment, 5 MiB for 1 TiB of data.
pub type Plan = BTreeMap<u32, SegmentPlan>;

/// The plan of a full save: every chunk that holds data.
pub fn full(source: &dyn BlockDevice) -> Result<Plan, Error> {
    let mut plan = Plan::new();
    data_ranges(source, 0..source.size(), |range| {
        for (segment, chunk) in chunks(&range) {
            let entry = plan.entry(segment).or_insert(SegmentPlan {
                changed: ChunkSet::ALL,
                read: ChunkSet::EMPTY,
            });
            entry.read.insert(chunk);
        }
    })?;
    Ok(plan)
}

/// Adds changed bytes to the plan of an incremental save.
pub fn add_changed(plan: &mut Plan, changed: &Range<u64>) {
    for (segment, chunk) in chunks(changed) {
        let entry = plan.entry(segment).or_insert(SegmentPlan {
            changed: ChunkSet::EMPTY,
            read: ChunkSet::EMPTY,
        });
        entry.changed.insert(chunk);
    }
}

/// Finds out which of the changed chunks hold data.
pub fn find_data(plan: &mut Plan, source: &dyn BlockDevice) -> Result<(), Error> {
    let size = source.size();
    for (number, segment) in plan {
        let start = u64::from(*number) * SEGMENT_SIZE;
        let mut chunk = 0;
        while chunk < SEGMENT_CHUNKS {
            if !segment.changed.contains(chunk) {
                chunk += 1;
                continue;
            }
            let first = chunk;
            while chunk < SEGMENT_CHUNKS && segment.changed.contains(chunk) {
                chunk += 1;
            }
            let run = start + (first * CHUNK_SIZE) as u64
                ..(start + (chunk * CHUNK_SIZE) as u64).min(size);
            let read = &mut segment.read;
            data_ranges(source, run, |range| {
                chunks(&range).for_each(|(_, chunk)| read.insert(chunk))
            })?;
        }
    }
    Ok(())
}

/// Bytes that the plan reads from a device of this size.
pub fn bytes_to_read(plan: &Plan, size: u64) -> u64 {
    plan.iter()
        .flat_map(|(number, segment)| {
            segment
                .read
                .iter()
                .map(|chunk| chunk_range(*number, chunk, size))
        })
        .map(|r| r.end - r.start)
        .sum()
}

/// Bytes that a save reads at most of a volume of this size, and sends where the store does not have them, when it builds on
/// a snapshot from which the volume differs by these blocks: whole chunks.
#[must_use]
pub fn most_to_read(changed: &BlockSet, size: u64) -> u64 {
    let mut plan = Plan::new();
    for range in changed.byte_ranges() {
        add_changed(&mut plan, &(range.start..range.end.min(size)));
    }
    plan.iter()
        .flat_map(|(number, segment)| {
            let chunks = segment.changed.iter();
            chunks.map(|chunk| chunk_range(*number, chunk, size))
        })
        .map(|range| range.end - range.start)
        .sum()
}

/// The bytes of a chunk that lie within a device of this size.
pub fn chunk_range(segment: u32, chunk: usize, size: u64) -> Range<u64> {
    let start = u64::from(segment) * SEGMENT_SIZE + (chunk * CHUNK_SIZE) as u64;
    start.min(size)..(start + CHUNK_SIZE as u64).min(size)
}

/// Calls `found` with each range that may hold data, in order.
pub fn data_ranges(
    device: &dyn BlockDevice,
    range: Range<u64>,
    mut found: impl FnMut(Range<u64>),
) -> Result<(), Error> {
    let mut at = range.start;
    while at < range.end {
        let error = |source| Error::Source { offset: at, source };
        let extents = device.extents(at, range.end - at).map_err(error)?;
        let mut end = at;
        for extent in extents {
            if extent.allocation == Allocation::Data && extent.range.start < range.end {
                found(extent.range.start.max(at)..extent.range.end.min(range.end));
            }
            end = extent.range.end;
        }
        if end <= at {
            let context = "the device does not say what it holds".to_owned();
            return Err(error(DeviceError::Io {
                context,
                source: None,
            }));
        }
        at = end;
    }
    Ok(())
}

/// Segment number and chunk number of each chunk that the bytes touch.
fn chunks(range: &Range<u64>) -> impl Iterator<Item = (u32, usize)> + use<> {
    let per_segment = SEGMENT_CHUNKS as u64;
    let (first, end) = (
        range.start / CHUNK_SIZE as u64,
        range.end.div_ceil(CHUNK_SIZE as u64),
    );
    let end = if range.is_empty() { first } else { end };
    (first..end).map(move |chunk| ((chunk / per_segment) as u32, (chunk % per_segment) as usize))
}
