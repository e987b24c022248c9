//! A unix socket that only its owner can reach, from its first moment on.
//!
//! `chmod` after `bind` would leave a moment in which anyone may connect, and the process's umask belongs to all its
//! threads. Linux gives the socket's file the mode of the socket itself (`unix_bind`: `S_IFSOCK | (inode mode & ~umask)`),
//! so the mode is set before there is a name.
//!
//! Looking whether a socket is dead, removing it and binding anew is one step, under a lock (`flock`) on the folder: of
//! two servers that start together one finds the other's socket alive.

use super::error::ListenError;
use rustix::{
    fs::{FileType, FlockOperation, Mode},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    fs::{self, File},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Only the owner.
const MODE: u32 = 0o600;

/// A listening socket, and the name it has in the file system.
pub(super) struct Socket {
    pub listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the name: only what we made is removed.
    identity: (u64, u64),
}

impl Socket {
    /// Listens on `path`.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        let fail = |operation| {
            let path = path.to_owned();
            move |error: Errno| ListenError::Io {
                operation,
                path,
                source: error.into(),
            }
        };
        let address = SocketAddrUnix::new(path)
            .map_err(fail("use as a socket's name (at most 107 bytes)"))?;
        let _folder = lock_folder(path)?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(ListenError::Io {
                    operation: "look at",
                    path: path.to_owned(),
                    source,
                });
            }
            Ok(found) if !found.file_type().is_socket() => {
                return Err(ListenError::NotASocket {
                    path: path.to_owned(),
                });
            }
            Ok(_) => {
                let probe = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
                    .map_err(fail("make"))?;
                match rustix::net::connect(&probe, &address) {
                    Err(Errno::CONNREFUSED | Errno::NOENT) => {}
                    // Accepted, or its queue is full: alive.
                    Ok(()) | Err(Errno::AGAIN) => {
                        return Err(ListenError::Live {
                            socket: path.to_owned(),
                        });
                    }
                    Err(error) => return Err(fail("connect to")(error)),
                }
                remove(path)?;
            }
        }
        let socket = new_socket(SocketFlags::CLOEXEC).map_err(fail("make"))?;
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(MODE)).map_err(fail("restrict"))?;
        rustix::net::bind(&socket, &address).map_err(fail("bind"))?;
        rustix::net::listen(&socket, BACKLOG).map_err(fail("listen on"))?;
        let made = fs::symlink_metadata(path).map_err(|source| ListenError::Io {
            operation: "look at",
            path: path.to_owned(),
            source,
        })?;
        let made = Self {
            listener: socket.into(),
            path: path.to_owned(),
            identity: (made.dev(), made.ino()),
        };
        // A file system with ideas of its own about modes.
        let mode = fs::symlink_metadata(path).map_or(u32::MAX, |made| made.mode());
        if FileType::from_raw_mode(mode) != FileType::Socket || mode & 0o777 & !MODE != 0 {
            made.remove()?;
            let source = io::Error::from(io::ErrorKind::Unsupported);
            return Err(ListenError::Io {
                operation: "restrict to its owner",
                path: path.to_owned(),
                source,
            });
        }
        Ok(made)
    }

    /// Removes the name, if it is still this socket's.
    pub fn remove(&self) -> Result<(), ListenError> {
        let _folder = lock_folder(&self.path)?;
        match fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.identity => remove(&self.path),
            _ => Ok(()),
        }
    }
}

fn new_socket(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn remove(path: &Path) -> Result<(), ListenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| ListenError::Io {
            operation: "remove",
            path: path.to_owned(),
            source,
        }),
    }
}

/// Locks the folder the socket is in, for the few system calls that follow.
fn lock_folder(path: &Path) -> Result<File, ListenError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let fail = |operation| {
        move |source| ListenError::Io {
            operation,
            path: folder.to_owned(),
            source,
        }
    };
    let file = File::open(folder).map_err(fail("open"))?;
    let mut left = 50;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            // Whoever starts beside us holds it for microseconds; somebody who keeps it must not hang the start.
            Err(Errno::WOULDBLOCK) if left > 0 => {
                left -= 1;
                thread::sleep(Duration::from_millis(100));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(fail("lock")(error.into())),
        }
    }
}
