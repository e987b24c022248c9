//! Which blocks a layer holds, as data or as zeros: in memory, and in the immutable file of a sealed layer.
//!
//! # `layers/<id>.<generation>.map`, little-endian
//! ```text
//!   0  magic "RPRSMAP\0"           64  claim: 0 none, 1 checkpoint, 2 boundary (u32)
//!   8  format version (u32)        68  zeros
//!  12  crc32c of the whole file    72  checkpoint id of the claim (16 bytes)
//!      with this field zero        88  blocks held as data (u64)
//!  16  layer (u64)                 96  blocks held as zeros (u64)
//!  24  generation (u64)           104  length of the first bitmap (u64)
//!  32  parent, 0 for none (u64)   112  length of the second bitmap (u64)
//!  40  volume (16 bytes)          120  zeros
//!  56  size in bytes (u64)        128  the data bitmap, then the zero bitmap (portable roaring format)
//! ```
//! A file is written under a temporary name, synced, renamed, and the folder synced; it never changes, it is only
//! succeeded by the next generation. The *claim* says which checkpoint the layer was sealed for; it is there for
//! `repair` alone, and reclaim takes it back before it takes any data that the checkpoint needed.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::blockset::runs;
use crate::engine::error::{Error, Result};
use crate::engine::format::{Field, LayerId, VERSION, u32_at, u64_at};
use roaring::RoaringBitmap;

pub(crate) const MAGIC: [u8; 8] = *b"RPRSMAP\0";
const HEADER: usize = 128;

/// What a layer holds of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Its bytes stand in the layer's file.
    Data,
    /// It is zero here, whatever lies below.
    Zero,
    /// Look below.
    Absent,
}

/// The blocks of a layer. No block is in both sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Maps {
    pub(crate) data: RoaringBitmap,
    pub(crate) zero: RoaringBitmap,
}

impl Maps {
    pub(crate) fn set(&mut self, presence: Presence, blocks: std::ops::Range<u32>) {
        let (to, from) = match presence {
            Presence::Data => (&mut self.data, &mut self.zero),
            Presence::Zero => (&mut self.zero, &mut self.data),
            Presence::Absent => {
                self.data.remove_range(blocks.clone());
                self.zero.remove_range(blocks);
                return;
            }
        };
        if blocks.end.saturating_sub(blocks.start) == 1 {
            to.insert(blocks.start);
            from.remove(blocks.start);
        } else {
            to.insert_range(blocks.clone());
            from.remove_range(blocks);
        }
    }

    /// What stands at `from`, and where that changes (at most `end`).
    pub(crate) fn run(&self, from: u32, end: u32) -> (Presence, u32) {
        let within = |bitmap: &RoaringBitmap| {
            bitmap
                .range(from..end)
                .next_range()
                .map(|run| (*run.start(), run.end().saturating_add(1).min(end)))
        };
        let data = within(&self.data);
        if let Some((start, stop)) = data
            && start == from
        {
            return (Presence::Data, stop);
        }
        let zero = within(&self.zero);
        if let Some((start, stop)) = zero
            && start == from
        {
            return (Presence::Zero, stop);
        }
        let next = data
            .map_or(end, |run| run.0)
            .min(zero.map_or(end, |run| run.0));
        (Presence::Absent, next)
    }

    /// All blocks that the layer holds, as data or as zeros.
    pub(crate) fn present(&self) -> RoaringBitmap {
        &self.data | &self.zero
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.zero.is_empty()
    }

    /// Only the blocks that are also in `keep`.
    pub(crate) fn only(&self, keep: &RoaringBitmap) -> Self {
        Self {
            data: &self.data & keep,
            zero: &self.zero & keep,
        }
    }

    /// Bytes that both bitmaps take when written.
    pub(crate) fn written_len(&self) -> u64 {
        (self.data.serialized_size() + self.zero.serialized_size()) as u64
    }
}

/// Which checkpoint a sealed layer was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Claim {
    /// None, or none any more.
    #[default]
    None,
    /// It is the content of this checkpoint.
    Checkpoint(CheckpointId),
    /// It was; now it only marks where differences from that checkpoint begin.
    Boundary(CheckpointId),
}

impl Claim {
    pub(crate) fn parts(self) -> (u32, [u8; 16]) {
        match self {
            Self::None => (0, [0; 16]),
            Self::Checkpoint(id) => (1, id.to_bytes()),
            Self::Boundary(id) => (2, id.to_bytes()),
        }
    }

    pub(crate) fn from_parts(kind: u32, id: [u8; 16]) -> Option<Self> {
        match kind {
            0 => Some(Self::None),
            1 => Some(Self::Checkpoint(CheckpointId::from_bytes(id))),
            2 => Some(Self::Boundary(CheckpointId::from_bytes(id))),
            _ => None,
        }
    }
}

