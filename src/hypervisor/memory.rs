//! The file that keeps a guest's memory: QEMU's stream, compressed piece by piece after the guest runs on again.
//!
//! ```text
//! header
//!   0  8  magic "REPRISEM"
//!   8  2  format version (0: may still change without migration until a release is tagged)
//!  10  2  zero
//!  12  4  length of the description, n
//!  16  8  bytes of the stream
//!  24  4  number of frames: one for each 4 MiB of the stream, the last one shorter
//!  28  4  zero
//!  32  n  description: JSON of `About`
//!  32+n 32 BLAKE3 of all that stands before
//! frame, one after the other
//!   0  4  number of the frame, from 0
//!   4  4  bytes of the stream in it
//!   8  4  bytes of it in the file, m
//!  12  m  zstd
//!  12+m 32 BLAKE3 of the header's hash and of all of the frame that stands before: no frame fits another file or place
//! ```
//! Integers are little-endian. The file ends with the last frame.
//!
//! # What holds
//! - A file under its name is whole: it is written under another, synced, renamed, and its folder synced.
//! - What is handed out of a frame was proved by its hash first. Damage is named with file and offset.
//! - Memory in use: 9 MiB for each processor, of eight at most, and for two more.
//!
//! # A crash
//! Leaves a file whose name ends in `.tmp`, for the owner of the folder to remove.

mod fill;
mod order;
mod stream;

use super::{Accelerator, Error};
use crate::domain::size::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    ops::ControlFlow,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

pub(super) use fill::Place;
use order::{Buffers, Hurry, in_order};
pub(super) use stream::Page;

const MAGIC: &[u8; 8] = b"REPRISEM";
const VERSION: u16 = 0;
/// Bytes of the stream in a frame.
const PIECE: usize = 4 << 20;
/// Room for what zstd cannot make smaller.
const MOST_PACKED: usize = PIECE + (PIECE >> 4);
const HASH: usize = 32;
const FIXED: usize = 32;
const FRAME_HEAD: usize = 12;
/// Longer than any description.
const MOST_DESCRIPTION: usize = 16 << 10;
/// The quickest that is worth it: what is kept is to be there soon, and to be back sooner.
const LEVEL: i32 = 1;

/// What a memory is of. It can only go on in a machine of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The guest's memory.
    pub ram: Bytes,
    /// QEMU's version.
    pub qemu: String,
    /// Versioned machine type.
    pub machine: String,
    /// CPU model with its features.
    pub cpu: String,
    /// What computed the guest.
    pub accelerator: Accelerator,
}

/// A memory was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Bytes of the file.
    pub bytes: u64,
}

/// A memory that can be read. Its header was proved; each frame is when it is read.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    about: About,
    stream: u64,
    frames: u32,
    hash: [u8; HASH],
    /// Where the first frame stands.
    start: u64,
    file: File,
}

