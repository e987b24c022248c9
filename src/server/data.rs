//! The data folder: made at first use, explained to whoever opens it, held by one server at a time.

use crate::control::{LOCK_PAUSE, LOCK_TRIES};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The explanation that lies in the data folder.
const README: &str = include_str!("data_readme.md");

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another server holds it.
    #[error(
        "the data folder {path} is in use by another Reprise server; stop it first, or name another folder with --data"
    )]
    Held {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be made or written.
    #[error("the data folder {path} cannot be used")]
    Unusable {
        /// The folder, or the file in it.
        path: PathBuf,
        /// The system's own error.
        #[source]
        source: std::io::Error,
    },
}

/// The data folder, held until this is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: OwnedFd,
}

impl DataFolder {
    /// Makes the folder if need be, takes its lock, and writes its README.
    ///
    /// The lock is the kernel's, so a server that was killed leaves none behind.
    ///
    /// # Errors
    /// [`Error::Held`], [`Error::Unusable`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let at = |file: &Path| {
            let file = file.to_owned();
            move |source: std::io::Error| Error::Unusable { path: file, source }
        };
        std::fs::create_dir_all(path).map_err(at(path))?;
        // Absolute, so that sockets and child processes mean the same folder whatever they take as theirs.
        let path = &path.canonicalize().map_err(at(path))?;
        let file = path.join("lock");
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let lock = rustix::fs::open(&file, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| at(&file)(e.into()))?;
        let mut tries = LOCK_TRIES;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if tries > 0 => std::thread::sleep(LOCK_PAUSE),
                Err(Errno::WOULDBLOCK) => return Err(Error::Held { path: path.clone() }),
                Err(error) => return Err(at(&file)(error.into())),
            }
            tries -= 1;
        }
        // Passwords' hashes and tenants' disks lie below: nobody else of this machine has any business here.
        rustix::fs::chmod(path, Mode::RWXU).map_err(|error| at(path)(error.into()))?;
        let readme = path.join("README.md");
        if std::fs::read_to_string(&readme).ok().as_deref() != Some(README) {
            let mut file = std::fs::File::create(&readme).map_err(at(&readme))?;
            file.write_all(README.as_bytes()).map_err(at(&readme))?;
        }
        Ok(Self {
            path: path.clone(),
            _lock: lock,
        })
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_refused_and_a_dead_one_is_not_in_the_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        let first = DataFolder::open(&path).expect("the first");
        let refused = DataFolder::open(&path).expect_err("the second");
        assert!(
            refused
                .to_string()
                .contains("in use by another Reprise server"),
            "{refused}"
        );
        assert!(first.path().join("README.md").exists());
        drop(first);
        DataFolder::open(&path).expect("once the first is gone");
    }
}
