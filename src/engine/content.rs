//! Reading through a stack of layers: each block from the topmost one that holds it.

use crate::engine::block::{Allocation, BLOCK_SIZE, DeviceError, Extent};
use crate::engine::core::Core;
use crate::engine::error::Result;
use crate::engine::fetch::{Loose, Patience, Purpose};
use crate::engine::layer::Layer;
use crate::engine::maps::Presence;
use roaring::RoaringBitmap;
use std::ops::Range;
use std::sync::Arc;

/// A run of blocks that one layer, or none, answers for.
struct Piece {
    blocks: Range<u32>,
    /// The layer in the stack whose file has the bytes; none: they are zero.
    layer: Option<usize>,
    allocation: Allocation,
    /// The layer is to ask for them.
    absent: bool,
}

/// Refuses a range that ends beyond the device.
pub(crate) fn check_range(offset: u64, length: u64, size: u64) -> Result<(), DeviceError> {
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(()),
        _ => Err(DeviceError::OutOfRange {
            offset,
            length,
            size,
        }),
    }
}

/// The blocks that a range of bytes touches. The range was checked against a size of at most 8 TiB, so that block
/// numbers fit.
pub(crate) fn touched(offset: u64, length: u64) -> Range<u32> {
    let index = |block: u64| u32::try_from(block).unwrap_or(u32::MAX);
    index(offset / BLOCK_SIZE)..index((offset + length).div_ceil(BLOCK_SIZE))
}

/// The blocks that lie wholly inside a range of bytes.
pub(crate) fn inside(offset: u64, length: u64) -> Range<u32> {
    let index = |block: u64| u32::try_from(block).unwrap_or(u32::MAX);
    let first = index(offset.div_ceil(BLOCK_SIZE));
    first..index((offset + length) / BLOCK_SIZE).max(first)
}

/// Which layer answers for each block, unordered.
fn resolve(layers: &[Arc<Layer>], blocks: Range<u32>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // Looked at before the bitmaps: once it asks no more, they have all that anybody needs.
    let asking = layers
        .last()
        .filter(|bottom| bottom.asks())
        .map(|_| layers.len() - 1);
    let mut open = vec![blocks];
    for (index, layer) in layers.iter().enumerate() {
        if open.is_empty() {
            break;
        }
        open = layer.with_maps(|maps| {
            if maps.is_empty() {
                return std::mem::take(&mut open);
            }
            let mut below = Vec::new();
            for range in &open {
                let mut at = range.start;
                while at < range.end {
                    let (presence, end) = maps.run(at, range.end);
                    let blocks = at..end;
                    match presence {
                        Presence::Data => pieces.push(Piece {
                            blocks,
                            layer: Some(index),
                            allocation: Allocation::Data,
                            absent: false,
                        }),
                        Presence::Zero => pieces.push(Piece {
                            blocks,
                            layer: None,
                            allocation: Allocation::Zero,
                            absent: false,
                        }),
                        Presence::Absent => below.push(blocks),
                    }
                    at = end;
                }
            }
            below
        });
    }
    pieces.extend(open.into_iter().map(|blocks| Piece {
        blocks,
        layer: asking,
        // What was not asked for yet may be anything.
        allocation: asking.map_or(Allocation::Hole, |_| Allocation::Data),
        absent: asking.is_some(),
    }));
    pieces
}

/// Fetches what a read of these bytes will find absent; what cannot be kept goes into `loose`. It may wait long, so the
/// caller is in no epoch and holds no lock.
pub(crate) fn bring(
    core: &Core,
    layers: &[Arc<Layer>],
    offset: u64,
    length: u64,
    loose: &mut Loose,
    patience: &mut Patience<'_>,
) -> Result<()> {
    let Some(bottom) = layers.last().filter(|bottom| bottom.asks()) else {
        return Ok(());
    };
    for piece in resolve(layers, touched(offset, length)) {
        if !piece.absent {
            continue;
        }
        let mut at = piece.blocks.start;
        while at < piece.blocks.end && bottom.asks() {
            at = bottom
                .remote()?
                .bring(core, at, Purpose::Read, loose, patience)?
                .max(at + 1);
        }
    }
    Ok(())
}

