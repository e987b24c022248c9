//! A set of blocks: what two checkpoints differ by, what a layer holds.

use crate::engine::block::BLOCK_SIZE;
use roaring::RoaringBitmap;
use std::ops::Range;

/// A set of 4 KiB blocks, by index from the start of the volume.
#[derive(Clone, Default, PartialEq)]
pub struct BlockSet(pub(crate) RoaringBitmap);

impl std::fmt::Debug for BlockSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

impl BlockSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of blocks in the set.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether no block is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the block is in the set.
    #[must_use]
    pub fn contains(&self, block: u32) -> bool {
        self.0.contains(block)
    }

    /// Adds the blocks of the range.
    pub fn insert_range(&mut self, blocks: Range<u32>) {
        self.0.insert_range(blocks);
    }

    /// Adds all blocks of the other set.
    pub fn union(&mut self, other: &Self) {
        self.0 |= &other.0;
    }

    /// The runs of adjacent blocks, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        runs(&self.0)
    }

    /// The same runs in bytes of the volume.
    pub fn byte_ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges()
            .map(|run| u64::from(run.start) * BLOCK_SIZE..u64::from(run.end) * BLOCK_SIZE)
    }
}

impl FromIterator<u32> for BlockSet {
    fn from_iter<I: IntoIterator<Item = u32>>(blocks: I) -> Self {
        Self(blocks.into_iter().collect())
    }
}

/// The runs of a bitmap in order. Block numbers stay below 2³¹ (8 TiB), so the exclusive end cannot overflow.
pub(crate) fn runs(bitmap: &RoaringBitmap) -> impl Iterator<Item = Range<u32>> + '_ {
    let mut iter = bitmap.iter();
    std::iter::from_fn(move || {
        iter.next_range()
            .map(|run| *run.start()..run.end().saturating_add(1))
    })
}
