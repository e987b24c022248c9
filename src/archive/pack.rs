//! Packs: up to 32 MiB of chunks, and their own index.
//!
//! ```text
//! header, 64 bytes (see `format`)
//! frames, one a chunk, without gaps:
//!   0 24  nonce
//!  24  1  codec, encrypted: 0 as it is, 1 zstd
//!  25  -  payload, encrypted
//!   - 16  Poly1305 tag; associated data: bytes 0 to 12 of the header and the chunk id
//! index, sealed as one:
//!   0 24  nonce
//!  24 40  for each chunk, in the order of the frames, encrypted: chunk id (32), offset of the frame from the start of
//!         the pack (4), length of the frame (4)
//!   - 16  Poly1305 tag; associated data: the header and a byte 1
//! footer, 64 bytes
//!   0 16  Poly1305 tag; associated data: the header and a byte 2
//!  16 16  key id, as in the header
//!  32 24  nonce
//!  56  4  offset of the index, encrypted
//!  60  4  number of chunks, encrypted
//! ```
//!
//! The end of a pack can thus be read and trusted without its beginning, and nothing but its length is to be seen
//! without the key. The chunks are authenticated one by one: as this chunk of this organization, in whatever pack, so
//! that a frame can be moved to another pack as it is.
//!
//! Made with a key that does not seal (see `keys`):
//!
//! ```text
//! frame
//!   0  1  codec
//!   1  3  zero
//!   4  4  CRC-32C of bytes 0 to 4 and the payload
//!   8  -  payload
//! index: the 40 bytes a chunk as they are
//! footer, 56 bytes
//!   0  4  offset of the index
//!   4  4  number of chunks
//!   8 16  key id; at the same distance from the end as in the other footer
//!  24 32  tag over header, index and footer up to here
//! ```

use super::CHUNK_SIZE;
use super::error::Damage;
use super::format::{self, Cursor, HEADER_LENGTH, Kind, ObjectId, TAG_LENGTH};
use super::keys::{ChunkId, Key, NONCE_LENGTH, SEAL_LENGTH, Sealer};
use crate::domain::id::OrganizationId;

/// A pack is closed before it would grow beyond this many bytes, index and footer not counted.
pub const PACK_SIZE: usize = 32 << 20;
/// A pack is closed at this many chunks, so that its index stays within 320 KiB however well they compress.
pub const PACK_CHUNKS: usize = 8192;
/// Length of an index entry in bytes.
pub const ENTRY_LENGTH: usize = 40;
/// Length in bytes of what a reader must have of a pack's end to begin with.
pub const FOOTER_LENGTH: usize = 64;
/// Length of a pack at most, in bytes.
pub const LARGEST: usize = PACK_SIZE + PACK_CHUNKS * ENTRY_LENGTH + 256;
const OPEN_FOOTER: usize = 24 + TAG_LENGTH;
/// The key id's distance from the end.
const KEY_FROM_END: usize = 48;
const OPEN_FRAME_HEADER: usize = 8;
const FRAME_HEADER: usize = NONCE_LENGTH + 1;
const INDEX_PART: u8 = 1;
const FOOTER_PART: u8 = 2;
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

/// What a frame is authenticated as: format, kind and sealing as in the header, and the chunk.
fn frame_of(id: &ChunkId) -> [u8; 44] {
    let mut associated = [0; 44];
    associated[..12].copy_from_slice(&format::prefix(Kind::Pack, true));
    associated[12..].copy_from_slice(id);
    associated
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
            scratch: vec![0; FRAME_HEADER + CHUNK_SIZE + SEAL_LENGTH],
        })
    }

    /// The frame of one chunk of at most [`CHUNK_SIZE`] bytes.
    pub fn frame(&mut self, key: &Key, id: &ChunkId, chunk: &[u8]) -> Vec<u8> {
        let Some(sealer) = key.sealer() else {
            let length = self.compress(OPEN_FRAME_HEADER, 0, chunk);
            self.scratch[1..4].fill(0);
            let crc = frame_crc(&self.scratch[..length]);
            self.scratch[4..8].copy_from_slice(&crc.to_le_bytes());
            return self.scratch[..length].to_vec();
        };
        let length = self.compress(FRAME_HEADER, NONCE_LENGTH, chunk);
        let (nonce, tag) =
            sealer.seal_in_place(&frame_of(id), &mut self.scratch[NONCE_LENGTH..length]);
        self.scratch[..NONCE_LENGTH].copy_from_slice(&nonce);
        self.scratch[length..length + SEAL_LENGTH].copy_from_slice(&tag);
        self.scratch[..length + SEAL_LENGTH].to_vec()
    }

    /// Puts the payload at `start` and its codec at `codec`; gives where the payload ends.
    fn compress(&mut self, start: usize, codec: usize, chunk: &[u8]) -> usize {
        // "Where it helps" is by a 64th: below that, reading it back costs more than the room is worth. The buffer is
        // that much shorter, so zstd itself gives up early.
        let limit = start + chunk.len() - chunk.len() / 64;
        match self
            .zstd
            .compress_to_buffer(chunk, &mut self.scratch[start..limit])
        {
            Ok(length) => {
                self.scratch[codec] = CODEC_ZSTD;
                start + length
            }
            Err(_) => {
                self.scratch[codec] = CODEC_RAW;
                self.scratch[start..start + chunk.len()].copy_from_slice(chunk);
                start + chunk.len()
            }
        }
    }
}