/// Compresses QEMU's stream in `raw` into the file `to`, on all processors. `tell` hears how many bytes of the stream are
/// done, and may break off. `raw` stays.
///
/// # Errors
/// [`Error::Io`]; [`Error::Cancelled`]. Nothing is left under either name then.
pub fn pack(
    raw: &Path,
    to: &Path,
    about: &About,
    tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Packed, Error> {
    let mut name = OsString::from(to.as_os_str());
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let result = write(raw, &temporary, about, tell).and_then(|packed| {
        fs::rename(&temporary, to).map_err(Error::io("rename", &temporary))?;
        let folder = to.parent().unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::io("sync", folder))?;
        Ok(packed)
    });
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn write(
    raw: &Path,
    to: &Path,
    about: &About,
    tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Packed, Error> {
    let reading = Error::io("read", raw);
    let source = File::open(raw).map_err(Error::io("open", raw))?;
    let stream = source.metadata().map_err(reading)?.len();
    let frames = u32::try_from(stream.div_ceil(PIECE as u64))
        .map_err(|_| Error::io("pack", raw)(io::ErrorKind::FileTooLarge.into()))?;
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)
        .map_err(Error::io("make", to))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut bytes = 0_u64;
    let mut put = |piece: &[u8]| {
        bytes += piece.len() as u64;
        out.write_all(piece).map_err(Error::io("write", to))
    };
    let header = header(stream, frames, about);
    let hash = *blake3::hash(&header).as_bytes();
    put(&header)?;
    put(&hash)?;
    let mut done = 0_u64;
    let work = |number: u32, buffers: &mut Buffers| {
        let offset = u64::from(number) * PIECE as u64;
        let length = usize::try_from(stream - offset).unwrap_or(PIECE).min(PIECE);
        buffers.plain.resize(length, 0);
        source
            .read_exact_at(&mut buffers.plain, offset)
            .map_err(Error::io("read", raw))?;
        buffers.packed.clear();
        buffers
            .packed
            .reserve(zstd::zstd_safe::compress_bound(PIECE));
        zstd::bulk::Compressor::new(LEVEL)
            .and_then(|mut zstd| zstd.compress_to_buffer(&buffers.plain, &mut buffers.packed))
            .map_err(Error::io("compress", raw))?;
        let head = frame_head(number, length, buffers.packed.len());
        let proof = frame_hash(&hash, &head, &buffers.packed);
        buffers.packed.extend_from_slice(&proof);
        Ok(())
    };
    let mut number = 0;
    in_order(raw, frames, Hurry::None, Ok, work, &mut |buffers| {
        let length = buffers.packed.len() - HASH;
        put(&frame_head(number, buffers.plain.len(), length))?;
        put(&buffers.packed)?;
        number += 1;
        done += buffers.plain.len() as u64;
        match tell(done) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    })?;
    let file = out
        .into_inner()
        .map_err(|error| Error::io("write", to)(error.into_error()))?;
    file.sync_all().map_err(Error::io("sync", to))?;
    Ok(Packed { bytes })
}

fn header(stream: u64, frames: u32, about: &About) -> Vec<u8> {
    // Plain values: they are always JSON.
    let description = serde_json::to_vec(about).unwrap_or_default();
    let mut header = Vec::with_capacity(FIXED + description.len());
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[0; 2]);
    header.extend_from_slice(
        &u32::try_from(description.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    header.extend_from_slice(&stream.to_le_bytes());
    header.extend_from_slice(&frames.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&description);
    header
}

/// The lengths are of one piece: they fit.
fn frame_head(number: u32, stream: usize, packed: usize) -> [u8; FRAME_HEAD] {
    let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut head = [0; FRAME_HEAD];
    head[..4].copy_from_slice(&number.to_le_bytes());
    head[4..8].copy_from_slice(&short(stream));
    head[8..].copy_from_slice(&short(packed));
    head
}

fn frame_hash(file: &[u8; HASH], head: &[u8; FRAME_HEAD], packed: &[u8]) -> [u8; HASH] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(file);
    hasher.update(head);
    hasher.update(packed);
    *hasher.finalize().as_bytes()
}

fn number_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut number = [0; N];
    if let Some(found) = bytes.get(at..at + N) {
        number.copy_from_slice(found);
    }
    number
}

/// Opens a memory and proves its header.
///
/// # Errors
/// [`Error::Io`]; [`Error::Damaged`].
pub fn open(path: &Path) -> Result<Image, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let damaged = |offset: u64, what: &'static str| Error::Damaged {
        path: path.to_owned(),
        offset,
        what,
    };
    let read = |file: &mut File, into: &mut [u8], offset: u64| {
        file.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(offset, "it ends early"),
            _ => Error::io("read", path)(error),
        })
    };
    let mut header = vec![0; FIXED];
    read(&mut file, &mut header, 0)?;
    if !header.starts_with(MAGIC) {
        return Err(damaged(0, "it is no memory of a guest"));
    }
    if u16::from_le_bytes(number_at(&header, 8)) > VERSION {
        return Err(damaged(8, "it was written by a later version"));
    }
    let length = u32::from_le_bytes(number_at(&header, 12)) as usize;
    if length > MOST_DESCRIPTION {
        return Err(damaged(12, "its header is damaged"));
    }
    header.resize(FIXED + length, 0);
    if let Some(description) = header.get_mut(FIXED..) {
        read(&mut file, description, FIXED as u64)?;
    }
    let mut hash = [0; HASH];
    read(&mut file, &mut hash, header.len() as u64)?;
    if blake3::hash(&header) != blake3::Hash::from_bytes(hash) {
        return Err(damaged(0, "its header is damaged"));
    }
    let about = serde_json::from_slice(header.get(FIXED..).unwrap_or_default())
        .map_err(|_| damaged(FIXED as u64, "its description cannot be read"))?;
    let stream = u64::from_le_bytes(number_at(&header, 16));
    let frames = u32::from_le_bytes(number_at(&header, 24));
    if u64::from(frames) != stream.div_ceil(PIECE as u64) {
        return Err(damaged(24, "its number of frames is wrong"));
    }
    Ok(Image {
        path: path.to_owned(),
        about,
        stream,
        frames,
        hash,
        start: (header.len() + HASH) as u64,
        file,
    })
}

