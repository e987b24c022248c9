//! Writing much that nobody is about to read, without filling the page cache with it.
//!
//! A write of [`Passing`] goes through the cache as any other, and so agrees with everybody who reads the file; it is on
//! its way to the disk when it returns, and its pages are given back when it is there. It is no more durable than another
//! write: that takes a sync. What this saves is the kernel's search for memory that was not used lately, which on a
//! virtual machine costs several times what copying the bytes does.

use rustix::io::{Errno, ReadWriteFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// `RWF_DONTCACHE` of `<linux/fs.h>`, from Linux 6.14 on.
const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// Writes that pass the cache by where kernel and file system can; remembers where they cannot.
#[derive(Debug, Default)]
pub struct Passing {
    refused: AtomicBool,
}

impl Passing {
    /// Writes all of `data`, or fails having written a part.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write_all_at(&self, file: &File, data: &[u8], offset: u64) -> io::Result<()> {
        let passing = |data: &[u8], offset| {
            rustix::io::pwritev2(file, &[io::IoSlice::new(data)], offset, DONT_CACHE)
        };
        let plain = |data: &[u8], offset| file.write_all_at(data, offset);
        self.write(data, offset, passing, plain)
    }

    /// By `passing`, and what is left once that is refused by `plain`: then, and ever after.
    fn write(
        &self,
        mut data: &[u8],
        mut offset: u64,
        mut passing: impl FnMut(&[u8], u64) -> rustix::io::Result<usize>,
        plain: impl FnOnce(&[u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        while !data.is_empty() {
            if self.refused.load(Ordering::Relaxed) {
                return plain(data, offset);
            }
            match passing(data, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    data = data.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(Errno::INTR) => {}
                // A file system that cannot, a kernel that does not know the flag, one that does not know the call.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                    self.refused.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
