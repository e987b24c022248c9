//! The serial console's log: what the guest wrote, by absolute offset.
//!
//! QEMU appends. An offset once given stays true: old bytes are not cut off but made a hole, which takes no room.

use super::{Error, folder::SERIAL};
use rustix::{
    fs::{FallocateFlags, SeekFrom},
    io::Errno,
};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// How much of the log is kept, in bytes.
const KEPT: u64 = 4 << 20;
/// Holes begin and end at multiples of this, so that whole blocks of any file system go.
const GRAIN: u64 = 64 << 10;
/// Most bytes one read gives.
const MAX_READ: usize = 1 << 20;

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialChunk {
    /// Offset of the first byte given. Later than asked for when what was asked for is no longer kept.
    pub from: u64,
    /// What the guest wrote: any bytes at all.
    pub bytes: Vec<u8>,
    /// Offset behind the last byte there is; `from + bytes.len()` when nothing is left to read.
    pub end: u64,
    /// Offset of the first byte that is still there.
    pub kept_from: u64,
}

/// The log in an instance's folder; it need not exist yet.
#[derive(Debug, Clone)]
pub struct Serial {
    path: PathBuf,
}

impl Serial {
    /// The log of the instance with this folder.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self {
            path: folder.join(SERIAL),
        }
    }

    /// Reads at most `max` bytes (and never more than 1 MiB) from an offset, or the last `max` when there is none. An
    /// offset behind the end gives no bytes and the end.
    ///
    /// # Errors
    /// [`Error::Io`]. A log that does not exist is empty, not an error.
    pub fn read(&self, from: Option<u64>, max: usize) -> Result<SerialChunk, Error> {
        let Some(log) = self.file(false)? else {
            return Ok(SerialChunk {
                from: 0,
                bytes: Vec::new(),
                end: 0,
                kept_from: 0,
            });
        };
        let (kept_from, end) = self.bounds(&log)?;
        let max = max.min(MAX_READ);
        let from = from
            .unwrap_or_else(|| end.saturating_sub(max as u64))
            .clamp(kept_from, end);
        let length = usize::try_from(end - from).map_or(max, |left| left.min(max));
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            match log.read_at(&mut bytes[read..], from + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.path)(error)),
            }
        }
        bytes.truncate(read);
        Ok(SerialChunk {
            from,
            bytes,
            end,
            kept_from,
        })
    }

    /// Gives back the room of all but the last 4 MiB or so. A running [`Machine`](super::Machine) does it by itself from
    /// time to time.
    ///
    /// # Errors
    /// [`Error::Io`], also where the file system cannot make holes.
    pub fn trim(folder: &Path) -> Result<(), Error> {
        Self::open(folder).trim_file()
    }

    /// Any other log that is appended to.
    pub(super) fn of_file(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn trim_file(&self) -> Result<(), Error> {
        let Some(log) = self.file(true)? else {
            return Ok(());
        };
        let (kept_from, end) = self.bounds(&log)?;
        let cut = end.saturating_sub(KEPT) / GRAIN * GRAIN;
        if cut <= kept_from {
            return Ok(());
        }
        rustix::fs::fallocate(
            &log,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            0,
            cut,
        )
        .map_err(|error| Error::io("make a hole in", &self.path)(error.into()))
    }

    fn file(&self, write: bool) -> Result<Option<File>, Error> {
        match File::options().read(true).write(write).open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &self.path)(error)),
        }
    }

    /// The first byte that is there, and the end.
    fn bounds(&self, log: &File) -> Result<(u64, u64), Error> {
        let end = log
            .metadata()
            .map_err(Error::io("look at", &self.path))?
            .len();
        match rustix::fs::seek(log, SeekFrom::Data(0)) {
            Ok(first) => Ok((first.min(end), end)),
            // Nothing but a hole, or nothing.
            Err(Errno::NXIO) => Ok((end, end)),
            // A file system that does not know holes has none.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok((0, end)),
            Err(error) => Err(Error::io("look for the first byte of", &self.path)(
                error.into(),
            )),
        }
    }
}
