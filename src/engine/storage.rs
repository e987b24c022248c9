//! The few things the engine asks of a file system, and the real one. Tests put a simulated one in its place, which
//! keeps what was synced apart from what was only written.
//!
//! Names are paths from the pool's folder. Offsets and lengths are bytes.

use crate::engine::passing::Passing;
use rustix::fs::{FallocateFlags, SeekFrom};
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which life of which machine, and which file system: what must be equal for the page cache to be the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The kernel's boot id; all zeros when it cannot be read, and then it equals none.
    pub(crate) boot: [u8; 16],
    /// `st_dev` of the pool's folder.
    pub(crate) device: u64,
    /// `f_fsid` of its file system.
    pub(crate) filesystem: u64,
}

impl Identity {
    /// Whether the page cache that this identity wrote into is still there.
    pub(crate) fn same_life(&self, other: &Self) -> bool {
        self.boot != [0; 16] && self == other
    }
}

/// Room in the file system, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) total: u64,
    pub(crate) free: u64,
    /// The unit in which the file system gives room.
    pub(crate) unit: u64,
}

/// A folder with files.
pub(crate) trait Storage: Send + Sync {
    /// Opens a file that exists.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Makes an empty file, in the place of one of that name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Gives a file another name, in the place of one that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name; that it is not there is no error.
    fn unlink(&self, name: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// The names in a folder, each from the pool's folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes a folder; that it is there is no error.
    fn make_folder(&self, folder: &str) -> io::Result<()>;
    /// See [`Identity`].
    fn identity(&self) -> io::Result<Identity>;
    /// See [`Room`].
    fn room(&self) -> io::Result<Room>;
    /// What carries it, by its name.
    fn file_system(&self) -> Option<&'static str> {
        None
    }
}

/// An open file. No method has a cursor: all may be called from many threads.
pub(crate) trait File: Send + Sync {
    /// Fills `buffer` as far as the file reaches; the number of bytes filled.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `data`, or fails having written a part.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// As [`File::write_at`], for much that nobody is about to read: it does not stay in the page cache where that can
    /// be helped.
    fn write_passing(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends (with a hole).
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Data and length are on stable storage when it returns.
    fn sync_data(&self) -> io::Result<()>;
    /// Gives the room of a range back; it reads as zero.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;
    /// The next byte from `offset` on that is not in a hole.
    fn next_data(&self, offset: u64) -> io::Result<Option<u64>>;
    /// The next byte from `offset` on that is in a hole (the end of the file counts as one).
    fn next_hole(&self, offset: u64) -> io::Result<u64>;
    /// Bytes of room it takes.
    fn allocated(&self) -> io::Result<u64>;
}

/// A real folder.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }
}

impl Storage for Folder {
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.root.join(name))?;
        Ok(Arc::new(RealFile::new(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.root.join(name);
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        Ok(Arc::new(RealFile::new(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        fs::File::open(self.root.join(folder))?.sync_all()
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(folder))? {
            // A name that is not text is not ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(format!("{folder}/{name}"));
            }
        }
        names.sort();
        Ok(names)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(folder))
    }

    fn identity(&self) -> io::Result<Identity> {
        let mut boot = [0; 16];
        // Without a boot id every opening is taken for one after a power loss: safe, and never more than that.
        if let Ok(text) = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            && let Ok(id) = uuid::Uuid::try_parse(text.trim())
        {
            boot = id.into_bytes();
        }
        let device = fs::metadata(&self.root)?.dev();
        let filesystem = rustix::fs::statvfs(&self.root)?.f_fsid;
        Ok(Identity {
            boot,
            device,
            filesystem,
        })
    }

    fn room(&self) -> io::Result<Room> {
        let stat = rustix::fs::statvfs(&self.root)?;
        let unit = stat.f_frsize.max(1);
        Ok(Room {
            total: stat.f_blocks.saturating_mul(unit),
            free: stat.f_bavail.saturating_mul(unit),
            unit: stat.f_bsize.max(1),
        })
    }

    fn file_system(&self) -> Option<&'static str> {
        // `linux/magic.h`, and of those outside the kernel's tree their own.
        let known = [
            (0xef53, "ext4"),
            (0x5846_5342, "XFS"),
            (0x9123_683e, "Btrfs"),
            (0x2fc1_2fc1, "ZFS"),
            (0xca45_1a4e, "bcachefs"),
            (0xf2f5_2010, "F2FS"),
            (0x0102_1994, "tmpfs"),
            (0x794c_7630, "overlayfs"),
            (0x6969, "NFS"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB"),
            (0x6573_5546, "FUSE"),
        ];
        let stat = rustix::fs::statfs(&self.root).ok()?;
        // The kernel's number has 32 bits, whatever the width and the sign of the field.
        let kind = stat.f_type as u32;
        let found = known.iter().find(|(magic, _)| *magic == kind);
        found.map(|(_, name)| *name)
    }
}

/// A real file.
#[derive(Debug)]
struct RealFile {
    file: fs::File,
    passing: Passing,
}

impl RealFile {
    fn new(file: fs::File) -> Self {
        Self {
            file,
            passing: Passing::default(),
        }
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn write_passing(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.passing.write_all_at(&self.file, data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        rustix::fs::fallocate(
            &self.file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            offset,
            len,
        )?;
        Ok(())
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        // The cursor that this moves is used by nobody: all reads and writes are positioned.
        match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
            Ok(at) => Ok(Some(at)),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn next_hole(&self, offset: u64) -> io::Result<u64> {
        match rustix::fs::seek(&self.file, SeekFrom::Hole(offset)) {
            Ok(at) => Ok(at),
            Err(rustix::io::Errno::NXIO) => Ok(offset),
            Err(error) => Err(error.into()),
        }
    }

    fn allocated(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.blocks().saturating_mul(512))
    }
}