/// What the header of a map says of its layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MapHeader {
    pub(crate) layer: LayerId,
    pub(crate) generation: u64,
    pub(crate) parent: Option<LayerId>,
    pub(crate) volume: VolumeId,
    pub(crate) size: u64,
    pub(crate) claim: Claim,
}

/// The bytes of a map file.
pub(crate) fn encode(header: &MapHeader, maps: &Maps) -> Result<Vec<u8>> {
    let mut out = vec![0; HEADER];
    let failed = |source| Error::Io {
        operation: "encode",
        file: header.layer.map(header.generation),
        source,
    };
    maps.data.serialize_into(&mut out).map_err(failed)?;
    let data_len = out.len() - HEADER;
    maps.zero.serialize_into(&mut out).map_err(failed)?;
    let zero_len = out.len() - HEADER - data_len;
    let (kind, id) = header.claim.parts();
    out.put(0, &MAGIC);
    out.put(8, &VERSION.to_le_bytes());
    out.put(16, &header.layer.0.to_le_bytes());
    out.put(24, &header.generation.to_le_bytes());
    out.put(
        32,
        &header.parent.map_or(0, |parent| parent.0).to_le_bytes(),
    );
    out.put(40, &header.volume.to_bytes());
    out.put(56, &header.size.to_le_bytes());
    out.put(64, &kind.to_le_bytes());
    out.put(72, &id);
    out.put(88, &maps.data.len().to_le_bytes());
    out.put(96, &maps.zero.len().to_le_bytes());
    out.put(104, &(data_len as u64).to_le_bytes());
    out.put(112, &(zero_len as u64).to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.put(12, &crc.to_le_bytes());
    Ok(out)
}

/// Reads a map file; `file` only names it in errors.
pub(crate) fn decode(file: &str, bytes: &[u8]) -> Result<(MapHeader, Maps)> {
    let bad = |offset: u64, what: &str| Error::damaged(file, offset, what);
    if bytes.get(..8) != Some(&MAGIC) || bytes.len() < HEADER {
        return Err(bad(0, "this is not a map"));
    }
    let mut blank = bytes.to_vec();
    blank.put(12, &[0; 4]);
    if u32_at(bytes, 12) != crc32c::crc32c(&blank) {
        return Err(bad(12, "the checksum does not match"));
    }
    let version = u32_at(bytes, 8);
    if version != VERSION {
        return Err(bad(8, &format!("format version {version} is not known")));
    }
    let id16 = |at: usize| {
        bytes
            .get(at..at + 16)
            .and_then(|id| <[u8; 16]>::try_from(id).ok())
            .unwrap_or_default()
    };
    let header = MapHeader {
        layer: LayerId(u64_at(bytes, 16)),
        generation: u64_at(bytes, 24),
        parent: LayerId::parent(u64_at(bytes, 32)),
        volume: VolumeId::from_bytes(id16(40)),
        size: u64_at(bytes, 56),
        claim: Claim::from_parts(u32_at(bytes, 64), id16(72))
            .ok_or_else(|| bad(64, "unknown kind of claim"))?,
    };
    let body = bytes.get(HEADER..).unwrap_or_default();
    let split = usize::try_from(u64_at(bytes, 104)).unwrap_or(usize::MAX);
    let zero_len = usize::try_from(u64_at(bytes, 112)).unwrap_or(usize::MAX);
    let (Some(first), Some(second)) = (body.get(..split), body.get(split..)) else {
        return Err(bad(104, "the bitmaps do not fit the file"));
    };
    if second.len() != zero_len {
        return Err(bad(112, "the bitmaps do not fit the file"));
    }
    let bitmap = |bytes: &[u8], offset: usize, count: u64| {
        let found =
            RoaringBitmap::deserialize_from(bytes).map_err(|_| bad(offset as u64, "no bitmap"))?;
        let above = found
            .max()
            .is_some_and(|max| u64::from(max) >= header.size / crate::engine::block::BLOCK_SIZE);
        if found.len() != count || above {
            return Err(bad(offset as u64, "the bitmap does not fit its header"));
        }
        Ok(found)
    };
    let maps = Maps {
        data: bitmap(first, HEADER, u64_at(bytes, 88))?,
        zero: bitmap(second, HEADER + split, u64_at(bytes, 96))?,
    };
    if !maps.data.is_disjoint(&maps.zero) {
        return Err(bad(HEADER as u64, "a block is both data and zeros"));
    }
    Ok((header, maps))
}

/// The blocks a set of runs covers, in bytes of the file.
pub(crate) fn byte_runs(bitmap: &RoaringBitmap) -> impl Iterator<Item = std::ops::Range<u64>> + '_ {
    const BLOCK: u64 = crate::engine::block::BLOCK_SIZE;
    runs(bitmap).map(|run| u64::from(run.start) * BLOCK..u64::from(run.end) * BLOCK)
}
