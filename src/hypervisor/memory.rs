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
//! - Memory in use: eight pieces a processor while packing, four frames while reading.
//!
//! # A crash
//! Leaves a file whose name ends in `.tmp`, for the owner of the folder to remove.

use super::{Accelerator, Error};
use crate::domain::size::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    ops::ControlFlow,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
};

const MAGIC: &[u8; 8] = b"REPRISEM";
const VERSION: u16 = 0;
/// Bytes of the stream in a frame.
const PIECE: usize = 4 << 20;
/// Room for what zstd cannot make smaller.
const MOST_PACKED: usize = PIECE + (PIECE >> 4);
const HASH: usize = 32;
const FIXED: usize = 32;
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
    let mut source = File::open(raw).map_err(Error::io("open", raw))?;
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
    let workers = thread::available_parallelism().map_or(2, |count| count.get().min(8));
    let (mut number, mut done) = (0, 0_u64);
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while number < frames {
        pieces.clear();
        for _ in 0..workers * 4 {
            let left = stream - done - pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            if left == 0 {
                break;
            }
            let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
            source
                .read_exact(&mut piece)
                .map_err(Error::io("read", raw))?;
            pieces.push(piece);
        }
        let packed = thread::scope(|scope| {
            let jobs: Vec<_> = pieces
                .chunks(pieces.len().div_ceil(workers).max(1))
                .map(|some| {
                    scope.spawn(move || {
                        some.iter()
                            .map(|piece| zstd::bulk::compress(piece, LEVEL))
                            .collect::<io::Result<Vec<_>>>()
                    })
                })
                .collect();
            let mut all = Vec::new();
            for job in jobs {
                let some = job
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread ended early")))?;
                all.extend(some);
            }
            Ok::<_, io::Error>(all)
        })
        .map_err(Error::io("compress", raw))?;
        for (piece, packed) in pieces.iter().zip(packed) {
            let head = frame_head(number, piece.len(), packed.len());
            put(&head)?;
            put(&packed)?;
            put(&frame_hash(&hash, &head, &packed))?;
            number += 1;
            done += piece.len() as u64;
        }
        if tell(done).is_break() {
            return Err(Error::Cancelled);
        }
    }
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
fn frame_head(number: u32, stream: usize, packed: usize) -> [u8; 12] {
    let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut head = [0; 12];
    head[..4].copy_from_slice(&number.to_le_bytes());
    head[4..8].copy_from_slice(&short(stream));
    head[8..].copy_from_slice(&short(packed));
    head
}

fn frame_hash(file: &[u8; HASH], head: &[u8; 12], packed: &[u8]) -> [u8; HASH] {
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

    /// Hands the stream to `take`, proved piece by piece, in order.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Damaged`]; what `take` says.
    pub fn read(&self, take: &mut dyn FnMut(Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        use std::io::{Seek, SeekFrom};
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start))
            .map_err(Error::io("read", &self.path))?;
        let mut source = BufReader::with_capacity(1 << 20, file);
        let mut offset = self.start;
        let mut left = self.stream;
        for number in 0..self.frames {
            let damaged = |what: &'static str| Error::Damaged {
                path: self.path.clone(),
                offset,
                what,
            };
            let mut read = |into: &mut [u8]| {
                source.read_exact(into).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => damaged("it ends early"),
                    _ => Error::io("read", &self.path)(error),
                })
            };
            let mut head = [0; 12];
            read(&mut head)?;
            let length = u32::from_le_bytes(number_at(&head, 8)) as usize;
            if length > MOST_PACKED {
                return Err(damaged("a frame is damaged"));
            }
            let mut packed = vec![0; length];
            read(&mut packed)?;
            let mut hash = [0; HASH];
            read(&mut hash)?;
            let proved = blake3::Hash::from_bytes(frame_hash(&self.hash, &head, &packed));
            if proved != blake3::Hash::from_bytes(hash) {
                return Err(damaged("a frame is damaged"));
            }
            // Proved: what follows was written so.
            let bytes = u32::from_le_bytes(number_at(&head, 4)) as usize;
            let due = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            if u32::from_le_bytes(number_at(&head, 0)) != number || bytes != due {
                return Err(damaged("a frame is out of place"));
            }
            let piece = zstd::bulk::decompress(&packed, PIECE)
                .map_err(|_| damaged("a frame cannot be decompressed"))?;
            if piece.len() != bytes {
                return Err(damaged("a frame has another length than it says"));
            }
            offset += (head.len() + length + HASH) as u64;
            left -= bytes as u64;
            take(piece)?;
        }
        Ok(())
    }
}
