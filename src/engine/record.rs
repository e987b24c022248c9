//! The format of the presence log of an open layer, and how one is read: which blocks came into the layer since it was
//! made, and up to where that is durable.
//!
//! # `layers/<id>.log`, little-endian
//! ```text
//!    0  magic "RPRSLOG\0"                     512  poison: 1 after a failed sync (u8)
//!    8  format version (u32)                 4096  slots of 32 bytes:
//!   12  crc32c of bytes 0..128 with              0  kind: 1 data, 2 zeros, 3 mark; 0 = nothing yet (u8)
//!       this field zero                          1  zeros
//!   16  layer (u64)                              4  number of this slot (u32)
//!   24  parent, 0 for none (u64)                 8  layer (u64)
//!   32  volume (16 bytes)                       16  first block; of a mark: the slot where it ends (u32)
//!   48  size in bytes (u64)                     20  number of blocks; of a mark: 0 (u32)
//!   56  slots it began with (u32)               24  slots known to be on stable storage then (u32)
//!   64  boot id (16 bytes)                      28  crc32c of bytes 0..28
//!   80  st_dev (u64)
//!   88  f_fsid (u64)
//!   96  length of the source's name, 0 where there is none (u32); 100  its crc32c (u32); 1024  the name
//! ```
//! The log of a layer whose blocks come from a source has version 1, so that no program takes it for a volume's head that
//! does not know such layers; all others have version 0.
//!
//! The file is written ahead with zeros, so that an append changes no length. A mark with end *n* says: the data of
//! all records in slots below *n* was on stable storage before the mark was written.
//!
//! # Reading one
//! Slots count up to the first that is not whole. That one, and what follows it, may be what a lost machine leaves:
//! zeros, a true prefix of a record, whole records whose neighbours did not reach the disk. Anything else is damage;
//! and so is any slot that is not whole below the number that a whole slot anywhere, or the header, knew to be on
//! stable storage.
//!
//! Of the records that count, a dead *process* loses none: the page cache has them. After a dead *machine* only those
//! below the furthest mark count, because of no other is the data known to be on disk.

use crate::domain::id::VolumeId;
use crate::engine::error::{Error, Result};
use crate::engine::format::{Field, LayerId, VERSION, u32_at, u64_at};
use crate::engine::maps::{Maps, Presence};
use crate::engine::remote::RemoteId;
use crate::engine::storage::{File, Identity};

pub(crate) const MAGIC: [u8; 8] = *b"RPRSLOG\0";
pub(crate) const SLOT: usize = 32;
pub(crate) const FIRST: u64 = 4096;
const HEADER: usize = 128;
/// Where the source's name stands, in bytes.
const NAME: usize = 1024;
/// Version of the log of a layer that has a source.
const WITH_SOURCE: u32 = 1;
/// Where the poison stands, in bytes.
pub(crate) const POISON: u64 = 512;

/// One slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// These blocks are in the layer, as data or as zeros.
    Record {
        presence: Presence,
        first: u32,
        count: u32,
    },
    /// The data of all records in slots below this one is durable.
    Mark(u32),
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LogHeader {
    pub(crate) layer: LayerId,
    pub(crate) parent: Option<LayerId>,
    pub(crate) volume: VolumeId,
    pub(crate) size: u64,
    /// Slots that were there, and on stable storage, when the file got its name.
    pub(crate) initial: u32,
    pub(crate) identity: Identity,
    /// Where the blocks come from that are in no record.
    pub(crate) remote: Option<RemoteId>,
}

/// A log as it stands in its file.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) header: LogHeader,
    /// All slots up to the first that is not whole.
    pub(crate) entries: Vec<Entry>,
    /// The furthest end of a mark among them.
    pub(crate) marked: u32,
    /// A sync of this layer failed in a life before.
    pub(crate) poisoned: bool,
}

pub(crate) fn encode_header(header: &LogHeader) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    out.put(0, &MAGIC);
    let version = if header.remote.is_some() {
        WITH_SOURCE
    } else {
        VERSION
    };
    out.put(8, &version.to_le_bytes());
    out.put(16, &header.layer.0.to_le_bytes());
    out.put(
        24,
        &header.parent.map_or(0, |parent| parent.0).to_le_bytes(),
    );
    out.put(32, &header.volume.to_bytes());
    out.put(48, &header.size.to_le_bytes());
    out.put(56, &header.initial.to_le_bytes());
    out.put(64, &header.identity.boot);
    out.put(80, &header.identity.device.to_le_bytes());
    out.put(88, &header.identity.filesystem.to_le_bytes());
    let name = header.remote.as_ref().map_or(&[][..], RemoteId::as_bytes);
    out.put(96, &u32::try_from(name.len()).unwrap_or(0).to_le_bytes());
    out.put(100, &crc32c::crc32c(name).to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.put(12, &crc.to_le_bytes());
    if !name.is_empty() {
        out.resize(NAME, 0);
        out.extend_from_slice(name);
    }
    out
}