impl Image {
    /// What it is of.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Bytes of QEMU's stream.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        self.stream
    }

    /// Hands the stream to `take`, proved piece by piece, in order. Processors work ahead of it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Damaged`]; what `take` says.
    pub fn read(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        self.frames(
            |frame, buffers| self.unpack_frame(&frame, buffers),
            &mut |buffers| take(&buffers.plain),
        )
    }

    /// Proves that all of it is as it was written, and keeps nothing. `tell` hears how many bytes of the stream are done,
    /// and may break off.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Damaged`]; [`Error::Cancelled`].
    pub fn prove(&self, tell: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<(), Error> {
        let mut done = 0_u64;
        self.frames(
            |frame, buffers| self.prove_frame(&frame, buffers),
            &mut |_| {
                done = self.stream.min(done + PIECE as u64);
                match tell(done) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(Error::Cancelled),
                }
            },
        )
    }

    /// Goes through the frames. Where one stands follows from the lengths of those before it, which are not proved yet: a
    /// wrong one leads astray, and the frame that says it is the first that cannot be proved.
    fn frames(
        &self,
        work: impl Fn(Frame, &mut Buffers) -> Result<(), Error> + Sync,
        take: &mut dyn FnMut(&Buffers) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut offset = self.start;
        let claim = |number: u32| {
            let mut head = [0; FRAME_HEAD];
            self.read_at(&mut head, offset, offset)?;
            let length = u32::from_le_bytes(number_at(&head, 8)) as usize;
            if length > MOST_PACKED {
                return Err(self.damaged(offset, "a frame is damaged"));
            }
            let frame = Frame {
                number,
                offset,
                head,
                bytes: u32::from_le_bytes(number_at(&head, 4)) as usize,
                length,
            };
            offset += (FRAME_HEAD + length + HASH) as u64;
            Ok(frame)
        };
        in_order(&self.path, self.frames, Hurry::Great, claim, work, take)
    }

    /// Proves a frame and decompresses it.
    fn unpack_frame(&self, frame: &Frame, buffers: &mut Buffers) -> Result<(), Error> {
        self.prove_frame(frame, buffers)?;
        let damaged = |what| self.damaged(frame.offset, what);
        buffers.plain.clear();
        buffers.plain.reserve(PIECE);
        zstd::bulk::Decompressor::new()
            .and_then(|mut zstd| zstd.decompress_to_buffer(&buffers.packed, &mut buffers.plain))
            .map_err(|_| damaged("a frame cannot be decompressed"))?;
        if buffers.plain.len() == frame.bytes {
            Ok(())
        } else {
            Err(damaged("a frame has another length than it says"))
        }
    }

    /// Reads a frame's bytes and proves that they were written here.
    fn prove_frame(&self, frame: &Frame, buffers: &mut Buffers) -> Result<(), Error> {
        let damaged = |what| self.damaged(frame.offset, what);
        buffers.packed.resize(frame.length + HASH, 0);
        let from = frame.offset + FRAME_HEAD as u64;
        self.read_at(&mut buffers.packed, from, frame.offset)?;
        let proof: [u8; HASH] = number_at(&buffers.packed, frame.length);
        buffers.packed.truncate(frame.length);
        let found = frame_hash(&self.hash, &frame.head, &buffers.packed);
        if blake3::Hash::from_bytes(found) != blake3::Hash::from_bytes(proof) {
            return Err(damaged("a frame is damaged"));
        }
        // Proved: what follows was written so.
        let left = self.stream - u64::from(frame.number) * PIECE as u64;
        let due = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        if u32::from_le_bytes(number_at(&frame.head, 0)) != frame.number || frame.bytes != due {
            return Err(damaged("a frame is out of place"));
        }
        Ok(())
    }

    /// Reads what must be there; `of` is where that stands to which it belongs.
    fn read_at(&self, into: &mut [u8], offset: u64, of: u64) -> Result<(), Error> {
        self.file
            .read_exact_at(into, offset)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.damaged(of, "it ends early"),
                _ => Error::io("read", &self.path)(error),
            })
    }

    fn damaged(&self, offset: u64, what: &'static str) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            offset,
            what,
        }
    }
}

/// A frame as its head says; nothing of it is proved.
struct Frame {
    number: u32,
    /// Where it stands in the file.
    offset: u64,
    head: [u8; FRAME_HEAD],
    /// Bytes of the stream in it.
    bytes: usize,
    /// Bytes of it in the file.
    length: usize,
}
