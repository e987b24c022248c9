//! The bytes of the protocol: constants, parsers, writers. Pure: no socket, no clock, no device.
//!
//! Source: the NBD protocol specification, `doc/proto.md` of <https://github.com/NetworkBlockDevice/nbd>. Names here are
//! its names without the `NBD_` prefix. Every number on the wire is big-endian and unsigned.
//!
//! A parser takes bytes that a stranger sent: it answers [`Malformed`] or a value, and never panics.

use super::error::Malformed;

/// The server's first eight bytes, "NBDMAGIC".
pub const INIT_MAGIC: u64 = 0x4e42_444d_4147_4943;
/// "IHAVEOPT": ends the greeting's magic and begins every option.
pub const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
/// Begins every reply to an option.
pub const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// Begins every request.
pub const REQUEST_MAGIC: u32 = 0x2560_9513;
/// Begins a simple reply.
pub const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
/// Begins a chunk of a structured reply.
pub const CHUNK_MAGIC: u32 = 0x668e_33ef;

/// Handshake flags (server, 16 bits) and client flags (32 bits): the same two bits in both.
pub mod handshake_flag {
    /// Options can be refused one by one.
    pub const FIXED_NEWSTYLE: u16 = 1;
    /// The 124 zero bytes after `OPT_EXPORT_NAME` are left out.
    pub const NO_ZEROES: u16 = 1 << 1;
}

/// Options of the handshake.
pub mod option {
    /// Choose an export and begin; has no error reply.
    pub const EXPORT_NAME: u32 = 1;
    /// End the session.
    pub const ABORT: u32 = 2;
    /// Name the exports.
    pub const LIST: u32 = 3;
    /// Describe one export.
    pub const INFO: u32 = 6;
    /// Describe one export and begin.
    pub const GO: u32 = 7;
    /// Answer in structured replies.
    pub const STRUCTURED_REPLY: u32 = 8;
    /// Name the metadata contexts of an export.
    pub const LIST_META_CONTEXT: u32 = 9;
    /// Choose metadata contexts of an export.
    pub const SET_META_CONTEXT: u32 = 10;
}

/// Types of replies to options.
pub mod reply {
    /// Done.
    pub const ACK: u32 = 1;
    /// One export's name.
    pub const SERVER: u32 = 2;
    /// One piece of information on an export.
    pub const INFO: u32 = 3;
    /// One metadata context.
    pub const META_CONTEXT: u32 = 4;
    /// The option is not known here.
    pub const ERR_UNSUP: u32 = (1 << 31) + 1;
    /// Known, and not allowed now.
    pub const ERR_POLICY: u32 = (1 << 31) + 2;
    /// The option's data make no sense.
    pub const ERR_INVALID: u32 = (1 << 31) + 3;
    /// No export of that name.
    pub const ERR_UNKNOWN: u32 = (1 << 31) + 6;
    /// The server is stopping.
    pub const ERR_SHUTDOWN: u32 = (1 << 31) + 7;
    /// The option's data are longer than the server reads.
    pub const ERR_TOO_BIG: u32 = (1 << 31) + 9;
}

/// Types of information in [`reply::INFO`].
pub mod info {
    /// `u16 type, u64 size, u16 transmission flags`.
    pub const EXPORT: u16 = 0;
    /// `u16 type`, then the export's canonical name.
    pub const NAME: u16 = 1;
    /// `u16 type`, then a text for people.
    pub const DESCRIPTION: u16 = 2;
    /// `u16 type, u32 minimum, u32 preferred, u32 maximum`, in bytes.
    pub const BLOCK_SIZE: u16 = 3;
}

/// Transmission flags: what an export can do.
pub mod transmission_flag {
    /// Always set.
    pub const HAS_FLAGS: u16 = 1;
    /// Writes are refused.
    pub const READ_ONLY: u16 = 1 << 1;
    /// `FLUSH` is understood.
    pub const SEND_FLUSH: u16 = 1 << 2;
    /// The FUA flag is understood.
    pub const SEND_FUA: u16 = 1 << 3;
    /// `TRIM` is understood.
    pub const SEND_TRIM: u16 = 1 << 5;
    /// `WRITE_ZEROES` is understood.
    pub const SEND_WRITE_ZEROES: u16 = 1 << 6;
    /// The DF flag is understood.
    pub const SEND_DF: u16 = 1 << 7;
    /// A flush on one connection covers what others wrote.
    pub const CAN_MULTI_CONN: u16 = 1 << 8;
    /// `CACHE` is understood.
    pub const SEND_CACHE: u16 = 1 << 10;
    /// The FAST_ZERO flag is understood.
    pub const SEND_FAST_ZERO: u16 = 1 << 11;
}

