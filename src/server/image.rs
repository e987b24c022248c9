//! A new file as a disk: what a snapshot is restored to on the command line.

use crate::engine::block::{Allocation, BlockDevice, DeviceError, Extent, ZeroOptions};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A raw image, sparse where the disk is zero. Until [`Image::keep`] it goes away with the value.
pub struct Image {
    path: PathBuf,
    file: File,
    size: u64,
    kept: AtomicBool,
}

impl Image {
    /// Makes the file, which must not be there: nothing is ever written over. Readable by its owner alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, size: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let image = Self {
            path: path.to_owned(),
            file,
            size,
            kept: AtomicBool::new(false),
        };
        image.file.set_len(size)?;
        Ok(image)
    }

    /// It is whole, and stays. Durable when this returns well.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep(&self) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()?;
        self.kept.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn check(&self, offset: u64, length: u64) -> Result<(), DeviceError> {
        if offset
            .checked_add(length)
            .is_some_and(|end| end <= self.size)
        {
            return Ok(());
        }
        Err(DeviceError::OutOfRange {
            offset,
            length,
            size: self.size,
        })
    }

    fn failed(&self, doing: &str, offset: u64, error: io::Error) -> DeviceError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DeviceError::NoSpace,
            _ => DeviceError::Io {
                context: format!("{doing} {} at byte {offset}", self.path.display()),
                source: Some(error),
            },
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            // Half a disk must not look like a whole one.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl BlockDevice for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.check(offset, buffer.len() as u64)?;
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|error| self.failed("reading", offset, error))
    }

    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> {
        self.check(offset, data.len() as u64)?;
        self.file
            .write_all_at(data, offset)
            .map_err(|error| self.failed("writing", offset, error))?;
        if fua { self.flush() } else { Ok(()) }
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.file
            .sync_data()
            .map_err(|error| self.failed("syncing", 0, error))
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError> {
        self.write_zeroes(
            offset,
            length,
            ZeroOptions {
                fua,
                ..ZeroOptions::default()
            },
        )
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        self.check(offset, length)?;
        if options.fast_only {
            return Err(DeviceError::NotFast);
        }
        let zeros = vec![0; 1 << 16];
        let mut at = offset;
        while at < offset + length {
            let step = (offset + length - at).min(zeros.len() as u64);
            self.write_at(at, &zeros[..step as usize], false)?;
            at += step;
        }
        if options.fua { self.flush() } else { Ok(()) }
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        self.check(offset, length)?;
        // It was made a moment ago: where nothing was written yet it is all hole, and nobody asks about the rest.
        Ok(vec![Extent {
            range: offset..offset + length,
            allocation: Allocation::Hole,
        }])
    }
}