pub(crate) fn encode_slot(entry: Entry, number: u32, layer: LayerId, synced: u32) -> [u8; SLOT] {
    let (kind, first, count) = match entry {
        Entry::Record {
            presence: Presence::Zero,
            first,
            count,
        } => (2, first, count),
        Entry::Record { first, count, .. } => (1, first, count),
        Entry::Mark(end) => (3, end, 0),
    };
    let mut slot = [0; SLOT];
    slot.put(0, &[kind]);
    slot.put(4, &number.to_le_bytes());
    slot.put(8, &layer.0.to_le_bytes());
    slot.put(16, &first.to_le_bytes());
    slot.put(20, &count.to_le_bytes());
    slot.put(24, &synced.to_le_bytes());
    let crc = crc32c::crc32c(slot.get(..28).unwrap_or_default());
    slot.put(28, &crc.to_le_bytes());
    slot
}

/// What is in the place of a slot.
pub(crate) enum Found {
    Whole(Entry, u32),
    /// Zeros, or a record cut short: a machine that died leaves such.
    Torn,
    Damaged,
}

pub(crate) fn read_slot(slot: &[u8], number: u32, layer: LayerId, blocks: u64) -> Found {
    let whole_crc = crc32c::crc32c(slot.get(..28).unwrap_or_default());
    if slot.len() == SLOT && u32_at(slot, 28) == whole_crc {
        let (first, count) = (u32_at(slot, 16), u32_at(slot, 20));
        let fits = u64::from(first) + u64::from(count) <= blocks && count > 0;
        let entry = match slot.first() {
            Some(1) if fits => Entry::Record {
                presence: Presence::Data,
                first,
                count,
            },
            Some(2) if fits => Entry::Record {
                presence: Presence::Zero,
                first,
                count,
            },
            Some(3) if first <= number => Entry::Mark(first),
            _ => return Found::Damaged,
        };
        let ours = u32_at(slot, 4) == number && u64_at(slot, 8) == layer.0;
        return if ours {
            Found::Whole(entry, u32_at(slot, 24))
        } else {
            Found::Damaged
        };
    }
    let length = slot
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    if length == 0 {
        return Found::Torn;
    }
    // A true prefix: as far as it goes, it is what would have been written here.
    let mut expected = [0; SLOT];
    expected.put(0, slot);
    expected.put(1, &[0; 3]);
    expected.put(4, &number.to_le_bytes());
    expected.put(8, &layer.0.to_le_bytes());
    expected.put(28, &whole_crc.to_le_bytes());
    let kind = matches!(slot.first(), Some(1..=3));
    if kind && slot.get(..length) == expected.get(..length) {
        Found::Torn
    } else {
        Found::Damaged
    }
}

/// Reads the header of a log from the file's first bytes; `file` only names it in errors.
pub(crate) fn parse_header(file: &str, bytes: &[u8]) -> Result<LogHeader> {
    let header = bytes
        .get(..HEADER)
        .ok_or_else(|| Error::damaged(file, 0, "the header is cut off"))?;
    if header.get(..8) != Some(&MAGIC) {
        return Err(Error::damaged(file, 0, "this is not a log"));
    }
    let mut blank = header.to_vec();
    blank.put(12, &[0; 4]);
    if u32_at(header, 12) != crc32c::crc32c(&blank) {
        return Err(Error::damaged(
            file,
            12,
            "the header's checksum does not match",
        ));
    }
    let version = u32_at(header, 8);
    if version != VERSION && version != WITH_SOURCE {
        return Err(Error::damaged(
            file,
            8,
            format!("format version {version} is not known"),
        ));
    }
    let id16 = |at: usize| {
        header
            .get(at..at + 16)
            .and_then(|id| <[u8; 16]>::try_from(id).ok())
            .unwrap_or_default()
    };
    let remote = if version == WITH_SOURCE {
        let length = usize::try_from(u32_at(header, 96)).unwrap_or(usize::MAX);
        let name = bytes.get(NAME..NAME.saturating_add(length));
        let whole = name.filter(|name| crc32c::crc32c(name) == u32_at(header, 100));
        let remote = whole.and_then(RemoteId::new);
        Some(
            remote
                .ok_or_else(|| Error::damaged(file, NAME as u64, "the source's name is damaged"))?,
        )
    } else {
        None
    };
    Ok(LogHeader {
        remote,
        layer: LayerId(u64_at(header, 16)),
        parent: LayerId::parent(u64_at(header, 24)),
        volume: VolumeId::from_bytes(id16(32)),
        size: u64_at(header, 48),
        initial: u32_at(header, 56),
        identity: Identity {
            boot: id16(64),
            device: u64_at(header, 80),
            filesystem: u64_at(header, 88),
        },
    })
}

