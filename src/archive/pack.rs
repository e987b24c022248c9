//! Packs: up to 32 MiB of chunks, and their own index.
//!
//! ```text
//! header, 64 bytes (see `format`)
//! frames, one a chunk, without gaps:
//!   0  1  codec: 0 as it is, 1 zstd
//!   1  3  zero
//!   4  4  CRC-32C of bytes 0 to 4 and the payload: finds a damaged byte without the key, and where zstd would not care
//!   8  -  payload
//! index, 40 bytes a chunk, in the order of the frames:
//!   0 32  chunk id
//!  32  4  offset of the frame from the start of the pack
//!  36  4  length of the frame
//! footer, 56 bytes
//!   0  4  offset of the index
//!   4  4  number of chunks
//!   8 16  key id, as in the header
//!  24 32  tag over header, index and footer up to here
//! ```
//!
//! The end of a pack can thus be read and trusted without its beginning. The chunks are authenticated one by one, by
//! their ids. When sealing comes, a frame is nonce, ciphertext and tag, with the format, the kind and the chunk id as
//! associated data; nothing else changes.

use super::CHUNK_SIZE;
use super::error::Damage;
use super::format::{self, Cursor, HEADER_LENGTH, Kind, ObjectId, TAG_LENGTH};
use super::keys::{ChunkId, Key};
use crate::domain::id::OrganizationId;

/// A pack is closed before it would grow beyond this many bytes, index and footer not counted.
pub const PACK_SIZE: usize = 32 << 20;
/// A pack is closed at this many chunks, so that its index stays within 320 KiB however well they compress.
pub const PACK_CHUNKS: usize = 8192;
/// Length of an index entry in bytes.
pub const ENTRY_LENGTH: usize = 40;
/// Length of the footer in bytes.
pub const FOOTER_LENGTH: usize = 24 + TAG_LENGTH;
const FRAME_HEADER: usize = 8;
const CODEC_RAW: u8 = 0;
const CODEC_ZSTD: u8 = 1;

/// Where a chunk's frame stands in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The chunk.
    pub id: ChunkId,
    /// First byte of the frame.
    pub offset: u32,
    /// Length of the frame in bytes.
    pub length: u32,
}

/// Makes frames. One a thread: it keeps the compressor's memory.
pub struct FrameWriter {
    zstd: zstd::bulk::Compressor<'static>,
    scratch: Vec<u8>,
}

impl FrameWriter {
    pub fn new(level: i32) -> std::io::Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(level)?,
            scratch: vec![0; FRAME_HEADER + CHUNK_SIZE],
        })
    }

    /// The frame of one chunk of at most [`CHUNK_SIZE`] bytes.
    pub fn frame(&mut self, chunk: &[u8]) -> Vec<u8> {
        // "Where it helps" is by a sixteenth: below that, reading it back costs more than the room is worth. The
        // buffer is that much shorter, so zstd itself gives up early.
        let limit = FRAME_HEADER + chunk.len() - chunk.len() / 16;
        let length = match self
            .zstd
            .compress_to_buffer(chunk, &mut self.scratch[FRAME_HEADER..limit])
        {
            Ok(length) => {
                self.scratch[0] = CODEC_ZSTD;
                FRAME_HEADER + length
            }
            Err(_) => {
                self.scratch[0] = CODEC_RAW;
                self.scratch[FRAME_HEADER..FRAME_HEADER + chunk.len()].copy_from_slice(chunk);
                FRAME_HEADER + chunk.len()
            }
        };
        let crc = frame_crc(&self.scratch[..length]);
        self.scratch[4..8].copy_from_slice(&crc.to_le_bytes());
        self.scratch[..length].to_vec()
    }
}

fn frame_crc(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[FRAME_HEADER..])
}

/// Takes frames apart. One a thread.
pub struct FrameReader {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl FrameReader {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Decompressor::new()?,
        })
    }

    /// Fills `chunk`, which must be one chunk long, from a frame, and proves it by its id. On an error `chunk` holds
    /// nothing that may be used.
    pub fn read(
        &mut self,
        key: &Key,
        entry: &Entry,
        frame: &[u8],
        chunk: &mut [u8],
    ) -> Result<(), Damage> {
        let damage = |what| Damage::Chunk {
            offset: entry.offset,
            what,
        };
        if frame.len() != entry.length as usize || frame.len() <= FRAME_HEADER {
            return Err(damage("it is cut off"));
        }
        let mut crc = [0; 4];
        crc.copy_from_slice(&frame[4..8]);
        if frame[1..4] != [0; 3] || u32::from_le_bytes(crc) != frame_crc(frame) {
            return Err(damage("its checksum does not fit"));
        }
        let payload = &frame[FRAME_HEADER..];
        let filled = match frame[0] {
            CODEC_RAW if payload.len() == chunk.len() => {
                chunk.copy_from_slice(payload);
                true
            }
            CODEC_ZSTD => self
                .zstd
                .decompress_to_buffer(payload, chunk)
                .is_ok_and(|length| length == chunk.len()),
            _ => false,
        };
        if !filled {
            return Err(damage("it cannot be decompressed"));
        }
        if key.chunk_id(chunk) != entry.id {
            return Err(damage("its content does not fit its id"));
        }
        Ok(())
    }
}