/// Fills `part` from the bottom layer's blocks from `start` on, which were absent a moment ago.
fn read_absent(
    core: &Core,
    bottom: &Layer,
    loose: &mut Loose,
    start: u64,
    part: &mut [u8],
) -> Result<()> {
    let stop = start + part.len() as u64;
    let mut at = start;
    while at < stop {
        let block = u32::try_from(at / BLOCK_SIZE).unwrap_or(u32::MAX);
        let asks = bottom.asks();
        let (presence, end) =
            bottom.with_maps(|maps| maps.run(block, touched(start, stop - start).end));
        let end = match presence {
            Presence::Absent if asks => block + 1,
            _ => end,
        };
        let until = (u64::from(end) * BLOCK_SIZE).min(stop);
        let place = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
        let Some(piece) = part.get_mut(place(at)..place(until)) else {
            break;
        };
        match presence {
            Presence::Data => bottom.read_own(core, piece, at)?,
            Presence::Absent if asks => {
                if !loose.copy(at, piece) {
                    // It was kept when it came, and was lost since (a sync failed). Seldom enough to wait here.
                    let mut patience = Patience::new(core, None);
                    bottom
                        .remote()?
                        .bring(core, block, Purpose::Read, loose, &mut patience)?;
                    continue;
                }
            }
            Presence::Zero | Presence::Absent => piece.fill(0),
        }
        at = until;
    }
    Ok(())
}

/// Fills `buffer`. The caller is inside the pool's epoch since before it took `layers`. `loose` has what [`bring`] could
/// not keep.
pub(crate) fn read(
    core: &Core,
    layers: &[Arc<Layer>],
    loose: &mut Loose,
    offset: u64,
    buffer: &mut [u8],
) -> Result<()> {
    let blocks = touched(offset, buffer.len() as u64);
    if let Some(top) = layers.first()
        && top.has_data(&blocks)
    {
        return top.read_own(core, buffer, offset);
    }
    let end = offset + buffer.len() as u64;
    for piece in resolve(layers, blocks) {
        let start = (u64::from(piece.blocks.start) * BLOCK_SIZE).max(offset);
        let stop = (u64::from(piece.blocks.end) * BLOCK_SIZE).min(end);
        let place = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
        let Some(part) = buffer.get_mut(place(start)..place(stop)) else {
            continue;
        };
        match piece.layer.and_then(|index| layers.get(index)) {
            Some(layer) if piece.absent => read_absent(core, layer, loose, start, part)?,
            Some(layer) => layer.read_own(core, part, start)?,
            None => part.fill(0),
        }
    }
    Ok(())
}

/// How many runs one answer about extents holds at most.
const MOST: usize = 1024;
/// How many blocks are looked at in one go.
const WINDOW: u32 = 1 << 18;

/// What a checked range of bytes holds; may stop early.
pub(crate) fn extents(layers: &[Arc<Layer>], offset: u64, length: u64) -> Vec<Extent> {
    let blocks = touched(offset, length);
    let end = offset + length;
    let mut found: Vec<Extent> = Vec::new();
    let mut at = blocks.start;
    while at < blocks.end && found.len() < MOST {
        let stop = at.saturating_add(WINDOW).min(blocks.end);
        let mut pieces = resolve(layers, at..stop);
        pieces.sort_unstable_by_key(|piece| piece.blocks.start);
        for piece in pieces {
            let start = (u64::from(piece.blocks.start) * BLOCK_SIZE).max(offset);
            let stop = (u64::from(piece.blocks.end) * BLOCK_SIZE).min(end);
            match found.last_mut() {
                Some(last) if last.allocation == piece.allocation => last.range.end = stop,
                _ => found.push(Extent {
                    range: start..stop,
                    allocation: piece.allocation,
                }),
            }
        }
        at = stop;
    }
    found
}

/// The blocks of a range whose topmost entry is data: what does not read as zero already.
pub(crate) fn data_within(layers: &[Arc<Layer>], blocks: Range<u32>) -> RoaringBitmap {
    let mut data = RoaringBitmap::new();
    for piece in resolve(layers, blocks) {
        if piece.allocation == Allocation::Data {
            data.insert_range(piece.blocks);
        }
    }
    data
}