fn frame_crc(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[OPEN_FRAME_HEADER..])
}

/// Takes frames apart. One a thread.
pub struct FrameReader {
    zstd: zstd::bulk::Decompressor<'static>,
    scratch: Vec<u8>,
}

impl FrameReader {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Decompressor::new()?,
            scratch: Vec::new(),
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
        if frame.len() != entry.length as usize {
            return Err(damage("it is cut off"));
        }
        let opened = match key.sealer() {
            Some(sealer) => unseal(&mut self.scratch, sealer, &entry.id, frame),
            None => open_frame(frame),
        };
        let (codec, payload) = opened.map_err(damage)?;
        let filled = match codec {
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

/// Codec and payload of a sealed frame, which are left in `scratch`.
fn unseal<'s>(
    scratch: &'s mut Vec<u8>,
    sealer: &Sealer,
    id: &ChunkId,
    frame: &[u8],
) -> Result<(u8, &'s [u8]), &'static str> {
    if frame.len() <= FRAME_HEADER + SEAL_LENGTH {
        return Err("it is cut off");
    }
    let (nonce, rest) = frame.split_at(NONCE_LENGTH);
    let (sealed, tag) = rest.split_at(rest.len() - SEAL_LENGTH);
    scratch.clear();
    scratch.extend_from_slice(sealed);
    if !sealer.open_in_place(&frame_of(id), nonce, tag, scratch) {
        return Err("its authentication tag does not fit");
    }
    match scratch.split_first() {
        Some((codec, payload)) => Ok((*codec, payload)),
        None => Err("it is cut off"),
    }
}

/// Codec and payload of a frame that is not sealed.
fn open_frame(frame: &[u8]) -> Result<(u8, &[u8]), &'static str> {
    if frame.len() <= OPEN_FRAME_HEADER {
        return Err("it is cut off");
    }
    let mut crc = [0; 4];
    crc.copy_from_slice(&frame[4..8]);
    if frame[1..4] != [0; 3] || u32::from_le_bytes(crc) != frame_crc(frame) {
        return Err("its checksum does not fit");
    }
    Ok((frame[0], &frame[OPEN_FRAME_HEADER..]))
}

/// A pack that is being filled.
pub struct PackWriter {
    id: ObjectId,
    organization: OrganizationId,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl PackWriter {
    pub fn new(key: &Key, organization: OrganizationId) -> Self {
        let id = ObjectId::new();
        // With the longest index: to grow at the end would take twice the memory. What is not written takes none.
        let mut bytes = Vec::with_capacity(LARGEST);
        bytes.extend_from_slice(&format::header(Kind::Pack, key, organization, id));
        Self {
            id,
            organization,
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
        let mut index = Vec::with_capacity(self.entries.len() * ENTRY_LENGTH);
        for entry in &self.entries {
            index.extend_from_slice(&entry.id);
            index.extend_from_slice(&entry.offset.to_le_bytes());
            index.extend_from_slice(&entry.length.to_le_bytes());
        }
        let mut place = [0; 8];
        place[..4].copy_from_slice(&(index_offset as u32).to_le_bytes());
        place[4..].copy_from_slice(&(self.entries.len() as u32).to_le_bytes());
        let header = format::header(Kind::Pack, key, self.organization, self.id);
        if let Some(sealer) = key.sealer() {
            let sealed = sealer.seal(&[&header, &[INDEX_PART]], &index);
            self.bytes.extend_from_slice(&sealed);
            let part = [&header[..], &[FOOTER_PART]].concat();
            let (nonce, tag) = sealer.seal_in_place(&part, &mut place);
            self.bytes.extend_from_slice(&tag);
            self.bytes.extend_from_slice(&key.id().to_bytes());
            self.bytes.extend_from_slice(&nonce);
            self.bytes.extend_from_slice(&place);
        } else {
            self.bytes.extend_from_slice(&index);
            self.bytes.extend_from_slice(&place);
            self.bytes.extend_from_slice(&key.id().to_bytes());
            let tag = key.tag(&[&header, &self.bytes[index_offset..]]);
            self.bytes.extend_from_slice(&tag);
        }
        (self.bytes, self.entries)
    }
}

/// What a footer says. That of a sealed pack is authenticated, the other with the index alone.
pub struct Footer {
    /// Offset of the index.
    pub index_offset: u32,
    count: u32,
}

impl Footer {
    /// Length of the pack's part from the index to the end, in bytes.
    const fn end_length(&self, key: &Key) -> u64 {
        let around = if key.is_sealing() {
            NONCE_LENGTH + SEAL_LENGTH + FOOTER_LENGTH
        } else {
            OPEN_FOOTER
        };
        self.count as u64 * ENTRY_LENGTH as u64 + around as u64
    }
}

/// The key that a pack names, from its last bytes.
pub fn footer_key(tail: &[u8]) -> Result<ObjectId, Damage> {
    let start = tail.len().checked_sub(KEY_FROM_END);
    let mut cursor = Cursor::new(&tail[start.ok_or(Damage::Truncated)?..]);
    Ok(ObjectId::from_bytes(cursor.array()?))
}

/// Reads the footer from the last bytes of a pack of `size` bytes; `key` is the one that it names.
pub fn footer(
    key: &Key,
    organization: OrganizationId,
    id: ObjectId,
    tail: &[u8],
    size: u64,
) -> Result<Footer, Damage> {
    let length = if key.is_sealing() {
        FOOTER_LENGTH
    } else {
        OPEN_FOOTER
    };
    let start = tail.len().checked_sub(length).ok_or(Damage::Truncated)?;
    let mut cursor = Cursor::new(&tail[start..]);
    let mut place = [0; 8];
    if let Some(sealer) = key.sealer() {
        let tag = cursor.take(SEAL_LENGTH)?;
        cursor.take(16)?;
        let nonce = cursor.take(NONCE_LENGTH)?;
        place = cursor.array()?;
        let header = format::header(Kind::Pack, key, organization, id);
        let part = [&header[..], &[FOOTER_PART]].concat();
        if !sealer.open_in_place(&part, nonce, tag, &mut place) {
            return Err(Damage::Authentication);
        }
    } else {
        place.copy_from_slice(cursor.take(8)?);
    }
    let mut cursor = Cursor::new(&place);
    let footer = Footer {
        index_offset: cursor.u32()?,
        count: cursor.u32()?,
    };
    if u64::from(footer.index_offset) + footer.end_length(key) != size
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
    if end.len() as u64 != footer.end_length(key) {
        return Err(Damage::Truncated);
    }
    let header = format::header(Kind::Pack, key, organization, id);
    let opened;
    let entries = if let Some(sealer) = key.sealer() {
        let sealed = &end[..end.len() - FOOTER_LENGTH];
        opened = sealer
            .open(&[&header, &[INDEX_PART]], sealed)
            .ok_or(Damage::Authentication)?;
        &opened[..]
    } else {
        let (content, tag) = end.split_at(end.len() - TAG_LENGTH);
        if !key.fits(&[&header, content], tag) {
            return Err(Damage::Authentication);
        }
        &content[..content.len() - (OPEN_FOOTER - TAG_LENGTH)]
    };
    let longest = CHUNK_SIZE
        + if key.is_sealing() {
            FRAME_HEADER + SEAL_LENGTH
        } else {
            OPEN_FRAME_HEADER
        };
    read_entries(entries, footer, longest)
}

fn read_entries(bytes: &[u8], footer: &Footer, longest: usize) -> Result<Vec<Entry>, Damage> {
    let mut cursor = Cursor::new(bytes);
    let mut entries = Vec::with_capacity((footer.count as usize).min(PACK_CHUNKS));
    let mut next = HEADER_LENGTH as u32;
    for _ in 0..footer.count {
        let entry = Entry {
            id: cursor.array()?,
            offset: cursor.u32()?,
            length: cursor.u32()?,
        };
        if entry.offset != next || entry.length as usize > longest {
            return Err(Damage::Invalid {
                what: "its index has gaps or impossible lengths",
            });
        }
        next += entry.length;
        entries.push(entry);
    }
    if next != footer.index_offset || cursor.left() != 0 {
        return Err(Damage::Invalid {
            what: "its index does not cover its chunks",
        });
    }
    Ok(entries)
}