/// Types of requests.
pub mod command {
    /// Read bytes.
    pub const READ: u16 = 0;
    /// Write the bytes that follow the request.
    pub const WRITE: u16 = 1;
    /// Finish what is outstanding, then close.
    pub const DISC: u16 = 2;
    /// What was acknowledged becomes durable.
    pub const FLUSH: u16 = 3;
    /// Give bytes up.
    pub const TRIM: u16 = 4;
    /// Read ahead.
    pub const CACHE: u16 = 5;
    /// Write zeroes.
    pub const WRITE_ZEROES: u16 = 6;
    /// Tell what a range holds.
    pub const BLOCK_STATUS: u16 = 7;
}

/// Flags of requests.
pub mod command_flag {
    /// Durable before the answer.
    pub const FUA: u16 = 1;
    /// Keep the room allocated (`WRITE_ZEROES`).
    pub const NO_HOLE: u16 = 1 << 1;
    /// One content chunk only (`READ`).
    pub const DF: u16 = 1 << 2;
    /// One extent a context only (`BLOCK_STATUS`).
    pub const REQ_ONE: u16 = 1 << 3;
    /// Fail rather than be slow (`WRITE_ZEROES`).
    pub const FAST_ZERO: u16 = 1 << 4;
}

/// Types of chunks of a structured reply.
pub mod chunk {
    /// No payload; ends a reply.
    pub const NONE: u16 = 0;
    /// `u64 offset`, then bytes.
    pub const OFFSET_DATA: u16 = 1;
    /// `u64 offset, u32 length` of a range that reads as zero.
    pub const OFFSET_HOLE: u16 = 2;
    /// `u32 context`, then `u32 length, u32 flags` for each extent.
    pub const BLOCK_STATUS: u16 = 5;
    /// `u32 error, u16 length`, then a text.
    pub const ERROR: u16 = (1 << 15) + 1;
    /// As `ERROR`, then `u64 offset`.
    pub const ERROR_OFFSET: u16 = (1 << 15) + 2;
    /// Flag: the last chunk of its reply.
    pub const FLAG_DONE: u16 = 1;
}

/// Flags of an extent in the context `base:allocation`.
pub mod state {
    /// No room is taken.
    pub const HOLE: u32 = 1;
    /// Reads as zero.
    pub const ZERO: u32 = 1 << 1;
}

/// The name of the one metadata context that the specification defines.
pub const BASE_ALLOCATION: &str = "base:allocation";
/// Longest string of the protocol, in bytes.
pub const MAX_STRING: usize = 4096;

/// Errors of the transmission phase: the specification's own numbers, which only look like those of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Errno {
    /// Not permitted: a write to a read-only export.
    Perm = 1,
    /// Input/output error.
    Io = 5,
    /// The request makes no sense.
    Inval = 22,
    /// No room, or a write beyond the end.
    NoSpace = 28,
    /// Not supported, or not fast.
    NotSupported = 95,
    /// The export is going away.
    Shutdown = 108,
}

/// One request, 28 bytes: `u32 magic, u16 flags, u16 type, u64 cookie, u64 offset, u32 length`; a `WRITE` is followed by
/// `length` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Bits of [`command_flag`].
    pub flags: u16,
    /// One of [`command`].
    pub kind: u16,
    /// The client's own mark; the answer carries it.
    pub cookie: u64,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u32,
}

impl Request {
    /// Bytes of a request on the wire.
    pub const SIZE: usize = 28;

    /// Reads a request.
    ///
    /// # Errors
    /// [`Malformed::Magic`]: the stream is out of step and nothing after this can be trusted.
    pub fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        let magic = input.u32()?;
        if magic != REQUEST_MAGIC {
            return Err(Malformed::Magic {
                found: magic.into(),
            });
        }
        Ok(Self {
            flags: input.u16()?,
            kind: input.u16()?,
            cookie: input.u64()?,
            offset: input.u64()?,
            length: input.u32()?,
        })
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Bytes that follow the request on the wire.
    #[must_use]
    pub const fn payload(&self) -> u32 {
        if self.kind == command::WRITE {
            self.length
        } else {
            0
        }
    }

    /// The first byte beyond the range; `None` if there is no such number.
    #[must_use]
    pub const fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.length as u64)
    }
}

/// What precedes an option's data, 16 bytes: `u64 magic, u32 option, u32 length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionHeader {
    /// One of [`option`], or any other number.
    pub option: u32,
    /// Bytes of data that follow.
    pub length: u32,
}

impl OptionHeader {
    /// Bytes of an option's header on the wire.
    pub const SIZE: usize = 16;

    /// Reads an option's header.
    ///
    /// # Errors
    /// [`Malformed::Magic`].
    pub fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        let magic = input.u64()?;
        if magic != OPTION_MAGIC {
            return Err(Malformed::Magic { found: magic });
        }
        Ok(Self {
            option: input.u32()?,
            length: input.u32()?,
        })
    }
}

