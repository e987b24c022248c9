//! An instance's folder.
//!
//! A socket's name may be 107 bytes long, a data folder's path may be longer. QEMU runs *in* the folder and gives its
//! sockets short names; we reach them through `/proc/self/fd/<folder>/<name>`. So no length of path is too long.

use super::{Error, Serial};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::AsRawFd,
        unix::{
            fs::{DirBuilderExt, MetadataExt, PermissionsExt},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
};

/// The machine protocol.
pub(super) const QMP: &str = "qmp.sock";
/// The guest agent's port.
pub(super) const AGENT: &str = "agent.sock";
/// The serial console.
pub(super) const SERIAL: &str = "serial.log";
/// QEMU's own output.
pub(super) const LOG: &str = "qemu.log";
/// The same, of the run before.
pub(super) const OLD_LOG: &str = "qemu.log.old";
/// Where QEMU takes a guest's memory from, when it goes on with one.
pub(super) const MEMORY: &str = "memory.sock";
/// The process, for people.
pub(super) const PID: &str = "qemu.pid";

/// How much of QEMU's last words is repeated in errors, in bytes.
const LAST_WORDS: u64 = 2048;

/// Which folder, whatever it is called: device and inode.
pub(super) type Key = (u64, u64);

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
    key: Key,
}

impl Folder {
    /// Makes it if need be, its parents too, and keeps others out of it.
    pub fn create(path: &Path) -> Result<Self, Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(Error::io("make the folder", path))?;
        fs::set_permissions(path, Permissions::from_mode(0o700))
            .map_err(Error::io("restrict to its owner", path))?;
        Self::open(path)
    }

    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let handle = File::open(&path).map_err(Error::io("open", &path))?;
        let found = handle.metadata().map_err(Error::io("look at", &path))?;
        if !found.is_dir() {
            return Err(Error::io("open as a folder", path)(io::Error::from(
                io::ErrorKind::NotADirectory,
            )));
        }
        Ok(Self {
            key: (found.dev(), found.ino()),
            path,
            handle,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn key(&self) -> Key {
        self.key
    }

    /// A name for a socket of the folder that is short enough, for this process.
    pub(super) fn short(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.handle.as_raw_fd())
    }

    /// Removes a socket's name.
    pub(super) fn forget(&self, name: &str) {
        match fs::remove_file(self.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, folder = %self.path().display(), name, "a socket's name remains");
            }
            _ => {}
        }
    }

    /// Connects to a socket of the folder, without waiting for a listener that is busy: that is `EAGAIN`.
    pub fn connect(&self, name: &str) -> Result<UnixStream, Errno> {
        let short = self.short(name);
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(short)?)?;
        let stream = UnixStream::from(socket);
        stream
            .set_nonblocking(false)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(stream)
    }

    /// A fresh log for QEMU's output; the last one is kept beside it.
    pub fn new_log(&self) -> Result<File, Error> {
        let log = self.path.join(LOG);
        match fs::rename(&log, self.path.join(OLD_LOG)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("put aside", log)(error));
            }
            _ => {}
        }
        File::options()
            .append(true)
            .create(true)
            .open(&log)
            .map_err(Error::io("make", log))
    }

    /// Gives back the room of old output, as for the serial console: a guest may make QEMU complain for ever.
    pub fn trim_log(&self) -> Result<(), Error> {
        Serial::of_file(self.path.join(LOG)).trim_file()
    }

    /// The end of QEMU's output, for an error's text: one line.
    pub fn last_words(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut log = File::open(self.path.join(LOG))?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))?;
            let mut words = Vec::new();
            log.take(LAST_WORDS).read_to_end(&mut words)?;
            Ok(words)
        };
        match read() {
            Ok(words) => {
                let words = String::from_utf8_lossy(&words);
                let lines: Vec<_> = words
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .collect();
                if lines.is_empty() {
                    "it said nothing".to_owned()
                } else {
                    lines.join(" / ")
                }
            }
            Err(error) => format!("its log cannot be read: {error}"),
        }
    }

    /// Removes what a QEMU that has ended leaves. Its logs stay.
    pub fn tidy(&self) {
        for name in [QMP, AGENT, MEMORY, PID] {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, folder = %self.path.display(), name, "a file of a machine that has ended remains");
                }
                _ => {}
            }
        }
    }

    /// Waits until nobody else in this process starts or looks for a machine in this folder: QEMU speaks to one client
    /// at a time, and the first to connect is the one.
    pub fn turn(&self) -> Turn {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        while !taken.get_or_insert_default().insert(self.key) {
            taken = RETURNED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self.key)
    }
}

static TAKEN: Mutex<Option<HashSet<Key>>> = Mutex::new(None);
static RETURNED: Condvar = Condvar::new();

/// The right to start or look for a machine in a folder.
pub(super) struct Turn(Key);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = taken.as_mut() {
            taken.remove(&self.0);
        }
        RETURNED.notify_all();
    }
}