/// A pack that is being filled.
pub struct PackWriter {
    id: ObjectId,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl PackWriter {
    pub fn new(key: &Key, organization: OrganizationId) -> Self {
        let id = ObjectId::new();
        let mut bytes = Vec::with_capacity(PACK_SIZE + PACK_CHUNKS * ENTRY_LENGTH / 8);
        bytes.extend_from_slice(&format::header(Kind::Pack, key.id(), organization, id));
        Self {
            id,
            bytes,
            entries: Vec::new(),
        }
    }

    pub const fn id(&self) -> ObjectId {
        self.id
    }

    /// Whether a frame of this length still fits.
    pub fn has_room(&self, length: usize) -> bool {
        self.bytes.len() + length <= PACK_SIZE && self.entries.len() < PACK_CHUNKS
    }

    pub fn push(&mut self, id: ChunkId, frame: &[u8]) -> Entry {
        // Lossless: a pack is shorter than 2^32 bytes.
        let entry = Entry {
            id,
            offset: self.bytes.len() as u32,
            length: frame.len() as u32,
        };
        self.bytes.extend_from_slice(frame);
        self.entries.push(entry);
        entry
    }

    /// The whole object and its index.
    pub fn finish(mut self, key: &Key) -> (Vec<u8>, Vec<Entry>) {
        let index_offset = self.bytes.len();
        for entry in &self.entries {
            self.bytes.extend_from_slice(&entry.id);
            self.bytes.extend_from_slice(&entry.offset.to_le_bytes());
            self.bytes.extend_from_slice(&entry.length.to_le_bytes());
        }
        self.bytes
            .extend_from_slice(&(index_offset as u32).to_le_bytes());
        self.bytes
            .extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&key.id().to_bytes());
        let tag = key.tag(&[&self.bytes[..HEADER_LENGTH], &self.bytes[index_offset..]]);
        self.bytes.extend_from_slice(&tag);
        (self.bytes, self.entries)
    }
}

/// What a footer says, not yet authenticated.
pub struct Footer {
    /// Offset of the index.
    pub index_offset: u32,
    count: u32,
    /// The key that the pack names.
    pub key: ObjectId,
}

/// Reads the footer from the last bytes of a pack of `size` bytes.
pub fn footer(tail: &[u8], size: u64) -> Result<Footer, Damage> {
    let start = tail
        .len()
        .checked_sub(FOOTER_LENGTH)
        .ok_or(Damage::Truncated)?;
    let mut cursor = Cursor::new(&tail[start..]);
    let footer = Footer {
        index_offset: cursor.u32()?,
        count: cursor.u32()?,
        key: ObjectId::from_bytes(cursor.array()?),
    };
    let length = u64::from(footer.index_offset)
        + u64::from(footer.count) * ENTRY_LENGTH as u64
        + FOOTER_LENGTH as u64;
    if length != size
        || footer.index_offset < HEADER_LENGTH as u32
        || footer.count as usize > PACK_CHUNKS
    {
        return Err(Damage::Truncated);
    }
    Ok(footer)
}

/// Authenticates and reads the index. `end` is the pack from its index to its last byte.
pub fn index(
    key: &Key,
    organization: OrganizationId,
    id: ObjectId,
    footer: &Footer,
    end: &[u8],
) -> Result<Vec<Entry>, Damage> {
    let tag_start = end.len().checked_sub(TAG_LENGTH).ok_or(Damage::Truncated)?;
    let (content, tag) = end.split_at(tag_start);
    if !key.fits(
        &[
            &format::header(Kind::Pack, key.id(), organization, id),
            content,
        ],
        tag,
    ) {
        return Err(Damage::Authentication);
    }
    let mut cursor = Cursor::new(content);
    let mut entries = Vec::with_capacity((footer.count as usize).min(PACK_CHUNKS));
    let mut next = HEADER_LENGTH as u32;
    for _ in 0..footer.count {
        let entry = Entry {
            id: cursor.array()?,
            offset: cursor.u32()?,
            length: cursor.u32()?,
        };
        if entry.offset != next || entry.length as usize > FRAME_HEADER + CHUNK_SIZE {
            return Err(Damage::Invalid {
                what: "its index has gaps or impossible lengths",
            });
        }
        next += entry.length;
        entries.push(entry);
    }
    if next != footer.index_offset || cursor.left() != FOOTER_LENGTH - TAG_LENGTH {
        return Err(Damage::Invalid {
            what: "its index does not cover its chunks",
        });
    }
    Ok(entries)
}