/// Reads a whole log.
///
/// # Errors
/// [`Error::Damaged`] with the offset of the first damage.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Parsed> {
    let header = parse_header(file, bytes)?;
    let (parsed, damage) = scan(header, bytes);
    match damage {
        None => Ok(parsed),
        Some((slot, what)) => Err(Error::damaged(file, offset_of(slot), what)),
    }
}

/// What can be had of a damaged log: its whole slots before the damage. Only for `repair`.
pub(crate) fn salvage(header: LogHeader, bytes: &[u8]) -> Parsed {
    scan(header, bytes).0
}

/// The slots up to the first that is not whole, and the first damage.
fn scan(header: LogHeader, bytes: &[u8]) -> (Parsed, Option<(u32, &'static str)>) {
    let body = bytes
        .get(usize::try_from(FIRST).unwrap_or(usize::MAX)..)
        .unwrap_or_default();
    let blocks = header.size / crate::engine::block::BLOCK_SIZE;
    let mut entries = Vec::new();
    let (mut torn, mut damage) = (None, None);
    let (mut known, mut marked) = (header.initial, 0);
    let mut number = 0_u32;
    for slot in body.chunks(SLOT) {
        match read_slot(slot, number, header.layer, blocks) {
            Found::Whole(entry, synced) => {
                known = known.max(synced);
                if torn.is_none() {
                    if let Entry::Mark(end) = entry {
                        marked = marked.max(end);
                    }
                    entries.push(entry);
                }
            }
            Found::Torn => torn = torn.or(Some(number)),
            Found::Damaged => {
                torn = torn.or(Some(number));
                damage = damage.or(Some((
                    number,
                    "neither a record nor what a crash leaves of one",
                )));
            }
        }
        number = number.saturating_add(1);
    }
    let torn = torn.unwrap_or(number);
    if torn < known {
        damage = damage.or(Some((torn, "a record is gone that was on stable storage")));
    }
    let poisoned = bytes.get(POISON as usize).is_some_and(|flag| *flag != 0);
    (
        Parsed {
            header,
            entries,
            marked,
            poisoned,
        },
        damage,
    )
}

impl Parsed {
    /// The blocks that count: all records after the death of the process alone, else those below the furthest mark.
    pub(crate) fn count(&self, same_life: bool) -> Maps {
        let end = if same_life { u32::MAX } else { self.marked };
        replay(self.entries.iter().take(end as usize))
    }

    /// The records that no mark covers.
    pub(crate) fn unmarked(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(self.marked as usize)
    }
}

pub(crate) fn replay<'a>(entries: impl Iterator<Item = &'a Entry>) -> Maps {
    let mut maps = Maps::default();
    for entry in entries {
        if let Entry::Record {
            presence,
            first,
            count,
        } = entry
        {
            maps.set(*presence, *first..first.saturating_add(*count));
        }
    }
    maps
}

/// Where a slot stands in the file, in bytes.
pub(crate) fn offset_of(slot: u32) -> u64 {
    FIRST + u64::from(slot) * SLOT as u64
}

/// Reads a whole file, up to a length that no log or map of ours passes.
pub(crate) fn read_whole(name: &str, file: &dyn File) -> Result<Vec<u8>> {
    let failed = |source| Error::io("read", name, source);
    let len = file.len().map_err(failed)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= 1 << 33);
    let mut bytes = vec![0; len.ok_or_else(|| Error::damaged(name, 0, "the file is too long"))?];
    let got = file.read_at(&mut bytes, 0).map_err(failed)?;
    bytes.truncate(got);
    Ok(bytes)
}
