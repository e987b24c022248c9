//! Segments: which chunks make up 64 MiB of a volume, and where each stands. With the manifest, this is all a reader
//! needs: no index, no scan.
//!
//! ```text
//! body
//!   0  4  number of the segment in the volume
//!   4  1  log2 of the chunk size (16)
//!   5  1  log2 of the segment size (26)
//!   6  2  number of packs, p
//!   8  4  number of chunks present, c
//!  12  4  zero
//!  16 16p pack ids
//!   - 128 presence: bit n of byte n / 8, lowest first, is chunk n; an absent chunk is all zeros
//!   - 42c for each chunk present, in order: id (32), number of its pack in the list above (2), offset (4) and length
//!         (4) of its frame
//! ```

use super::error::Damage;
use super::format::{self, Cursor, Kind, ObjectId};
use super::keys::Key;
use super::pack::Entry;
use super::{CHUNK_BITS, SEGMENT_BITS, SEGMENT_CHUNKS};
use crate::domain::id::OrganizationId;
use std::collections::HashMap;

/// Where a chunk of a volume stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRef {
    /// The pack.
    pub pack: ObjectId,
    /// The chunk and its place in the pack.
    pub entry: Entry,
}

/// The chunks of 64 MiB of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The segment's place in the volume, in units of 64 MiB.
    pub number: u32,
    /// `SEGMENT_CHUNKS` places; `None` is all zeros.
    pub chunks: Vec<Option<ChunkRef>>,
}

impl Segment {
    pub fn new(number: u32) -> Self {
        Self {
            number,
            chunks: vec![None; SEGMENT_CHUNKS],
        }
    }

    /// Number of chunks present.
    pub fn present(&self) -> usize {
        self.chunks.iter().flatten().count()
    }

    /// The whole object.
    pub fn encode(&self, key: &Key, organization: OrganizationId, id: ObjectId) -> Vec<u8> {
        let mut packs: Vec<ObjectId> = Vec::new();
        let mut numbers: HashMap<ObjectId, u16> = HashMap::new();
        let mut presence = [0u8; SEGMENT_CHUNKS / 8];
        let mut entries = Vec::with_capacity(SEGMENT_CHUNKS * 42);
        let mut count = 0u32;
        for (n, chunk) in self.chunks.iter().enumerate() {
            let Some(chunk) = chunk else { continue };
            presence[n / 8] |= 1 << (n % 8);
            let number = *numbers.entry(chunk.pack).or_insert_with(|| {
                packs.push(chunk.pack);
                // Lossless: there are at most as many packs as chunks.
                (packs.len() - 1) as u16
            });
            entries.extend_from_slice(&chunk.entry.id);
            entries.extend_from_slice(&number.to_le_bytes());
            entries.extend_from_slice(&chunk.entry.offset.to_le_bytes());
            entries.extend_from_slice(&chunk.entry.length.to_le_bytes());
            count += 1;
        }
        let mut body = Vec::with_capacity(16 + packs.len() * 16 + presence.len() + entries.len());
        body.extend_from_slice(&self.number.to_le_bytes());
        body.push(CHUNK_BITS);
        body.push(SEGMENT_BITS);
        body.extend_from_slice(&(packs.len() as u16).to_le_bytes());
        body.extend_from_slice(&count.to_le_bytes());
        body.extend_from_slice(&[0; 4]);
        for pack in packs {
            body.extend_from_slice(&pack.to_bytes());
        }
        body.extend_from_slice(&presence);
        body.extend_from_slice(&entries);
        format::seal(Kind::Segment, key, organization, id, &body)
    }

    /// Reads the body of a segment object that was opened.
    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(body);
        let number = cursor.u32()?;
        if cursor.array()? != [CHUNK_BITS, SEGMENT_BITS] {
            return Err(Damage::Invalid {
                what: "its chunk or segment size is not known to this program",
            });
        }
        let pack_count = cursor.u16()? as usize;
        let count = cursor.u32()? as usize;
        cursor.u32()?;
        if cursor.left() != pack_count * 16 + SEGMENT_CHUNKS / 8 + count.saturating_mul(42) {
            return Err(Damage::Truncated);
        }
        let mut packs = Vec::with_capacity(pack_count);
        for _ in 0..pack_count {
            packs.push(ObjectId::from_bytes(cursor.array()?));
        }
        let presence = cursor.take(SEGMENT_CHUNKS / 8)?;
        let mut segment = Self::new(number);
        for (n, place) in segment.chunks.iter_mut().enumerate() {
            if presence
                .get(n / 8)
                .is_none_or(|byte| byte & (1 << (n % 8)) == 0)
            {
                continue;
            }
            let id = cursor.array()?;
            let pack = packs
                .get(cursor.u16()? as usize)
                .copied()
                .ok_or(Damage::Invalid {
                    what: "a chunk names no pack",
                })?;
            *place = Some(ChunkRef {
                pack,
                entry: Entry {
                    id,
                    offset: cursor.u32()?,
                    length: cursor.u32()?,
                },
            });
        }
        cursor.finish()?;
        Ok(segment)
    }
}