/// The data of `OPT_INFO` and `OPT_GO`: `u32 length, name, u16 count, count × u16 information type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoRequest {
    /// The export.
    pub name: String,
    /// Bits, one for each of [`info`] that is asked for; types we do not know are dropped.
    pub wanted: u16,
}

impl InfoRequest {
    /// Reads the data of the option.
    ///
    /// # Errors
    /// [`Malformed`] when a length does not fit, or the name is not a string.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(data);
        let name = input.string()?.to_owned();
        let mut wanted = 0;
        for _ in 0..input.u16()? {
            wanted |= 1_u16.checked_shl(input.u16()?.into()).unwrap_or(0);
        }
        input.end()?;
        Ok(Self { name, wanted })
    }

    /// Whether the client asked for this type of information.
    #[must_use]
    pub const fn wants(&self, kind: u16) -> bool {
        kind < 16 && self.wanted & (1 << kind) != 0
    }
}

/// The data of `OPT_LIST_META_CONTEXT` and `OPT_SET_META_CONTEXT`:
/// `u32 length, export name, u32 count, count × (u32 length, query)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaRequest {
    /// The export.
    pub name: String,
    /// Names of contexts; when listing, also `namespace:`.
    pub queries: Vec<String>,
}

impl MetaRequest {
    /// Reads the data of the option.
    ///
    /// # Errors
    /// [`Malformed`] when a length does not fit, or something is not a string.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(data);
        let name = input.string()?.to_owned();
        let count = input.u32()?;
        // Not `with_capacity(count)`: the number is the client's word. Each query takes at least four bytes of the data.
        let mut queries = Vec::new();
        for _ in 0..count {
            queries.push(input.string()?.to_owned());
        }
        input.end()?;
        Ok(Self { name, queries })
    }
}

/// An export's name as `OPT_EXPORT_NAME` carries it: the whole data.
///
/// # Errors
/// [`Malformed::NotAString`].
pub fn parse_name(data: &[u8]) -> Result<&str, Malformed> {
    if data.len() > MAX_STRING || data.contains(&0) {
        return Err(Malformed::NotAString);
    }
    std::str::from_utf8(data).map_err(|_| Malformed::NotAString)
}

/// The greeting, 18 bytes: `u64 "NBDMAGIC", u64 "IHAVEOPT", u16 handshake flags`.
#[must_use]
pub fn greeting() -> [u8; 18] {
    let mut bytes = [0; 18];
    let flags = handshake_flag::FIXED_NEWSTYLE | handshake_flag::NO_ZEROES;
    bytes[..8].copy_from_slice(&INIT_MAGIC.to_be_bytes());
    bytes[8..16].copy_from_slice(&OPTION_MAGIC.to_be_bytes());
    bytes[16..].copy_from_slice(&flags.to_be_bytes());
    bytes
}

/// Appends a reply to an option: `u64 magic, u32 option, u32 type, u32 length, data`; `parts` are the data in order.
pub fn put_option_reply(out: &mut Vec<u8>, option: u32, kind: u32, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&OPTION_REPLY_MAGIC.to_be_bytes());
    out.extend_from_slice(&option.to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    // The parts are our own names and texts, each at most MAX_STRING.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A simple reply without data, 16 bytes: `u32 magic, u32 error, u64 cookie`. An error of 0 is success.
#[must_use]
pub fn simple_reply(cookie: u64, error: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&SIMPLE_REPLY_MAGIC.to_be_bytes());
    bytes[4..8].copy_from_slice(&error.to_be_bytes());
    bytes[8..].copy_from_slice(&cookie.to_be_bytes());
    bytes
}

/// What precedes a chunk's payload, 20 bytes: `u32 magic, u16 flags, u16 type, u64 cookie, u32 length`.
#[must_use]
pub fn chunk_header(kind: u16, done: bool, cookie: u64, length: u32) -> [u8; 20] {
    let mut bytes = [0; 20];
    let flags = if done { chunk::FLAG_DONE } else { 0 };
    bytes[..4].copy_from_slice(&CHUNK_MAGIC.to_be_bytes());
    bytes[4..6].copy_from_slice(&flags.to_be_bytes());
    bytes[6..8].copy_from_slice(&kind.to_be_bytes());
    bytes[8..16].copy_from_slice(&cookie.to_be_bytes());
    bytes[16..].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The longest beginning of `text` that is a string of the protocol.
#[must_use]
pub fn clip(text: &str) -> &str {
    let text = text.split('\0').next().unwrap_or_default();
    let mut end = text.len().min(MAX_STRING);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Bytes still to be parsed.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// `u32 length, bytes`.
    fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.u32()?).map_err(|_| Malformed::Short)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        parse_name(text)
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Long)
        }
    }
}
